//! Every attribute of the HTML standard's index that holds a URL, those of SVG
//! and MathML, the obsolete ones and those that scripts read: one row each.

use super::super::super::Role;
use super::{expect, html};

/// What scripts and data name on a page, with their roles.
#[track_caller]
fn expect_mentions(source: &str, expected: &[(&str, Role)]) {
    let scan = html(source);
    let mentions: Vec<_> = scan
        .all_mentions()
        .map(|mention| {
            let url = mention.url.as_str();
            (url.strip_prefix("http://host").unwrap_or(url), mention.role)
        })
        .collect();
    assert_eq!(mentions, expected, "{source}");
}

#[test]
fn every_attribute_of_the_standards_index_is_read() {
    use Role::{Alternate, Base, Form, Frame, Image, Media, Page, Script, Stylesheet};
    for (element, role) in [
        ("a href=%", Page),
        ("area href=%", Page),
        ("base href=%", Base),
        ("link rel=stylesheet href=%", Stylesheet),
        ("link rel=preload as=image imagesrcset=%", Image),
        ("form action=%", Form),
        ("button formaction=%", Form),
        ("input type=submit formaction=%", Form),
        ("input type=image src=%", Image),
        ("blockquote cite=%", Alternate),
        ("del cite=%", Alternate),
        ("ins cite=%", Alternate),
        ("q cite=%", Alternate),
        ("object data=%", Frame),
        ("video poster=%", Image),
        ("video src=%", Media),
        ("audio src=%", Media),
        ("source src=%", Media),
        ("source srcset=%", Image),
        ("track src=%", Media),
        ("embed src=%", Frame),
        ("iframe src=%", Frame),
        ("iframe srcdoc='<img src=%>'", Image),
        ("img src=%", Image),
        ("img srcset=%", Image),
        ("script src=%", Script),
        ("p style='background:url(%)'", Image),
    ] {
        expect_both(element, role);
    }
}

#[test]
fn obsolete_attributes_are_read() {
    use Role::{Alternate, Form, Frame, Image, Manifest, Media, Requisite};
    for (element, role) in [
        ("body background=%", Image),
        ("table background=%", Image),
        ("thead background=%", Image),
        ("tbody background=%", Image),
        ("tfoot background=%", Image),
        ("tr background=%", Image),
        ("td background=%", Image),
        ("th background=%", Image),
        ("img longdesc=%", Alternate),
        ("iframe longdesc=%", Alternate),
        ("frame longdesc=%", Alternate),
        ("img lowsrc=%", Image),
        ("img dynsrc=%", Media),
        ("head profile=%", Alternate),
        ("html manifest=%", Manifest),
        ("frame src=%", Frame),
        ("bgsound src=%", Media),
        ("image src=%", Image),
        ("layer src=%", Frame),
        ("ilayer src=%", Frame),
        ("isindex action=%", Form),
        ("xml src=%", Requisite),
        ("event-source src=%", Requisite),
        ("command icon=%", Image),
        ("menuitem icon=%", Image),
        ("applet code=%", Requisite),
        ("applet object=%", Requisite),
        ("applet archive=%", Requisite),
        ("applet codebase=%", Alternate),
        ("object archive=%", Requisite),
        ("object classid=%", Requisite),
        ("object codebase=%", Alternate),
        ("param name=movie value=%", Requisite),
        ("param name=SRC value=%", Requisite),
        ("param name=url value=%", Requisite),
        ("param name=FileName value=%", Requisite),
        ("embed qtsrc=%", Media),
        ("import implementation=%", Requisite),
    ] {
        expect_both(element, role);
    }
    // Codebases resolve the others.
    expect(
        "<object codebase=c/ archive='a.jar b.jar' classid=d.class>",
        &[
            ("/dir/c/", Alternate),
            ("/dir/c/a.jar", Requisite),
            ("/dir/c/b.jar", Requisite),
            ("/dir/c/d.class", Requisite),
        ],
    );
}

