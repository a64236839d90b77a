//! Puts other texts in the places of URLs and leaves every other byte as it
//! was. Replacements are written in ASCII, escaped for where they stand, so
//! they fit a document of any charset.

use super::{Context, Found, Layer, Scan, Spot, Syntax};
use std::fmt::Write;
use std::ops::Range;

/// Replaces URLs and spots of a document that `scan` was made from.
///
/// `replace` gives the new text of a URL, unescaped, or `None` to keep its
/// bytes. `spot` gives the bytes that stand in a spot's range instead, as they
/// are; a URL within a spot that is replaced goes with it. Inner documents
/// (`srcdoc`) are spliced by the same functions. Where the document was
/// transcoded, the result is UTF-8.
pub fn splice(
    source: &[u8],
    scan: &Scan,
    mut replace: impl FnMut(&Found) -> Option<String>,
    mut spot: impl FnMut(&Spot, &Range<usize>) -> Option<Vec<u8>>,
) -> Vec<u8> {
    splice_with(source, scan, &mut replace, &mut spot)
}

struct Edit {
    range: Range<usize>,
    bytes: Vec<u8>,
}

type Replace<'f> = &'f mut dyn FnMut(&Found) -> Option<String>;
type Respot<'f> = &'f mut dyn FnMut(&Spot, &Range<usize>) -> Option<Vec<u8>>;

fn splice_with(source: &[u8], scan: &Scan, replace: Replace<'_>, spot: Respot<'_>) -> Vec<u8> {
    let source = scan.text(source);
    let mut edits: Vec<Edit> = Vec::new();
    for (range, kind) in &scan.spots {
        if let Some(bytes) = spot(kind, range) {
            let range = range.clone();
            edits.push(Edit { range, bytes });
        }
    }
    let spots = edits.len();
    for srcdoc in &scan.srcdocs {
        let inner = splice_with(&srcdoc.document, &srcdoc.scan, replace, spot);
        if inner != srcdoc.document {
            let mut bytes = Vec::with_capacity(inner.len());
            let text = String::from_utf8_lossy(&inner);
            escape_attribute(&text, srcdoc.quote, &mut bytes);
            let range = srcdoc.range.clone();
            edits.push(Edit { range, bytes });
        }
    }
    let mut covering = 0;
    for found in &scan.found {
        while covering < spots && edits[covering].range.end <= found.range.start {
            covering += 1;
        }
        if covering < spots && edits[covering].range.start <= found.range.start {
            continue;
        }
        if let Some(text) = replace(found) {
            let range = found.range.clone();
            let bytes = escape(&text, found.context);
            edits.push(Edit { range, bytes });
        }
    }
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    apply(source, &edits)
}

fn apply(source: &[u8], edits: &[Edit]) -> Vec<u8> {
    let grown: usize = edits.iter().map(|edit| edit.bytes.len()).sum();
    let mut out = Vec::with_capacity(source.len() + grown);
    let mut at = 0;
    for edit in edits {
        if edit.range.start < at {
            continue;
        }
        let Some(kept) = source.get(at..edit.range.start) else {
            break;
        };
        out.extend_from_slice(kept);
        out.extend_from_slice(&edit.bytes);
        at = edit.range.end;
    }
    out.extend_from_slice(source.get(at..).unwrap_or_default());
    out
}

/// The text as it is written in the context, in ASCII.
fn escape(text: &str, context: Context) -> Vec<u8> {
    let text = match context.syntax {
        Syntax::Plain => text.to_owned(),
        Syntax::Item => escape_item(text),
        // The value's quote, if any, is one of these.
        Syntax::Refresh => text.replace('"', "%22").replace('\'', "%27"),
        Syntax::Css { quote } => escape_css(text, quote, context.layer),
        Syntax::Json => escape_json(text),
    };
    let mut out = Vec::with_capacity(text.len());
    match context.layer {
        Layer::Sheet | Layer::StyleElement | Layer::ScriptElement => {
            out.extend_from_slice(text.as_bytes());
        }
        Layer::Attribute { quote } => escape_attribute(&text, quote, &mut out),
    }
    out
}

/// An item can hold neither whitespace nor a comma at an end.
fn escape_item(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let last = text.len().saturating_sub(1);
    for (at, character) in text.char_indices() {
        match character {
            ',' if at == 0 || at == last => out.push_str("%2C"),
            character if character.is_ascii_whitespace() => {
                // Writing to a String can't fail.
                let _ = write!(out, "%{:02X}", u32::from(character));
            }
            character => out.push(character),
        }
    }
    out
}

