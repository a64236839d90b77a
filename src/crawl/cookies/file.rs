//! cookies.txt: the format of Netscape's browser, which curl, wget and the
//! export extensions of browsers write. A line a cookie: domain, whether the
//! hosts below it get it too, path, whether only over https, end in seconds
//! since 1970 (0 for the session's), name, value; tabs between them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::{Cookie, Key};

/// A jar of a browser's whole profile is smaller.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// A cookies.txt that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum CookieFileError {
    /// The file can't be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It is too long.
    #[error("{path}: longer than the {MAX_BYTES} bytes that are read")]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// A line that is no cookie.
    #[error("{path}: line {line}: {reason}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it. The line isn't repeated: it is secret.
        reason: &'static str,
    },
}

/// What a cookies.txt holds.
#[derive(Debug, Default)]
pub struct Import {
    /// Its cookies; all are secret.
    pub cookies: Vec<Cookie>,
    /// When the file was last written, in seconds since 1970; what is in it is no
    /// newer.
    pub written: i64,
}

/// Reads a cookies.txt.
pub fn read(path: &Path) -> Result<Import, CookieFileError> {
    let unreadable = |source| CookieFileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    let written = file.metadata().and_then(|metadata| metadata.modified());
    let written = written.map_err(unreadable)?;
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(CookieFileError::TooLong {
            path: path.to_owned(),
        });
    }
    let mut cookies = Vec::new();
    for (at, line) in bytes.split(|&b| b == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match cookie(line) {
            Ok(cookie) => cookies.extend(cookie),
            Err(reason) => {
                return Err(CookieFileError::Line {
                    path: path.to_owned(),
                    line: at + 1,
                    reason,
                });
            }
        }
    }
    let written = written.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Import {
        cookies,
        written: written.as_secs() as i64,
    })
}

/// The cookie of a line; `None` for a comment.
fn cookie(line: &[u8]) -> Result<Option<Cookie>, &'static str> {
    let (line, http_only) = match line.strip_prefix(b"#HttpOnly_") {
        Some(line) => (line, true),
        None => (line, false),
    };
    if !http_only && (line.trim_ascii().is_empty() || line.starts_with(b"#")) {
        return Ok(None);
    }
    let fields: Vec<&[u8]> = line.splitn(7, |&b| b == b'\t').collect();
    let (text, name, value) = match fields[..] {
        [domain, below, path, secure, end, name, value] => {
            ([domain, below, path, secure, end], name, value)
        }
        // Browsers' exports leave the tab before an empty value out.
        [domain, below, path, secure, end, name] => {
            ([domain, below, path, secure, end], name, &[][..])
        }
        _ => return Err("seven fields with tabs between them are expected"),
    };
    let text = text.map(|field| str::from_utf8(field).map(str::trim));
    let [Ok(domain), Ok(below), Ok(path), Ok(secure), Ok(end)] = text else {
        return Err("it isn't UTF-8");
    };
    let flag = |field: &str| match field.to_ascii_uppercase().as_str() {
        "TRUE" => Ok(true),
        "FALSE" => Ok(false),
        _ => Err("TRUE or FALSE is expected in the second and fourth field"),
    };
    let (below, secure) = (flag(below)? || domain.starts_with('.'), flag(secure)?);
    let host = url::Host::parse(domain.trim_start_matches('.'))
        .map_err(|_| "the first field is no domain")?;
    if !path.starts_with('/') {
        return Err("the third field is no path");
    }
    // Some exports have fractions of a second.
    let end = end.split('.').next().unwrap_or_default();
    let end: i64 = end
        .parse()
        .map_err(|_| "the fifth field is no time in seconds")?;
    if name.iter().chain(value).any(u8::is_ascii_control) {
        return Err("a control character stands in name or value");
    }
    Ok(Some(Cookie {
        key: Key {
            host_only: !below || !matches!(host, url::Host::Domain(_)),
            domain: host.to_string(),
            path: path.to_owned(),
            name: name.to_owned(),
        },
        value: value.to_owned(),
        secure,
        http_only,
        expires: (end > 0).then_some(end),
        secret: true,
    }))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Cookie>, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cookies.txt");
        std::fs::write(&path, text).unwrap();
        let import = read(&path).map_err(|error| error.to_string())?;
        Ok(import.cookies)
    }

    #[test]
    fn lines_of_all_kinds_are_read() {
        let cookies = read_text(
            "# Netscape HTTP Cookie File\n\n.a.example\tTRUE\t/\tFALSE\t2147483647\tn\tv=1\r\n\
             #HttpOnly_b.example\tFALSE\t/x\tTRUE\t0\ts\t\n127.0.0.1\tTRUE\t/\tFALSE\t1.5\te",
        )
        .unwrap();
        assert_eq!(cookies.len(), 3);
        assert_eq!(
            (cookies[0].key.domain.as_str(), cookies[0].key.host_only),
            ("a.example", false)
        );
        assert_eq!(
            (&cookies[0].value[..], cookies[0].expires),
            (&b"v=1"[..], Some(2_147_483_647))
        );
        assert!(cookies[1].http_only && cookies[1].secure && cookies[1].key.host_only);
        assert!(cookies[2].key.host_only && cookies[2].secret);
    }

    #[test]
    fn a_wrong_line_is_named_and_not_repeated() {
        for text in [
            "a.example TRUE / FALSE 0 n hush",
            "a.example\tyes\t/\tFALSE\t0\tn\thush",
        ] {
            let error = read_text(&format!("# x\n{text}\n")).unwrap_err();
            assert!(
                error.contains("line 2") && !error.contains("hush"),
                "{error}"
            );
        }
        assert!(read(Path::new("/no/such/file")).is_err());
    }

    #[test]
    fn no_cut_of_a_line_panics() {
        let line = b"#HttpOnly_.a.example\tTRUE\t/\tFALSE\t2147483647\tn\tv";
        for end in 0..line.len() {
            let _ = cookie(&line[..end]);
        }
    }
}