#[test]
fn foreign_elements_are_read() {
    use Role::{Font, Image, Page, Requisite, Script};
    for (element, role) in [
        ("svg><a href=%", Page),
        ("svg><a xlink:href=%", Page),
        ("svg><image href=%", Image),
        ("svg><image xlink:href=%", Image),
        ("svg><use href=%", Image),
        ("svg><feImage href=%", Image),
        ("svg><script href=%", Script),
        ("svg><script xlink:href=%", Script),
        ("svg><linearGradient href=%", Requisite),
        ("svg><pattern xlink:href=%", Requisite),
        ("svg><textPath href=%", Requisite),
        ("svg><mpath href=%", Requisite),
        ("svg><filter xlink:href=%", Requisite),
        ("svg><font-face-uri xlink:href=%", Font),
        ("svg><path fill='url(%)'", Image),
        ("svg><path stroke='url(%)'", Image),
        ("svg><g filter='url(%)'", Image),
        ("svg><g mask='url(%)'", Image),
        ("svg><g clip-path='url(%)'", Image),
        ("svg><path marker-start='url(%)'", Image),
        ("svg><path marker-mid='url(%)'", Image),
        ("svg><path marker-end='url(%)'", Image),
        ("svg><g cursor='url(%),auto'", Image),
        ("svg><g style='filter:url(%)'", Image),
        ("math><mi href=%", Page),
        ("math><mrow xlink:href=%", Page),
        ("math altimg=%", Image),
        ("math><mglyph src=%", Image),
    ] {
        expect_both(element, role);
    }
    expect(
        "<svg><use href='#a'/><g fill='url(#b)' mask=none></svg><p fill='url(c)'>",
        &[],
    );
}

#[test]
fn what_is_no_address_to_be_fetched_is_left_alone() {
    for source in [
        "<a ping=/x>",
        "<img usemap='#m'><object usemap='#m'>",
        "<form method=post action=/x><button formaction=/y>",
        "<p itemtype=http://schema.example/X itemid=urn:x>",
        "<html xmlns=http://www.w3.org/1999/xhtml>",
        "<input type=hidden value=/x/y><p title=/x/y.html>",
        "<object classid='clsid:1'><param name=quality value=high>",
        "<meta name=description content='a/b c'><meta name=viewport content='width=1/2'>",
    ] {
        expect(source, &[]);
        expect_mentions(source, &[]);
    }
}

#[test]
fn every_kind_of_link_has_its_role() {
    use Role::{Alternate, Font, Hint, Image, Manifest, Media, Requisite, Script, Stylesheet};
    for (relation, role) in [
        ("stylesheet", Stylesheet),
        ("stylesheet/less", Stylesheet),
        ("icon", Image),
        ("apple-touch-icon", Image),
        ("apple-touch-icon-precomposed", Image),
        ("apple-touch-startup-image", Image),
        ("mask-icon", Image),
        ("fluid-icon", Image),
        ("image_src", Image),
        ("video_src", Media),
        ("fontdef", Font),
        ("manifest", Manifest),
        ("modulepreload", Script),
        ("serviceworker", Script),
        ("import", Requisite),
        ("preload", Requisite),
        ("prefetch", Alternate),
        ("prerender", Alternate),
        ("alternate", Alternate),
        ("amphtml", Alternate),
        ("author", Alternate),
        ("canonical", Alternate),
        ("help", Alternate),
        ("license", Alternate),
        ("next", Alternate),
        ("pingback", Alternate),
        ("prev", Alternate),
        ("privacy-policy", Alternate),
        ("search", Alternate),
        ("shortlink", Alternate),
        ("preconnect", Hint),
        ("dns-prefetch", Hint),
    ] {
        expect_both(&format!("link rel={relation} href=%"), role);
    }
    for (file, role) in [
        ("a.js", Script),
        ("a.css?v", Stylesheet),
        ("a/b.woff2", Font),
        ("a.png#x", Image),
        ("a.wasm", Requisite),
    ] {
        expect(
            &format!("<link rel=prefetch href={file}>"),
            &[(&format!("/dir/{file}"), role)],
        );
    }
}

