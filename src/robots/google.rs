//! The cases that Google publishes with its parser (google/robotstxt,
//! `robots_test.cc`, Apache-2.0), by the names they have there, as a table of
//! our own. Where they depart from RFC 9309 the standard is followed: see
//! [`where_rfc_9309_says_otherwise`].

use super::*;

struct Case {
    name: &'static str,
    file: &'static str,
    agent: &'static str,
    allowed: &'static [&'static str],
    disallowed: &'static [&'static str],
}

const fn case(
    name: &'static str,
    file: &'static str,
    agent: &'static str,
    allowed: &'static [&'static str],
    disallowed: &'static [&'static str],
) -> Case {
    Case {
        name,
        file,
        agent,
        allowed,
        disallowed,
    }
}

const GROUPS: &str = "allow: /foo/bar/\n\nuser-agent: FooBot\ndisallow: /\nallow: /x/\nuser-agent: BarBot\n\
    disallow: /\nallow: /y/\n\n\nallow: /w/\nuser-agent: BazBot\n\nuser-agent: FooBot\nallow: /z/\ndisallow: /\n";
const ONLY_SPECIFIC: &str = "user-agent: FooBot\nallow: /\nuser-agent: BarBot\ndisallow: /\nuser-agent: BazBot\ndisallow: /\n";
const FOO_BAR: &str = "User-Agent: *\nDisallow: /\nUser-Agent: Foo Bar\nAllow: /x/\nDisallow: /\n";

