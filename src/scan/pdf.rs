//! Links of PDF documents: the `/URI` actions of annotations and outlines (ISO
//! 32000-1 §12.6.4.7), in plain objects and in compressed object streams. It
//! reads the file from front to back without its cross-reference table, so
//! damaged and cut documents give what they have.

use super::Role;
use super::links::Collector;
use crate::config::Limits;
use flate2::read::ZlibDecoder;
use std::io::Read;
use token::{Token, Tokens};
use url::Url;

mod token;

/// Bytes of a string that may be a URL.
const MAX_URI: usize = 16 << 10;
/// Below this size no stream counts as inflating too well, in bytes.
const RATIO_FLOOR: u64 = 1 << 20;

/// Reads a document.
pub(super) fn read(source: &[u8], limits: &Limits, found: &mut Collector) {
    let mut reader = Reader {
        left: limits.decoded.0,
        ratio: limits.decoded_ratio.into(),
        is_cut: false,
        is_encrypted: false,
        base: None,
        uris: Vec::new(),
        found,
    };
    reader.objects(source, true);
    let Reader {
        is_cut,
        is_encrypted,
        base,
        uris,
        ..
    } = reader;
    if is_encrypted {
        let note = "an encrypted PDF: its links can't be read";
        found.notes.push(note.to_owned());
        return;
    }
    if is_cut {
        let note =
            "the PDF's object streams are larger than is scanned: some of its links are missing";
        found.notes.push(note.to_owned());
    }
    let base = base.and_then(|base| Url::parse(&base).ok());
    for uri in uris {
        match &base {
            Some(base) => found.push_from(base, &uri, Role::Page),
            None => found.push(&uri, Role::Page),
        }
    }
}

struct Reader<'f> {
    /// Bytes that may still be inflated.
    left: u64,
    ratio: u64,
    is_cut: bool,
    is_encrypted: bool,
    /// What the catalogue says that relative URIs are relative to.
    base: Option<String>,
    uris: Vec<String>,
    found: &'f mut Collector,
}

/// What the dictionary before a stream says of it.
#[derive(Default)]
struct Dictionary {
    is_object_stream: bool,
    is_deflated: bool,
    /// A filter that isn't read.
    is_foreign: bool,
}

impl Reader<'_> {
    /// Reads objects; only in the file itself may they be streams.
    fn objects(&mut self, source: &[u8], is_file: bool) {
        let mut tokens = Tokens::new(source);
        let mut dictionary = Dictionary::default();
        // The name before the current token, which is its key in a dictionary.
        let mut key: &[u8] = b"";
        while let Some(token) = tokens.next() {
            let last = std::mem::take(&mut key);
            match token {
                Token::Name(name) => {
                    dictionary.see(name);
                    self.is_encrypted |= name == b"Encrypt";
                    key = name;
                }
                Token::String(text) => match last {
                    b"URI" => self.uri(&text),
                    b"Base" => self.base = self.base.take().or_else(|| address(&text)),
                    _ => {}
                },
                Token::Keyword(b"obj") => dictionary = Dictionary::default(),
                Token::Keyword(b"stream") if is_file => {
                    let stream = tokens.stream();
                    if std::mem::take(&mut dictionary).is_read() {
                        self.object_stream(stream);
                    }
                }
                Token::Keyword(_) | Token::Other => {}
            }
        }
    }

    fn object_stream(&mut self, stream: &[u8]) {
        // No deflated bytes begin with the spaces that some writers put there.
        let stream = stream.trim_ascii_start();
        let by_ratio = (stream.len() as u64).saturating_mul(self.ratio);
        let most = self.left.min(by_ratio.max(RATIO_FLOOR));
        let mut objects = Vec::new();
        // What is damaged is taken as far as it came.
        let _ = ZlibDecoder::new(stream)
            .take(most)
            .read_to_end(&mut objects);
        self.is_cut |= objects.len() as u64 == most;
        self.left -= objects.len() as u64;
        self.objects(&objects, false);
    }

    fn uri(&mut self, text: &[u8]) {
        if self.uris.len() >= self.found.room() {
            return;
        }
        if let Some(uri) = address(text) {
            self.uris.push(uri);
        }
    }
}