#[test]
fn metas_that_state_urls_are_read() {
    use Role::{Alternate, Frame, Image, Media, Refresh, Requisite};
    for (meta, role) in [
        ("property=og:image", Image),
        ("property=og:image:url", Image),
        ("property=og:image:secure_url", Image),
        ("property=og:video", Media),
        ("property=og:video:url", Media),
        ("property=og:video:secure_url", Media),
        ("property=og:audio", Media),
        ("property=og:audio:secure_url", Media),
        ("property=og:url", Alternate),
        ("name=twitter:image", Image),
        ("property=twitter:image:src", Image),
        ("name=twitter:player", Frame),
        ("name=twitter:player:stream", Media),
        ("name=thumbnail", Image),
        ("itemprop=thumbnailUrl", Image),
        ("itemprop=image", Image),
        ("itemprop=logo", Image),
        ("itemprop=contentUrl", Media),
        ("itemprop=embedUrl", Frame),
        ("itemprop=url", Alternate),
        ("name=msapplication-TileImage", Image),
        ("name=msapplication-square70x70logo", Image),
        ("name=msapplication-config", Requisite),
        ("name=msapplication-starturl", Alternate),
    ] {
        expect_both(&format!("meta {meta} content=%"), role);
    }
    expect(
        "<meta http-equiv=refresh content='0;url=x'>",
        &[("/dir/x", Refresh)],
    );
    expect_mentions(
        "<meta name=msapplication-task content='name=A/B;action-uri=/a;icon-uri=http://c.example/i.ico'>\
         <meta name=whatever content=https://d.example/e><meta property=x:y content='/f/g.png'>",
        &[
            ("/a", Role::Guess),
            ("http://c.example/i.ico", Role::Guess),
            ("https://d.example/e", Role::Guess),
            ("/f/g.png", Role::Guess),
        ],
    );
}

#[test]
fn lazy_loading_families_are_read() {
    use Role::{Image, Media};
    for name in [
        "data-src",
        "data-bg",
        "data-background",
        "data-background-image",
        "data-original",
        "data-lazy",
        "data-lazy-src",
        "data-img",
        "data-image",
        "data-thumb",
        "data-full",
        "data-large",
        "data-poster",
        "data-src-retina",
        "data-hi-res-src",
        "data-zoom-image",
        "data-large_image",
        "data-orig-file",
        "data-flickity-lazyload",
        "data-cfsrc",
        "lazy-src",
        "ng-src",
        "original",
        "zoomfile",
        "data-srcset",
        "data-lazy-srcset",
        "data-bgset",
    ] {
        expect(&format!("<img {name}=a.png>"), &[("/dir/a.png", Image)]);
    }
    expect(
        "<img data-srcset='a.png 1x, b.png 2x'>",
        &[("/dir/a.png", Image), ("/dir/b.png", Image)],
    );
    expect(
        "<div data-bg='url(&quot;a.png&quot;)'>",
        &[("/dir/a.png", Image)],
    );
    expect(
        "<div data-bg='url(a.png), url(b.png)'>",
        &[("/dir/a.png", Image), ("/dir/b.png", Image)],
    );
    expect("<div data-video=a.mp4>", &[("/dir/a.mp4", Media)]);
    expect("<video data-src=a.mp4>", &[("/dir/a.mp4", Media)]);
    expect_mentions(
        "<div data-href=/about><i data-url=/more></i><p data-permalink=http://host/post/1>",
        &[
            ("/about", Role::Page),
            ("/more", Role::Guess),
            ("/post/1", Role::Page),
        ],
    );
    expect_mentions(
        "<div data-href='#x'><i data-url='{{url}}'></i><p data-src=x data-link=word>",
        &[],
    );
}