#[rustfmt::skip]
const CASES: &[Case] = &[
    case("GoogleOnly_SystemTest", "", "FooBot", &["", "/"], &[]),
    case("GoogleOnly_SystemTest", "user-agent: FooBot\ndisallow: /\n", "", &["", "/"], &[]),
    case("GoogleOnly_SystemTest", "user-agent: FooBot\ndisallow: /\n", "FooBot", &[], &[""]),
    case("ID_LineSyntax_Line", "user-agent: FooBot\ndisallow: /\n", "FooBot", &[], &["/x/y"]),
    case("ID_LineSyntax_Line", "foo: FooBot\nbar: /\n", "FooBot", &["/x/y"], &[]),
    case("ID_LineSyntax_Line", "user-agent FooBot\ndisallow /\n", "FooBot", &[], &["/x/y"]),
    case("ID_LineSyntax_Groups", GROUPS, "FooBot", &["/x/b", "/z/d"], &["/y/c", "/foo/bar/"]),
    case("ID_LineSyntax_Groups", GROUPS, "BarBot", &["/y/c", "/w/a"], &["/z/d", "/foo/bar/"]),
    case("ID_LineSyntax_Groups", GROUPS, "BazBot", &["/z/d"], &["/foo/bar/"]),
    case("ID_LineSyntax_Groups_OtherRules", "User-agent: BarBot\nSitemap: https://foo.bar/sitemap\nUser-agent: *\nDisallow: /\n", "FooBot", &[], &["/"]),
    case("ID_LineSyntax_Groups_OtherRules", "User-agent: BarBot\nSitemap: https://foo.bar/sitemap\nUser-agent: *\nDisallow: /\n", "BarBot", &[], &["/"]),
    case("ID_LineSyntax_Groups_OtherRules", "User-agent: FooBot\nInvalid-Unknown-Line: unknown\nUser-agent: *\nDisallow: /\n", "FooBot", &[], &["/"]),
    case("ID_LineSyntax_Groups_OtherRules", "User-agent: FooBot\nInvalid-Unknown-Line: unknown\nUser-agent: *\nDisallow: /\n", "BarBot", &[], &["/"]),
    case("ID_REPLineNamesCaseInsensitive", "USER-AGENT: FooBot\nALLOW: /x/\nDISALLOW: /\n", "FooBot", &["/x/y"], &["/a/b"]),
    case("ID_REPLineNamesCaseInsensitive", "user-agent: FooBot\nallow: /x/\ndisallow: /\n", "FooBot", &["/x/y"], &["/a/b"]),
    case("ID_REPLineNamesCaseInsensitive", "uSeR-aGeNt: FooBot\nAlLoW: /x/\ndIsAlLoW: /\n", "FooBot", &["/x/y"], &["/a/b"]),
    case("ID_UserAgentValueCaseInsensitive", "User-Agent: FOO BAR\nAllow: /x/\nDisallow: /\n", "Foo", &["/x/y"], &["/a/b"]),
    case("ID_UserAgentValueCaseInsensitive", "User-Agent: foo bar\nAllow: /x/\nDisallow: /\n", "foo", &["/x/y"], &["/a/b"]),
    case("ID_UserAgentValueCaseInsensitive", "User-Agent: FoO bAr\nAllow: /x/\nDisallow: /\n", "Foo", &["/x/y"], &["/a/b"]),
    case("GoogleOnly_AcceptUserAgentUpToFirstSpace", FOO_BAR, "Foo", &["/x/y"], &[]),
    case("GoogleOnly_AcceptUserAgentUpToFirstSpace", FOO_BAR, "Foo Bar", &[], &["/x/y"]),
    case("ID_GlobalGroups_Secondary", "user-agent: *\nallow: /\nuser-agent: FooBot\ndisallow: /\n", "FooBot", &[], &["/x/y"]),
    case("ID_GlobalGroups_Secondary", "user-agent: *\nallow: /\nuser-agent: FooBot\ndisallow: /\n", "BarBot", &["/x/y"], &[]),
    case("ID_GlobalGroups_Secondary", ONLY_SPECIFIC, "QuxBot", &["/x/y"], &[]),
    case("ID_AllowDisallow_Value_CaseSensitive", "user-agent: FooBot\ndisallow: /x/\n", "FooBot", &[], &["/x/y"]),
    case("ID_AllowDisallow_Value_CaseSensitive", "user-agent: FooBot\ndisallow: /X/\n", "FooBot", &["/x/y"], &[]),
    case("ID_LongestMatch", "user-agent: FooBot\ndisallow: /x/page.html\nallow: /x/\n", "FooBot", &[], &["/x/page.html"]),
    case("ID_LongestMatch", "user-agent: FooBot\nallow: /x/page.html\ndisallow: /x/\n", "FooBot", &["/x/page.html"], &["/x/"]),
    case("ID_LongestMatch", "user-agent: FooBot\ndisallow: \nallow: \n", "FooBot", &["/x/page.html"], &[]),
    case("ID_LongestMatch", "user-agent: FooBot\ndisallow: /\nallow: /\n", "FooBot", &["/x/page.html"], &[]),
    case("ID_LongestMatch", "user-agent: FooBot\ndisallow: /x\nallow: /x/\n", "FooBot", &["/x/"], &["/x"]),
    case("ID_LongestMatch", "user-agent: FooBot\ndisallow: /x/page.html\nallow: /x/page.html\n", "FooBot", &["/x/page.html"], &[]),
    case("ID_LongestMatch", "user-agent: FooBot\nallow: /page\ndisallow: /*.html\n", "FooBot", &["/page"], &["/page.html"]),
    case("ID_LongestMatch", "user-agent: FooBot\nallow: /x/page.\ndisallow: /*.html\n", "FooBot", &["/x/page.html"], &["/x/y.html"]),
    case("ID_LongestMatch", "User-agent: *\nDisallow: /x/\nUser-agent: FooBot\nDisallow: /y/\n", "FooBot", &["/x/page"], &["/y/page"]),
    case("ID_Encoding", "User-agent: FooBot\nDisallow: /\nAllow: /foo/bar?qux=taz&baz=http://foo.bar?tar&par\n", "FooBot", &["/foo/bar?qux=taz&baz=http://foo.bar?tar&par"], &[]),
    case("ID_Encoding", "User-agent: FooBot\nDisallow: /\nAllow: /foo/bar/\u{30c4}\n", "FooBot", &["/foo/bar/%E3%83%84"], &[]),
    case("ID_Encoding", "User-agent: FooBot\nDisallow: /\nAllow: /foo/bar/%E3%83%84\n", "FooBot", &["/foo/bar/%E3%83%84"], &[]),
    case("ID_Encoding", "User-agent: FooBot\nDisallow: /\nAllow: /foo/bar/%62%61%7A\n", "FooBot", &["/foo/bar/%62%61%7A"], &[]),
    case("ID_SpecialCharacters", "User-agent: FooBot\nDisallow: /foo/bar/quz\nAllow: /foo/*/qux\n", "FooBot", &["/foo/quz", "/foo//quz", "/foo/bax/quz"], &["/foo/bar/quz"]),
    case("ID_SpecialCharacters", "User-agent: FooBot\nDisallow: /foo/bar$\nAllow: /foo/bar/qux\n", "FooBot", &["/foo/bar/qux", "/foo/bar/", "/foo/bar/baz"], &["/foo/bar"]),
    case("ID_SpecialCharacters", "User-agent: FooBot\n# Disallow: /\nDisallow: /foo/quz#qux\nAllow: /\n", "FooBot", &["/foo/bar"], &["/foo/quz"]),
    case("GoogleOnly_IndexHTMLisDirectory", "User-Agent: *\nAllow: /allowed-slash/index.html\nDisallow: /\n", "foobot", &["/allowed-slash/", "/allowed-slash/index.html"], &["/allowed-slash/index.htm", "/anyother-url"]),
    case("GoogleOnly_DocumentationChecks", "user-agent: FooBot\ndisallow: /\nallow: /fish\n", "FooBot", &["/fish", "/fish.html", "/fish/salmon.html", "/fishheads", "/fishheads/yummy.html", "/fish.html?id=anything"], &["/bar", "/Fish.asp", "/catfish", "/?id=fish"]),
    case("GoogleOnly_DocumentationChecks", "user-agent: FooBot\ndisallow: /\nallow: /fish*\n", "FooBot", &["/fish", "/fish.html", "/fish/salmon.html", "/fishheads", "/fishheads/yummy.html", "/fish.html?id=anything"], &["/bar", "/Fish.bar", "/catfish", "/?id=fish"]),
    case("GoogleOnly_DocumentationChecks", "user-agent: FooBot\ndisallow: /\nallow: /fish/\n", "FooBot", &["/fish/", "/fish/salmon", "/fish/?salmon", "/fish/salmon.html", "/fish/?id=anything"], &["/bar", "/fish", "/fish.html", "/Fish/Salmon.html"]),
    case("GoogleOnly_DocumentationChecks", "user-agent: FooBot\ndisallow: /\nallow: /*.php\n", "FooBot", &["/filename.php", "/folder/filename.php", "/folder/filename.php?parameters", "//folder/any.php.file.html", "/filename.php/", "/index?f=filename.php/"], &["/bar", "/php/", "/index?php", "/windows.PHP"]),
    case("GoogleOnly_DocumentationChecks", "user-agent: FooBot\ndisallow: /\nallow: /*.php$\n", "FooBot", &["/filename.php", "/folder/filename.php"], &["/bar", "/filename.php?parameters", "/filename.php/", "/filename.php5", "/php/", "/filename?php", "/aaaphpaaa", "//windows.PHP"]),
    case("GoogleOnly_DocumentationChecks", "user-agent: FooBot\ndisallow: /\nallow: /fish*.php\n", "FooBot", &["/fish.php", "/fishheads/catfish.php?parameters"], &["/bar", "/Fish.PHP"]),
    case("GoogleOnly_DocumentationChecks", "user-agent: FooBot\nallow: /p\ndisallow: /\n", "FooBot", &["/page"], &[]),
    case("GoogleOnly_DocumentationChecks", "user-agent: FooBot\nallow: /folder\ndisallow: /folder\n", "FooBot", &["/folder/page"], &[]),
    case("GoogleOnly_DocumentationChecks", "user-agent: FooBot\nallow: /page\ndisallow: /*.htm\n", "FooBot", &[], &["/page.htm"]),
    case("GoogleOnly_DocumentationChecks", "user-agent: FooBot\nallow: /$\ndisallow: /\n", "FooBot", &["/"], &["/page.html"]),
    // Line ends and byte order marks, by what the rules then do.
    case("ID_LinesNumbersAreCountedCorrectly", "User-Agent: foo\nAllow: /some/path\nUser-Agent: bar\n\n\nDisallow: /\n", "bar", &[], &["/a"]),
    case("ID_LinesNumbersAreCountedCorrectly", "User-Agent: foo\r\nAllow: /some/path\r\nUser-Agent: bar\r\n\r\n\r\nDisallow: /\r\n", "bar", &[], &["/a"]),
    case("ID_LinesNumbersAreCountedCorrectly", "User-Agent: foo\rAllow: /some/path\rUser-Agent: bar\r\r\rDisallow: /\r", "bar", &[], &["/a"]),
    case("ID_LinesNumbersAreCountedCorrectly", "User-Agent: foo\nAllow: /some/path\nUser-Agent: bar\n\n\nDisallow: /", "bar", &[], &["/a"]),
    case("ID_LinesNumbersAreCountedCorrectly", "User-Agent: foo\nAllow: /some/path\r\nUser-Agent: bar\n\r\n\nDisallow: /", "bar", &[], &["/a"]),
];

