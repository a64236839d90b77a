//! What a page gives, by construct.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::super::{Found, Irregularity, Kind, Role, Scan, Spot, scan};
use ::url::Url;

mod index;
mod oracle;

fn html(source: &str) -> Scan {
    let url = Url::parse("http://host/dir/page?q").unwrap();
    scan(Kind::Html, source.as_bytes(), &url, None)
}

fn found(source: &str) -> Vec<(String, Role)> {
    let scan = html(source);
    let with_role = |found: &Found| {
        let url = found.url.as_str();
        let short = url.strip_prefix("http://host").unwrap_or(url);
        (short.to_owned(), found.role)
    };
    scan.links().map(with_role).collect()
}

#[track_caller]
fn expect(source: &str, expected: &[(&str, Role)]) {
    let found = found(source);
    let found: Vec<_> = found.iter().map(|(u, r)| (u.as_str(), *r)).collect();
    assert_eq!(found, expected, "{source}");
}

#[test]
fn attributes_of_the_standard_give_their_urls_and_roles() {
    use Role::{Alternate, Form, Frame, Image, Manifest, Media, Page, Script};
    for (source, expected) in [
        ("<a href=x#y>", &[("/dir/x#y", Page)][..]),
        ("<A HREF='x'>", &[("/dir/x", Page)]),
        ("<a href = \"\n x \t\">", &[("/dir/x", Page)]),
        ("<a href=x href=y>", &[("/dir/x", Page)]),
        ("<a href=''><a href=' '><a href='#x'><a href>", &[]),
        (
            "<a href='javascript:x'><a href=mailto:x><a href='data:,x'>",
            &[],
        ),
        (
            "<a href='HTTP:x'><a href=tel:1><a href=ftp://x/>",
            &[("/dir/x", Page)],
        ),
        (
            "<a href='//other/x'><area href='?z'>",
            &[("http://other/x", Page), ("/dir/page?z", Page)],
        ),
        (
            "<a href='x&amp;y&#x2f;z&copy=1'>",
            &[("/dir/x&y/z&copy=1", Page)],
        ),
        (
            "<img src=a srcset='b 1x, c 2x'>",
            &[("/dir/a", Image), ("/dir/b", Image), ("/dir/c", Image)],
        ),
        (
            "<img srcset='b&#32;1x&comma;&#x20;c'>",
            &[("/dir/b", Image), ("/dir/c", Image)],
        ),
        (
            "<picture><source srcset=a><source src=b></picture>",
            &[("/dir/a", Image), ("/dir/b", Media)],
        ),
        (
            "<video poster=a src=b><track src=c></video>",
            &[("/dir/a", Image), ("/dir/b", Media), ("/dir/c", Media)],
        ),
        (
            "<iframe src=a></iframe><frame src=b><embed src=c>",
            &[("/dir/a", Frame), ("/dir/b", Frame), ("/dir/c", Frame)],
        ),
        (
            "<object data=a></object><object type=image/png data=b></object>",
            &[("/dir/a", Frame), ("/dir/b", Image)],
        ),
        (
            "<script src=a></script><script>'<img src=b>'</script>",
            &[("/dir/a", Script)],
        ),
        (
            "<body background=a><td background=b>",
            &[("/dir/a", Image), ("/dir/b", Image)],
        ),
        (
            "<html manifest=a><blockquote cite=b><img longdesc=c>",
            &[
                ("/dir/a", Manifest),
                ("/dir/b", Alternate),
                ("/dir/c", Alternate),
            ],
        ),
        (
            "<form action=a><button formaction=b>",
            &[("/dir/a", Form), ("/dir/b", Form)],
        ),
        (
            "<form action=a method=POST><button formaction=b><input formaction=c formmethod=get>",
            &[("/dir/c", Form)],
        ),
        ("<input type=image src=a>", &[("/dir/a", Image)]),
        ("<!doctype html>", &[]),
        ("<a title='<a href=x>'>", &[]),
        (
            "<textarea><a href=x></textarea><title><a href=y></title>",
            &[],
        ),
    ] {
        expect(source, expected);
    }
}

#[test]
fn links_are_read_by_their_keywords() {
    use Role::{Alternate, Font, Hint, Image, Manifest, Media, Requisite, Script, Stylesheet};
    for (link, role) in [
        ("rel=stylesheet", Stylesheet),
        ("rel='Alternate StyleSheet'", Stylesheet),
        ("rel='shortcut icon'", Image),
        ("rel=apple-touch-icon", Image),
        ("rel=manifest", Manifest),
        ("rel=modulepreload", Script),
        ("rel=preload as=font", Font),
        ("rel=preload as=style", Stylesheet),
        ("rel=preload as=video", Media),
        ("rel=preload as=fetch", Requisite),
        ("rel=prefetch", Alternate),
        ("rel=prefetch as=script", Script),
        ("rel=next", Alternate),
        ("rel=canonical", Alternate),
        ("", Alternate),
        ("rel='dns-prefetch preconnect'", Hint),
        ("rel='preconnect stylesheet'", Stylesheet),
    ] {
        expect(&format!("<link {link} href=a>"), &[("/dir/a", role)]);
    }
    expect(
        "<link rel=preload as=image imagesrcset='a, b 2x'>",
        &[("/dir/a", Image), ("/dir/b", Image)],
    );
}

