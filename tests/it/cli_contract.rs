//! What scripts rely on: exit codes, the JSON object, what goes to stdout and
//! stderr, where a snapshot goes, and that wrong usage touches nothing.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::harness::{SHORT_CALENDAR, Site, captured, crawl, lastlight, scratch};
use crate::holdings::Snapshot;
use crate::wire::{Reply, Wire, page};

#[test]
fn json_is_one_object_with_the_promised_keys() {
    let ran = &captured().crawl;
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(ran.stderr, "", "no progress beside JSON");
    let json = ran.json();
    let path = captured().snapshot.path();
    assert_eq!(json["snapshot"], path.to_str().unwrap());
    assert_eq!(json["complete"], true);
    assert_eq!(json["exit"], 0);
    assert!(json["bytes"].as_u64().unwrap() > 100_000, "{json}");
    assert!(json["seconds"].as_f64().unwrap() > 0.0, "{json}");
    assert_eq!(json["findings"], serde_json::json!([]));
    let counts = json["counts"].as_object().unwrap();
    let mut names: Vec<_> = counts.keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = [
        "captured",
        "discovered",
        "excluded",
        "failed",
        "unchanged",
        "unreached",
    ];
    assert_eq!(names, expected);
}

#[test]
fn without_settings_a_crawl_goes_to_snapshots_and_says_which_command_comes_next() {
    let wire = Wire::serve(|asked| (asked.target == "/").then(|| Reply::Keep(page(&["/x"]))));
    let directory = scratch();
    let ran = lastlight(["crawl", &wire.url("/")])
        .within(directory.path())
        .run()
        .exits(0);
    let path = ran.stdout.lines().next().unwrap().to_owned();
    let name = path.strip_prefix("snapshots/127.0.0.1-").unwrap();
    assert!(
        name.len() == 14 && name.bytes().all(|byte| byte.is_ascii_digit()),
        "{name}"
    );
    let snapshot = Snapshot::at(&directory.path().join(&path));
    assert_eq!(snapshot.ledger().len(), 3);
    ran.says("captured")
        .says(&format!("lastlight verify {path}"));
}