#[test]
fn every_published_case_is_judged_as_published() {
    for case in CASES {
        let rules = Robots::parse(case.file.as_bytes()).rules_for(case.agent);
        for url in case.allowed {
            assert_eq!(
                rules.verdict(url),
                Verdict::Allowed,
                "{}: {url:?}",
                case.name
            );
        }
        for url in case.disallowed {
            assert_ne!(
                rules.verdict(url),
                Verdict::Allowed,
                "{}: {url:?}",
                case.name
            );
        }
    }
}

#[test]
fn google_only_line_too_long() {
    const LONGEST: usize = 2083 * 8;
    let rules = |file: &str| Robots::parse(file.as_bytes()).rules_for("FooBot");
    let long = |letter: &str, name: &str| {
        let start = "/x/";
        format!(
            "{start}{}",
            letter.repeat(LONGEST - start.len() - name.len() + 1 - start.len())
        )
    };
    let path = long("a", "disallow: ");
    let cut = rules(&format!("user-agent: FooBot\ndisallow: {path}/qux\n"));
    assert_eq!(cut.verdict("/fux"), Verdict::Allowed);
    assert_ne!(cut.verdict(&format!("{path}/fux")), Verdict::Allowed);

    let (a, b) = (long("a", "allow: "), long("b", "allow: "));
    let cut = rules(&format!(
        "user-agent: FooBot\ndisallow: /\nallow: {a}/qux\nallow: {b}/qux\n"
    ));
    assert_ne!(cut.verdict("/"), Verdict::Allowed);
    assert_eq!(cut.verdict(&format!("{a}/qux")), Verdict::Allowed);
    assert_eq!(cut.verdict(&format!("{b}/fux")), Verdict::Allowed);
}

