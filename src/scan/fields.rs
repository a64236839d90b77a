//! The fields of an answer's head that name URLs: where it redirects, what it
//! relates to (RFC 8288), what a browser fetches early. Values are bytes, and
//! are resolved as browsers do.

use super::links::{Link, resolve};
use super::{Role, html, srcset};
use crate::http::Head;
use std::borrow::Cow;
use url::Url;

/// Links of one head that are taken.
const MOST: usize = 10_000;

/// What the head of an answer names; `url` is the answer's own address.
pub fn links(url: &Url, head: &Head<'_>) -> Vec<Link> {
    let mut found = Vec::new();
    let mut push = |text: &str, role| {
        if found.len() < MOST
            && let Some(url) = resolve(url, text)
        {
            let range = None;
            found.push(Link { url, role, range });
        }
    };
    let status = head.status().unwrap_or(0);
    if let Some(target) = location(head) {
        match status {
            // What is not modified is elsewhere for no one.
            304 => {}
            300..=399 => push(&target, Role::Refresh),
            // What was made, or is being made.
            201 | 202 => push(&target, Role::Alternate),
            _ => {}
        }
    }
    for field in &head.fields {
        let value = text(&field.value);
        if field.is("link") {
            for relation in relations(&value) {
                relation.names(url, &mut push);
            }
        } else if field.is("refresh") {
            if let Some(range) = srcset::refresh_url(&value) {
                push(&value[range], Role::Refresh);
            }
        } else if field.is("content-location") {
            push(&value, Role::Alternate);
        } else if field.is("sourcemap") || field.is("x-sourcemap") {
            push(&value, Role::Guess);
        } else if field.is("speculation-rules") {
            for rules in quoted(&value) {
                push(rules, Role::Requisite);
            }
        }
    }
    found
}

/// Where an answer says that its URL is; browsers go by the first field, and
/// by none that is empty.
pub fn location<'h>(head: &'h Head<'_>) -> Option<Cow<'h, str>> {
    let field = head.fields.iter().find(|field| field.is("location"))?;
    Some(text(&field.value)).filter(|target| !target.trim().is_empty())
}

/// A value as text. Bytes that aren't UTF-8 are escaped as they are, as
/// browsers do.
fn text(value: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(value) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(value.iter().map(|byte| escaped(*byte)).collect()),
    }
}

fn escaped(byte: u8) -> String {
    if byte.is_ascii() {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

/// The strings of a structured list (RFC 9651 §3.1).
fn quoted(value: &str) -> impl Iterator<Item = &str> {
    value.split('"').skip(1).step_by(2)
}

/// A link of a `Link` field.
#[derive(Debug, Default)]
struct Relation<'v> {
    target: &'v str,
    /// Parameters in order, names as they stand, values without quotes.
    parameters: Vec<(&'v str, Cow<'v, str>)>,
}

impl Relation<'_> {
    /// The first parameter of this name; of several only the first counts
    /// (RFC 8288 §3.3).
    fn value(&self, name: &str) -> Option<&str> {
        let mut parameters = self.parameters.iter();
        let (_, value) = parameters.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    fn names(&self, own: &Url, push: &mut impl FnMut(&str, Role)) {
        let relation = self.value("rel").unwrap_or_default();
        let is_to_post = |word: &str| ["hub", "webmention", "pingback"].contains(&word);
        if relation.split_ascii_whitespace().any(is_to_post) {
            return;
        }
        // What relates to another resource is nothing that this page loads.
        let is_of_another = self
            .value("anchor")
            .is_some_and(|anchor| resolve(own, anchor).is_some_and(|anchor| &anchor != own));
        if is_of_another {
            push(self.target, Role::Alternate);
            return;
        }
        let kind = self.value("as").unwrap_or_default();
        let role = html::relation(
            relation.as_bytes(),
            Some(kind.as_bytes()),
            self.target.as_bytes(),
        );
        if role == Role::Hint {
            return;
        }
        push(self.target, role);
        if let Some(candidates) = self.value("imagesrcset") {
            for range in srcset::candidates(candidates) {
                push(&candidates[range], Role::Image);
            }
        }
    }
}

/// The links of a field's value, as much of it as can be read (RFC 8288 §B.2).
fn relations(value: &str) -> Vec<Relation<'_>> {
    let mut found = Vec::new();
    let mut rest = value;
    while found.len() < MOST
        && let Some((_, after)) = rest.split_once('<')
        && let Some((target, after)) = after.split_once('>')
    {
        let mut relation = Relation {
            target: target.trim(),
            ..Relation::default()
        };
        rest = parameters(after, &mut relation);
        found.push(relation);
    }
    found
}

