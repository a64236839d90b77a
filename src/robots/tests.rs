//! RFC 9309 by its sections.

use proptest::prelude::*;

use super::*;

fn allows(file: &str, path: &str) -> bool {
    Robots::parse(file.as_bytes()).verdict("lastlight", path) == Verdict::Allowed
}

/// Whether a single Disallow pattern matches a path.
fn hits(pattern: &str, path: &str) -> bool {
    !allows(&format!("User-agent: *\nDisallow: {pattern}\n"), path)
}

#[test]
fn without_rules_everything_is_allowed() {
    for file in [
        "",
        "\n\n",
        "# closed\n",
        "<html>404: not here</html>",
        "Disallow: /early\n",
    ] {
        assert!(allows(file, "/early"), "{file:?}");
    }
    assert_eq!(
        Robots::allow_all().verdict("lastlight", "/"),
        Verdict::Allowed
    );
}

#[test]
fn an_unreachable_file_forbids_all_but_itself() {
    let robots = Robots::disallow_all();
    let all = Verdict::Disallowed {
        line: 0,
        rule: "Disallow: /".into(),
    };
    assert_eq!(robots.verdict("lastlight", "/inquiry"), all);
    assert_eq!(robots.verdict("lastlight", ""), all);
    assert_eq!(robots.verdict("lastlight", "/robots.txt"), Verdict::Allowed);
}

#[test]
fn the_deciding_line_is_named() {
    let file = "User-agent: *\r\n\r\nDisallow: /drafts # not ours\rDisallow: /drafts/caf\u{e9}\n";
    let robots = Robots::parse(file.as_bytes());
    assert_eq!(
        robots.verdict("lastlight", "/drafts/caf%c3%a9s"),
        Verdict::Disallowed {
            line: 4,
            rule: "Disallow: /drafts/caf\u{e9}".into()
        }
    );
    assert_eq!(
        robots.verdict("lastlight", "/drafts"),
        Verdict::Disallowed {
            line: 3,
            rule: "Disallow: /drafts".into()
        }
    );
}

#[test]
fn rfc9309_2_2_1_own_group_replaces_the_general_one() {
    let file =
        "User-agent: *\nDisallow: /\n\nUser-agent: LastLight/2.1 (archive)\nDisallow: /mail\n";
    assert!(allows(file, "/minutes"));
    assert!(!allows(file, "/mail/1"));
    let empty = "User-agent: lastlight\nDisallow:\n\nUser-agent: *\nDisallow: /\n";
    assert!(allows(empty, "/minutes"));
    let others = "User-agent: last\nDisallow: /\nUser-agent: lastlight-news\nDisallow: /\n";
    assert!(allows(others, "/minutes"));
}

#[test]
fn rfc9309_2_2_1_groups_of_one_agent_are_one() {
    let file = "User-agent: lastlight\nDisallow: /a\n\nUser-agent: other\nDisallow: /b\n\n\
                User-agent: third\nUser-agent: Lastlight\nDisallow: /c\n";
    assert!(!allows(file, "/a"));
    assert!(allows(file, "/b"));
    assert!(!allows(file, "/c"));
}

#[test]
fn rfc9309_2_2_4_other_records_end_no_group() {
    let file = "User-agent: lastlight\nSitemap: https://inquiry.example/map.xml\nCrawl-delay: 2\n\
                Host: inquiry.example\n\nUser-agent: other\nDisallow: /a\n";
    assert!(!allows(file, "/a"));
    let robots = Robots::parse(file.as_bytes());
    assert_eq!(robots.sitemaps(), ["https://inquiry.example/map.xml"]);
    assert_eq!(
        robots.crawl_delay("lastlight"),
        Some(Duration::from_secs(2))
    );
    assert_eq!(robots.crawl_delay("other"), None);
}

#[test]
fn a_hyphenated_agent_falls_back_to_its_family() {
    let file = "User-agent: lastlight\nDisallow: /family\n\nUser-agent: *\nDisallow: /all\n";
    let robots = Robots::parse(file.as_bytes());
    let rules = robots.rules_for("Lastlight-News");
    assert_ne!(rules.verdict("/family"), Verdict::Allowed);
    assert_eq!(rules.verdict("/all"), Verdict::Allowed);
    assert_ne!(robots.verdict("lastlights", "/all"), Verdict::Allowed);
}

