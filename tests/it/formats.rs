//! Whatever format names a URL, and however its server labels it, the URL is
//! captured: sitemaps, feeds, playlists, manifests, documents, header fields.

use std::io::Write;

use crate::harness::{crawl, lastlight, scratch};
use crate::holdings::Snapshot;
use crate::wire::{Reply, Wire, answer};

fn gzipped(text: &str) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(text.as_bytes()).unwrap();
    gz.finish().unwrap()
}

/// The answers of a site whose pages hardly link to each other.
fn served(target: &str) -> Option<Vec<u8>> {
    let (headers, body): (&[&str], Vec<u8>) = match target {
        "/robots.txt" => (
            &["Content-Type: text/plain"],
            b"Sitemap: /maps.xml\nSitemap: /list.txt\n".to_vec(),
        ),
        "/maps.xml" => (
            &["Content-Type: text/html"],
            b"<sitemapindex><sitemap><loc>/posts.xml.gz</loc></sitemap></sitemapindex>".to_vec(),
        ),
        "/posts.xml.gz" => (
            &["Content-Type: application/octet-stream"],
            gzipped("<urlset><url><loc>/listed</loc><image:image><image:loc>/listed.png</image:loc></image:image></url></urlset>"),
        ),
        "/list.txt" => (&["Content-Type: text/plain"], b"ORIGIN/in-a-list\n".to_vec()),
        "/" => (
            &[
                "Content-Type: text/html",
                "Link: </feed.xml>; rel=alternate; title=\"a, <b>\", </early.css>; rel=preload; as=style",
                "Content-Location: /index.en.html",
                "Refresh: 900; url=/later",
            ],
            b"<link rel=manifest href=/app.json><video src=/live/main.m3u8></video><video src=/v.mpd></video><a href=/paper>p</a>".to_vec(),
        ),
        "/feed.xml" => (
            &["Content-Type: application/rss+xml"],
            b"<rss><channel><item><link>/post</link><enclosure url='/talk.mp3' type='audio/mpeg'/><description>&lt;img src=/in-post.png&gt;</description></item></channel></rss>".to_vec(),
        ),
        "/app.json" => (
            &["Content-Type: application/json"],
            br#"{"name": "A", "display": "standalone", "icons": [{"src": "/icon.png"}]}"#.to_vec(),
        ),
        "/live/main.m3u8" => (
            &["Content-Type: application/vnd.apple.mpegurl"],
            b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n".to_vec(),
        ),
        "/live/low.m3u8" => (
            &["Content-Type: text/plain"],
            b"#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"key\"\n#EXTINF:2,\n1.ts\n".to_vec(),
        ),
        "/v.mpd" => (
            &["Content-Type: application/dash+xml"],
            b"<MPD mediaPresentationDuration='PT3S'><Period><AdaptationSet><SegmentTemplate media='v-$Number$.m4s' duration='2'/><Representation/></AdaptationSet></Period></MPD>".to_vec(),
        ),
        "/paper" => (
            &["Content-Type: application/pdf"],
            b"%PDF-1.4\n1 0 obj <</S/URI/URI(/cited)>> endobj".to_vec(),
        ),
        _ => return None,
    };
    Some(answer("200 OK", headers, body))
}

#[test]
fn every_format_leads_on_to_what_it_names() {
    let site = Wire::serve(|asked| {
        let host = asked.field("host").unwrap_or_default();
        let mut sent = served(&asked.target)?;
        if asked.target == "/list.txt" {
            let body = format!("http://{host}/in-a-list\n");
            sent = answer("200 OK", &["Content-Type: text/plain"], body);
        }
        Some(Reply::Keep(sent))
    });
    let directory = scratch();
    let into = directory.path().join("formats");
    crawl(site.url("/"), &into).run().exits(0);
    let ledger = Snapshot::at(&into).ledger();
    for (path, hops) in [
        ("/maps.xml", "PM"),
        ("/posts.xml.gz", "PMM"),
        ("/listed", "PMML"),
        ("/listed.png", "PMME"),
        ("/in-a-list", "PML"),
        ("/feed.xml", "L"),
        ("/early.css", "E"),
        ("/index.en.html", "L"),
        ("/later", "R"),
        ("/post", "LL"),
        ("/talk.mp3", "LE"),
        ("/in-post.png", "LE"),
        ("/app.json", "E"),
        ("/icon.png", "EE"),
        ("/live/main.m3u8", "E"),
        ("/live/low.m3u8", "EE"),
        ("/live/key", "EEE"),
        ("/live/1.ts", "EEE"),
        ("/v.mpd", "E"),
        ("/v-1.m4s", "EE"),
        ("/v-2.m4s", "EE"),
        ("/paper", "L"),
        ("/cited", "LL"),
    ] {
        let row = ledger.get(&site.url(path));
        let row = row.unwrap_or_else(|| panic!("{path} has no row"));
        assert_eq!(
            (row["state"].as_str(), row["hops"].as_str()),
            ("captured", hops),
            "{path}"
        );
    }
    lastlight(["verify"]).arg(&into).run().exits(0);
}
