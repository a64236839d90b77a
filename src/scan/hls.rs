//! HLS playlists (RFC 8216 and its second edition): segments, variants, keys,
//! initialisation sections, renditions and parts; and the plain M3U lists that
//! they grew from. Ranges are those of the texts, so that others can take
//! their place.

use super::Role;
use super::links::{Collector, resolve};
use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;
use url::Url;

/// Variables that are kept, and the bytes of one value.
const MAX_VARIABLES: usize = 100;
const MAX_VALUE: usize = 1024;

/// Reads a playlist.
pub(super) fn read(source: &[u8], found: &mut Collector) {
    let mut reader = Reader {
        variables: Vec::new(),
        variant: None,
        base: Rc::new(found.base.clone()),
        found,
    };
    let mut at = if source.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    while at < source.len() && !reader.found.is_full() {
        let line = &source[at..];
        let length = line
            .iter()
            .position(|byte| matches!(byte, b'\n' | b'\r'))
            .unwrap_or(line.len());
        let start = at;
        at += length + 1;
        let Ok(line) = std::str::from_utf8(&source[start..start + length]) else {
            continue;
        };
        reader.line(line, start..at.min(source.len()));
    }
}

/// A variable of `EXT-X-DEFINE`.
type Variable = (String, String);

struct Reader<'f> {
    variables: Vec<Variable>,
    /// Where the tag stands whose variant the next address is.
    variant: Option<usize>,
    base: Rc<Url>,
    found: &'f mut Collector,
}

impl Reader<'_> {
    /// Reads a line that stands at `range`, which has its end too.
    fn line(&mut self, line: &str, range: Range<usize>) {
        if let Some(tag) = line.strip_prefix("#EXT") {
            self.tag(tag, range);
        } else if !line.starts_with('#') && !line.trim().is_empty() {
            let text = line.trim();
            let from = range.start + (line.len() - line.trim_start().len());
            let url = self.take(text, from..from + text.len(), Role::Media);
            if let (Some(start), Some(url)) = (self.variant.take(), url) {
                self.choose(start..range.end, "variant".to_owned(), Some(url));
            }
        }
    }

    /// Reads a tag behind its `#EXT`; the whole line stands at `line`.
    fn tag(&mut self, tag: &str, line: Range<usize>) {
        let Some((name, list)) = tag.split_once(':') else {
            return;
        };
        let at = line.start + 4 + name.len() + 1;
        if name == "-X-DEFINE" {
            self.define(list, at);
            return;
        }
        // Titles and plain values are no attribute lists.
        if !name.starts_with("-X-") {
            return;
        }
        let role = match name {
            "-X-KEY" | "-X-SESSION-KEY" | "-X-SESSION-DATA" | "-X-CONTENT-STEERING" => {
                Role::Requisite
            }
            "-X-IMAGE-STREAM-INF" => Role::Image,
            _ => Role::Media,
        };
        let mut url = None;
        let mut group = [""; 2];
        for (key, value) in attributes(list) {
            let text = &list[value.clone()];
            match key {
                "URI" | "SERVER-URI" | "X-ASSET-URI" | "X-ASSET-LIST" | "X-URI" => {
                    let range = at + value.start..at + value.end;
                    url = self.take(text, range, role);
                }
                "TYPE" => group[0] = text,
                "GROUP-ID" => group[1] = text,
                _ => {}
            }
        }
        match name {
            "-X-STREAM-INF" => self.variant = Some(line.start),
            "-X-MEDIA" => self.choose(line, group.join(" "), url),
            "-X-I-FRAME-STREAM-INF" | "-X-IMAGE-STREAM-INF" | "-X-CONTENT-STEERING"
                if url.is_some() =>
            {
                // Players do without them.
                self.choose(0..0, name.to_owned(), None);
                self.choose(line, name.to_owned(), url);
            }
            _ => {}
        }
    }

    fn choose(&mut self, range: Range<usize>, group: String, url: Option<Url>) {
        if let Some(places) = &mut self.found.places {
            places.choice(range, group, url.into_iter().collect());
        }
    }

    /// Takes an address, and says which it is.
    fn take(&mut self, text: &str, range: Range<usize>, role: Role) -> Option<Url> {
        if let Some(places) = &mut self.found.places {
            places.address(range.start, &self.base);
            return resolve(&self.base, &substituted(text, &self.variables));
        }
        match substituted(text, &self.variables) {
            Cow::Borrowed(text) => self.found.push_at(text, role, range),
            Cow::Owned(text) => self.found.push(&text, role),
        }
        None
    }

    /// Takes a variable: stated, or of the playlist's own query. The list stands at
    /// `at`.
    fn define(&mut self, list: &str, at: usize) {
        let mut name = None;
        let mut stated = None;
        for (key, value) in attributes(list) {
            let text = &list[value.clone()];
            match key {
                "NAME" => name = Some(text),
                "VALUE" => {
                    stated = Some(text.to_owned());
                    // Addresses begin with it.
                    if let Some(places) = &mut self.found.places {
                        places.address(at + value.start, &self.base);
                    }
                }
                "QUERYPARAM" => {
                    name = Some(text);
                    let mut pairs = self.base.query_pairs();
                    stated = pairs
                        .find(|(key, _)| key == text)
                        .map(|(_, value)| value.into_owned());
                }
                _ => {}
            }
        }
        if let (Some(name), Some(value)) = (name, stated)
            && self.variables.len() < MAX_VARIABLES
            && name.len() + value.len() <= MAX_VALUE
        {
            self.variables.push((name.to_owned(), value));
        }
    }
}

