//! Manners: robots.txt over a long crawl, what pages ask of indexes, pauses
//! that a host asks for, and who says that he crawls.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::harness::{crawl, lastlight, scratch};
use crate::holdings::Snapshot;
use crate::wire::{Asked, Reply, Wire, answer, page};

fn text(body: &str) -> Reply {
    Reply::Keep(answer("200 OK", &["Content-Type: text/plain"], body))
}

/// A site whose front page links to so many others, with a robots.txt of the
/// test's own.
fn site(pages: usize, robots: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Wire {
    let links: Vec<String> = (0..pages).map(|n| format!("/p{n}")).collect();
    Wire::serve(move |asked| match asked.target.as_str() {
        "/robots.txt" => Some(robots(asked)),
        "/" => {
            let links: Vec<&str> = links.iter().map(String::as_str).collect();
            Some(Reply::Keep(page(&links)))
        }
        _ => Some(text(&asked.target)),
    })
}

/// About a page every quarter of a second.
const SLOW: &str = "[politeness]\ndelay = \"250ms\"\nconnections = 1\nadaptive = 0\n\
    [robots]\nrefetch = \"1s\"\n[fetch]\nretries = 0\n";

/// A crawl whose pauses its configuration sets.
fn paced(seed: &str, into: &Path) -> crate::harness::Run {
    lastlight(["crawl", seed, "--into"]).arg(into)
}

#[test]
fn a_robots_txt_that_turns_to_5xx_is_an_alarm_and_its_rules_stay() {
    let site = site(14, |asked| match asked.before {
        0 => text("User-agent: *\nDisallow: /p13\n"),
        _ => Reply::Keep(answer("500 Internal Server Error", &[], "broken")),
    });
    let directory = scratch();
    let into = directory.path().join("alarm");
    let ran = paced(&site.url("/"), &into)
        .config(directory.path(), SLOW)
        .arg("--json")
        .run()
        .exits(0)
        .warns("robots.txt of ");
    let alarms = ran.json()["alarms"].clone();
    assert_eq!(alarms.as_array().unwrap().len(), 1, "{ran}");
    let snapshot = Snapshot::at(&into);
    assert!(
        snapshot
            .text("logs/crawl.jsonl")
            .contains("robots-unavailable")
    );
    assert_eq!(snapshot.row(&site.url("/p12"))["state"], "captured");
    let kept_out = snapshot.row(&site.url("/p13"));
    assert!(
        kept_out["reason"].starts_with("robots: line 2"),
        "{kept_out:?}"
    );
    let robots = snapshot.row(&site.url("/robots.txt"));
    assert_eq!(
        (robots["state"].as_str(), robots["status"].as_str()),
        ("captured", "200")
    );
    assert!(snapshot.responses(&site.url("/robots.txt")).len() > 1);
    lastlight(["verify"]).arg(&into).run().exits(0);
}

#[test]
fn a_robots_txt_that_cannot_be_had_for_too_long_closes_the_site() {
    let site = site(30, |asked| match asked.before {
        0 => text(""),
        _ => Reply::Keep(answer("500 Internal Server Error", &[], "broken")),
    });
    let directory = scratch();
    let into = directory.path().join("stale");
    paced(&site.url("/"), &into)
        .config(
            directory.path(),
            &SLOW.replace("[robots]\n", "[robots]\nstale = \"2s\"\n"),
        )
        .run()
        .exits(1)
        .warns("nothing there may be fetched");
    let last = Snapshot::at(&into).row(&site.url("/p29"));
    assert!(last["reason"].starts_with("robots.txt:"), "{last:?}");
}

#[test]
fn robots_txt_is_asked_for_again_and_its_new_rules_hold() {
    let site = site(14, |asked| match asked.before {
        0 => text("User-agent: *\nDisallow: /x\n"),
        _ => text("User-agent: *\nDisallow: /p13\n"),
    });
    let directory = scratch();
    let into = directory.path().join("again");
    paced(&site.url("/"), &into)
        .config(directory.path(), SLOW)
        .run()
        .exits(0);
    let snapshot = Snapshot::at(&into);
    assert_eq!(snapshot.row(&site.url("/p13"))["state"], "excluded");
    assert!(snapshot.text("logs/crawl.jsonl").contains("robots-changed"));
    let robots = snapshot.responses(&site.url("/robots.txt"));
    assert!(robots.len() > 1 && robots[0].block != robots[1].block);
    lastlight(["verify"]).arg(&into).run().exits(0);
}

#[test]
fn requisites_may_be_taken_against_robots_txt_and_links_are_not() {
    let site = Wire::serve(|asked| {
        Some(match asked.target.as_str() {
            "/robots.txt" => text("User-agent: *\nDisallow: /static/\n"),
            "/" => Reply::Keep(answer(
                "200 OK",
                &["Content-Type: text/html"],
                "<img src=/static/i.png><a href=/static/page>x</a>",
            )),
            _ => text("x"),
        })
    });
    let directory = scratch();
    for (setting, state) in [("obey", "excluded"), ("ignore", "captured")] {
        let into = directory.path().join(setting);
        let settings = format!("[robots]\nrequisites = \"{setting}\"\n");
        crawl(site.url("/"), &into)
            .config(directory.path(), &settings)
            .run()
            .exits(0);
        let snapshot = Snapshot::at(&into);
        assert_eq!(snapshot.row(&site.url("/static/i.png"))["state"], state);
        assert_eq!(snapshot.row(&site.url("/static/page"))["state"], "excluded");
    }
}

#[test]
fn wishes_to_indexes_are_recorded_and_nofollow_holds_where_it_is_set_to() {
    let site = Wire::serve(|asked| {
        Some(match asked.target.as_str() {
            "/robots.txt" => text(""),
            "/" => Reply::Keep(answer(
                "200 OK",
                &["Content-Type: text/html", "X-Robots-Tag: noarchive"],
                "<meta name=robots content='noindex,nofollow'><img src=/i><a href=/next>x</a>",
            )),
            _ => text("x"),
        })
    });
    let directory = scratch();
    let seed = site.url("/");
    for (setting, state) in [("follow", "captured"), ("leave", "excluded")] {
        let into = directory.path().join(setting);
        crawl(&seed, &into)
            .config(
                directory.path(),
                &format!("[robots]\nnofollow = \"{setting}\"\n"),
            )
            .run()
            .exits(0);
        let snapshot = Snapshot::at(&into);
        let log = snapshot.text("logs/crawl.jsonl");
        assert!(
            log.contains("\"robots\":\"noarchive, noindex, nofollow\""),
            "{log}"
        );
        assert_eq!(snapshot.row(&site.url("/i"))["state"], "captured");
        let next = snapshot.row(&site.url("/next"));
        assert_eq!(next["state"], state);
        assert!(state == "captured" || next["reason"] == "nofollow");
    }
}

#[test]
fn a_host_that_asks_for_hours_is_left_alone_and_the_crawl_stops_resumable() {
    let other = Wire::serve(|asked| match asked.target.as_str() {
        "/robots.txt" => None,
        _ => Some(text("other")),
    });
    let site = Wire::serve(|asked| match asked.target.as_str() {
        "/" => Some(Reply::Keep(page(&["/x", "/y", "/z"]))),
        "/x" if asked.before == 0 => Some(Reply::Keep(answer(
            "429 Too Many Requests",
            &["Retry-After: 7200"],
            "not so fast",
        ))),
        "/robots.txt" => None,
        _ => Some(text("there")),
    });
    let directory = scratch();
    let into = directory.path().join("hours");
    let ran = crawl(site.url("/"), &into)
        .arg(other.url("/"))
        .args(["--json", "--connections", "1"])
        .run()
        .exits(3);
    assert_eq!(ran.json()["stopped"], "asked-to-wait");
    let snapshot = Snapshot::at(&into);
    assert_eq!(snapshot.row(&other.url("/"))["state"], "captured");
    let x = snapshot.row(&site.url("/x"));
    assert_eq!(
        (x["state"].as_str(), x["reason"].as_str()),
        ("unreached", "asked-to-wait")
    );
    assert_eq!(site.times("/x"), 1);
    assert_eq!(
        site.times("/y") + site.times("/z"),
        0,
        "nothing else was asked for"
    );
    let list = directory.path().join("missing.csv");
    let verified = lastlight(["verify", "--json", "--missing"]);
    let verified = verified.arg(&list).arg(&into).run().exits(0);
    let hosts = &verified.json()["reports"][0]["account"]["hosts"]["largest"];
    assert_eq!(hosts[0]["urls"], 3, "{hosts}");
    assert_eq!(hosts[0]["reasons"][0][0], "asked-to-wait");
    let left = ["/x", "/y", "/z"].map(|path| {
        let (page, url) = (site.url("/"), site.url(path));
        format!("{page},{url},unreached,asked-to-wait\r\n")
    });
    let listed = std::fs::read_to_string(&list).unwrap();
    assert_eq!(
        listed,
        format!("page,url,state,reason\r\n{}", left.concat())
    );
    // An earlier list is replaced; nothing else is, nor is a list made of what wasn't looked
    // at, nor anything written into what is verified.
    lastlight(["verify", "--missing"])
        .arg(&list)
        .arg(&into)
        .run()
        .exits(0);
    let other = directory.path().join("other.wacz");
    std::fs::write(&other, "somebody's").unwrap();
    let elsewhere = directory.path().join("nowhere/missing.csv");
    let all = "--only=ledger";
    for (file, only) in [
        (into.join("missing.csv"), all),
        (list.clone(), "--only=fixity"),
        (other.clone(), all),
        (elsewhere, all),
        (into.clone(), all),
    ] {
        let refused = lastlight(["verify", only, "--missing"]);
        refused.arg(&file).arg(&into).run().exits(2);
    }
    assert_eq!(std::fs::read(&other).unwrap(), b"somebody's");
    // Of a lone WARC there is no list, and an error is told all the same.
    let warc = directory.path().join("lone.warc");
    std::fs::write(&warc, "WARC/1.1\r\nContent-Length: 5\r\n\r\nabc").unwrap();
    let lone = lastlight(["verify", "--missing"]).arg(directory.path().join("lone.csv"));
    lone.arg(&warc).run().exits(1).warns("there is no ledger");
    assert!(!into.join("missing.csv").exists());
    lastlight(["resume"]).arg(&into).run().exits(0);
    assert_eq!(
        Snapshot::at(&into).row(&site.url("/x"))["state"],
        "captured"
    );
}

/// How often each page and `/bad` were asked for after a crawl and so many
/// resumes, where `/bad` says each time that the host wants a day for itself.
fn asked_beside_one_that_wants_a_day(
    settings: &str,
    bad: &'static str,
    resumes: &[i32],
) -> (Vec<usize>, Snapshot, tempfile::TempDir) {
    let pages = ["/p1", "/p2", "/p3", "/p4", "/p5"];
    let site = Wire::serve(move |asked| match asked.target.as_str() {
        target if target == bad => Some(Reply::Keep(answer(
            "503 Service Unavailable",
            &["Retry-After: 86400"],
            "come back tomorrow",
        ))),
        "/" => Some(Reply::Keep(page(&[
            "/bad", "/p1", "/p2", "/p3", "/p4", "/p5",
        ]))),
        target if pages.contains(&target) => Some(Reply::Keep(page(&["/bad"]))),
        _ => None,
    });
    let directory = scratch();
    let into = directory.path().join("day");
    let robots = if bad == "/robots.txt" {
        "ignore"
    } else {
        "obey"
    };
    paced(&site.url("/"), &into)
        .config(directory.path(), settings)
        .args(["--delay", "1ms", "--connections", "1", "--robots", robots])
        .run()
        .exits(3);
    for code in resumes {
        lastlight(["resume"]).arg(&into).run().exits(*code);
    }
    let mut times: Vec<usize> = pages.iter().map(|page| site.times(page)).collect();
    times.push(site.times(bad));
    let snapshot = Snapshot::at(&into);
    lastlight(["verify"]).arg(&into).run().exits(0);
    (times, snapshot, directory)
}

#[test]
fn one_url_that_asks_for_hours_does_not_keep_its_host_from_being_captured() {
    // Its tries are counted over all runs, and the last of them ends it.
    let (times, snapshot, _directory) =
        asked_beside_one_that_wants_a_day("[fetch]\nretries = 2\n", "/bad", &[3, 1]);
    assert_eq!(times, [1, 1, 1, 1, 1, 3]);
    let failed = snapshot.ledger().into_values();
    let failed: Vec<_> = failed.filter(|row| row["state"] == "failed").collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["reason"], "status-503");
}

