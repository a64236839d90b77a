//! The key of what was answered to a body: an index has no place for a body, so it
//! stands as a query behind the URL, as pywb, cdxj-indexer and Browsertrix write it.

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

use data_encoding::BASE64;

use crate::url::Surt;

/// What of a body is looked at, in bytes; a larger one is told by its start.
pub const READ: usize = 1 << 20;
/// A query is no longer; as cdxj-indexer has it.
const MAX_QUERY: usize = 4096;
/// Values of one body: more don't fit a query.
const MAX_VALUES: usize = 1_500;

/// A method that isn't GET, and the query that stands for what was sent with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    method: String,
    query: String,
}

impl Posted {
    /// Of a request; `None` for methods that send nothing.
    pub fn of(method: &str, media_type: &str, body: &[u8]) -> Option<Self> {
        if !matches!(method, "POST" | "PUT" | "PATCH") {
            return None;
        }
        let body = &body[..body.len().min(READ)];
        let essence = media_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        let mut query = match &*essence {
            "application/x-www-form-urlencoded" => unquoted(body),
            "application/json" => of_json(body).unwrap_or_else(|| binary(body)),
            "" | "text/plain" => of_json(body).unwrap_or_else(|| binary(body)),
            kind if kind.starts_with("multipart/") => {
                of_parts(media_type, body).unwrap_or_else(|| binary(body))
            }
            _ => binary(body),
        };
        if let Some((cut, _)) = query.char_indices().nth(MAX_QUERY) {
            query.truncate(cut);
        }
        Some(Self {
            method: method.to_owned(),
            query,
        })
    }

    /// The key of what was answered at a URL.
    pub fn key(&self, url: &str) -> Surt {
        let Self { method, query } = self;
        let url = url.split('#').next().unwrap_or_default();
        let mark = if url.contains('?') { '&' } else { '?' };
        let more = if query.is_empty() { "" } else { "&" };
        Surt::of(&format!("{url}{mark}__wb_method={method}{more}{query}"))
    }

    /// The method, in small letters.
    pub fn name(&self) -> String {
        self.method.to_ascii_lowercase()
    }
}

fn binary(body: &[u8]) -> String {
    if body.is_empty() {
        return String::new();
    }
    format!("__wb_post_data={}", BASE64.encode(body))
}

/// `+` is a space, and `%XX` a byte of UTF-8.
fn unquoted(body: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(body.len());
    let mut at = 0;
    while at < body.len() {
        let hex = |offset: usize| {
            body.get(at + offset)
                .and_then(|b| char::from(*b).to_digit(16))
        };
        match (body[at], hex(1), hex(2)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                at += 3;
                continue;
            }
            (b'+', _, _) => bytes.push(b' '),
            (byte, _, _) => bytes.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Names with values, in order; what has the name of another gets a number.
#[derive(Default)]
struct Values(Vec<(String, String)>);

impl Values {
    fn add(&mut self, name: &str, value: &str) {
        if name.is_empty() || self.0.len() >= MAX_VALUES {
            return;
        }
        let start = format!("{name}.");
        let is_same = |known: &str| {
            known == name
                || known.strip_prefix(&start).is_some_and(|rest| {
                    rest.strip_suffix('_')
                        .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
                })
        };
        let before = self.0.iter().filter(|(known, _)| is_same(known)).count();
        let name = match before {
            0 => name.to_owned(),
            before => format!("{name}.{}_", before + 1),
        };
        self.0.push((name, value.to_owned()));
    }

    fn encoded(&self) -> String {
        let mut query = ::url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.0);
        query.finish()
    }
}

fn of_json(body: &[u8]) -> Option<String> {
    let mut values = Values::default();
    let mut parser = serde_json::Deserializer::from_slice(body);
    let walk = Walk {
        name: "",
        values: &mut values,
    };
    walk.deserialize(&mut parser).ok()?;
    parser.end().ok()?;
    Some(values.encoded())
}

/// Goes through a JSON value in the order of its text.
struct Walk<'v> {
    name: &'v str,
    values: &'v mut Values,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.values
            .add(self.name, if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.values.add(self.name, &value.to_string());
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.values.add(self.name, &value.to_string());
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.values.add(self.name, &value.to_string());
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.values.add(self.name, value);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.values.add(self.name, "null");
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { name, values } = self;
        while list.next_element_seed(Walk { name, values })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        while let Some(name) = object.next_key::<String>()? {
            let values = &mut *self.values;
            object.next_value_seed(Walk {
                name: &name,
                values,
            })?;
        }
        Ok(())
    }
}