#[test]
fn metas_give_refreshes_and_preview_images() {
    for (source, expected) in [
        (
            "<meta http-equiv=Refresh content='0; URL=\"x\"'>",
            &[("/dir/x", Role::Refresh)][..],
        ),
        (
            "<meta http-equiv=refresh content='0;url=&#39;x&amp;y&#39;'>",
            &[("/dir/x&y", Role::Refresh)],
        ),
        ("<meta http-equiv=refresh content=5>", &[]),
        (
            "<meta property=og:image content=a>",
            &[("/dir/a", Role::Image)],
        ),
        (
            "<meta name=twitter:image content=a>",
            &[("/dir/a", Role::Image)],
        ),
        ("<meta name=description content=a>", &[]),
    ] {
        expect(source, expected);
    }
}

#[test]
fn styles_are_read_as_css() {
    for source in [
        "<p style='background:url(a)'>",
        "<p style=\"background:url(&quot;a&quot;)\">",
        "<p style='background:url(&#39;a&apos;)'>",
        "<p style=background:url(a)>",
        "<style>p{background:url(a)}</style>",
        "<style>p{background:url('a')}",
        "<STYLE>p{background:url('a')}/*</Style>",
        "<svg><style>p{background:url(a)}</style></svg>",
    ] {
        expect(source, &[("/dir/a", Role::Image)]);
    }
    expect(
        "<style>a{b:url(a&b)}</style><p style='b:url(a&amp;b)'>",
        &[("/dir/a&b", Role::Image), ("/dir/a&b", Role::Image)],
    );
}

#[test]
fn svg_gives_its_references() {
    expect(
        "<svg><use href='a.svg#b'/><use xlink:href='#c'/><image xlink:href=d /><a href=e></a><title>t</title><linearGradient href='f#g'/></svg><title>T</title>",
        &[
            ("/dir/a.svg#b", Role::Image),
            ("/dir/d", Role::Image),
            ("/dir/e", Role::Page),
            ("/dir/f#g", Role::Requisite),
        ],
    );
    assert_eq!(
        html("<svg><title>t</title></svg><title> T\n&amp; &lt;u </title>")
            .title
            .unwrap(),
        "T & <u"
    );
}

#[test]
fn parts_that_browsers_may_skip_are_read_in_order() {
    for source in [
        "<noscript><img src=a></noscript><img src=b>",
        "<head><noscript><link rel=icon href=a></noscript></head><img src=b>",
        "<!--[if lt IE 9]><img src=a><![endif]--><img src=b>",
        "<!-- [if IE]><img src=a><![endif]--><img src=b>",
        "<!--[if !IE]><!--><img src=a><!--<![endif]--><img src=b>",
        "<![if !IE]><img src=a><![endif]><img src=b>",
        "<noframes><img src=a></noframes><img src=b>",
        "<template><img src=a></template><img src=b>",
        "<noscript><!--[if IE]><noscript><img src=a></noscript><img src=b><![endif]--></noscript>",
        "<noscript><style>c{d:url(a)}</style></noscript><img src=b>",
        "<noscript><img src=a><img src=b>",
    ] {
        expect(source, &[("/dir/a", Role::Image), ("/dir/b", Role::Image)]);
    }
    expect("<!-- <img src=a> --><!-- x[if IE]><img src=a> -->", &[]);
}

#[test]
fn the_first_base_with_href_resolves_everything() {
    let expected = [
        ("/dir/x/a", Role::Page),
        ("/dir/x/", Role::Base),
        ("/dir/x/b", Role::Page),
    ];
    expect(
        "<a href=a><base target=t><base href=x/><a href=b>",
        &expected,
    );
    let scan = html("<base href=x/><base href=y/><a href=a>");
    assert_eq!(scan.base.as_str(), "http://host/dir/x/");
    assert_eq!(
        html("<svg><base href=x/></svg><base href=y/>")
            .base
            .as_str(),
        "http://host/dir/y/"
    );
    for ignored in [
        "<template><base href=x/></template>",
        "<base href='data:,x'>",
        "<base href=''><base href=x/>",
        "<base href><base href=x/>",
        "<base href='#y'><base href=x/>",
        "<base href='http://['>",
        "<!-- <base href=x/> -->",
        "",
    ] {
        assert_eq!(
            html(ignored).base.as_str(),
            "http://host/dir/page?q",
            "{ignored}"
        );
    }
}

