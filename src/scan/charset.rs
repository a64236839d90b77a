//! The charset of a document: byte order mark, HTTP, the document itself, then
//! what its bytes look like (HTML standard §13.2.3.2, CSS Syntax 3 §3.2).

use super::Kind;
use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// How far a document may state its charset, in bytes. The standard looks at
/// 1,024 at first, and begins again if the parser comes across it later.
const PRESCAN: usize = 64 << 10;
/// How much of a document is looked at to guess its charset, in bytes.
const SAMPLE: usize = 1 << 20;

/// The document's charset and the length of its byte order mark. `domain` is
/// the last label of its host, which speaks for a language.
pub(super) fn of(
    kind: Kind,
    source: &[u8],
    http: Option<&str>,
    domain: Option<&str>,
) -> (&'static Encoding, usize) {
    if let Some(found) = Encoding::for_bom(source) {
        return found;
    }
    let stated = http
        .and_then(|label| Encoding::for_label(label.trim_matches(['"', '\'', ' ']).as_bytes()))
        .or_else(|| match kind {
            Kind::Html => stated_by_meta(source).or_else(|| stated_by_xml(source)),
            Kind::Css => stated_by_at_charset(source),
        })
        // A browser shows nothing of such a document; its links can be read all the same.
        .filter(|charset| *charset != REPLACEMENT);
    (stated.unwrap_or_else(|| detect(source, domain)), 0)
}

/// What the bytes look like (HTML standard §13.2.3.2, step 7).
fn detect(source: &[u8], domain: Option<&str>) -> &'static Encoding {
    let is_utf_8 = match std::str::from_utf8(source) {
        Ok(_) => true,
        // Cut within a character: still UTF-8, if it was before.
        Err(error) => error.error_len().is_none() && !source[..error.valid_up_to()].is_ascii(),
    };
    let escapes = source.contains(&0x1b)
        && source
            .windows(2)
            .any(|pair| matches!(pair, b"\x1b$" | b"\x1b("));
    if is_utf_8 && !escapes {
        return UTF_8;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(&source[..source.len().min(SAMPLE)], true);
    // The detector takes lower case alone.
    let domain = domain.map(str::to_ascii_lowercase);
    let domain = domain.as_deref().filter(|label| label.is_ascii());
    let domain = domain.map(str::as_bytes);
    let utf_8 = if is_utf_8 {
        Utf8Detection::Allow
    } else {
        Utf8Detection::Deny
    };
    detector.guess(domain, utf_8)
}

/// A document that could be read so far is in no UTF-16.
fn from_ascii_label(label: &[u8]) -> Option<&'static Encoding> {
    Encoding::for_label(label).map(|charset| {
        if charset == UTF_16BE || charset == UTF_16LE {
            UTF_8
        } else if charset == encoding_rs::X_USER_DEFINED {
            WINDOWS_1252
        } else {
            charset
        }
    })
}

fn stated_by_at_charset(source: &[u8]) -> Option<&'static Encoding> {
    let rest = source.strip_prefix(b"@charset \"")?;
    let label = rest.get(..rest.iter().take(100).position(|byte| *byte == b'"')?)?;
    rest[label.len()..].starts_with(b"\";").then_some(())?;
    from_ascii_label(label)
}

/// The declaration of XHTML: `<?xml version="1.0" encoding="euc-jp"?>`.
fn stated_by_xml(source: &[u8]) -> Option<&'static Encoding> {
    let rest = source.strip_prefix(b"<?xml")?;
    let rest = &rest[..rest.iter().take(256).position(|byte| *byte == b'>')?];
    let at = rest.windows(8).position(|bytes| bytes == b"encoding")?;
    let rest = rest[at + 8..]
        .trim_ascii_start()
        .strip_prefix(b"=")?
        .trim_ascii_start();
    let quote = rest.first().filter(|byte| matches!(byte, b'"' | b'\''))?;
    from_ascii_label(rest[1..].split(|byte| byte == quote).next()?)
}

fn stated_by_meta(source: &[u8]) -> Option<&'static Encoding> {
    let mut rest = &source[..source.len().min(PRESCAN)];
    while let Some(at) = rest.iter().position(|byte| *byte == b'<') {
        rest = &rest[at..];
        if rest.starts_with(b"<!--") {
            let end = rest[4..].windows(3).position(|bytes| bytes == b"-->")?;
            rest = &rest[4 + end..];
        } else if is_meta(rest) {
            let (charset, after) = read_meta(&rest[5..]);
            if charset.is_some() {
                return charset;
            }
            rest = after;
        } else {
            rest = &rest[1..];
        }
    }
    None
}

fn is_meta(tag: &[u8]) -> bool {
    tag.len() > 5
        && tag[1..5].eq_ignore_ascii_case(b"meta")
        && (tag[5].is_ascii_whitespace() || tag[5] == b'/')
}

/// The charset that a meta's attributes state, and what comes after them.
fn read_meta(mut rest: &[u8]) -> (Option<&'static Encoding>, &[u8]) {
    let mut is_content_type = false;
    let mut by_content = None;
    let mut by_charset = None;
    while let Some((name, value, after)) = read_attribute(rest) {
        rest = after;
        if name.eq_ignore_ascii_case(b"charset") {
            by_charset = by_charset.or_else(|| from_ascii_label(value));
        } else if name.eq_ignore_ascii_case(b"http-equiv") {
            is_content_type = value.eq_ignore_ascii_case(b"content-type");
        } else if name.eq_ignore_ascii_case(b"content") {
            by_content = by_content.or_else(|| from_ascii_label(charset_parameter(value)?));
        }
    }
    (by_charset.or(by_content.filter(|_| is_content_type)), rest)
}