fn escape_css(text: &str, quote: Option<u8>, layer: Layer) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let is_quote = matches!(character, '"' | '\'')
            && quote.is_none_or(|quote| char::from(quote) == character);
        let ends_url = quote.is_none() && matches!(character, '(' | ')' | ' ');
        // `</style` ends the element, `&` is markup if that element is XML's.
        let is_markup = layer == Layer::StyleElement && matches!(character, '<' | '&');
        if is_quote
            || ends_url
            || is_markup
            || character == '\\'
            || character.is_control()
            || !character.is_ascii()
        {
            // The space ends the escape.
            let _ = write!(out, "\\{:x} ", u32::from(character));
        } else {
            out.push(character);
        }
    }
    out
}

/// As within a string of JSON; `</script` ends the element, `<!--` changes how
/// it is read.
fn escape_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() && !character.is_control() && !"\"\\<&".contains(character) {
            out.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

fn escape_attribute(text: &str, quote: Option<u8>, out: &mut Vec<u8>) {
    for character in text.chars() {
        let kept = match character {
            '&' => {
                out.extend_from_slice(b"&amp;");
                continue;
            }
            '"' | '\'' => quote.is_some_and(|quote| char::from(quote) != character),
            '<' | '>' | '=' | '`' | ' ' | '\t' | '\n' | '\u{c}' => quote.is_some(),
            // A bare carriage return would be read as a line feed.
            '\r' => false,
            _ => character.is_ascii(),
        };
        if kept {
            out.push(character as u8);
        } else {
            out.extend_from_slice(format!("&#{};", u32::from(character)).as_bytes());
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::{Kind, Role, scan};
    use super::*;
    use ::url::Url;
    use proptest::prelude::*;

    fn url() -> Url {
        Url::parse("http://host/dir/page").unwrap()
    }

    /// Everything that is found becomes `to`; spots stay.
    fn all_to(kind: Kind, source: &str, to: &str) -> String {
        let scan = scan(kind, source.as_bytes(), &url(), None);
        let bytes = splice(
            source.as_bytes(),
            &scan,
            |_| Some(to.to_owned()),
            |_, _| None,
        );
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn replacements_are_escaped_for_where_they_stand() {
        for (source, expected) in [
            ("<a href=\" x \">", "<a href=\" /?a&amp;b='&quot;) é \">"),
            ("<a href='x'>", "<a href='/?a&amp;b=&#39;\") é'>"),
            ("<a href=x>", "<a href=/?a&amp;b&#61;&#39;&#34;)&#32;é>"),
            (
                "<img srcset='x 2x, y'>",
                "<img srcset='/?a&amp;b=&#39;\")%20é 2x, /?a&amp;b=&#39;\")%20é'>",
            ),
            (
                "<p style=\"b:url(x)\">",
                "<p style=\"b:url(/?a&amp;b=\\27 \\22 \\29 \\20 é)\">",
            ),
            (
                "<p style=\"b:url(&quot;x&quot;)\">",
                "<p style=\"b:url(&quot;/?a&amp;b='\\22 ) é&quot;)\">",
            ),
            (
                "<style>a{b:url('x')}</style>",
                "<style>a{b:url('/?a\\26 b=\\27 \") é')}</style>",
            ),
            (
                "<meta http-equiv=refresh content=\"0;url='x'\">",
                "<meta http-equiv=refresh content=\"0;url='/?a&amp;b=%27%22) é'\">",
            ),
        ] {
            let expected = if expected.contains("url(") {
                expected.replace('é', "\\e9 ")
            } else {
                expected.replace('é', "&#233;")
            };
            let expected = expected.replace("&quot;) &#233;", "&#34;) &#233;");
            assert_eq!(
                all_to(Kind::Html, source, "/?a&b='\") é"),
                expected,
                "{source}"
            );
        }
        assert_eq!(
            all_to(
                Kind::Html,
                r#"<script type=importmap>{"imports":{"a":"\/x"},"scopes":{"/y/":{}}}</script>"#,
                "/<\"\\&é😀</script>"
            ),
            r#"<script type=importmap>{"imports":{"a":"/\u003c\u0022\u005c\u0026\u00e9\ud83d\ude00\u003c/script>"},"scopes":{"/\u003c\u0022\u005c\u0026\u00e9\ud83d\ude00\u003c/script>":{}}}</script>"#
        );
        assert_eq!(
            all_to(Kind::Css, "@import \"x\";a{b:url(x)}", "y\")\\é"),
            "@import \"y\\22 )\\5c \\e9 \";a{b:url(y\\22 \\29 \\5c \\e9 )}"
        );
    }

    #[test]
    fn what_was_put_in_is_what_a_scan_finds() {
        let to = "http://o/a%20b?c=1&copy=2&amp;'x'(y),z#f";
        let source = "<a href=x><a href='x'><a href=\"x\"><img srcset='x, x 2x'><p style=b:url(x)><p style='b:url(x)'>\
            <p style='b:url(\"x\")'><style>a{b:url(x) url('x')}@import 'x'</style><iframe srcdoc='<a href=x><a href=\"x\">'></iframe>\
            <iframe srcdoc=<p&#32;style=b:url(x)>></iframe><meta http-equiv=refresh content='0;url=x'>\
            <script type=importmap>{\"imports\":{\"x\":\"./x\"}}</script><svg><g mask='url(x)'/></svg>";
        let first = scan(Kind::Html, source.as_bytes(), &url(), None);
        let count = first.links().count();
        assert!(count >= 16);
        let out = all_to(Kind::Html, source, to);
        let again = scan(Kind::Html, out.as_bytes(), &url(), None);
        assert_eq!(again.links().count(), count);
        for (found, before) in again.links().zip(first.links()) {
            let expected = match before.role {
                Role::Refresh => to.replace('\'', "%27"),
                _ => to.to_owned(),
            };
            assert_eq!(found.url, Url::parse(&expected).unwrap(), "{out}");
        }
    }

    #[test]
    fn scripts_handlers_and_data_stay_as_they_are() {
        let source = "<script>import './a.js'; fetch('/b.json')</script><p onclick=\"location='/c'\" data-x='{\"d\":\"/e.png\"}'>\
            <a href=\"javascript:window.open('/f')\"><script type=application/ld+json>{\"url\":\"/g/h.png\"}</script><option value=/i/>";
        assert_eq!(all_to(Kind::Html, source, "y"), source);
        let scan = scan(Kind::Html, source.as_bytes(), &url(), None);
        assert_eq!(scan.mentions.len(), 7);
    }

    #[test]
    fn spots_are_replaced_whole_and_urls_in_them_go_along() {
        let source = b"<link rel=preconnect href=//c><a href=x>";
        let scan = scan(Kind::Html, source, &url(), None);
        let out = splice(
            source,
            &scan,
            |_| Some("y".into()),
            |spot, _| match spot {
                Spot::HeadStart => Some(b"<script>".to_vec()),
                _ => Some(Vec::new()),
            },
        );
        assert_eq!(out, b"<script><a href=y>");
    }

    #[test]
    fn inner_documents_are_spliced_within_their_attribute() {
        let source = "<iframe srcdoc=\"<a href='x'>&eacute;\"></iframe><iframe srcdoc=\"&lt;b>\">";
        assert_eq!(
            all_to(Kind::Html, source, "y"),
            "<iframe srcdoc=\"<a href=&#39;y&#39;>&#233;\"></iframe><iframe srcdoc=\"&lt;b>\">"
                .replace("&#39;", "'")
        );
    }

    #[test]
    fn transcoded_documents_come_out_in_utf_8() {
        let text = "<p>é<a href='x?é'>";
        let utf_16: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        let scan = scan(Kind::Html, &utf_16, &url(), None);
        assert_eq!(scan.found[0].url.as_str(), "http://host/dir/x?%C3%A9");
        let out = splice(&utf_16, &scan, |_| Some("y".into()), |_, _| None);
        assert_eq!(out, "<p>é<a href='y'>".as_bytes());
    }

    #[test]
    fn queries_are_encoded_in_the_documents_charset() {
        let source = b"<a href='\xe9?\xe9&eacute;'>";
        let latin = scan(Kind::Html, source, &url(), Some("iso-8859-1"));
        assert_eq!(latin.found[0].url.as_str(), "http://host/dir/%C3%A9?%E9%E9");
        let (source, _, _) = encoding_rs::SHIFT_JIS.encode("<p style='b:url(表.png)'>");
        let japanese = scan(Kind::Html, &source, &url(), Some("Shift_JIS"));
        assert_eq!(
            japanese.found[0].url.as_str(),
            "http://host/dir/%E8%A1%A8.png"
        );
        let (source, _, _) = encoding_rs::ISO_2022_JP.encode("<title>表</title><a href='?表'>");
        let japanese = scan(Kind::Html, &source, &url(), Some("iso-2022-jp"));
        assert_eq!(japanese.title.as_deref(), Some("表"));
        assert_eq!(japanese.found.len(), 1);
        assert!(japanese.transcoded.is_some());
    }

    const PAGE: &str = "\u{feff}<!doctype html><html><head><base href='/b/'><title>T &amp; é</title>\
        <meta http-equiv=refresh content=\"0;url='x&amp;y'\"><link rel=preconnect href=//c>\
        <link rel=preload imagesrcset='a 1x, b&comma; 2x'><style>@import 'a';@font-face{src:url(f)}\
        a{b:image-set('c' 1x,url( \"d\" ) 2x)}</style></head><body style=\"b:url(&quot;e&quot;)\">\
        <noscript><img src=n></noscript><!--[if IE]><p style='b:url(g)'><![endif]-->\
        <iframe srcdoc='<a href=&quot;h&quot;>'></iframe><svg><use href='i#j'/><style>k{l:url(m)}</style></svg>\
        <template><a href=é?é></template><script integrity=o src=p></script>&notit;<a href='\u{20ac}'>\
        <script type=importmap>{\"imports\":{\"q\":\".\\/q\\u00e9\"},\"scopes\":{\"/s/\":{}}}</script><script>import './t.js'</script>\
        <svg><g fill='url(#u) url(v)' onclick=\"w('/x.png')\"/></svg><p data-a='[\"/b.png\"]' data-srcset='c 2x'>";
    const SHEET: &str = "@charset \"utf-8\";@import url(a) print;/*\u{e9}*/@font-face{src:url('f\\'')format('x')}\
        a::before{content:'}';b:image-set('c' 1x,url( d\\) ) 2x)}@namespace x 'y';";

    /// Invariants of any scan: ranges in order, within bounds, apart; nothing
    /// changes unless it is told to.
    fn check(kind: Kind, source: &[u8], charset: Option<&str>) {
        let scan = scan(kind, source, &url(), charset);
        let text = scan.text(source).to_vec();
        assert_invariants(&scan, &text);
        assert_eq!(splice(source, &scan, |_| None, |_, _| None), text);
        splice(
            source,
            &scan,
            |_| Some("\u{e9}\"'&".into()),
            |_, _| Some(vec![0xff]),
        );
    }

    fn assert_invariants(scan: &Scan, text: &[u8]) {
        let mut end = 0;
        for found in &scan.found {
            assert!(end <= found.range.start && found.range.start < found.range.end);
            end = found.range.end;
        }
        assert!(end <= text.len());
        assert!(scan.spots.is_sorted_by_key(|(range, _)| range.start));
        assert!(
            scan.spots
                .iter()
                .all(|(range, _)| range.start <= range.end && range.end <= text.len())
        );
        assert!(scan.title.as_ref().is_none_or(|title| title.len() <= 1024));
        for srcdoc in &scan.srcdocs {
            assert!(srcdoc.range.end <= text.len());
            assert_invariants(&srcdoc.scan, &srcdoc.document);
        }
    }

    #[test]
    fn documents_cut_at_every_byte_keep_the_invariants() {
        for (kind, source) in [(Kind::Html, PAGE), (Kind::Css, SHEET)] {
            for end in 0..=source.len() {
                check(kind, &source.as_bytes()[..end], None);
            }
            for start in 0..source.len() {
                check(kind, &source.as_bytes()[start..], Some("gbk"));
            }
        }
    }

    /// Fragments of markup in any order.
    fn markup() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop::sample::select(vec![
            "<a href=",
            "x",
            "'",
            "\"",
            ">",
            "<style>",
            "</style>",
            "<svg>",
            "</svg>",
            "<noscript>",
            "</noscript>",
            "<!--",
            "-->",
            "[if IE]>",
            "<![endif]-->",
            "url(",
            ")",
            "&quot;",
            "&#39",
            "&amp;",
            "<iframe srcdoc=",
            "<title>",
            "</title>",
            "<base href=",
            "<img srcset=",
            ", ",
            " 2x",
            "\\",
            "<template>",
            "</template>",
            "<math>",
            "<mi>",
            "<p style=",
            "<meta http-equiv=refresh content=",
            "0;url=",
            "\u{e9}",
            "<foreignObject>",
            "<desc>",
            "</p>",
            "/>",
            "<link rel=preconnect integrity=",
            "<head>",
            "<![CDATA[",
            "]]>",
            "<script>",
            "<script type=importmap>",
            "{\"imports\":{\"a\":\"",
            "</script>",
            "<p onclick=",
            "<p data-x=",
            "<option value=",
            "javascript:",
            "\0",
            "@import ",
            "{",
            "}",
        ]);
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn any_bytes_keep_the_invariants(source in prop::collection::vec(any::<u8>(), 0..400)) {
            for charset in [None, Some("shift_jis"), Some("utf-16be"), Some("iso-2022-jp")] {
                check(Kind::Html, &source, charset);
                check(Kind::Css, &source, charset);
            }
        }

        #[test]
        fn any_markup_keeps_the_invariants(source in markup()) {
            for charset in [None, Some("gb18030"), Some("utf-16le")] {
                check(Kind::Html, &source, charset);
                check(Kind::Css, &source, charset);
            }
        }
    }
}