/// Reads the parameters of a link; what follows them.
fn parameters<'v>(value: &'v str, relation: &mut Relation<'v>) -> &'v str {
    /// Parameters of one link that are kept.
    const MOST_PARAMETERS: usize = 50;
    let mut rest = value.trim_start();
    while let Some(after) = rest.strip_prefix(';') {
        let after = after.trim_start();
        let length = after
            .find(['=', ';', ',', ' ', '\t', '<'])
            .unwrap_or(after.len());
        let name = &after[..length];
        rest = after[length..].trim_start();
        let mut stated = Cow::Borrowed("");
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            (stated, rest) = match after.strip_prefix('"') {
                Some(inner) => string(inner),
                None => {
                    let length = after.find([';', ',']).unwrap_or(after.len());
                    (Cow::Borrowed(after[..length].trim_end()), &after[length..])
                }
            };
            rest = rest.trim_start();
        }
        if !name.is_empty() && relation.parameters.len() < MOST_PARAMETERS {
            relation.parameters.push((name, stated));
        }
    }
    rest
}

/// A quoted string behind its first quote, and what follows it; one that
/// nobody closes goes to the end.
fn string(text: &str) -> (Cow<'_, str>, &str) {
    let mut is_escaped = false;
    let mut has_escapes = false;
    let end = text.find(|character| {
        let ends = character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        has_escapes |= is_escaped;
        ends
    });
    let inner = &text[..end.unwrap_or(text.len())];
    let rest = end.map_or("", |end| &text[end + 1..]);
    if !has_escapes {
        return (Cow::Borrowed(inner), rest);
    }
    let mut out = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => out.extend(characters.next()),
            other => out.push(other),
        }
    }
    (Cow::Owned(out), rest)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn named(head: &[u8]) -> Vec<String> {
        let url = Url::parse("http://a.example/dir/page").unwrap();
        let told = links(&url, &Head::parse(head)).into_iter().map(|link| {
            let url = link.url.as_str();
            let url = url.strip_prefix("http://a.example").unwrap_or(url);
            format!("{:?} {url}", link.role)
        });
        told.collect()
    }

    fn named_by(field: &str) -> Vec<String> {
        named(format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n").as_bytes())
    }

    #[test]
    fn redirects_are_resolved_as_browsers_do() {
        for (head, expected) in [
            (
                &b"HTTP/1.1 301 M\r\nLocation: ../x y\r\n\r\n"[..],
                vec!["Refresh /x%20y"],
            ),
            (
                b"HTTP/1.1 302 F\r\nLocation: /caf\xc3\xa9?\xc3\xa9\r\n\r\n",
                vec!["Refresh /caf%C3%A9?%C3%A9"],
            ),
            (
                b"HTTP/1.1 302 F\r\nLocation: /caf\xe9\r\n\r\n",
                vec!["Refresh /caf%E9"],
            ),
            (
                b"HTTP/1.1 302 F\r\nLocation: //b.example\\x\r\n\r\n",
                vec!["Refresh http://b.example/x"],
            ),
            (b"HTTP/1.1 302 F\r\nLocation:  \r\n\r\n", vec![]),
            (
                b"HTTP/1.1 302 F\r\nLocation: /1\r\nLocation: /2\r\n\r\n",
                vec!["Refresh /1"],
            ),
            (
                b"HTTP/1.1 302 F\r\nLocation: ftp://b.example/\r\n\r\n",
                vec![],
            ),
            (b"HTTP/1.1 304 N\r\nLocation: /x\r\n\r\n", vec![]),
            (
                b"HTTP/1.1 201 C\r\nLocation: /x\r\nContent-Location: /y\r\n\r\n",
                vec!["Alternate /x", "Alternate /y"],
            ),
            (b"HTTP/1.1 200 OK\r\nLocation: /x\r\n\r\n", vec![]),
        ] {
            assert_eq!(named(head), expected, "{}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn a_refresh_is_read_as_that_of_a_page() {
        for (value, expected) in [
            ("3; url=/later", vec!["Refresh /later"]),
            ("0;URL='x y'", vec!["Refresh /dir/x%20y"]),
            ("5, /bare", vec!["Refresh /bare"]),
            ("5", vec![]),
        ] {
            assert_eq!(named_by(&format!("Refresh: {value}")), expected, "{value}");
        }
    }

    #[test]
    fn links_are_read_by_the_standards_grammar() {
        for (value, expected) in [
            ("<a,b;c>; rel=next", vec!["Alternate /dir/a,b;c"]),
            (
                "</s.css>; rel=\"preload\"; as=style, </f>;rel=preload;as=\"font\"",
                vec!["Stylesheet /s.css", "Font /f"],
            ),
            ("</s.css>;rel=stylesheet", vec!["Stylesheet /s.css"]),
            (
                "<http://b.example>; rel=preconnect, <//c.example>; rel=dns-prefetch",
                vec![],
            ),
            (
                "</x>; title=\"a, <b>; rel=next\"; rel=icon",
                vec!["Image /x"],
            ),
            (
                "</x>; title=\"a \\\" <b>\"; rel=\"shortcut icon\"",
                vec!["Image /x"],
            ),
            ("</m>; REL = manifest ; rel=icon", vec!["Manifest /m"]),
            (
                "</wp-json/>; rel=\"https://api.w.org/\", </?p=1>; rel=shortlink",
                vec!["Alternate /wp-json/", "Alternate /?p=1"],
            ),
            (
                "</i>; rel=preload; as=image; imagesrcset=\"/1 1x, /2 2x\"; imagesizes=100vw",
                vec!["Image /i", "Image /1", "Image /2"],
            ),
            (
                "</s.css>; rel=stylesheet; anchor=\"/other\"",
                vec!["Alternate /s.css"],
            ),
            (
                "</s.css>; rel=stylesheet; anchor=\"\"",
                vec!["Stylesheet /s.css"],
            ),
            (
                "</cy>; rel=alternate; hreflang=cy; title*=UTF-8''Cym%20raeg",
                vec!["Alternate /cy"],
            ),
            ("</hub>; rel=hub, </wm>; rel=webmention", vec![]),
            (
                "</m.js>;rel=modulepreload;crossorigin",
                vec!["Script /m.js"],
            ),
            ("</x>", vec!["Alternate /x"]),
            ("</x>;;rel=next;", vec!["Alternate /x"]),
            ("nothing", vec![]),
            ("<never closed", vec![]),
            ("</x>; rel=\"never closed", vec!["Alternate /x"]),
        ] {
            assert_eq!(named_by(&format!("Link: {value}")), expected, "{value}");
        }
        assert_eq!(named_by("Link: <1>\r\nLink: <2>").len(), 2);
    }

    #[test]
    fn what_scripts_and_speculation_need_is_named() {
        assert_eq!(
            named_by("SourceMap: /a.js.map\r\nSpeculation-Rules: \"/r.json\", \"/q.json\""),
            ["Guess /a.js.map", "Requisite /r.json", "Requisite /q.json"]
        );
    }

    proptest! {
        #[test]
        fn any_value_is_read(value in "[<>;,=\" \\\\a-cé*]{0,40}", name in "(Link|Refresh|Location|Content-Location|Speculation-Rules)") {
            named(format!("HTTP/1.1 302 F\r\n{name}: {value}\r\n\r\n").as_bytes());
        }
    }
}