/// The attributes of a list (RFC 8216 §4.2): names, and where their values
/// stand, without quotes.
fn attributes(list: &str) -> impl Iterator<Item = (&str, Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = list.get(at..)?;
        let equals = rest.find('=')?;
        let name = rest[..equals].trim_matches([',', ' ', '\t']);
        let start = at + equals + 1;
        let value = &list[start..];
        let range = if let Some(quoted) = value.strip_prefix('"') {
            let end = quoted.find('"').unwrap_or(quoted.len());
            at = start + 1 + end + 1;
            start + 1..start + 1 + end
        } else {
            let end = value.find(',').unwrap_or(value.len());
            at = start + end;
            start..start + end
        };
        Some((name, range))
    })
}

/// A text with its variables, `{$name}`, replaced.
fn substituted<'t>(text: &'t str, variables: &[Variable]) -> Cow<'t, str> {
    if variables.is_empty() || !text.contains("{$") || text.len() > MAX_VALUE {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{$") {
        out.push_str(before);
        let known = after.split_once('}').and_then(|(name, after)| {
            let (_, value) = variables.iter().find(|(known, _)| known == name)?;
            Some((value, after))
        });
        match known {
            Some((value, after)) => {
                out.push_str(value);
                rest = after;
            }
            None => {
                out.push_str("{$");
                rest = after;
            }
        }
    }
    Cow::Owned(out + rest)
}

#[cfg(test)]
mod tests {
    use super::super::links::tests::{named, named_at};

    #[test]
    fn main_playlists_name_variants_renditions_and_keys() {
        let list = "#EXTM3U\n#EXT-X-INDEPENDENT-SEGMENTS\n# a comment\n#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"key\",IV=0x1\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a,b\",NAME=\"x=, URI=y\",URI=\"audio/en.m3u8\",LANGUAGE=\"en\"\n\
            #EXT-X-STREAM-INF:BANDWIDTH=1280000,CODECS=\"avc1,mp4a\",AUDIO=\"a,b\"\nlow/index.m3u8?t=1\n\
            #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=86000,URI=\"low/iframe.m3u8\"\n\
            #EXT-X-IMAGE-STREAM-INF:URI='no',RESOLUTION=1x1\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"/steer\",PATHWAY-ID=\"p\"\n";
        assert_eq!(
            named("application/x-mpegurl", list.as_bytes()),
            [
                "Requisite /dir/key",
                "Media /dir/audio/en.m3u8",
                "Media /dir/low/index.m3u8?t=1",
                "Media /dir/low/iframe.m3u8",
                "Image /dir/'no'",
                "Requisite /steer",
            ]
        );
    }

    #[test]
    fn media_playlists_name_segments_parts_and_sections() {
        let list = "\u{feff}#EXTM3U\r\n#EXT-X-TARGETDURATION:4\r\n#EXT-X-MAP:URI=\"init.mp4\",BYTERANGE=\"10@0\"\r\n\
            #EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://x\"\r\n#EXTINF:4.0,A title, with URI=\"no\"\r\n s0.m4s \r\n#EXT-X-BYTERANGE:1@2\r\n\
            #EXT-X-PART:DURATION=1,URI=\"s1.0.m4s\"\r\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"s1.1.m4s\"\r\n\
            #EXT-X-RENDITION-REPORT:URI=\"../other.m3u8\",LAST-MSN=1\r\n#EXT-X-ENDLIST";
        assert_eq!(
            named("application/vnd.apple.mpegurl", list.as_bytes()),
            [
                "Media /dir/init.mp4",
                "Media /dir/s0.m4s",
                "Media /dir/s1.0.m4s",
                "Media /dir/s1.1.m4s",
                "Media /other.m3u8",
            ]
        );
    }

    #[test]
    fn variables_are_replaced_and_unknown_ones_left() {
        let list = "#EXTM3U\n#EXT-X-DEFINE:NAME=\"host\",VALUE=\"http://b.example\"\n#EXT-X-DEFINE:QUERYPARAM=\"t\"\n\
            {$host}/a-{$t}.ts\n{$none}.ts\n#EXT-X-MAP:URI=\"{$host}/i.mp4\"\n";
        assert_eq!(
            named_at("http://a.example/l.m3u8?t=9", "", list.as_bytes()),
            [
                "Media http://b.example/a-9.ts",
                "Media /%7B$none%7D.ts",
                "Media http://b.example/i.mp4"
            ]
        );
    }

    #[test]
    fn plain_m3u_lists_are_read() {
        let list = b"#EXTM3U\n#EXTINF:123,Artist - Title\nhttp://a.example/stream\nC:\\music\\a.mp3\nb.mp3\n";
        assert_eq!(
            named("audio/x-mpegurl", list),
            ["Media /stream", "Media /dir/b.mp3"]
        );
    }
}