#[test]
fn nor_does_one_that_failed_with_it_and_is_asked_for_again() {
    let (times, ..) = asked_beside_one_that_wants_a_day("[fetch]\nretries = 0\n", "/bad", &[1]);
    assert_eq!(times, [1, 1, 1, 1, 1, 2]);
}

#[test]
fn nor_does_a_robots_txt_that_is_ignored() {
    let (times, ..) =
        asked_beside_one_that_wants_a_day("[fetch]\nretries = 3\n", "/robots.txt", &[3]);
    assert_eq!(times[..5], [1; 5]);
}

/// A host that asks for hours, whatever became of the URL that it says it of.
fn asks_for_hours(answer_of_x: Vec<u8>, settings: &str, reason: &str) {
    let site = Wire::serve(move |asked| match asked.target.as_str() {
        "/" => Some(Reply::Keep(page(&["/x", "/y", "/z"]))),
        "/x" => Some(Reply::Keep(answer_of_x.clone())),
        "/robots.txt" => None,
        _ => Some(text("there")),
    });
    let directory = scratch();
    let into = directory.path().join("hours");
    let ran = crawl(site.url("/"), &into)
        .config(directory.path(), settings)
        .args(["--json", "--connections", "1"])
        .run()
        .exits(3);
    assert_eq!(ran.json()["stopped"], "asked-to-wait");
    let snapshot = Snapshot::at(&into);
    let x = snapshot.row(&site.url("/x"));
    assert_eq!(
        (x["state"].as_str(), x["reason"].as_str()),
        ("failed", reason)
    );
    for left in ["/y", "/z"] {
        let row = snapshot.row(&site.url(left));
        assert_eq!(row["reason"], "asked-to-wait");
        assert_eq!(site.times(left), 0);
    }
    lastlight(["verify"]).arg(&into).run().exits(0);
}

