//! What isn't the site's is recorded, marked, and kept out of the replay unless
//! it is asked for: challenges, and pages that only say "not found".

use crate::harness::{crawl, lastlight, scratch};
use crate::holdings::Snapshot;
use crate::offline_replay::{Replay, time_of};
use crate::wire::{Asked, Reply, Wire, answer, page};

const HTML: &str = "Content-Type: text/html";
const WALL: &str = "<!doctype html><title>Just a moment...</title><a href=/trap>x</a>\
    <script>window._cf_chl_opt={}</script>";

fn walled(asked: &Asked) -> Option<Reply> {
    let reply = match asked.target.as_str() {
        "/" => page(&["/open", "/walled"]),
        "/open" => answer(
            "200 OK",
            &[HTML],
            "<title>Write to us</title><form><div class=\"g-recaptcha\"></div></form>",
        ),
        "/walled" => answer("403 Forbidden", &[HTML, "cf-mitigated: challenge"], WALL),
        _ => return None,
    };
    Some(Reply::Keep(reply))
}

#[test]
fn a_challenge_is_recorded_and_failed_and_kept_out_of_the_replay() {
    let (wire, directory) = (Wire::serve(walled), scratch());
    let into = directory.path().join("walled");
    let ran = crawl(wire.url("/"), &into).arg("--json").run().exits(1);
    assert_eq!(ran.json()["marked"]["challenge"], 1);
    let snapshot = Snapshot::at(&into);
    let url = wire.url("/walled");
    let row = snapshot.row(&url);
    assert_eq!(row["state"], "failed");
    assert_eq!(row["reason"], "challenge: cloudflare");
    assert_eq!((&*row["mark"], &*row["status"]), ("challenge", "403"));
    assert!(snapshot.response(&url).block.ends_with(WALL.as_bytes()));
    // It is asked for once, and what it names is none of the site's.
    assert_eq!(wire.times("/walled"), 1);
    assert!(!snapshot.ledger().contains_key(&wire.url("/trap")));
    assert_eq!(snapshot.row(&wire.url("/open"))["mark"], "");
    lastlight(["verify"]).arg(&into).run().exits(0);

    let replay = Replay::of(&into, "walled");
    let time = time_of(&snapshot, &url);
    let shown = replay.content(&url, &time);
    assert_eq!(shown.status, 404);
    assert!(shown.text().contains("challenge"), "{}", shown.text());
    assert_eq!(replay.raw(&url, &time).text(), WALL);
    // Who asks for it gets it, by the link on the page, the banner and the list.
    let view = format!("/view/walled-unfiltered/{time}/{url}");
    assert!(shown.text().contains(&view), "{}", shown.text());
    let shell = replay.interface(&format!("/view/walled/{time}/{url}"));
    let told = format!("challenge page was captured here. <a href=\"{view}\">Show it</a>");
    assert!(shell.text().contains(&told), "{}", shell.text());
    let list = replay.interface(&format!("/c/walled/captures?url={url}"));
    assert!(
        list.text().contains(&format!("<a href=\"{view}\">")),
        "{}",
        list.text()
    );
    let unfiltered = Replay::of(&into, "walled-unfiltered");
    let shown = unfiltered.content(&url, &time);
    assert!(shown.field("Memento-Datetime").is_some());
    assert!(shown.text().contains("Just a moment"), "{}", shown.text());
    assert_eq!(unfiltered.interface("/c/walled-unfiltered/").status, 200);
    let map = unfiltered.interface(&format!("/walled-unfiltered/timemap/link/{url}"));
    assert!(map.text().contains(&time), "{}", map.text());
    let home = unfiltered.interface("/").text();
    assert!(
        !home.contains("walled-unfiltered"),
        "it isn't a collection of its own"
    );
}

#[test]
fn a_wall_that_stays_is_asked_more_slowly_and_then_no_more() {
    let links: Vec<String> = (0..30).map(|n| format!("/{n}")).collect();
    let wire = Wire::serve(move |asked| match asked.target.as_str() {
        "/" => Some(Reply::Keep(page(
            &links.iter().map(String::as_str).collect::<Vec<_>>(),
        ))),
        "/robots.txt" => None,
        _ => Some(Reply::Keep(answer("403 No", &[HTML], WALL))),
    });
    let directory = scratch();
    let into = directory.path().join("stays");
    crawl(wire.url("/"), &into)
        .config(directory.path(), "[marks]\nchallenge_limit = 3\n")
        .args(["--connections", "1"])
        .run()
        .exits(1);
    let snapshot = Snapshot::at(&into);
    let ledger = snapshot.ledger();
    let challenged = ledger
        .values()
        .filter(|row| row["mark"] == "challenge")
        .count();
    assert!((3..20).contains(&challenged), "{challenged}");
    let given_up = ledger
        .values()
        .filter(|row| row["reason"].starts_with("challenge: ") && row["mark"].is_empty());
    assert_eq!(given_up.count() + challenged, 30);
    lastlight(["verify"]).arg(&into).run().exits(0);
    // It is worth another try later.
    lastlight(["resume"]).arg(&into).run().exits(1);
}

