#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;
use proptest::prelude::*;

/// Origins are told by their host's first letter; what has `gone` in it isn't there.
fn relocated(format: Format, source: &str, moves_roots: bool) -> String {
    let url = Url::parse("http://a.example/dir/list").unwrap();
    let address = |url: &Url| Some(format!("http://{}.replay", url.host_str()?));
    let is_there = |url: &Url| !url.as_str().contains("gone");
    let moved = relocate(
        format,
        source.as_bytes(),
        &url,
        None,
        moves_roots,
        address,
        is_there,
    );
    String::from_utf8(moved.bytes).unwrap()
}

#[test]
fn absolute_addresses_of_playlists_get_another_origin_and_nothing_else_changes() {
    for (line, expected) in [
        ("s1.ts", "s1.ts"),
        ("/s1.ts", "/s1.ts"),
        (
            " HTTP://b.example:80/s1.ts?a=http://c/ \r",
            " http://b.example.replay/s1.ts?a=http://c/ \r",
        ),
        ("//b.example/s,1.ts#x", "http://b.example.replay/s,1.ts#x"),
        ("https://u:p@b.example?x", "http://b.example.replay?x"),
        (
            "#EXT-X-KEY:METHOD=AES-128,URI=\"https://k.example/k?a,b\",IV=0x1",
            "#EXT-X-KEY:METHOD=AES-128,URI=\"http://k.example.replay/k?a,b\",IV=0x1",
        ),
        (
            "#EXT-X-MAP:URI=\"//b.example/i\",BYTERANGE=\"1@0\"",
            "#EXT-X-MAP:URI=\"http://b.example.replay/i\",BYTERANGE=\"1@0\"",
        ),
        (
            "#EXT-X-DEFINE:NAME=\"h\",VALUE=\"http://b.example\"",
            "#EXT-X-DEFINE:NAME=\"h\",VALUE=\"http://b.example.replay\"",
        ),
        ("{$h}/a.ts", "{$h}/a.ts"),
        ("#EXTINF:4,http://b.example/", "#EXTINF:4,http://b.example/"),
        ("data:x", "data:x"),
        ("http:///", "http:///"),
    ] {
        let list = format!("#EXTM3U\n{line}\n");
        assert_eq!(
            relocated(Format::Hls, &list, false),
            format!("#EXTM3U\n{expected}\n"),
            "{line}"
        );
    }
    assert_eq!(
        relocated(Format::Hls, "/s.ts\nt.ts", true),
        "http://a.example.replay/s.ts\nt.ts"
    );
}

#[test]
fn variants_that_were_not_captured_are_left_out_where_another_was() {
    let variant = |url: &str| format!("#EXT-X-STREAM-INF:BANDWIDTH=1\n{url}\n");
    let sound =
        |name: &str, url: &str| format!("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{name}\"{url}\n");
    let list = [
        "#EXTM3U\n".to_owned(),
        sound("a", ",URI=\"http://b.example/gone\""),
        sound("a", ",URI=\"en\""),
        sound("b", ",URI=\"gone\""),
        sound("c", ",URI=\"gone\""),
        sound("c", ""),
        variant("http://b.example/gone"),
        variant("http://b.example/here"),
        "#EXT-X-I-FRAME-STREAM-INF:URI=\"gone\"\n".to_owned(),
        variant("gone"),
    ];
    let expected = [
        "#EXTM3U\n".to_owned(),
        sound("a", ",URI=\"en\""),
        sound("b", ",URI=\"gone\""),
        sound("c", ""),
        variant("http://b.example.replay/here"),
    ];
    assert_eq!(
        relocated(Format::Hls, &list.concat(), false),
        expected.concat()
    );
    let none = ["#EXTM3U\n".to_owned(), variant("gone"), variant("gone2")].concat();
    assert_eq!(relocated(Format::Hls, &none, false), none);
    // Segments aren't alternatives.
    let segments = "#EXTM3U\n#EXTINF:1,\ngone\n#EXTINF:1,\nhere\n";
    assert_eq!(relocated(Format::Hls, segments, false), segments);
}