#[test]
fn data_and_code_in_attributes_is_read() {
    use Role::{Guess, Page};
    expect_mentions(
        "<div data-settings='{\"url\":\"\\/about\",\"image\":&quot;i/j.png&quot;,\"type\":\"a/b\"}'>\
         <div data-slides=\"[&#34;/k.jpg&#34;]\"><div data-x=http://c.example/d data-y=/e/f.svg data-z='1/2.5' data-w='and/or'>\
         <div data-api-url=/g>",
        &[
            ("/about", Guess),
            ("/dir/i/j.png", Guess),
            ("/k.jpg", Guess),
            ("http://c.example/d", Guess),
            ("/e/f.svg", Guess),
            ("/g", Guess),
        ],
    );
    expect_mentions(
        "<button onclick=\"location.href='next.html'\" ONMOUSEOVER='window.open(&quot;/pop?x&amp;y&quot;)' onx=1>\
         <body onload='preload(\"i/j.png\")'><p onclick=\"x('word')\" on>",
        &[
            ("/dir/next.html", Page),
            ("/pop?x&y", Page),
            ("/dir/i/j.png", Guess),
        ],
    );
    expect_mentions(
        "<a href=\"javascript:window.open('pop.html')\"><a href=' JavaScript:location=%27/x/y%27;'><iframe src='javascript:\"\"'>",
        &[("/dir/pop.html", Page), ("/x/y", Page)],
    );
    // A page that code of the page's own is handed.
    expect_mentions(
        "<a href=\"javascript:show('arg.html', 'word', 'x.y')\"><select><option value=map.htm></select>\
         <input type=hidden name=to value=next.php><input value='text/x'><input value='a b.html'>",
        &[
            ("/dir/arg.html", Guess),
            ("/dir/map.htm", Page),
            ("/dir/next.php", Guess),
        ],
    );
    expect_mentions(
        "<select onchange='location=this.value'><option value=/2026/01/><option value='http://host/2026/02/'><option value=word><option value=''><option value=1>",
        &[("/2026/01/", Page), ("/2026/02/", Page)],
    );
    expect_mentions(
        "<object><param name=FlashVars value='file=/a.flv&amp;image=%2Fb.jpg&amp;n=1'></object><embed flashvars='xml=c/d.xml'><x-img src=/e/f.png></x-img>",
        &[
            ("/a.flv", Guess),
            ("/b.jpg", Guess),
            ("/dir/c/d.xml", Guess),
            ("/e/f.png", Guess),
        ],
    );
}

#[test]
fn forms_that_leave_nothing_to_write_are_followed_as_they_would_be_sent() {
    let form = |url| (url, Role::Form);
    for (source, expected) in [
        (
            "<form action='/list?old#x'><input type=hidden name=a value='1 &amp;2'><input type=submit value=Go></form>",
            vec![form("/list?a=1+%262")],
        ),
        (
            "<form action=/list><select name=m><option value=1><option value=2 selected></select><button>Go</button></form>",
            vec![form("/list?m=2"), form("/list?m=1")],
        ),
        (
            "<form><input type=hidden name=q value=x><input type=radio name=r value=a><input type=RADIO name=r value=b checked></form>",
            vec![form("/dir/page?q=x&r=b"), form("/dir/page?q=x&r=a")],
        ),
        (
            "<form action=/s><select name=a><option value=1><option value=2></select><select name=b><option value=3><option value=4></select></form>",
            vec![form("/s?a=1&b=3")],
        ),
        (
            "<form action=/s><button name=go value=1>x</button><button name=go value=2>y</button></form>",
            vec![form("/s?go=1"), form("/s?go=2")],
        ),
        (
            "<form action=/s><input type=checkbox name=c></form>",
            vec![],
        ),
        (
            "<form action=/s><input type=hidden name=a value=b><input name=q></form>",
            vec![],
        ),
        (
            "<form action=/s><input type=hidden name=a value=b><textarea name=q></textarea></form>",
            vec![],
        ),
        (
            "<form action=/s method=post><input type=hidden name=a value=b></form>",
            vec![],
        ),
        (
            "<form action=/s></form><input type=hidden name=a value=b><select name=c><option value=d></select>",
            vec![],
        ),
        (
            "<form action=/s><select name=c><option>d</select></form>",
            vec![],
        ),
        (
            "<form action=/s><input type=hidden name=a value=b disabled></form>",
            vec![],
        ),
    ] {
        expect_mentions(source, &expected);
    }
}

