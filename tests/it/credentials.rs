//! Logins and fields of single origins: sent there and nowhere else, written
//! down nowhere but in the request as it was sent, and not deposited by
//! accident.

use std::net::Ipv4Addr;

use crate::harness::{crawl, lastlight, scratch};
use crate::holdings::Snapshot;
use crate::wire::{Reply, Wire, answer, page};

/// Answers 401 to who isn't logged in.
fn members(other: String) -> Wire {
    Wire::serve(move |asked| {
        if asked.field("authorization").as_deref() != Some("Basic bWU6c2VzYW1l") {
            let challenge = ["WWW-Authenticate: Basic realm=\"x\""];
            return Some(Reply::Keep(answer("401 Unauthorized", &challenge, "no")));
        }
        Some(Reply::Keep(match asked.target.as_str() {
            "/" => page(&["/inner", "/away"]),
            "/inner" => answer("200 OK", &["Set-Cookie: sid=hush; Path=/"], "inside"),
            "/away" => answer("302 Found", &[&format!("Location: {other}")], ""),
            _ => return None,
        }))
    })
}

#[test]
fn a_login_opens_its_origin_and_goes_nowhere_else() {
    let elsewhere = Wire::serve_at(Ipv4Addr::new(127, 0, 0, 2), |asked| {
        (asked.target == "/public").then(|| Reply::Keep(answer("200 OK", &[], "for all")))
    });
    let site = members(elsewhere.url("/public"));
    let directory = scratch();
    let into = directory.path().join("members");
    let settings = format!(
        "[[access]]\nhost = \"{}\"\nbasic = \"env:LASTLIGHT_TEST_LOGIN\"\n\
         headers = {{ X-Archive-Key = \"hidden-key\", Accept-Language = \"de\" }}\n",
        site.url("")
    );
    let pattern = elsewhere.url("/").replace('.', "\\.");
    crawl(site.url("/"), &into)
        .config(directory.path(), &settings)
        .args(["--include", &pattern, "--allow-address", "127.0.0.0/8"])
        .env("LASTLIGHT_TEST_LOGIN", "me:sesame")
        .run()
        .exits(0);
    let snapshot = Snapshot::at(&into);
    for path in ["/", "/inner"] {
        assert_eq!(snapshot.row(&site.url(path))["status"], "200");
    }
    for asked in site.asked() {
        assert_eq!(asked.field("x-archive-key").as_deref(), Some("hidden-key"));
        assert_eq!(asked.field("accept-language").as_deref(), Some("de"));
    }
    assert_eq!(snapshot.row(&elsewhere.url("/public"))["status"], "200");
    let asked = elsewhere.asked();
    assert_eq!(asked.len(), 1);
    for name in [
        "authorization",
        "x-archive-key",
        "accept-language",
        "cookie",
    ] {
        assert_eq!(asked[0].field(name), None, "{name}");
    }

    // Nothing that is written of the crawl tells a secret, but the request.
    for file in [
        "metadata/config.toml",
        "logs/crawl.jsonl",
        "datapackage.json",
    ] {
        let text = snapshot.text(file);
        assert!(
            !text.contains("sesame") && !text.contains("hidden-key"),
            "{file}"
        );
    }
    assert!(
        snapshot
            .text("metadata/config.toml")
            .contains("env:LASTLIGHT_TEST_LOGIN")
    );
    let records = snapshot.records();
    let warcinfo = records
        .iter()
        .find(|record| record.kind() == "warcinfo")
        .unwrap();
    let warcinfo = String::from_utf8_lossy(&warcinfo.block).into_owned();
    assert!(
        warcinfo.contains("env:LASTLIGHT_TEST_LOGIN") && !warcinfo.contains("hidden-key"),
        "{warcinfo}"
    );
    let request = records
        .iter()
        .find(|record| record.kind() == "request" && record.url() == site.url("/"))
        .unwrap();
    let sent = String::from_utf8_lossy(&request.block).into_owned();
    assert!(
        sent.contains("Authorization: Basic bWU6c2VzYW1l"),
        "as it was sent: {sent}"
    );

    lastlight(["verify"]).arg(&into).run().exits(0);
    for form in ["bag", "wacz"] {
        lastlight(["deposit", "--as", form])
            .arg(&into)
            .run()
            .exits(2)
            .warns("authorization")
            .warns("set-cookie")
            .warns("--with-credentials");
    }
    lastlight(["deposit", "--as", "wacz", "--with-credentials"])
        .arg(&into)
        .run()
        .exits(0);
}

#[test]
fn a_crawl_that_goes_on_needs_the_secrets_that_were_left_out() {
    let site = members("/".into());
    let directory = scratch();
    let into = directory.path().join("members");
    let settings = format!(
        "[[access]]\nhost = \"{}\"\nbasic = \"me:sesame\"\n",
        site.url("")
    );
    crawl(site.url("/"), &into)
        .config(directory.path(), &settings)
        .args(["--max-urls", "1", "--connections", "1"])
        .run()
        .exits(3);
    lastlight(["resume"])
        .arg(&into)
        .run()
        .exits(2)
        .warns("left out of the snapshot");
    lastlight(["resume"])
        .arg(&into)
        .arg("--config")
        .arg(directory.path().join("settings.toml"))
        .run();
    let snapshot = Snapshot::at(&into);
    assert_eq!(snapshot.row(&site.url("/"))["status"], "200");
    assert!(!snapshot.text("metadata/config.toml").contains("sesame"));
}

#[test]
fn a_wrong_entry_is_refused_before_anything_is_made() {
    let directory = scratch();
    let into = directory.path().join("never");
    for (settings, word) in [
        ("[[access]]\nhost = \"a.example/x\"\n", "origin"),
        (
            "[[access]]\nhost = \"a.example\"\nbearer = \"env:LASTLIGHT_NO_SUCH\"\n",
            "LASTLIGHT_NO_SUCH",
        ),
        (
            "[cookies]\nfile = \"/no/such/cookies.txt\"\n",
            "cookies.file",
        ),
        ("[proxy]\nurl = \"p.example\"\n", "proxy.url"),
    ] {
        crawl("http://127.0.0.1:9/", &into)
            .config(directory.path(), settings)
            .run()
            .exits(2)
            .warns(word);
        assert!(!into.exists());
    }
}

#[test]
fn a_password_in_the_wrong_place_is_refused_and_not_repeated() {
    let directory = scratch();
    let into = directory.path().join("never");
    let list = directory.path().join("seeds.txt");
    std::fs::write(&list, "# mine\nhttps://me:hush@a.example/\n").unwrap();
    let seed = "http://127.0.0.1:9/";
    for (run, word) in [
        (crawl("https://me:hush@a.example/", &into), "[[access]]"),
        (crawl(seed, &into).arg("--seeds").arg(&list), "line 2"),
        (
            crawl(seed, &into).args(["--sitemap", "http://me:hush@a.example/map.xml"]),
            "login",
        ),
        (
            crawl(seed, &into).args(["--proxy", "me:hush@p.example:3128"]),
            "proxy.login",
        ),
        (
            crawl(seed, &into).config(directory.path(), "[proxy]\nlogin = \"me:hush\n"),
            "line 2",
        ),
    ] {
        let ran = run.run().exits(2).warns(word);
        assert!(!ran.stderr.contains("hush"), "{ran}");
        assert!(!into.exists());
    }
}