#[test]
fn challenges_are_captures_where_that_is_set() {
    let (wire, directory) = (Wire::serve(walled), scratch());
    let into = directory.path().join("plain");
    crawl(wire.url("/"), &into)
        .config(directory.path(), "[marks]\nchallenges = false\n")
        .run()
        .exits(0);
    let row = Snapshot::at(&into).row(&wire.url("/walled"));
    assert_eq!((&*row["state"], &*row["mark"]), ("captured", ""));
}

/// A site that answers 200 for what it doesn't have.
fn soft(asked: &Asked) -> Option<Reply> {
    let menu = "<nav>Home News Reports Hearings Contact Search Terms of use</nav>";
    let reply = match asked.target.as_str() {
        "/robots.txt" => return None,
        "/" => page(&["/real", "/short", "/gone", "/also/gone?x=1"]),
        "/real" => answer(
            "200 OK",
            &[HTML],
            format!("<title>Real</title>{menu}<p>A real page."),
        ),
        "/short" => answer(
            "200 OK",
            &[HTML],
            format!("<title>Short</title>{menu}<p>Brief."),
        ),
        other => {
            let body = format!("<title>Not here</title>{menu}<p>Sorry, there is no {other}.");
            answer("200 OK", &[HTML], body)
        }
    };
    Some(Reply::Keep(reply))
}

#[test]
fn a_soft_404_is_learned_by_a_probe_and_kept_out_of_the_replay() {
    let (wire, directory) = (Wire::serve(soft), scratch());
    let into = directory.path().join("soft");
    let ran = crawl(wire.url("/"), &into).arg("--json").run().exits(0);
    assert_eq!(ran.json()["marked"]["soft-404"], 2);
    let snapshot = Snapshot::at(&into);
    let marks: Vec<(String, String)> = snapshot
        .ledger()
        .values()
        .map(|row| (row["mark"].clone(), row["url"].clone()))
        .filter(|(mark, _)| !mark.is_empty())
        .collect();
    let marked = |word: &str| -> Vec<&str> {
        let of = marks.iter().filter(|(mark, _)| mark == word);
        of.map(|(_, url)| url.as_str()).collect()
    };
    assert_eq!(
        marked("soft-404"),
        [wire.url("/also/gone?x=1"), wire.url("/gone")]
    );
    // One probe, told as such and in the closed ledger.
    let probes = marked("probe");
    assert_eq!(probes.len(), 1);
    assert_eq!(snapshot.row(probes[0])["hops"], "P");
    let pages = snapshot.text("pages/pages.jsonl") + &snapshot.text("pages/extraPages.jsonl");
    assert!(pages.contains("/real") && !pages.contains("gone") && !pages.contains("probe"));
    lastlight(["verify"]).arg(&into).run().exits(0);

    let replay = Replay::of(&into, "soft");
    let url = wire.url("/gone");
    let time = time_of(&snapshot, &url);
    let shown = replay.content(&url, &time);
    assert_eq!(shown.status, 404);
    assert!(shown.text().contains("no such page"), "{}", shown.text());
    assert!(replay.raw(&url, &time).text().contains("Sorry"));
    assert_eq!(replay.content(&wire.url("/short"), &time).status, 200);
}

#[test]
fn the_pages_of_a_run_are_those_without_soft_404s() {
    let (wire, directory) = (Wire::serve(soft), scratch());
    crawl(wire.url("/"), &directory.path().join("pages"))
        .run()
        .exits(0)
        .says(" 3 pages in this run");
}

#[test]
fn a_probe_that_met_an_overload_is_asked_again_by_the_next_run() {
    let wire = Wire::serve(|asked| match asked.before {
        0 if asked.target.contains("lastlight-probe") => Some(Reply::Keep(answer(
            "503 Service Unavailable",
            &[HTML],
            "busy",
        ))),
        _ => soft(asked),
    });
    let directory = scratch();
    let into = directory.path().join("busy");
    let ran = crawl(wire.url("/"), &into)
        .config(directory.path(), "[fetch]\nretries = 0\n")
        .arg("--json")
        .run()
        .exits(1);
    assert_eq!(ran.json()["counts"]["failed"], 1, "the probe");
    assert_eq!(ran.json()["marked"]["soft-404"], serde_json::Value::Null);
    let ran = lastlight(["resume", "--json"]).arg(&into).run().exits(0);
    assert_eq!(ran.json()["marked"]["soft-404"], 2);
    lastlight(["verify"]).arg(&into).run().exits(0);
}

#[test]
fn no_page_of_an_application_that_answers_all_alike_is_marked() {
    let wire = Wire::serve(|asked| match asked.target.as_str() {
        "/robots.txt" => None,
        _ => Some(Reply::Keep(page(&["/one", "/two"]))),
    });
    let directory = scratch();
    let into = directory.path().join("app");
    crawl(wire.url("/"), &into).run().exits(0);
    let ledger = Snapshot::at(&into).ledger();
    assert!(ledger.values().all(|row| row["mark"] != "soft-404"));
}

