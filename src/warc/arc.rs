//! ARC, the format before WARC (Internet Archive, 1996 and version 2): a line of
//! words, the content, a line end. Read as if each record were a response; what it
//! doesn't say isn't made up, so there are no record ids and no digests.

/// A longer first line is none of a record.
pub const MAX_LINE: usize = 64 * 1024;

/// The line before a record's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The URL; `filedesc://…` before the first record, which describes the file.
    pub url: String,
    /// The server's address, as it stands.
    pub address: String,
    /// 14 digits; ARCs of the first years have 12.
    pub date: String,
    /// The media type, as the server or the crawler named it.
    pub media_type: String,
    /// Bytes of the content.
    pub length: u64,
}

impl Line {
    /// Reads a line: URL, address, date, type, length (version 1), or with status,
    /// checksum, location, offset and file name before the length (version 2). `None`
    /// for any other line. A URL may hold spaces.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let line = String::from_utf8_lossy(line);
        let words: Vec<&str> = line.trim().split(' ').collect();
        // A date behind an address, with a type and a length behind it: the type may
        // have spaces too.
        let behind_address = |at: &usize| {
            is_date(words[*at]) && at.checked_sub(2).is_some() && is_address(words[at - 1])
        };
        let date_at = (0..words.len().saturating_sub(2))
            .rev()
            .find(behind_address)?;
        let url = words[..date_at - 1].join(" ");
        let (scheme, _) = url.split_once(':')?;
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        if scheme.is_empty() || !scheme.chars().all(is_scheme) {
            return None;
        }
        let date = words[date_at];
        Some(Self {
            address: words[date_at - 1].to_owned(),
            date: format!("{date:0<14}"),
            media_type: words[date_at + 1].trim_end_matches(';').to_owned(),
            length: words.last()?.parse().ok()?,
            url,
        })
    }

    /// Whether bytes may be the start of such a line, as far as they go.
    pub fn may_begin(bytes: &[u8]) -> bool {
        let name = bytes.split(|&b| b == b':').next().unwrap_or_default();
        bytes.len() <= MAX_LINE
            && name.len() <= 16
            && name.first().is_some_and(u8::is_ascii_alphabetic)
            && name
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b))
    }

    /// The date as WARC has it: `2006-01-31T10:15:00Z`; `None` where it isn't one.
    fn rfc3339(&self) -> Option<String> {
        let time: crate::time::Timestamp14 = self.date.parse().ok()?;
        Some(time.rfc3339())
    }

    /// The fields that a WARC record of the same would have; `is_http` says whether
    /// the content begins as an answer does.
    pub fn fields(&self, is_http: bool) -> Vec<(&'static str, String)> {
        let is_file = self.url.starts_with("filedesc:");
        let kind = match (is_file, is_http) {
            (true, _) => "warcinfo",
            (false, true) => "response",
            (false, false) => "resource",
        };
        let media_type = if is_http {
            "application/http; msgtype=response"
        } else {
            &self.media_type
        };
        let mut fields = vec![
            ("WARC-Type", kind.to_owned()),
            ("Content-Type", media_type.to_owned()),
            ("Content-Length", self.length.to_string()),
        ];
        fields.extend(self.rfc3339().map(|date| ("WARC-Date", date)));
        if !is_file {
            fields.push(("WARC-Target-URI", self.url.clone()));
        }
        if self.address.parse::<std::net::IpAddr>().is_ok() && self.address != "0.0.0.0" {
            fields.push(("WARC-IP-Address", self.address.clone()));
        }
        fields
    }
}

fn is_address(word: &str) -> bool {
    word == "-" || word.parse::<std::net::IpAddr>().is_ok()
}

fn is_date(word: &str) -> bool {
    matches!(word.len(), 12 | 14) && word.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn both_versions_are_read_and_urls_may_hold_spaces() {
        let line = Line::parse(b"http://a.example/x y 192.0.2.1 20060131101500 text/html 12\n");
        let line = line.unwrap();
        assert_eq!((&*line.url, line.length), ("http://a.example/x y", 12));
        let fields = line.fields(true);
        assert!(fields.contains(&("WARC-Date", "2006-01-31T10:15:00Z".into())));
        assert!(fields.contains(&("WARC-IP-Address", "192.0.2.1".into())));
        assert!(fields.contains(&("WARC-Type", "response".into())));
        let two = b"http://a.example/ 192.0.2.1 199612311200 text/html 200 c0ffee - 817 f.arc 5";
        let two = Line::parse(two).unwrap();
        assert_eq!((&*two.date, two.length), ("19961231120000", 5));
        let typed = b"http://a.example/ 192.0.2.1 20060131101500 text/html; charset=utf-8 12";
        let typed = Line::parse(typed).unwrap();
        assert_eq!((&*typed.media_type, typed.length), ("text/html", 12));
        let file = Line::parse(b"filedesc://f.arc 0.0.0.0 20060131101500 text/plain 76").unwrap();
        assert_eq!(file.fields(false)[0], ("WARC-Type", "warcinfo".into()));
        let dns = Line::parse(b"dns:a.example 192.0.2.53 20060131101500 text/dns 40").unwrap();
        assert_eq!(dns.fields(false)[0], ("WARC-Type", "resource".into()));
    }

    #[test]
    fn other_lines_are_none() {
        for line in [
            &b""[..],
            b"HTTP/1.1 200 OK",
            b"WARC/1.0",
            b"http://a.example/ 192.0.2.1 2006 text/html 5",
            b"a b 20060131101500 c 5",
            b"http://a.example/ 192.0.2.1 20060131101500 text/html x",
            b"20060131101500 text/html 5",
        ] {
            assert_eq!(Line::parse(line), None, "{}", String::from_utf8_lossy(line));
        }
    }
}
