//! Seeds from arguments, files and standard input. A file has one a line;
//! empty lines and what follows `#` at a line's start or after a space are
//! passed over, and lines that begin with `+` or `-` are SURT prefixes, as in
//! Heritrix's seed files.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::Failure;
use crate::crawl;
use crate::url::{CanonicalUrl, UrlError};

/// Bytes of a line at most; no URL that is taken is longer.
const LINE: u64 = 64 * 1024;

/// Where to begin, each URL once, and which SURT prefixes go with it.
#[derive(Debug, Default)]
pub struct Seeds {
    /// The seeds in order.
    pub urls: Vec<CanonicalUrl>,
    /// Lines that begin with `+` or `-`.
    pub surts: Vec<String>,
    known: HashSet<CanonicalUrl>,
}

impl Seeds {
    /// Adds a seed from the command line; `-` is standard input.
    pub fn add_argument(&mut self, text: &str) -> Result<(), Failure> {
        if text == "-" {
            return self.add_lines("standard input", io::stdin().lock());
        }
        let seed = CanonicalUrl::parse_seed(text).map_err(|error| {
            let hint = hint(&error, "A seed is an address such as https://example.org/.");
            Failure::usage(error).hint(hint)
        })?;
        self.add(seed);
        Ok(())
    }

    /// Adds the seeds of a file; `-` is standard input.
    pub fn add_file(&mut self, path: &Path) -> Result<(), Failure> {
        if path == Path::new("-") {
            return self.add_argument("-");
        }
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| {
            Failure::usage(format!("{name}: {error}")).hint("A file of seeds has one a line.")
        })?;
        self.add_lines(&name, BufReader::new(file))
    }

    fn add(&mut self, seed: CanonicalUrl) {
        if self.known.insert(seed.clone()) {
            self.urls.push(seed);
        }
    }

    fn add_lines(&mut self, name: &str, mut lines: impl BufRead) -> Result<(), Failure> {
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            let at = |what: &dyn std::fmt::Display| {
                Failure::usage(format!("{name}, line {number}: {what}"))
            };
            let read = (&mut lines).take(LINE).read_until(b'\n', &mut line);
            let read = read.map_err(|error| at(&error))?;
            if read == 0 {
                break;
            }
            if read as u64 == LINE && !line.ends_with(b"\n") {
                return Err(at(&format!("longer than {LINE} bytes")));
            }
            let text = std::str::from_utf8(&line).map_err(|_| at(&"not UTF-8"))?;
            self.add_line(text.trim_start_matches('\u{feff}'))
                .map_err(|(reason, hint)| at(&reason).hint(hint))?;
        }
        Ok(())
    }

    /// Adds a line, or tells what is wrong with it and what to try.
    fn add_line(&mut self, line: &str) -> Result<(), (String, String)> {
        const USUAL: &str =
            "A line is an address such as https://example.org/, or a SURT prefix after + or -.";
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if let Some(surt) = line.strip_prefix(['+', '-']) {
            crawl::surt_prefix(surt).map_err(|reason| (reason, USUAL.to_owned()))?;
            self.surts.push(line.to_owned());
            return Ok(());
        }
        let seed = CanonicalUrl::parse_seed(line)
            .map_err(|error| (error.to_string(), hint(&error, USUAL)))?;
        self.add(seed);
        Ok(())
    }
}

/// What to try; where a login was given, how it is given.
fn hint(error: &UrlError, usual: &str) -> String {
    let UrlError::Login { host } = error else {
        return usual.to_owned();
    };
    format!(
        "Leave it out, and give it in a file for --config, where it stays secret:\n  \
         [[access]]\n  host = \"https://{host}\"\n  basic = \"user:password\"  # or \"env:NAME\", \"file:PATH\""
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_file_has_a_seed_a_line_and_surts() {
        let file = "\u{feff}# mine\r\nhttps://a.example/x  # why\r\n\r\nb.example\r\nhttps://a.example/x\n+http://(example,c,)/y\n-d.example\nhttp://e.example/#top";
        let mut seeds = Seeds::default();
        seeds.add_lines("list", file.as_bytes()).unwrap();
        let urls: Vec<&str> = seeds.urls.iter().map(CanonicalUrl::as_str).collect();
        assert_eq!(
            urls,
            [
                "https://a.example/x",
                "http://b.example/",
                "http://e.example/"
            ]
        );
        assert_eq!(seeds.surts, ["+http://(example,c,)/y", "-d.example"]);
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (file, expected) in [
            (
                &b"http://a.example/\n\nftp://a.example/\n"[..],
                "list, line 3: ",
            ),
            (b"\n+ftp://x\n", "list, line 2: "),
            (
                b"http://a.example/\nhttp://\xff\n",
                "list, line 2: not UTF-8",
            ),
            (b"http://a b/\n", "list, line 1: "),
        ] {
            let error = Seeds::default().add_lines("list", file).unwrap_err();
            assert!(error.what.starts_with(expected), "{}", error.what);
        }
        for (login, hint) in [
            ("https://me:hush@a.example/", "[[access]]"),
            ("me:hush@a.example", "[[access]]"),
            ("-http://me:hush@a.example/x", "SURT"),
            ("+ftp://me:hush@a.example/x", "SURT"),
        ] {
            let file = format!("http://a.example/\n{login}\n");
            let error = Seeds::default().add_lines("list", file.as_bytes());
            let error = error.unwrap_err();
            let told = format!("{} {}", error.what, error.hint.unwrap());
            assert!(told.starts_with("list, line 2: a login"), "{told}");
            assert!(told.contains(hint) && !told.contains("hush"), "{told}");
        }
        let long = "x".repeat(70_000);
        let error = Seeds::default()
            .add_lines("list", long.as_bytes())
            .unwrap_err();
        assert!(error.what.contains("longer"), "{}", error.what);
    }
}
