//! HTTP/1 messages as they came: views that borrow from verbatim bytes and
//! never replace them. Parsing never fails; what a server got wrong is read as
//! a browser would. The wire, WARC reading and replay all use these.

mod chunked;
pub mod coding;
mod dechunked;
mod incoming;
mod opening;

pub use chunked::{Chunked, Step, dechunk};
pub use dechunked::Dechunked;
pub use incoming::{Close, Incoming, Irregular};

use std::borrow::Cow;

/// A head larger than this is cut off by the wire reader and here.
pub const MAX_HEAD_BYTES: usize = 1024 * 1024;

/// The length of the head that starts `bytes`, blank line included; `None`
/// while the blank line hasn't come. Blank lines before the start line belong
/// to the head (RFC 9112 §2.2), and lines may end with a bare LF or, as some
/// gateways write them, with several CR before it.
pub fn head_length(bytes: &[u8]) -> Option<usize> {
    HeadEnd::default().find(bytes)
}

/// Looks for the end of a head whose bytes come little by little, and looks at
/// each byte once.
#[derive(Debug, Clone, Default)]
pub struct HeadEnd {
    seen: usize,
    /// The start line has begun.
    begun: bool,
    /// The present line holds something.
    in_line: bool,
}

impl HeadEnd {
    /// The length of the head that starts `bytes`, which begin with all that
    /// was given before.
    pub fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, &byte) in bytes.iter().enumerate().skip(self.seen) {
            match byte {
                b'\n' if self.begun && !self.in_line => return Some(at + 1),
                b'\n' => self.in_line = false,
                b'\r' => {}
                _ => (self.begun, self.in_line) = (true, true),
            }
        }
        self.seen = self.seen.max(bytes.len());
        None
    }
}

/// One field line with its continuation lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field<'a> {
    /// As it came, without its last line end.
    pub raw: &'a [u8],
    /// Before the colon, white space trimmed; empty if there was no colon.
    pub name: &'a [u8],
    /// After the colon, trimmed; folded lines joined by one space.
    pub value: Cow<'a, [u8]>,
}

impl Field<'_> {
    /// Whether the field has this name; names ignore case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value as text; bytes outside UTF-8 are replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.value)
    }
}

/// A parsed view of a head: its start line and fields, in order.
#[derive(Debug, Clone)]
pub struct Head<'a> {
    /// The start line as it came, without its line end.
    pub start_line: &'a [u8],
    /// Every field line in order, repeated ones too.
    pub fields: Vec<Field<'a>>,
    /// Length of the head in bytes, blank line included.
    pub length: usize,
}

impl<'a> Head<'a> {
    /// Reads the head that starts `bytes`. Without a blank line all of `bytes`
    /// is the head.
    pub fn parse(bytes: &'a [u8]) -> Self {
        Self::of_length(bytes, head_length(bytes).unwrap_or(bytes.len()))
    }

    /// Reads a head whose length in bytes is known.
    pub fn of_length(bytes: &'a [u8], length: usize) -> Self {
        let mut lines = Lines(&bytes[..length]).skip_while(|line| line.is_empty());
        let start_line = lines.next().unwrap_or_default();
        let mut fields: Vec<Field<'a>> = Vec::new();
        for line in lines.take_while(|line| !line.is_empty()) {
            let folded = matches!(line.first(), Some(b' ' | b'\t'));
            match fields.last_mut() {
                Some(field) if folded => {
                    let start = offset_in(bytes, field.raw);
                    field.raw = &bytes[start..offset_in(bytes, line) + line.len()];
                    let value = field.value.to_mut();
                    if !value.is_empty() {
                        value.push(b' ');
                    }
                    value.extend_from_slice(line.trim_ascii());
                }
                _ => fields.push(field(line)),
            }
        }
        Self {
            start_line,
            fields,
            length,
        }
    }

    /// The values of every field of this name.
    pub fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = Cow<'s, str>> + 's {
        self.fields
            .iter()
            .filter(move |f| f.is(name))
            .map(Field::text)
    }