#[test]
fn script_elements_are_read_by_their_type() {
    use Role::{Guess, Page, Script};
    for kind in [
        "",
        " type=module",
        " type='text/javascript'",
        " type=application/x-javascript",
        " language=JavaScript",
    ] {
        expect_mentions(
            &format!(
                "<base href=/b/><script{kind}>import './a.js'; x('/i/j.png')</script><script src=y>z('/k/l.png')</script>"
            ),
            &[("/b/a.js", Script), ("/i/j.png", Guess)],
        );
    }
    for kind in [
        "application/json",
        "application/ld+json",
        "APPLICATION/LD+JSON; charset=utf-8",
        "text/json",
    ] {
        expect_mentions(
            &format!(
                "<script type='{kind}' id=__NEXT_DATA__>{{\"page\":\"\\/a\",\"image\":\"http://c.example/i.png\",\"@type\":\"a/b\"}}</script>"
            ),
            &[("/a", Guess), ("http://c.example/i.png", Guess)],
        );
    }
    expect_mentions(
        "<script type=text/template><a href=\"/about\">{{x}}</a><img src=\"{{y}}/z.png\"><img src=i/j.png></script>",
        &[("/about", Guess), ("/dir/i/j.png", Guess)],
    );
    expect_mentions(
        "<svg><script>x('/i/j.png')</script></svg><script>location='/k'",
        &[("/i/j.png", Guess), ("/k", Page)],
    );
    expect_mentions(
        "<noscript><script>x('/i/j.png')</script></noscript><template><script>x('/k/l.png')</script></template>",
        &[("/i/j.png", Guess), ("/k/l.png", Guess)],
    );
    // Neither place of theirs is rewritten.
    expect(
        "<script>x('/i/j.png')</script><p onclick=\"x('/i/j.png')\">",
        &[],
    );
}

#[test]
fn what_browsers_read_of_json_is_found_in_place() {
    use Role::{Page, Prefix, Script};
    expect(
        "<script type=importmap>{\"imports\":{\"a\":\"./a.js\",\"b/\":\"/b/\",\"c\":\"bare\",\"https://d/\":null},\
         \"scopes\":{\"/s/\":{\"a\":\"https:\\/\\/e.example\\/a.js\"}},\"integrity\":{\"/a.js\":\"sha384-x/y\"}}</script>",
        &[
            ("/dir/a.js", Script),
            ("/b/", Prefix),
            ("/s/", Prefix),
            ("https://e.example/a.js", Script),
            ("/a.js", Prefix),
        ],
    );
    expect(
        "<script type=speculationrules>{\"prerender\":[{\"source\":\"list\",\"urls\":[\"next\",\"/other\"],\"eagerness\":\"a/b\"}],\
         \"prefetch\":[{\"where\":{\"href_matches\":\"/x/*\"}}]}</script>",
        &[("/dir/next", Page), ("/other", Page)],
    );
}

#[test]
fn shadow_roots_noscript_and_conditional_comments_are_read() {
    for source in [
        "<div><template shadowrootmode=open><img src=a></template></div>",
        "<head><noscript><img src=a></noscript></head>",
        "<body><noscript><img src=a></noscript>",
        "<!--[if gte IE 6]><img src=a><![endif]-->",
        "<![if !IE]><img src=a><![endif]>",
        "<!--[if !IE]>--><img src=a><!--<![endif]-->",
        "<noembed><img src=a></noembed>",
        "<noframes><img src=a></noframes>",
    ] {
        expect(source, &[("/dir/a", Role::Image)]);
    }
}

/// The element's attribute (`%`) is read with a relative and an absolute URL.
#[track_caller]
fn expect_both(element: &str, role: Role) {
    for (text, url) in [
        ("x/y.z", "/dir/x/y.z"),
        ("http://c.example/d", "http://c.example/d"),
    ] {
        expect(&format!("<{}>", element.replace('%', text)), &[(url, role)]);
    }
}