#[test]
fn what_a_sitemap_lists_is_no_missing_page() {
    for is_listed in [false, true] {
        let wire = Wire::serve(move |asked| match asked.target.as_str() {
            "/sitemap.xml" if is_listed => Some(Reply::Keep(answer(
                "200 OK",
                &["Content-Type: application/xml"],
                "<urlset><url><loc>/listed</loc></url></urlset>",
            ))),
            "/sitemap.xml" => None,
            "/" => Some(Reply::Keep(page(&["/real", "/gone", "/listed"]))),
            _ => soft(asked),
        });
        let directory = scratch();
        let into = directory.path().join("listed");
        crawl(wire.url("/"), &into)
            .args(["--sitemap", "auto"])
            .run()
            .exits(0);
        let snapshot = Snapshot::at(&into);
        let marks = ["/gone", "/listed"].map(|path| snapshot.row(&wire.url(path))["mark"].clone());
        let expected = if is_listed { "" } else { "soft-404" };
        assert_eq!(marks, [expected, expected]);
        let pages = snapshot.text("pages/pages.jsonl") + &snapshot.text("pages/extraPages.jsonl");
        assert_eq!(pages.contains("/gone"), is_listed);
        lastlight(["verify"]).arg(&into).run().exits(0);
    }
}

#[test]
fn a_stale_entry_among_many_in_a_sitemap_leaves_the_other_missing_pages_marked() {
    let wire = Wire::serve(move |asked| match asked.target.as_str() {
        "/sitemap.xml" => {
            let listed = (0..20).map(|n| format!("<url><loc>/real/{n}</loc></url>"));
            let listed = listed.collect::<Vec<_>>().concat();
            Some(Reply::Keep(answer(
                "200 OK",
                &["Content-Type: application/xml"],
                format!("<urlset>{listed}<url><loc>/stale</loc></url></urlset>"),
            )))
        }
        "/" => Some(Reply::Keep(page(&["/stale", "/gone", "/lost"]))),
        path if path.starts_with("/real/") => Some(Reply::Keep(answer(
            "200 OK",
            &[HTML],
            format!("<title>Hearing</title><p>{}", path.repeat(30)),
        ))),
        _ => soft(asked),
    });
    let directory = scratch();
    let into = directory.path().join("stale");
    crawl(wire.url("/"), &into)
        .args(["--sitemap", "auto"])
        .run()
        .exits(0);
    let snapshot = Snapshot::at(&into);
    let marks =
        ["/gone", "/lost", "/stale"].map(|path| snapshot.row(&wire.url(path))["mark"].clone());
    assert_eq!(marks, ["soft-404", "soft-404", ""]);
    let pages = snapshot.text("pages/pages.jsonl") + &snapshot.text("pages/extraPages.jsonl");
    assert!(pages.contains("/stale") && !pages.contains("/gone"));
    lastlight(["verify"]).arg(&into).run().exits(0);
}

#[test]
fn a_front_page_that_the_server_makes_does_not_betray_an_application() {
    let wire = Wire::serve(|asked| match asked.target.as_str() {
        "/robots.txt" => None,
        "/" => Some(Reply::Keep(page(&["/one", "/two", "/three"]))),
        _ => Some(Reply::Keep(answer(
            "200 OK",
            &[HTML],
            "<title>App</title><div id=app></div><script>go()</script>",
        ))),
    });
    let directory = scratch();
    let into = directory.path().join("shell");
    crawl(wire.url("/"), &into).run().exits(0);
    let ledger = Snapshot::at(&into).ledger();
    assert!(ledger.values().all(|row| row["mark"] != "soft-404"));
}

#[test]
fn robots_txt_is_obeyed_by_the_probe_and_no_host_is_probed_where_that_is_set() {
    for (robots, settings, probed) in [
        (
            "User-agent: *\nAllow: /$\nAllow: /real\nAllow: /short\nDisallow: /",
            "",
            0,
        ),
        ("User-agent: *\nAllow: /", "[marks]\nsoft_404 = false\n", 0),
        ("User-agent: *\nAllow: /", "", 1),
    ] {
        let wire = Wire::serve(move |asked| match asked.target.as_str() {
            "/robots.txt" => Some(Reply::Keep(answer(
                "200 OK",
                &["Content-Type: text/plain"],
                robots,
            ))),
            _ => soft(asked),
        });
        let directory = scratch();
        let into = directory.path().join("asked");
        crawl(wire.url("/"), &into)
            .config(directory.path(), settings)
            .run()
            .exits(0);
        let asked = wire.asked();
        let probes = asked
            .iter()
            .filter(|a| a.target.contains("lastlight-probe"));
        assert_eq!(probes.count(), probed, "{robots} {settings}");
        lastlight(["verify"]).arg(&into).run().exits(0);
    }
}
