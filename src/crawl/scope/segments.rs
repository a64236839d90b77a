//! Paths that no site has on purpose: segments that come again and again, as
//! relative links on pages that answer to every address make them, or far too
//! many of them.

use crate::config::Traps;
use crate::url::CanonicalUrl;

/// The trap that a URL's path gives away.
pub fn trap(url: &CanonicalUrl, traps: &Traps) -> Option<&'static str> {
    let segments: Vec<&str> = url
        .url()
        .path()
        .split('/')
        .filter(|s| !s.is_empty())
        .collect();
    if segments.len() > traps.path_segments as usize {
        return Some("trap-path-too-deep");
    }
    let most = traps.repeated_segments as usize;
    if segments.len() > most && (repeats(&segments) > most || recurs(&segments) > most * 2) {
        return Some("trap-repeated-segments");
    }
    None
}

/// How often a segment, or several in order, come in a row at most. Numbers
/// alone count half: stores of many files have paths such as `/0/0/0/0/17`.
fn repeats(segments: &[&str]) -> usize {
    let mut most = 1;
    for period in 1..=segments.len() / 2 {
        let mut run = 0;
        for at in period..segments.len() {
            run = if segments[at] == segments[at - period] {
                run + 1
            } else {
                0
            };
            let times = run / period + 1;
            let of_numbers = segments[at + 1 - period..=at].iter().all(|s| is_number(s));
            most = most.max(if of_numbers { times.div_ceil(2) } else { times });
        }
    }
    most
}

/// How often the most frequent segment comes anywhere, numbers left out.
fn recurs(segments: &[&str]) -> usize {
    let of = |segment: &&str| segments.iter().filter(|other| *other == segment).count();
    let words = segments.iter().filter(|s| !is_number(s));
    words.map(of).max().unwrap_or(0)
}

fn is_number(segment: &str) -> bool {
    segment.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::config::Config;

    fn trap(path: &str) -> Option<&'static str> {
        let url = CanonicalUrl::parse(&format!("http://a.example{path}")).unwrap();
        super::trap(&url, &Config::defaults().traps)
    }

    #[test]
    fn what_repeats_beyond_the_budget_is_a_trap() {
        for path in [
            "/a/a/a/a",
            "/x/a/b/a/b/a/b/a/b/",
            "/a/b/c/a/b/c/a/b/c/a/b/c",
            "/a/x/a/y/a/z/a/w/a/v/a/u/a",
        ] {
            assert_eq!(trap(path), Some("trap-repeated-segments"), "{path}");
        }
        let deep: Vec<String> = (0..41).map(|n| format!("s{n}")).collect();
        assert_eq!(
            trap(&format!("/{}", deep.join("/"))),
            Some("trap-path-too-deep")
        );
        assert_eq!(trap("/7/7/7/7/7/7/7"), Some("trap-repeated-segments"));
    }

    #[test]
    fn paths_of_real_sites_are_none() {
        for path in [
            "/",
            "/a/a/a",
            "/en/latest/en/latest/en/intro.html",
            "/docs/en/api/en/v2/en/",
            "/files/0/0/0/0/0/17.pdf",
            "/2011/11/11/11/11",
            "/src/main/java/org/main/java/main/Main.java",
            "/tiles/5/5/5/5.png",
        ] {
            assert_eq!(trap(path), None, "{path}");
        }
    }
}