#[test]
fn a_challenge_that_asks_for_hours_is_heeded() {
    let fields = ["Retry-After: 7200", "cf-mitigated: challenge"];
    let challenge = answer("429 Too Many Requests", &fields, "no");
    asks_for_hours(challenge, "", "challenge: cloudflare");
}

#[test]
fn the_last_try_of_a_url_may_ask_for_hours_too() {
    let busy = answer("503 Service Unavailable", &["Retry-After: 7200"], "no");
    asks_for_hours(busy, "[fetch]\nretries = 0\n", "status-503");
}

#[test]
fn a_host_that_stays_silent_is_given_up_and_asked_again_by_resume() {
    let is_back = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let back = is_back.clone();
    let links: Vec<String> = (0..40).map(|n| format!("/p{n}")).collect();
    let site = Wire::serve(move |asked| match asked.target.as_str() {
        "/" => Some(Reply::Keep(page(
            &links.iter().map(String::as_str).collect::<Vec<_>>(),
        ))),
        _ if back.load(Ordering::SeqCst) => None,
        _ => Some(Reply::Close(Vec::new())),
    });
    let directory = scratch();
    let into = directory.path().join("silent");
    let begun = Instant::now();
    // robots.txt is what the probe asks for, too.
    crawl(site.url("/"), &into)
        .config(directory.path(), "[politeness]\noutage = \"2s\"\n")
        .args(["--connections", "1", "--robots", "ignore"])
        .run()
        .exits(1)
        .warns("counts as failed and is asked for again when the crawl is resumed");
    assert!(begun.elapsed() < Duration::from_secs(40));
    let snapshot = Snapshot::at(&into);
    let ledger = snapshot.ledger();
    let given_up = ledger
        .values()
        .filter(|row| row["state"] == "failed" && row["reason"].starts_with("no-answer: "));
    assert!(given_up.count() >= 40);
    // Most were never asked for.
    assert!(site.asked().len() < 40, "{}", site.asked().len());
    lastlight(["verify"]).arg(&into).run().exits(0);
    is_back.store(true, Ordering::SeqCst);
    lastlight(["resume"]).arg(&into).run().exits(0);
    assert_eq!(snapshot.row(&site.url("/p39"))["state"], "captured");
}