#[test]
fn lazily_loaded_images_are_found_and_junk_is_not() {
    let image = |name| (name, Role::Image);
    expect("<img src='data:,' data-src=a.png>", &[image("/dir/a.png")]);
    expect("<div data-bg='url(a.png)'>", &[image("/dir/a.png")]);
    expect(
        "<img data-srcset='/a 1x, /b 2x'>",
        &[image("/a"), image("/b")],
    );
    expect("<iframe data-src='/a'></iframe>", &[("/a", Role::Frame)]);
    expect(
        "<p data-src='{{a.png}}'><p data-src=word><p data-bg='1.5'><p data-src='a. b'>",
        &[],
    );
    assert!(html("<img data-src=a.png>").found[0].is_lazy());
}

#[test]
fn old_applets_resolve_against_their_codebase() {
    expect(
        "<applet codebase=j/ code=A.class archive='a.jar, b.jar'>",
        &[
            ("/dir/j/", Role::Alternate),
            ("/dir/j/A.class", Role::Requisite),
            ("/dir/j/a.jar", Role::Requisite),
            ("/dir/j/b.jar", Role::Requisite),
        ],
    );
    expect(
        "<object classid='clsid:D27CDB6E'><param name=movie value=a.swf></object>",
        &[("/dir/a.swf", Role::Requisite)],
    );
}

#[test]
fn srcdoc_is_a_document_of_its_own_on_the_same_base() {
    let source = "<base href=/b/><iframe srcdoc='<p style=\"b:url(&amp;quot;a&amp;quot;)\"><a href=x?a&amp;amp;b>'></iframe>";
    expect(
        source,
        &[
            ("/b/", Role::Base),
            ("/b/a", Role::Image),
            ("/b/x?a&b", Role::Page),
        ],
    );
    let mut nested = String::from("<a href=x>");
    for _ in 0..6 {
        nested = format!(
            "<iframe srcdoc=\"{}\">",
            nested.replace('&', "&amp;").replace('"', "&quot;")
        );
    }
    let mut scan = html(&nested);
    while let Some(inner) = scan.srcdocs.pop() {
        scan = inner.scan;
    }
    assert!(matches!(scan.irregular[..], [Irregularity::TooDeep { .. }]));
}

#[test]
fn scripts_of_replay_start_before_the_pages_own() {
    for (source, before) in [
        ("<!doctype html><html><head lang=x>|<script>", ""),
        ("<!doctype html><html lang=x>|<script>", ""),
        ("<!doctype html><!-- c --><html>|<!-- c --><body>", ""),
        ("<!doctype html>\n|<script src=x></script><head>", ""),
        ("<!doctype html>|text", ""),
        ("|text", "\u{feff}"),
        ("|<p>", ""),
        ("<header></header>", "|"),
        ("<!--[if IE]><head><![endif]-->|<p>", ""),
    ] {
        let marked = format!("{before}{source}").replace("\u{feff}|", "\u{feff}");
        let at = format!("{before}{source}").find('|').unwrap();
        let scan = html(&marked.replace('|', ""));
        assert_eq!(scan.spots, [(at..at, Spot::HeadStart)], "{source}");
    }
}

#[test]
fn spots_cover_what_replay_strips() {
    let source = "<meta http-equiv='Content-Security-Policy' content=x><link rel=preconnect href=//c><a ping='p q' href=x><script integrity=sha256-x src=s></script><link integrity=\"y\" href=z>";
    let scan = html(source);
    let texts: Vec<_> = scan
        .spots
        .iter()
        .map(|(range, spot)| (*spot, &source[range.clone()]))
        .collect();
    assert_eq!(
        texts,
        [
            (Spot::HeadStart, ""),
            (
                Spot::ContentSecurityPolicy,
                "<meta http-equiv='Content-Security-Policy' content=x>"
            ),
            (Spot::Hint, "<link rel=preconnect href=//c>"),
            (Spot::Ping, "ping='p q'"),
            (Spot::Integrity, "integrity=sha256-x"),
            (Spot::Integrity, "integrity=\"y\""),
        ]
    );
}

#[test]
fn hostile_depth_is_bounded_and_reported() {
    let source = format!("<a href=x>{}", "<div>".repeat(2_000_000));
    let scan = html(&source);
    assert_eq!(scan.found.len(), 1);
    assert!(matches!(
        scan.irregular[..],
        [Irregularity::MemoryLimit { .. }]
    ));
    let long = format!(
        "<base href=/{}/>{}",
        "x".repeat(60_000),
        "<a href=y>".repeat(5_000)
    );
    let scan = html(&long);
    assert!(matches!(scan.irregular[..], [Irregularity::TooMany { .. }]));
    // Takes minutes if each style is searched to the document's end.
    let scan = html(&format!("<svg>{}", "<style>".repeat(200_000)));
    assert!(scan.found.is_empty());
    let scan = html("<a href='http://['><a href=x>");
    assert!(matches!(
        scan.irregular[..],
        [Irregularity::Unparsable { .. }]
    ));
}