#[test]
fn the_general_group_may_have_words_after_the_star() {
    assert!(!allows("User-agent: * everyone\nDisallow: /a\n", "/a"));
    assert!(allows("User-agent: *bot\nDisallow: /a\n", "/a"));
}

#[test]
fn rfc9309_2_2_2_longest_rule_wins_and_allow_wins_ties() {
    let file = "User-agent: *\nDisallow: /files/\nAllow: /files/open/\nDisallow: /files/open/not\n\
                Disallow: /tie\nAllow: /tie\nDisallow: /*.pdf\nAllow: /q\n";
    assert!(!allows(file, "/files/x"));
    assert!(allows(file, "/files/open/x"));
    assert!(!allows(file, "/files/open/notes"));
    assert!(allows(file, "/tie"));
    assert!(!allows(file, "/q1.pdf"));
    assert!(allows(file, "/q1.txt"));
}

#[test]
fn paths_match_from_the_start_and_by_case() {
    assert!(hits("/fish", "/fish.html"));
    assert!(hits("/fish", "/fishheads?id=2"));
    assert!(!hits("/fish", "/Fish"));
    assert!(!hits("/fish", "/cat/fish"));
    assert!(hits("/fish/", "/fish/salmon"));
    assert!(!hits("/fish/", "/fish"));
    assert!(!hits("fish", "/fish"));
    assert!(!hits("$", "/"));
}

#[test]
fn rfc9309_2_2_3_star_and_dollar() {
    assert!(hits("/*.php", "/index.php?x=1"));
    assert!(hits("/*.php$", "/a/index.php"));
    assert!(!hits("/*.php$", "/index.php?x=1"));
    assert!(hits("/a*b*c$", "/aXbYbZc"));
    assert!(!hits("/a*b*c$", "/aXcYb"));
    assert!(hits("*/x", "/deep/x"));
    assert!(hits("/$", ""));
    assert!(!hits("/$", "/x"));
    assert!(hits("/a$b", "/a$b"));
    assert!(hits("/**$", "/any"));
    assert!(!hits("/ab*ab$", "/ab"));
}

#[test]
fn rfc9309_2_2_3_escaped_specials_are_literal() {
    assert!(hits("/file-with-a-%2A.html", "/file-with-a-*.html"));
    assert!(!hits("/file-with-a-%2A.html", "/file-with-a-b.html"));
    assert!(hits("/cost-%24", "/cost-$5"));
    assert!(hits("/cost-%24$", "/cost-%24"));
}

#[test]
fn rfc9309_2_2_2_escapes_are_compared_in_one_form() {
    assert!(hits("/~clerk", "/%7Eclerk"));
    assert!(hits("/%7eclerk", "/~clerk"));
    assert!(hits("/caf\u{e9}", "/caf%C3%A9"));
    assert!(hits("/caf%c3%a9", "/caf\u{e9}"));
    assert!(!hits("/a%2Fb", "/a/b"));
    assert!(!hits("/a/b", "/a%2fb"));
    assert!(hits("/two words", "/two%20words"));
    assert!(hits("/100%", "/100%-proof"));
}

#[test]
fn fragments_do_not_count() {
    assert!(hits("/page$", "/page#top"));
}

#[test]
fn misspelt_directives_and_missing_colons_are_understood() {
    for name in [
        "disallow",
        "DISALLOW",
        "dissallow",
        "dissalow",
        "disalow",
        "diasllow",
        "disallaw",
    ] {
        assert!(
            !allows(&format!("user agent: *\n{name}: /a\n"), "/a"),
            "{name}"
        );
    }
    assert!(!allows("useragent *\nDisallow\t/a\n", "/a"));
    assert!(!allows("User-agent *\nDisallow /a:b\n", "/a:b"));
    assert!(!allows(" User-agent : *\n  disallow :/a  \n", "/a"));
    assert!(allows("User-agent *\nDisallow the archive /a\n", "/a"));
    assert!(allows("User-agent: *\nDisallowance: /a\n", "/a"));
}

