//! What the operator withholds is nowhere, by whatever way it is asked for.

use super::*;
use crate::snapshot::denied::Denied;

const LIST: &str = "# people\nhttps://a.example/jane\nhttp://a.example/private/*\n";
const PROFILE: &str = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest";

fn served() -> Served {
    let directory = tempfile::tempdir().unwrap();
    let list = directory.path().join("deny.txt");
    std::fs::write(&list, LIST).unwrap();
    let settings = Settings {
        denied: Some(Arc::new(Denied::read(&list).unwrap())),
        ..Settings::default()
    };
    let digest = Digest::sha256(b"secret one").to_string();
    let archive = Archive::default()
        .response(
            "http://a.example/",
            EARLY,
            HTML,
            b"<a href=/jane>secret link</a>",
        )
        .response("http://a.example/jane", EARLY, HTML, b"secret one")
        .response("http://a.example/jane", LATE, HTML, b"secret two")
        .response("http://a.example/jane?_=1", EARLY, HTML, b"secret three")
        .response(
            "http://a.example/private/x?y=1",
            EARLY,
            HTML,
            b"secret four",
        )
        .response(
            "http://a.example/moved",
            EARLY,
            "302 Found\nLocation: /jane",
            b"",
        )
        .record(
            &RecordType::Revisit,
            "http://a.example/copy",
            LATE,
            HTML,
            b"",
            &[
                ("WARC-Profile", PROFILE),
                ("WARC-Payload-Digest", &digest),
                ("WARC-Refers-To-Target-URI", "http://a.example/jane"),
                ("WARC-Refers-To-Date", "2026-03-01T00:00:00Z"),
            ],
        )
        .request(
            "http://a.example/private/form",
            LATE,
            "POST /private/form",
            "Content-Type: application/x-www-form-urlencoded\r\n\r\nq=1",
        )
        .response("http://a.example/private/form", LATE, TEXT, b"secret five");
    let other = Archive::default().response("http://www.a.example/jane", LATE, HTML, b"secret six");
    Archive::serve_with([("Demo", archive), ("Other", other)], "all", &settings)
}

#[test]
fn no_address_gives_what_is_withheld() {
    let served = served();
    let loopback = format!("127.0.0.1:{}", served.state.base.port);
    for url in [
        "http://a.example/jane",
        "https://www.a.example/jane",
        "http://a.example/private/",
        "http://a.example/private/x?y=1",
        "http://a.example/private/never",
        "http://a.example/jane?_=2",
        "http://a.example/jane?utm_source=x",
    ] {
        let mut answers = vec![served.get(url, LATE, "Sec-Fetch-Dest: iframe\r\n")];
        let is_near = url.contains("jane?");
        for name in ["demo", "other", "all", "demo-unfiltered"] {
            answers.push(served.ask("GET", &loopback, &format!("/{name}/{LATE}mp_/{url}"), ""));
            if !is_near {
                for target in [
                    format!("/{name}/{LATE}id_/{url}"),
                    format!("/view/{name}/{LATE}/{url}"),
                    format!("/c/{name}/captures?url={url}"),
                ] {
                    answers.push(served.ui(&target));
                }
                for target in [
                    format!("/{name}/{url}"),
                    format!("/{name}/timemap/link/{url}"),
                    format!("/{name}/timemap/cdxj/{url}"),
                ] {
                    answers.push(served.ask("GET", &loopback, &target, ""));
                }
            }
        }
        for answer in answers {
            assert_eq!(answer.status, 451, "{url}: {}", answer.text());
            assert!(
                answer.text().contains("withholds"),
                "{url}: {}",
                answer.text()
            );
            assert!(!answer.text().contains("secret"), "{url}");
        }
    }
    let missing = served.ui(&format!("/-/missing/all/{LATE}")).text();
    assert!(!missing.contains("jane"), "{missing}");
    let around = served.ui(&format!(
        "/-/around/all/{LATE}?url=http%3A%2F%2Fa.example%2Fjane"
    ));
    assert!(
        around.text().contains("\"denied\":true"),
        "{}",
        around.text()
    );
}

#[test]
fn revisits_redirects_and_bodies_do_not_get_round_it() {
    let served = served();
    let copy = served.get("http://a.example/copy", LATE, "");
    assert_eq!(copy.status, 451);
    assert!(copy.text().contains("withholds"), "{}", copy.text());
    let raw = served.ui(&format!("/demo/{LATE}id_/http://a.example/copy"));
    assert_eq!((raw.status, raw.text().contains("secret")), (451, false));
    let moved = served.get("http://a.example/moved", LATE, "");
    assert_eq!(moved.status, 302);
    let host = served.host("http://a.example/", LATE);
    let form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\nq=1";
    assert_eq!(served.ask("POST", &host, "/private/form", form).status, 451);
    // What isn't withheld is as it was.
    assert!(
        served
            .get("http://a.example/", LATE, "")
            .text()
            .contains("secret link")
    );
}

#[test]
fn no_list_names_what_is_withheld() {
    let served = served();
    let loopback = format!("127.0.0.1:{}", served.state.base.port);
    for name in ["demo", "other", "all"] {
        for target in [
            format!("/c/{name}/"),
            format!("/c/{name}/?q=jane&how=words"),
            format!("/c/{name}/?q=a.example&how=host"),
            "/?q=a.example&how=host".to_owned(),
            format!("/c/{name}/captures?url=http://a.example/priv"),
        ] {
            let text = served.ui(&target).text();
            assert!(!text.contains("example/jane<"), "{target}: {text}");
            assert!(!text.contains("/private/"), "{target}: {text}");
        }
        for query in [
            "url=a.example/*",
            "url=*.example&sort=reverse",
            "url=a.example/jane",
        ] {
            let text = served
                .ask("GET", &loopback, &format!("/{name}/cdx?{query}"), "")
                .text();
            assert!(!text.contains("private"), "{query}: {text}");
            assert!(!text.contains("/jane\""), "{query}: {text}");
        }
    }
    let cdx = served
        .ask("GET", &loopback, "/all/cdx?url=a.example/*", "")
        .text();
    assert!(cdx.contains("/moved") && cdx.contains("/copy"), "{cdx}");
}

#[test]
fn a_record_isnt_given_with_what_is_withheld_in_the_same_gzip_member() {
    let directory = tempfile::tempdir().unwrap();
    let list = directory.path().join("deny.txt");
    std::fs::write(&list, LIST).unwrap();
    let denied = Some(Arc::new(Denied::read(&list).unwrap()));
    let mut archive = Archive::default()
        .response("http://a.example/", EARLY, HTML, b"open")
        .response("http://a.example/jane", EARLY, HTML, b"secret one");
    archive.0 = gzip(&archive.0);
    let asked = format!("/c/demo/record?url=http%3A%2F%2Fa.example%2F&time={EARLY}");
    for (settings, is_given) in [
        (Settings::default(), true),
        (
            Settings {
                denied,
                ..Settings::default()
            },
            false,
        ),
    ] {
        let archive = Archive(archive.0.clone());
        let served = Archive::serve_with([("demo", archive)], "demo", &settings);
        let host = format!("lastlight.localhost:{}", served.state.base.port);
        let answer = served.ask("GET", &host, &asked, "");
        assert_eq!(answer.status == 200, is_given, "{}", answer.text());
    }
}
