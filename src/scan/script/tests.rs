//! What scripts name, by construct.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use proptest::prelude::*;

fn named(script: &str) -> Vec<String> {
    let own = Url::parse("http://host/js/app.js").unwrap();
    let page = Url::parse("http://host/dir/page").unwrap();
    let mentions = mentions(script.as_bytes(), &own, Some(&page), None);
    let show = |mention: &Mention| {
        let url = mention.url.as_str();
        let short = url.strip_prefix("http://host").unwrap_or(url);
        format!("{:?} {short}", mention.role)
    };
    mentions.iter().map(show).collect()
}

#[track_caller]
fn expect(script: &str, expected: &[&str]) {
    assert_eq!(named(script), expected, "{script}");
}

#[test]
fn modules_are_relative_to_the_script_and_bare_names_are_guesses_at_most() {
    for script in [
        "import './a.js'",
        "import\"./a.js\";",
        "import x from './a.js'",
        "import * as x from \"./a.js\"",
        "import{a as b}from\"./a.js\";",
        "export { x } from './a.js';",
        "export*from'./a.js'",
        "const x = await import('./a.js')",
        "import(/* webpackChunkName: 'b/c.js' */ './a.js')",
        "import(`./a.js`)",
        "import x from './a.js' with { type: 'json' }",
        "import('./' + 'a.js')",
    ] {
        expect(script, &["Script /js/a.js"]);
    }
    expect(
        "import '/x/y'; import 'https://cdn.example/z'",
        &["Script /x/y", "Script https://cdn.example/z"],
    );
    expect(
        "import React from 'react'; import('lodash/fp'); import './' + x; import(`./l/${x}.js`)",
        &[],
    );
    expect(
        "import 'chart.js'; import('views/home.js'); import x from 'views/home'",
        &["Guess /views/home.js", "Guess /js/views/home.js"],
    );
    expect(
        "import 'a b'; x.import('./a.js'); Array.from('./b.js')",
        &[],
    );
}

#[test]
fn workers_and_assets_are_relative_to_what_browsers_take() {
    for (script, expected) in [
        ("new Worker('w.js')", "Script /dir/w.js"),
        ("new SharedWorker(\"/w.js\", {name: 'x'})", "Script /w.js"),
        (
            "navigator.serviceWorker.register('sw.js')",
            "Script /dir/sw.js",
        ),
        ("CSS.paintWorklet.addModule('p.js')", "Script /dir/p.js"),
        ("importScripts('w.js')", "Script /js/w.js"),
        (
            "new Worker(new URL('./w.js', import.meta.url))",
            "Requisite /js/w.js",
        ),
        (
            "new URL('i.png',import.meta.url).href",
            "Requisite /js/i.png",
        ),
        ("location = 'next.html'", "Page /dir/next.html"),
        ("window.location.href='?p=2'", "Page /dir/page?p=2"),
        ("location.replace(\"/next\")", "Page /next"),
        ("window.open('next.html', '_blank')", "Page /dir/next.html"),
        ("fetch('items')", ""),
        ("fetch('items.json')", "Guess /dir/items.json"),
        ("fetch(`api?q=1`)", "Guess /dir/api?q=1"),
        ("$.getJSON('items.php')", "Guess /dir/items.php"),
        ("x.open('GET', 'data?x')", "Guess /dir/data?x"),
        ("new EventSource('/events')", "Guess /events"),
        ("img.src = 'i.png'", "Guess /dir/i.png"),
        ("a.setAttribute('href', '/about')", "Guess /about"),
        ("{path: '/about', component: x}", "Guess /about"),
        ("//# sourceMappingURL=app.js.map", "Guess /js/app.js.map"),
        ("/*# sourceMappingURL=app.js.map */", "Guess /js/app.js.map"),
        ("//# sourceMappingURL=data:application/json,x", ""),
    ] {
        let expected: Vec<_> = Some(expected)
            .filter(|text| !text.is_empty())
            .into_iter()
            .collect();
        expect(script, &expected);
    }
    expect(
        "importScripts('a.js', \"b.js\"); x('c.js')",
        &["Script /js/a.js", "Script /js/b.js"],
    );
}