#[test]
fn a_robots_txt_elsewhere_is_had_although_that_host_forbids_it_on_its_second_try() {
    let rules = Wire::serve(|asked| {
        Some(match asked.target.as_str() {
            "/robots.txt" => text("User-agent: *\nDisallow: /rules\n"),
            "/rules" if asked.before == 0 => {
                Reply::Keep(answer("503 Service Unavailable", &[], "busy"))
            }
            "/rules" => text("User-agent: *\nDisallow: /p1\n"),
            _ => text("there"),
        })
    });
    let elsewhere = format!("Location: {}", rules.url("/rules"));
    let site = site(2, move |_| {
        Reply::Keep(answer("302 Found", &[&elsewhere], ""))
    });
    let directory = scratch();
    let into = directory.path().join("elsewhere");
    // The other host's own rules are known by then.
    crawl(rules.url("/"), &into)
        .arg(site.url("/"))
        .run()
        .exits(0);
    let snapshot = Snapshot::at(&into);
    assert_eq!(snapshot.row(&site.url("/p0"))["state"], "captured");
    let kept_out = snapshot.row(&site.url("/p1"));
    assert!(kept_out["reason"].starts_with("robots: line 2"));
    assert_eq!(rules.times("/rules"), 2);
    lastlight(["verify"]).arg(&into).run().exits(0);
}