impl Dictionary {
    fn see(&mut self, name: &[u8]) {
        match name {
            b"ObjStm" => self.is_object_stream = true,
            b"FlateDecode" | b"Fl" => self.is_deflated = true,
            b"LZWDecode" | b"ASCII85Decode" | b"ASCIIHexDecode" | b"Crypt" => {
                self.is_foreign = true;
            }
            _ => {}
        }
    }

    fn is_read(&self) -> bool {
        self.is_object_stream && self.is_deflated && !self.is_foreign
    }
}

/// The text of a URI: 7-bit ASCII by the standard, but UTF-8, UTF-16 and Latin
/// letters are found too.
fn address(text: &[u8]) -> Option<String> {
    if text.len() > MAX_URI {
        return None;
    }
    let text = match text {
        [0xfe, 0xff, rest @ ..] => encoding_rs::UTF_16BE.decode_without_bom_handling(rest).0,
        _ => match std::str::from_utf8(text) {
            Ok(text) => text.into(),
            Err(_) => {
                encoding_rs::WINDOWS_1252
                    .decode_without_bom_handling(text)
                    .0
            }
        },
    };
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::super::links::tests::{found, named};
    use crate::config::{Config, Size};
    use std::io::Write;

    fn deflated(objects: &str) -> Vec<u8> {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(objects.as_bytes()).unwrap();
        zlib.finish().unwrap()
    }

    fn with_object_stream(objects: &str) -> Vec<u8> {
        let stream = deflated(objects);
        let mut file = b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n7 0 obj\n".to_vec();
        let dictionary = format!(
            "<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length {}>>\nstream\r\n",
            stream.len()
        );
        file.extend(dictionary.bytes());
        file.extend(stream);
        file.extend(b"\nendstream\nendobj\n");
        file
    }

    #[test]
    fn actions_are_found_however_their_strings_are_written() {
        let file = b"%PDF-1.4\n1 0 obj<</S/URI/URI(http://a.example/1)>>endobj
            2 0 obj << /URI (http://a.example/\\(2\\)\\\n\\057x\\1012) /S /URI >> endobj
            3 0 obj <</URI <687474703A2F2F612E6578616D706C652F 33>>>
            4 0 obj <</URI(a(b)c)>> % /URI (http://a.example/comment)
            5 0 obj <</URI<feff0068007400740070003a002f002f0062002e006500780061006d0070006c0065002f>>>
            6 0 obj <</S/GoToR/F(other.pdf)>><</URI(mailto:a@b.example)>><</URI ( )>>
            7 0 obj <</Length 60>>stream\n<</URI(http://a.example/in-a-stream)>> \xff\xfe ( \nendstream endobj
            8 0 obj <</URI(http://a.example/8)>> trailer <</Root 1 0 R>> (unclosed <</URI(http://a.example/9)>>";
        assert_eq!(
            named("application/pdf", file),
            [
                "Page /1",
                "Page /(2)/xA2",
                "Page /3",
                "Page /dir/a(b)c",
                "Page http://b.example/",
                "Page /8",
                "Page /9",
            ]
        );
    }

    #[test]
    fn object_streams_are_read_and_bases_apply() {
        let file = with_object_stream(
            "1 0 2 30 <</Type/Catalog/URI<</Base(http://b.example/d/)>>>> <</S/URI/URI(x)>>",
        );
        assert_eq!(
            named("application/pdf", &file),
            ["Page http://b.example/d/x"]
        );
        for end in 0..file.len() {
            named("application/pdf", &file[..end]);
        }
        // What a damaged stream gave is taken.
        let mut torn = with_object_stream(&"<</URI(/x)>>".repeat(1000));
        let at = torn.len() - 20;
        torn[at..].fill(0);
        assert!(!named("application/pdf", &torn).is_empty());
    }

    #[test]
    fn limits_and_encryption_are_noted() {
        let mut limits = Config::defaults().limits;
        limits.decoded = Size(1000);
        let file = with_object_stream(&"<</URI(/x)>>".repeat(1000));
        let cut = found(
            "http://a.example/",
            "application/pdf",
            &file,
            false,
            &limits,
        );
        assert_eq!((cut.links.len(), cut.notes.len()), (83, 1));
        let locked = b"%PDF-1.4\n<</URI(abc)>> trailer <</Encrypt 5 0 R>>";
        let locked = found(
            "http://a.example/",
            "application/pdf",
            locked,
            false,
            &limits,
        );
        assert_eq!((locked.links.len(), locked.notes.len()), (0, 1));
    }
}