#[test]
fn line_ends_and_byte_order_marks_do_not_hide_rules() {
    for end in ["\n", "\r", "\r\n"] {
        assert!(
            !allows(&["User-agent: *", "Disallow: /a", ""].join(end), "/a"),
            "{end:?}"
        );
    }
    for mark in [&b"\xEF\xBB\xBF"[..], b"\xEF\xBB", b"\xEF"] {
        let file = [mark, b"User-agent: *\nDisallow: /a"].concat();
        assert_ne!(
            Robots::parse(&file).verdict("lastlight", "/a"),
            Verdict::Allowed
        );
    }
}

#[test]
fn crawl_delay_is_of_the_own_group_and_the_longest() {
    let file = "User-agent: *\nCrawl-delay: 30\n\nUser-agent: lastlight\nCrawl-delay: 0.5\nDisallow: /a\n\n\
                User-agent: lastlight\nCrawl-delay: 1.5s\nDisallow: /b\n";
    let robots = Robots::parse(file.as_bytes());
    assert_eq!(
        robots.crawl_delay("lastlight"),
        Some(Duration::from_millis(1500))
    );
    assert_eq!(robots.crawl_delay("other"), Some(Duration::from_secs(30)));
    for odd in ["-1", "nan", "inf", "soon", "", "1.2.3", "9e99"] {
        let file = format!("User-agent: *\nCrawl-delay: {odd}\n");
        let delay = Robots::parse(file.as_bytes()).crawl_delay("lastlight");
        assert!(delay.is_none() || odd == "9e99", "{odd}");
    }
}

#[test]
fn rfc9309_2_5_what_lies_past_the_limit_is_not_read() {
    let mut file = b"User-agent: *\nDisallow: /a\n".to_vec();
    file.resize(READ_LIMIT - 11, b'#');
    file.extend_from_slice(b"\nDisallow: /b\nDisallow: /c\n");
    let robots = Robots::parse(&file);
    assert_ne!(robots.verdict("lastlight", "/a"), Verdict::Allowed);
    assert_eq!(robots.verdict("lastlight", "/b"), Verdict::Allowed);
    assert_eq!(
        robots.verdict("lastlight", "/z"),
        Verdict::Allowed,
        "half a line is no rule"
    );
    assert_eq!(robots.verdict("lastlight", "/c"), Verdict::Allowed);
}

#[test]
fn hostile_wildcards_are_judged_at_once() {
    let line = format!("Disallow: /{}b$\n", "a*".repeat(8_000));
    let file = format!("User-agent: *\n{}", line.repeat(30));
    let rules = Robots::parse(file.as_bytes()).rules_for("lastlight");
    let path = format!("/{}", "a".repeat(100_000));
    let start = std::time::Instant::now();
    assert_eq!(rules.verdict(&path), Verdict::Allowed);
    assert!(start.elapsed() < Duration::from_secs(2));
}

/// The definition, by trying every length for every wildcard.
fn matches_by_definition(pattern: &[u8], path: &[u8]) -> bool {
    match (pattern, path) {
        ([], _) | ([b'$'], []) => true,
        ([b'*', rest @ ..], _) => {
            (0..=path.len()).any(|skip| matches_by_definition(rest, &path[skip..]))
        }
        ([p, pattern @ ..], [b, path @ ..]) => p == b && matches_by_definition(pattern, path),
        _ => false,
    }
}

proptest! {
    #[test]
    fn matching_agrees_with_its_definition(pattern in "/[ab*]{0,8}\\$?", path in "/[ab]{0,10}") {
        let rule = Rule::parse(Kind::Disallow, pattern.as_bytes(), 1).expect("starts with /");
        prop_assert_eq!(
            rule.matches(&normal_path(&path)),
            matches_by_definition(pattern.as_bytes(), path.as_bytes())
        );
    }

    #[test]
    fn no_bytes_panic(file: Vec<u8>, agent: String, path: String) {
        let robots = Robots::parse(&file);
        let _ = robots.verdict(&agent, &path);
    }

    #[test]
    fn no_text_of_directives_panics(
        file in "((user-agent|allow|disallow|crawl-delay|sitemap)[: ]{0,2}[*$/%a2\u{e9}-]{0,6}[\r\n]{0,2}){0,12}",
        path in "[*$/%a2\u{e9}#?-]{0,12}",
    ) {
        let robots = Robots::parse(file.as_bytes());
        let _ = robots.verdict("lastlight", &path);
        let _ = robots.crawl_delay("lastlight");
    }
}