    /// The value of the first field of this name.
    pub fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        self.fields.iter().find(|f| f.is(name)).map(Field::text)
    }

    /// The start line from its version on, where it is a status line.
    fn status_line(&self) -> Option<&'a [u8]> {
        opening::status_line_start(self.start_line).map(|at| &self.start_line[at..])
    }

    /// The status code of a response: the run of digits after the version, as
    /// browsers read it. Where there is none, or no number, they take it for
    /// 200, and so does this. `None` where the line is no status line.
    pub fn status(&self) -> Option<u16> {
        let line = self.status_line()?;
        let after = line.iter().position(u8::is_ascii_whitespace);
        let digits = line[after.unwrap_or(line.len())..].trim_ascii_start();
        let end = digits.iter().position(|b| !b.is_ascii_digit());
        let digits = &digits[..end.unwrap_or(digits.len())];
        let status = std::str::from_utf8(digits)
            .ok()
            .and_then(|d| d.parse().ok());
        Some(status.unwrap_or(200))
    }

    /// Whether the answer names HTTP/1.0.
    pub fn is_http_1_0(&self) -> bool {
        self.status_line()
            .is_some_and(|line| line.len() >= 8 && line[..8].eq_ignore_ascii_case(b"HTTP/1.0"))
    }

    /// Method and target of a request line.
    pub fn request_line(&self) -> (Cow<'_, str>, Cow<'_, str>) {
        let mut words = self
            .start_line
            .split(|&b| b == b' ')
            .filter(|w| !w.is_empty());
        let mut next = || String::from_utf8_lossy(words.next().unwrap_or_default());
        (next(), next())
    }

    /// The media type without parameters, lower case; `None` where the
    /// response doesn't say or says nonsense. The last field wins, as in the
    /// Fetch standard.
    pub fn media_type(&self) -> Option<String> {
        let fields = self.fields.iter().filter(|f| f.is("content-type"));
        fields
            .filter_map(|f| {
                let text = f.text();
                let essence = text.split([';', ',']).next().unwrap_or_default().trim();
                let valid = essence.split_once('/').is_some_and(|(kind, sub)| {
                    let token = |t: &str| {
                        !t.is_empty() && t.bytes().all(|b| b.is_ascii_graphic() && b != b'"')
                    };
                    token(kind) && token(sub)
                });
                valid.then(|| essence.to_ascii_lowercase())
            })
            .next_back()
    }

    /// The charset parameter of the content type.
    pub fn charset(&self) -> Option<String> {
        let value = self
            .fields
            .iter()
            .rev()
            .find(|f| f.is("content-type"))?
            .text()
            .into_owned();
        value.split(';').skip(1).find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("charset")
                .then(|| value.trim().trim_matches(['"', '\'']).to_ascii_lowercase())
        })
    }

    /// The content codings in the order they were applied.
    pub fn content_codings(&self) -> Vec<String> {
        self.codings_of("content-encoding")
    }

    /// Every coding that stands between the entity as it was sent, its chunks
    /// removed, and what a reader sees, in the order they were applied: content
    /// codings, then transfer codings (RFC 9112 §6.1).
    pub fn codings(&self) -> Vec<String> {
        let mut codings = self.content_codings();
        codings.extend(self.codings_of("transfer-encoding"));
        codings.retain(|coding| coding != "chunked");
        codings
    }

    fn codings_of(&self, name: &str) -> Vec<String> {
        self.values(name)
            .flat_map(|value| {
                value
                    .split(',')
                    .map(|coding| {
                        let name = coding.split(';').next().unwrap_or_default();
                        name.trim().to_ascii_lowercase()
                    })
                    .filter(|coding| !coding.is_empty() && coding != "identity")
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// Whether chunked is among the transfer codings. Servers name it twice,
    /// or something after it, and send it once.
    pub fn is_chunked(&self) -> bool {
        self.codings_of("transfer-encoding")
            .iter()
            .any(|coding| coding == "chunked")
    }

    /// Every `Content-Length` that is a number, those of lists too.
    pub fn lengths(&self) -> Vec<u64> {
        self.values("content-length")
            .flat_map(|value| value.split(',').filter_map(length).collect::<Vec<_>>())
            .take(MOST_LENGTHS)
            .collect()
    }

    /// How the end of the body is told (RFC 9112 §6.3), for the answer to a
    /// request with this method. A `Content-Length` that is negative, garbage
    /// or contradicts another is no length: the body goes on to the close, as
    /// the byte that it would cut off is lost for good.
    pub fn framing(&self, method: &str) -> Framing {
        let status = self.status().unwrap_or(200);
        if method == "HEAD" || matches!(status, 100..=199 | 204 | 304) {
            return Framing::None;
        }
        if self.is_chunked() {
            return Framing::Chunked;
        }
        if !self.codings_of("transfer-encoding").is_empty() {
            return Framing::UntilClose;
        }
        let stated = self.values("content-length").flat_map(|value| {
            value
                .split(',')
                .map(length)
                .take(MOST_LENGTHS)
                .collect::<Vec<_>>()
        });
        let stated: Vec<Option<u64>> = stated.take(MOST_LENGTHS).collect();
        match stated.first() {
            Some(&Some(first)) if stated.iter().all(|other| *other == Some(first)) => {
                Framing::Length(first)
            }
            _ => Framing::UntilClose,
        }
    }

    /// Whether the server will take another request on the connection.
    pub fn keeps_alive(&self) -> bool {
        let has = |token: &str| {
            self.values("connection").any(|value| {
                value
                    .split(',')
                    .any(|t| t.trim().eq_ignore_ascii_case(token))
            })
        };
        let version_1_1 = self
            .status_line()
            .is_some_and(|line| line.len() >= 8 && line[..8].eq_ignore_ascii_case(b"HTTP/1.1"));
        !has("close") && (version_1_1 || has("keep-alive"))
    }
}

/// How a body's end is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// No body follows.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks, the last of which is empty.
    Chunked,
    /// Everything until the connection closes.
    UntilClose,
}

/// So many lengths of one answer are looked at.
const MOST_LENGTHS: usize = 8;

fn length(text: &str) -> Option<u64> {
    let digits = text.trim();
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

fn field(line: &[u8]) -> Field<'_> {
    let (name, value) = match line.iter().position(|&b| b == b':') {
        Some(colon) => (&line[..colon], &line[colon + 1..]),
        None => (&line[..0], line),
    };
    Field {
        raw: line,
        name: name.trim_ascii(),
        value: Cow::Borrowed(value.trim_ascii()),
    }
}

/// Where `part`, a subslice of `whole`, starts in it.
fn offset_in(whole: &[u8], part: &[u8]) -> usize {
    part.as_ptr() as usize - whole.as_ptr() as usize
}

/// Lines without their LF and the CRs before it.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.iter().position(|&b| b == b'\n');
        let line = &self.0[..end.unwrap_or(self.0.len())];
        self.0 = &self.0[end.map_or(self.0.len(), |at| at + 1)..];
        let end = line.iter().rposition(|&b| b != b'\r');
        Some(&line[..end.map_or(0, |at| at + 1)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/HTML; charset=\"UTF-8\"\r\n\
        X-Folded: a\r\n  b\r\nSet-Cookie: one\r\nset-cookie: two\r\nContent-Length: 2\r\n\r\nhi";

    #[test]
    fn a_head_is_read_without_losing_a_byte() {
        let head = Head::parse(ANSWER);
        assert_eq!(head.status(), Some(200));
        assert_eq!(head.media_type().as_deref(), Some("text/html"));
        assert_eq!(head.charset().as_deref(), Some("utf-8"));
        assert_eq!(head.value("x-folded").as_deref(), Some("a b"));
        assert_eq!(head.fields[1].raw, b"X-Folded: a\r\n  b");
        assert_eq!(
            head.values("Set-Cookie").collect::<Vec<_>>(),
            ["one", "two"]
        );
        assert_eq!(&ANSWER[head.length..], b"hi");
        assert_eq!(head.framing("GET"), Framing::Length(2));
        assert_eq!(head.framing("HEAD"), Framing::None);
    }

    #[test]
    fn bare_line_feeds_and_leading_blank_lines_are_a_head() {
        let bytes = b"\r\nHTTP/1.0 404 Gone fishing\nServer: x\n\nbody";
        let head = Head::parse(bytes);
        assert_eq!((head.status(), head.length), (Some(404), bytes.len() - 4));
        assert!(!head.keeps_alive());
    }

    #[test]
    fn contradicting_lengths_are_no_length() {
        for (lengths, framing) in [
            (&["5"][..], Framing::Length(5)),
            (&["5", "5"], Framing::Length(5)),
            (&["5, 5"], Framing::Length(5)),
            (&["5", "6"], Framing::UntilClose),
            (&["-5"], Framing::UntilClose),
            (&["+5"], Framing::UntilClose),
            (&[""], Framing::UntilClose),
            (&["99999999999999999999999"], Framing::UntilClose),
        ] {
            let mut text = String::from("HTTP/1.1 200 OK\r\n");
            for length in lengths {
                text += &format!("Content-Length: {length}\r\n");
            }
            assert_eq!(
                Head::parse((text + "\r\n").as_bytes()).framing("GET"),
                framing
            );
        }
    }

    #[test]
    fn chunked_wins_over_a_length() {
        let head = Head::parse(
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: Chunked\r\n\r\n",
        );
        assert_eq!(head.framing("GET"), Framing::Chunked);
    }

    #[test]
    fn no_cut_of_a_head_panics() {
        for end in 0..ANSWER.len() {
            let head = Head::parse(&ANSWER[..end]);
            let _ = (
                head.status(),
                head.media_type(),
                head.framing("GET"),
                head.keeps_alive(),
            );
        }
    }
}