#[test]
fn a_picture_that_takes_anothers_place_is_looked_for_beside_the_script() {
    for script in [
        "el.src = `${el.src.substr(0, 9)}plus.png`",
        "el.src = el.src.slice(0, -9) + 'plus.png'",
    ] {
        expect(script, &["Guess /js/plus.png"]);
    }
    let no_name = "el.src = base + '.png'; el.src = a + 'b'; x = a + 'plus.js'; x(a + '-.png')";
    expect(no_name, &[]);
}

#[test]
fn strings_are_joined_and_unescaped_and_what_is_unknown_is_left_out() {
    for (script, expected) in [
        (
            r"x('https:\/\/cdn.example\/a.js')",
            vec!["Guess https://cdn.example/a.js"],
        ),
        (
            r#"x("\u002Fimg\u002fa.png", '\x2fimg\x2fb.png')"#,
            vec!["Guess /img/a.png", "Guess /img/b.png"],
        ),
        ("x('/img/' + 'a' + \".png\")", vec!["Guess /img/a.png"]),
        (
            "const BASE = '/api/v1/'; x(BASE + 'items.json')",
            vec!["Guess /api/v1/", "Guess /api/v1/items.json"],
        ),
        (
            "var dir='/img/',f='/img/a.png';x(dir+'b.png');x('..'+dir+'c.png')",
            vec!["Guess /img/a.png", "Guess /img/b.png", "Guess /img/c.png"],
        ),
        (
            "let dir='/abc/d/';let dir='/efg/h/';x(dir+'e.png')",
            vec!["Guess /abc/d/", "Guess /efg/h/"],
        ),
        ("x('/img/' + name + '.png'); x(`/img/${name}.png`)", vec![]),
        ("x('/list/items/' + page)", vec![]),
        ("x('/a/b.json?v=' + Date.now())", vec!["Guess /a/b.json"]),
        ("x(`/a/b.json?v=${v}`)", vec!["Guess /a/b.json"]),
        ("x(root + '/a/b.json')", vec!["Guess /a/b.json"]),
        ("x(`${root}/a/b.json`)", vec!["Guess /a/b.json"]),
        ("x(root + '/a/b')", vec![]),
    ] {
        expect(script, &expected);
    }
}

#[test]
fn strings_of_markup_css_and_json_give_their_urls() {
    expect(
        r#"x("<a href='/about'>b</a><img src=i/j.png alt=k/l.png>"); y('<p style="b:url(/m/n.png)">&amp;')"#,
        &["Guess /about", "Guess /dir/i/j.png", "Guess /m/n.png"],
    );
    expect("x('<a href=\"/a?b&amp;c/d\">')", &["Guess /a?b&c/d"]);
    expect(
        "x('a/1.png 1x, a/2.png 2x')",
        &["Guess /dir/a/1.png", "Guess /dir/a/2.png"],
    );
    expect(
        r#"JSON.parse('{"a":"\\/x\\/y.png","b":"https://c.example/d"}')"#,
        &["Guess /x/y.png", "Guess https://c.example/d"],
    );
    expect(
        "x('<img src=\"/i/' + name + '\">', '<img src=\"/i/j.png\" alt=\"' + name)",
        &["Guess /i/j.png"],
    );
}

#[test]
fn files_that_scripts_load_are_found_and_junk_is_not() {
    expect(
        r#"$.getJSON("_static/glossary.json", f); fetch('/api/list.json?page=1');
        load("data.csv"); var x = 'https:\/\/cdn.example\/lib.js'; // don't
        img.alt = "images/a b.png"; t = "text/javascript"; u = "a.b"; v = "/"; w = "index.html";
        y = `img/${name}.png`; z = "1.5/2.json.x"; q = "javascript:void(0).js"; p = "/maps/tiles.pdf";
        r = /"\/a\/b.png"/; /* "c/d.png" */ s = "http://www.w3.org/1999/xlink"; o = "./locale/de.js";
        n = a / "e/f" / b; m = "MM/DD/YYYY"; l = "/users/:id"; k = "node_modules/x/y.js""#,
        &[
            "Guess /dir/_static/glossary.json",
            "Guess /api/list.json?page=1",
            "Guess /dir/data.csv",
            "Guess https://cdn.example/lib.js",
            "Guess /maps/tiles.pdf",
        ],
    );
}