#[test]
fn id_utf8_byte_order_mark_is_skipped() {
    let read = |start: &[u8], rest: &[u8]| {
        let file = [start, b"User-Agent: foo\n", rest, b"Disallow: /AnyValue\n"].concat();
        Robots::parse(&file).rules_for("foo").verdict("/AnyValue") != Verdict::Allowed
    };
    assert!(read(b"\xEF\xBB\xBF", b""));
    assert!(read(b"\xEF\xBB", b""));
    assert!(read(b"\xEF", b""));
    assert!(
        !read(b"\xEF\x11\xBF", b""),
        "no mark: the first line is junk"
    );
    assert!(!read(b"", b"\xEF\xBB\xBF"), "a mark only at the start");
}

#[test]
fn id_non_standard_line_example_sitemap() {
    let sitemap = "Sitemap: http://foo.bar/sitemap.xml\n";
    let rest = "User-Agent: foo\nAllow: /some/path\nUser-Agent: bar\n\n\n";
    for file in [format!("{rest}{sitemap}"), format!("{sitemap}{rest}")] {
        assert_eq!(
            Robots::parse(file.as_bytes()).sitemaps(),
            ["http://foo.bar/sitemap.xml"]
        );
    }
}

/// Google's parser leaves it to its caller to escape URLs, and compares
/// escapes of unreserved characters as they stand. RFC 9309 §2.2.2 has a table
/// in which these are the same.
#[test]
fn where_rfc_9309_says_otherwise() {
    for (allow, url) in [
        ("/foo/bar/\u{30c4}", "/foo/bar/\u{30c4}"),
        ("/foo/bar/%E3%83%84", "/foo/bar/\u{30c4}"),
        ("/foo/bar/%62%61%7A", "/foo/bar/baz"),
    ] {
        let file = format!("User-agent: FooBot\nDisallow: /\nAllow: {allow}\n");
        let rules = Robots::parse(file.as_bytes()).rules_for("FooBot");
        assert_eq!(rules.verdict(url), Verdict::Allowed, "{url}");
    }
}