/// Name, value and the rest; `None` at the tag's end.
fn read_attribute(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let is_gap = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'/';
    let rest = &bytes[bytes.iter().take_while(|byte| is_gap(byte)).count()..];
    if matches!(rest.first(), None | Some(b'>')) {
        return None;
    }
    let ends = |byte: &u8| is_gap(byte) || matches!(byte, b'=' | b'>');
    let length = 1 + rest[1..].iter().take_while(|byte| !ends(byte)).count();
    let (name, rest) = rest.split_at(length);
    let Some(rest) = rest.trim_ascii_start().strip_prefix(b"=") else {
        return Some((name, &[], rest));
    };
    let rest = rest.trim_ascii_start();
    let (value, rest) = if let Some(quote @ (b'"' | b'\'')) = rest.first() {
        let rest = &rest[1..];
        let end = rest.iter().position(|byte| byte == quote)?;
        (&rest[..end], &rest[end + 1..])
    } else {
        let unquoted = |byte: &&u8| !byte.is_ascii_whitespace() && **byte != b'>';
        rest.split_at(rest.iter().take_while(unquoted).count())
    };
    Some((name, value, rest))
}

/// The charset in `text/html; charset=..` (HTML standard §2.5.2).
fn charset_parameter(value: &[u8]) -> Option<&[u8]> {
    let mut rest = value;
    loop {
        let at = rest
            .windows(7)
            .position(|bytes| bytes.eq_ignore_ascii_case(b"charset"))?;
        rest = rest[at + 7..].trim_ascii_start();
        if let Some(after) = rest.strip_prefix(b"=") {
            rest = after.trim_ascii_start();
            break;
        }
    }
    match rest.first()? {
        quote @ (b'"' | b'\'') => rest[1..].split(|byte| byte == quote).next(),
        _ => rest
            .split(|byte| byte.is_ascii_whitespace() || *byte == b';')
            .next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{EUC_JP, ISO_2022_JP, SHIFT_JIS, WINDOWS_1251};

    #[test]
    fn sources_of_the_charset_rank_as_in_browsers() {
        for (source, http, expected) in [
            (
                &b"\xef\xbb\xbf<meta charset=euc-jp>"[..],
                Some("shift_jis"),
                UTF_8,
            ),
            (b"<meta charset=euc-jp>", Some("shift_jis"), SHIFT_JIS),
            (b"<meta charset=euc-jp>", Some("nonsense"), EUC_JP),
            (b"<META CHARSET = 'euc-jp' >", None, EUC_JP),
            (
                b"<meta content='text/html; charset=windows-1251' http-equiv=Content-Type>",
                None,
                WINDOWS_1251,
            ),
            (b"<meta name=a content='charset=euc-jp'>", None, UTF_8),
            (
                b"<!-- <meta charset=euc-jp> --><meta charset=windows-1251>",
                None,
                WINDOWS_1251,
            ),
            (b"<meta charset=utf-16>", None, UTF_8),
            (b"<meta charset=iso-2022-jp>", None, ISO_2022_JP),
            (b"<meta charset=iso-2022-kr>", None, UTF_8),
            (b"<p>caf\xe9", None, WINDOWS_1252),
            (b"<p>caf\xc3\xa9 \xc3", None, UTF_8),
            (b"\xff\xfe<\0", None, UTF_16LE),
        ] {
            let text = String::from_utf8_lossy(source);
            assert_eq!(of(Kind::Html, source, http, None).0, expected, "{text}");
        }
    }

    #[test]
    fn a_charset_that_nothing_states_is_told_by_the_bytes() {
        for (text, charset, domain) in [
            (
                "Привет, мир! Это страница о погоде в городе.",
                WINDOWS_1251,
                None,
            ),
            ("これは天気のページです。今日は晴れです。", SHIFT_JIS, None),
            (
                "これは天気のページです。今日は晴れです。",
                EUC_JP,
                Some("JP"),
            ),
            ("これは天気のページです。", ISO_2022_JP, None),
            ("这是关于天气的网页，今天是晴天。", encoding_rs::GBK, None),
            ("這是關於天氣的網頁，今天是晴天。", encoding_rs::BIG5, None),
            (
                "날씨에 관한 페이지입니다. 오늘은 맑습니다.",
                encoding_rs::EUC_KR,
                None,
            ),
            ("Wetter über Köln", WINDOWS_1252, Some("de")),
            ("Погода", UTF_8, None),
        ] {
            let (bytes, _, _) = charset.encode(text);
            let source = [b"<title>", bytes.as_ref(), b"</title>"].concat();
            assert_eq!(of(Kind::Html, &source, None, domain).0, charset, "{text}");
        }
    }

    #[test]
    fn late_and_xml_declarations_count() {
        let late = format!("<script>{}</script><meta charset=euc-jp>", "x".repeat(5000));
        for (source, expected) in [
            (late.as_str(), EUC_JP),
            (
                "<?xml version='1.0' encoding='windows-1251'?><html>",
                WINDOWS_1251,
            ),
            (
                "<?xml version=\"1.0\" encoding = \"utf-16\" ?><html>",
                UTF_8,
            ),
            ("<?xml version='1.0'?><meta charset=euc-jp>", EUC_JP),
            ("<?xml encoding='", UTF_8),
        ] {
            assert_eq!(
                of(Kind::Html, source.as_bytes(), None, None).0,
                expected,
                "{source}"
            );
        }
    }

    #[test]
    fn sheets_state_their_charset_in_the_exact_form_only() {
        assert_eq!(of(Kind::Css, b"@charset \"euc-jp\";", None, None).0, EUC_JP);
        assert_eq!(of(Kind::Css, b"@charset 'euc-jp';", None, None).0, UTF_8);
        assert_eq!(of(Kind::Css, b"@charset \"euc-jp\" ;", None, None).0, UTF_8);
    }
}