#[test]
fn a_kill_while_robots_txt_is_asked_for_again_leaves_its_rules_in_force() {
    let site = site(40, |asked| match asked.before {
        0 => text("User-agent: *\nDisallow: /p39\n"),
        1 => Reply::Silence(Vec::new()),
        _ => Reply::Keep(answer("500 Internal Server Error", &[], "broken")),
    });
    let directory = scratch();
    let into = directory.path().join("killed");
    let settings = SLOW.replace("delay = \"250ms\"", "delay = \"100ms\"");
    let mut running = paced(&site.url("/"), &into)
        .config(directory.path(), &settings)
        .arg("--connections=2")
        .start();
    let robots_txts = || {
        let asked = site.everything();
        let robots = asked.iter().filter(|asked| asked.target == "/robots.txt");
        robots.count()
    };
    while robots_txts() < 2 {
        assert!(!running.has_ended());
        std::thread::sleep(Duration::from_millis(10));
    }
    // Until it is committed that it is on its way.
    std::thread::sleep(Duration::from_millis(600));
    running.kill();
    running.end();
    lastlight(["resume"])
        .arg(&into)
        .run()
        .exits(0)
        .warns("what it said before stays in force");
    let snapshot = Snapshot::at(&into);
    assert_eq!(snapshot.row(&site.url("/p38"))["state"], "captured");
    assert_eq!(snapshot.row(&site.url("/p39"))["state"], "excluded");
    lastlight(["verify"]).arg(&into).run().exits(0);
}

#[test]
fn a_robots_txt_that_is_ignored_is_captured_and_its_sitemaps_are_followed() {
    let directory = scratch();
    for broken in [false, true] {
        let site = Wire::serve(move |asked| match asked.target.as_str() {
            "/robots.txt" if broken => {
                Some(Reply::Keep(answer("500 Internal Server Error", &[], "no")))
            }
            "/robots.txt" => Some(text(
                "User-agent: *\nDisallow: /\nCrawl-delay: 20\nSitemap: /map.txt\n",
            )),
            "/map.txt" => {
                let host = asked.field("host").unwrap();
                Some(text(&format!("http://{host}/listed\n")))
            }
            "/" => Some(Reply::Keep(page(&["/linked"]))),
            "/linked" | "/listed" => Some(text("there")),
            _ => None,
        });
        let into = directory.path().join(format!("ignored-{broken}"));
        crawl(site.url("/"), &into)
            .config(directory.path(), "[fetch]\nretries = 0\n")
            .args(["--robots", "ignore"])
            .run()
            .exits(i32::from(broken));
        let snapshot = Snapshot::at(&into);
        assert_eq!(snapshot.row(&site.url("/linked"))["state"], "captured");
        let robots = snapshot.row(&site.url("/robots.txt"));
        if broken {
            assert_eq!(robots["reason"], "status-500");
        } else {
            assert_eq!(robots["state"], "captured");
            assert_eq!(snapshot.row(&site.url("/listed"))["state"], "captured");
        }
        assert_eq!(snapshot.responses(&site.url("/robots.txt")).len(), 1);
        lastlight(["verify"]).arg(&into).run().exits(0);
    }
}