#[test]
fn manifests_get_other_origins_and_lose_what_was_not_captured() {
    let manifest = "<?xml version='1.0'?><MPD xmlns='http://n.example/'><BaseURL> http://b.example/v/ </BaseURL>\
        <Period xlink:href=\"https://c.example/p?a&amp;b\"><AdaptationSet mimeType='video/mp4'>\
        <SegmentTemplate media='http://b.example/$RepresentationID$-$Number%05d$.m4s?a&amp;b' initialization='i' duration='1'/>\
        <Representation id='gone'/><Representation id='here'/></AdaptationSet>\
        <AdaptationSet contentType='video'><Representation><BaseURL>gone2</BaseURL></Representation></AdaptationSet>\
        <AdaptationSet contentType='audio'><Representation><SegmentList><SegmentURL media='/gone' index='//d.example/x'/></SegmentList></Representation></AdaptationSet>\
        </Period></MPD>";
    let expected = "<?xml version='1.0'?><MPD xmlns='http://n.example/'><BaseURL> http://b.example.replay/v/ </BaseURL>\
        <Period xlink:href=\"http://c.example.replay/p?a&amp;b\"><AdaptationSet mimeType='video/mp4'>\
        <SegmentTemplate media='http://b.example.replay/$RepresentationID$-$Number%05d$.m4s?a&amp;b' initialization='i' duration='1'/>\
        <Representation id='here'/></AdaptationSet>\
        <AdaptationSet contentType='audio'><Representation><SegmentList><SegmentURL media='/gone' index='http://d.example.replay/x'/></SegmentList></Representation></AdaptationSet>\
        </Period></MPD>";
    assert_eq!(
        relocated(Format::Dash, manifest, false),
        expected.replace("  ", "")
    );
    let rooted = relocated(Format::Dash, manifest, true);
    assert!(
        rooted.contains("media='http://b.example.replay/gone'"),
        "{rooted}"
    );
}

#[test]
fn shown_xml_gets_other_origins() {
    let document = "<?xml version='1.0'?><?xml-stylesheet type='text/css' href=\"http://b.example/s.css\"?>\
        <svg xmlns:xlink='http://www.w3.org/1999/xlink'><image xlink:href='//b.example/i.png'/><a href='c'>http://b.example/</a></svg>";
    let expected = "<?xml version='1.0'?><?xml-stylesheet type='text/css' href=\"http://b.example.replay/s.css\"?>\
        <svg xmlns:xlink='http://www.w3.org/1999/xlink'><image xlink:href='http://b.example.replay/i.png'/><a href='c'>http://b.example/</a></svg>";
    assert_eq!(relocated(Format::Svg, document, false), expected);
}

#[test]
fn only_so_many_variants_are_looked_up() {
    let variants = (0..5000).map(|n| format!("#EXT-X-STREAM-INF:BANDWIDTH=1\nv{n}\n"));
    let list = variants.collect::<Vec<_>>().concat();
    let url = Url::parse("http://a.example/").unwrap();
    let mut asked = 0;
    let moved = relocate(
        Format::Hls,
        list.as_bytes(),
        &url,
        None,
        false,
        |_| None,
        |_| {
            asked += 1;
            false
        },
    );
    assert!(asked <= MAX_LOOKED_UP && !moved.bytes.is_empty(), "{asked}");
}

#[test]
fn marked_text_may_end_within_a_character_before_its_mark() {
    let source =
        "<MPD><BaseURL><![CDATA[\u{10000}http://b/]]></BaseURL></MPD><![CDATA[\u{10000}]]>";
    relocated(Format::Dash, source, true);
}

proptest! {
    #[test]
    fn any_text_keeps_its_characters_apart(source in "(?s)(#EXT-X-STREAM-INF:|#EXT-X-KEY:URI=|\"|<MPD>|</MPD>|<Period>|<AdaptationSet>|</AdaptationSet>|<Representation>|</Representation>|<BaseURL>|</BaseURL>|<SegmentURL media=|<!\\[CDATA\\[|\\]\\]>|&amp;|http://b/|//é/|<\\?xml-stylesheet href='|'|\\?>|>|\n|é|.){0,40}") {
        for format in [Format::Hls, Format::Dash, Format::Svg] {
            for moves_roots in [false, true] {
                relocated(format, &source, moves_roots);
            }
        }
    }
}