/// The fields of a `multipart/form-data` body (RFC 7578).
fn of_parts(media_type: &str, body: &[u8]) -> Option<String> {
    let boundary = media_type.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_it = name.trim().eq_ignore_ascii_case("boundary");
        is_it.then(|| value.trim().trim_matches('"'))
    })?;
    let text = String::from_utf8_lossy(body);
    let mut fields = Vec::new();
    for part in text
        .split(&format!("--{boundary}"))
        .skip(1)
        .take(MAX_VALUES)
    {
        let Some((head, value)) = part.split_once("\r\n\r\n") else {
            continue;
        };
        let name = head
            .split("name=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        if let Some(name) = name {
            let value = value.strip_suffix("\r\n").unwrap_or(value);
            fields.push((name.to_owned(), value.to_owned()));
        }
    }
    Some(Values(fields).encoded())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn key(url: &str, media_type: &str, body: &[u8]) -> String {
        let posted = Posted::of("POST", media_type, body).unwrap();
        posted.key(url).as_str().to_owned()
    }

    /// What cdxj-indexer -p writes for pywb's `post-test.warc.gz`, and for bodies
    /// like those.
    #[test]
    fn bodies_have_the_keys_that_other_tools_give_them() {
        let form = "application/x-www-form-urlencoded";
        for (url, kind, body, expected) in [
            (
                "http://httpbin.org/post",
                form,
                &b"foo=bar&test=abc"[..],
                "org,httpbin)/post?__wb_method=post&foo=bar&test=abc",
            ),
            (
                "http://httpbin.org/post",
                form,
                b"A=1&B=[]&C=3",
                "org,httpbin)/post?__wb_method=post&a=1&b=[]&c=3",
            ),
            (
                "http://httpbin.org/post?foo=bar",
                form,
                b"data=^",
                "org,httpbin)/post?__wb_method=post&data=^&foo=bar",
            ),
            (
                "http://a.example/g",
                "application/json",
                br#"{"b":[1,{"x":true}],"a":{"x":null,"y":"z"}}"#,
                "example,a)/g?__wb_method=post&b=1&x=true&x.2_=null&y=z",
            ),
            (
                "http://a.example/g",
                "application/octet-stream",
                b"\x00\x01",
                "example,a)/g?__wb_method=post&__wb_post_data=aae=",
            ),
            (
                "http://a.example/g",
                "multipart/form-data; boundary=\"x\"",
                b"--x\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\n1\r\n--x--\r\n",
                "example,a)/g?__wb_method=post&q=1",
            ),
        ] {
            let found = key(url, kind, body);
            let sorted = |key: &str| {
                let (path, query) = key.split_once('?').unwrap();
                let mut parts: Vec<_> = query.split('&').map(str::to_owned).collect();
                parts.sort();
                (path.to_owned(), parts)
            };
            assert_eq!(sorted(&found), sorted(expected), "{found}");
        }
    }

    #[test]
    fn only_methods_that_send_something_have_one_and_any_body_has() {
        assert_eq!(Posted::of("GET", "", b""), None);
        assert_eq!(Posted::of("DELETE", "", b"x"), None);
        for kind in [
            "",
            "text/plain",
            "application/json",
            "multipart/form-data",
            "x/y",
            form_of_long(),
        ] {
            for body in [
                &b""[..],
                b"{",
                b"%zz%4",
                b"\xff\xfe",
                &[b'['; 5000],
                &vec![b'a'; 100_000],
            ] {
                assert!(key("http://a.example/", kind, body).contains("__wb_method=post"));
            }
        }
    }

    fn form_of_long() -> &'static str {
        "application/x-www-form-urlencoded; charset=utf-8"
    }
}