#[test]
fn a_busy_host_is_asked_for_nothing_until_the_date_it_names() {
    let asked_at = std::sync::Arc::new(Mutex::new(Vec::new()));
    let times = asked_at.clone();
    let site = Wire::serve(move |asked| {
        times
            .lock()
            .unwrap()
            .push((asked.target.clone(), Instant::now()));
        match asked.target.as_str() {
            "/" => Some(Reply::Keep(page(&["/a", "/b", "/c", "/d"]))),
            "/a" if asked.before == 0 => {
                let until = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(4);
                let until = until
                    .strftime("Retry-After: %a, %d %b %Y %H:%M:%S GMT")
                    .to_string();
                Some(Reply::Keep(answer(
                    "503 Service Unavailable",
                    &[&until],
                    "busy",
                )))
            }
            "/robots.txt" => None,
            _ => Some(text("x")),
        }
    });
    let directory = scratch();
    let into = directory.path().join("date");
    crawl(site.url("/"), &into)
        .args(["--connections", "1"])
        .run()
        .exits(0);
    let times = asked_at.lock().unwrap();
    let at = |name: &str| times.iter().find(|(target, _)| target == name).unwrap().1;
    for later in ["/c", "/d"] {
        let waited = at(later) - at("/a");
        assert!(waited > Duration::from_secs(2), "{later} after {waited:?}");
    }
}

#[test]
fn a_slow_host_is_asked_less_often() {
    let begun = |adaptive: &str| {
        let (now, most) = (
            std::sync::Arc::new(AtomicUsize::new(0)),
            std::sync::Arc::new(AtomicUsize::new(0)),
        );
        let (inside, peak) = (now, most.clone());
        let links: Vec<String> = (0..12).map(|n| format!("/p{n}")).collect();
        let site = Wire::serve(move |asked| {
            let running = inside.fetch_add(1, Ordering::SeqCst) + 1;
            if asked.target.starts_with("/p") {
                // The first few set the pace.
                if asked.target.len() == 4 {
                    peak.fetch_max(running, Ordering::SeqCst);
                }
                std::thread::sleep(Duration::from_millis(400));
            }
            inside.fetch_sub(1, Ordering::SeqCst);
            match asked.target.as_str() {
                "/" => Some(Reply::Keep(page(
                    &links.iter().map(String::as_str).collect::<Vec<_>>(),
                ))),
                "/robots.txt" => None,
                _ => Some(text("x")),
            }
        });
        let directory = scratch();
        let settings =
            format!("[politeness]\ndelay = \"1ms\"\nconnections = 6\nadaptive = {adaptive}\n");
        let clock = Instant::now();
        paced(&site.url("/"), &directory.path().join("slow"))
            .config(directory.path(), &settings)
            .run()
            .exits(0);
        clock.elapsed()
    };
    let (quick, slow) = (begun("0"), begun("2.0"));
    assert!(
        slow > quick + Duration::from_secs(1),
        "{slow:?} with the adaptive pause, {quick:?} without"
    );
}

#[test]
fn crawl_delay_holds_unless_there_is_to_be_no_pause_at_all() {
    let site = site(2, |_| text("User-agent: *\nCrawl-delay: 20\n"));
    let directory = scratch();
    let clock = Instant::now();
    crawl(site.url("/"), &directory.path().join("own"))
        .run()
        .exits(0);
    assert!(clock.elapsed() < Duration::from_secs(10));
    let clock = Instant::now();
    paced(&site.url("/"), &directory.path().join("other"))
        .config(
            directory.path(),
            "[politeness]\nmax_crawl_delay = \"1500ms\"\n",
        )
        .run()
        .exits(0);
    assert!(
        clock.elapsed() > Duration::from_millis(2900),
        "two pauses of 1.5 s"
    );
}

#[test]
fn a_contact_is_told_to_the_site_and_recorded() {
    let site = site(0, |_| text(""));
    let directory = scratch();
    let into = directory.path().join("contact");
    crawl(site.url("/"), &into)
        .args(["--contact", "crawler@archive.example"])
        .run()
        .exits(0);
    let asked = &site.asked()[0];
    let agent = asked.field("user-agent").unwrap();
    assert!(
        agent.contains("lastlight/") && agent.contains("+mailto:crawler@archive.example"),
        "{agent}"
    );
    assert_eq!(
        asked.field("from").as_deref(),
        Some("crawler@archive.example")
    );
    let first = Snapshot::at(&into).records().swap_remove(0);
    let warcinfo = String::from_utf8_lossy(&first.block).into_owned();
    assert!(
        warcinfo.contains(&agent) && warcinfo.contains("robots: obey"),
        "{warcinfo}"
    );
}