#[test]
fn quiet_prints_the_path_alone() {
    let wire = Wire::serve(|asked| (asked.target == "/").then(|| Reply::Keep(page(&[]))));
    let directory = scratch();
    let into = directory.path().join("quiet");
    let ran = crawl(wire.url("/"), &into).arg("--quiet").run().exits(0);
    assert_eq!(ran.stdout, format!("{}\n", into.display()));
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_directory_that_holds_something_is_refused_and_left_alone() {
    let wire = Wire::serve(|_| None);
    let directory = scratch();
    let into = directory.path().join("taken");
    fs::create_dir(&into).unwrap();
    fs::write(into.join("thesis.txt"), "years of work").unwrap();
    crawl(wire.url("/"), &into)
        .run()
        .exits(2)
        .warns("exists already")
        .warns("--into");
    let held = Snapshot::at(&into).contents();
    assert_eq!(held.into_values().collect::<Vec<_>>(), [b"years of work"]);
    assert!(wire.asked().is_empty());
}

#[test]
fn a_sealed_snapshot_is_not_crawled_into_again() {
    let captured = captured();
    let before = captured.snapshot.contents();
    crawl(captured.site.url("/"), captured.snapshot.path())
        .run()
        .exits(2)
        .warns("resume");
    assert_eq!(captured.snapshot.contents(), before);
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    let directory = scratch();
    let into = directory.path().join("never");
    crawl("http://127.0.0.1:9/", &into)
        .config(directory.path(), "[politeness]\ndelai = \"1s\"\n")
        .run()
        .exits(2)
        .warns("delai")
        .warns("did you mean \"politeness.delay\"");
    assert!(!into.exists());
}

#[test]
fn wrong_usage_exits_with_2_and_makes_nothing() {
    let directory = scratch();
    let into = directory.path().join("never");
    let run = |args: &[&str]| lastlight(args).arg("--into").arg(&into).run();
    for args in [
        &["crawl"][..],
        &["crawl", "ftp://127.0.0.1/"],
        &["crawl", "http://"],
        &["crawl", "http://127.0.0.1:9/", "--delay", "soon"],
        &["crawl", "http://127.0.0.1:9/", "--scope", "world"],
        &["crawl", "http://127.0.0.1:9/", "--robots", "maybe"],
        &["crawl", "http://127.0.0.1:9/", "--include", "("],
        &[
            "crawl",
            "http://127.0.0.1:9/",
            "--allow-address",
            "10.0.0.0/33",
        ],
        &["crawl", "http://127.0.0.1:9/", "--connections", "0"],
        &["crawl", "http://127.0.0.1:9/", "--warc-version", "2.0"],
        &[
            "crawl",
            "http://127.0.0.1:9/",
            "--config",
            "/nowhere/at-all.toml",
        ],
        &["crawl", "http://127.0.0.1:9/", "--no-such-flag"],
    ] {
        let ran = run(args).exits(2);
        assert!(!ran.stderr.is_empty() && ran.stdout.is_empty(), "{ran}");
        assert!(!into.exists(), "{args:?} made {into:?}");
    }
    for args in [
        &["verify", "/nowhere"][..],
        &["index", "/nowhere"],
        &["resume", "/nowhere"],
        &["no-such-command"],
    ] {
        lastlight(args).run().exits(2);
    }
}

#[test]
fn a_snapshot_in_place_of_a_file_is_wrong_usage() {
    let directory = scratch();
    let file = directory.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    crawl("http://127.0.0.1:9/", &file)
        .run()
        .exits(2)
        .warns(&format!("{}: is a file", file.display()))
        .warns("--into");
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
}

#[test]
fn a_crawl_of_another_version_is_told_and_left_as_it_is() {
    let wire = Wire::serve(|asked| (asked.target == "/").then(|| Reply::Keep(page(&["/a"]))));
    let directory = scratch();
    let into = directory.path().join("other");
    crawl(wire.url("/"), &into)
        .args(["--max-urls", "1"])
        .run()
        .exits(3);
    let snapshot = Snapshot::at(&into);
    let store = || rusqlite::Connection::open(snapshot.file("state/crawl.sqlite")).unwrap();
    let own: i64 = store()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    let set = |version: i64| {
        let db = store();
        db.pragma_update(None, "user_version", version).unwrap();
    };
    for (version, word) in [(0, "an older version"), (99, "a newer version")] {
        set(version);
        lastlight(["resume"])
            .arg(&into)
            .run()
            .exits(2)
            .warns("state/crawl.sqlite: begun by")
            .warns(word)
            .warns("Resume it with the version that began it");
        // It is as sealed as it was.
        assert_eq!(snapshot.manifest()["lastlight"]["complete"], false);
    }
    set(own);
    lastlight(["resume"]).arg(&into).run().exits(3);
}

#[test]
fn flags_override_the_file_and_the_file_the_defaults() {
    let wire = Wire::serve(|asked| (asked.target == "/").then(|| Reply::Keep(page(&[]))));
    let directory = scratch();
    let into = directory.path().join("flags");
    crawl(wire.url("/"), &into)
        .config(directory.path(), "[warc]\nversion = \"1.0\"\noperator = \"Archive of X\"\n[politeness]\ndelay = \"9s\"\n")
        .args(["--warc-version", "1.1"])
        .run()
        .exits(0);
    let settings = Snapshot::at(&into).text("metadata/config.toml");
    let settings: toml::Table = settings.parse().unwrap();
    assert_eq!(settings["warc"]["version"].as_str(), Some("1.1"));
    assert_eq!(settings["warc"]["operator"].as_str(), Some("Archive of X"));
    assert_ne!(settings["politeness"]["delay"].as_str(), Some("9s"));
    assert_eq!(settings["politeness"]["hosts"].as_integer(), Some(32));
}

#[test]
fn warc_1_0_is_written_where_it_is_asked_for() {
    let site = Site::open();
    let directory = scratch();
    let into = directory.path().join("old");
    crawl(site.url("/"), &into)
        .config(directory.path(), SHORT_CALENDAR)
        .args(["--warc-version", "1.0"])
        .run()
        .exits(0);
    let warc = fs::read(&Snapshot::at(&into).warcs()[0]).unwrap();
    let mut text = [0; 10];
    let mut reader = flate2::read::GzDecoder::new(&warc[..]);
    std::io::Read::read_exact(&mut reader, &mut text).unwrap();
    assert_eq!(&text, b"WARC/1.0\r\n");
    lastlight(["verify"]).arg(&into).run().exits(0);
}

#[test]
fn a_disk_that_cannot_be_written_exits_with_4() {
    let directory = scratch();
    let file = directory.path().join("a-file");
    fs::write(&file, "x").unwrap();
    crawl("http://127.0.0.1:9/", &file.join("below"))
        .run()
        .exits(4)
        .warns("a-file");
}

#[test]
fn help_and_version_are_results() {
    for args in [
        &["--help"][..],
        &["crawl", "--help"],
        &["resume", "--help"],
        &["verify", "--help"],
        &["index", "--help"],
        &["deposit", "--help"],
        &["--version"],
    ] {
        let ran = lastlight(args).run().exits(0);
        assert!(ran.stderr.is_empty(), "{ran}");
        if args.len() > 1 {
            ran.says("Example");
        } else {
            ran.says("lastlight");
        }
    }
}

#[test]
fn a_url_that_fails_makes_the_crawl_exit_with_1() {
    let directory = scratch();
    let into = directory.path().join("gone");
    // Nobody listens on a port that was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let ran = crawl(format!("http://127.0.0.1:{port}/"), &into)
        .config(directory.path(), "[fetch]\nretries = 0\n")
        .arg("--json")
        .run()
        .exits(1);
    let json = ran.json();
    assert_eq!(
        (json["complete"].as_bool(), json["exit"].as_u64()),
        (Some(true), Some(1))
    );
    assert_eq!(json["counts"]["failed"], json["counts"]["discovered"]);
    assert!(json["findings"][0]["example"].is_string(), "{json}");
    // The site's failures, honestly recorded, are no fault of the snapshot.
    lastlight(["verify"]).arg(&into).run().exits(0);
}

#[test]
fn the_demos_site_is_served_alone_until_ctrl_c() {
    let mut serving = Command::new(env!("CARGO_BIN_EXE_lastlight"))
        .args(["demo", "--serve"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(serving.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let seed = first.rsplit(' ').next().unwrap().to_owned();
    let directory = scratch();
    crawl(&seed, &directory.path().join("demo"))
        .args(["--max-urls", "1"])
        .run()
        .exits(3);
    let pid = rustix::process::Pid::from_child(&serving);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(serving.wait().unwrap().success());
    let told = rest.last().unwrap();
    let requests = told.strip_suffix(" requests answered").unwrap();
    assert!(requests.parse::<u64>().unwrap() >= 1, "{rest:?}");
    lastlight(["demo", "--serve", "--once"]).run().exits(2);
}