#[test]
fn json_is_read_like_a_script() {
    expect(
        r#"{"url":"\/about","image":["i/j.png"],"type":"text/html","@context":"https://schema.org",
        "content":"<img src=\"\/k\/l.png\">","sameAs":"https://other.example/me"}"#,
        &[
            "Guess /about",
            "Guess /dir/i/j.png",
            "Guess /k/l.png",
            "Guess https://other.example/me",
        ],
    );
}

#[test]
fn comments_tell_of_the_scripts_own_site_alone() {
    let own = Url::parse("http://host.example/js/app.js").unwrap();
    let script = b"// see http://host.example/doc, https://other.example/ or /a/b.png\n/* \"http://host.example/x.pdf\" */";
    let urls = mentions(script, &own, Some(&own), None);
    let urls: Vec<_> = urls.iter().map(|mention| mention.url.as_str()).collect();
    assert_eq!(
        urls,
        ["http://host.example/doc", "http://host.example/x.pdf"]
    );
}

#[test]
fn without_a_page_only_what_needs_none_is_resolved() {
    let own = Url::parse("http://host/js/app.js").unwrap();
    let script = b"import './a.js'; x('b/c.png'); y('/d/e.png'); new Worker('w.js')";
    let urls = mentions(script, &own, None, None);
    let urls: Vec<_> = urls.iter().map(|mention| mention.url.as_str()).collect();
    assert_eq!(urls, ["http://host/js/a.js", "http://host/d/e.png"]);
}

#[test]
fn hostile_scripts_are_read_in_time_and_bounds() {
    let own = Url::parse(&format!("http://host/{}/", "x".repeat(60_000))).unwrap();
    let many: Vec<String> = (0..100_000).map(|n| format!("x('a/{n}.png');")).collect();
    let many = many.concat();
    let found = mentions(many.as_bytes(), &own, Some(&own), None);
    let bytes: usize = found.iter().map(|mention| mention.url.as_str().len()).sum();
    assert!(!found.is_empty() && bytes < 16 << 20);
    for piece in [
        "x='a'+",
        "'a'+b+",
        "var abc='/x/y';abc+",
        "`${'",
        "<a href='",
        "'<a \"b='",
    ] {
        mentions(piece.repeat(200_000).as_bytes(), &own, None, None);
    }
}

const SCRIPT: &str = "import a from './b.js';/* c */const d='/e/'+'f.png',g=`h${d+\"i\"}j`;\
    if(k)/['\"]/.test(l)&&fetch('/m\\u002fn?\\x6f');x('<a href=\"/p\">\u{e9}</a>');importScripts('q','r')//# sourceMappingURL=s";

#[test]
fn scripts_cut_at_every_byte_are_read() {
    for at in 0..=SCRIPT.len() {
        let own = Url::parse("http://host/js/app.js").unwrap();
        for cut in [&SCRIPT.as_bytes()[..at], &SCRIPT.as_bytes()[at..]] {
            for charset in [None, Some("gbk"), Some("utf-16le")] {
                mentions(cut, &own, Some(&own), charset);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_mixture_of_tokens_is_read(pieces in prop::collection::vec(
        prop::sample::select(vec!["'", "\"", "`", "${", "}", "{", "/", "*", "\\", "+", "import", "from",
            "/a/b.png", "fetch(", ")", ",", "x", "=", "var abc", "abc", ".", "\n", "<a href=", "&amp;",
            "://h.example/", "é", "%", "[", "]", "location", ":", "\\u{", "\\x"]), 0..40)) {
        let own = Url::parse("http://host/js/app.js").unwrap();
        let script = pieces.concat();
        for mention in mentions(script.as_bytes(), &own, Some(&own), None) {
            prop_assert!(matches!(mention.url.scheme(), "http" | "https"));
        }
    }

    #[test]
    fn any_bytes_are_read(script in prop::collection::vec(any::<u8>(), 0..300)) {
        let own = Url::parse("http://host/js/app.js").unwrap();
        mentions(&script, &own, Some(&own), None);
    }
}
