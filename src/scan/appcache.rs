//! Cache manifests of offline applications, which browsers read until 2021: a
//! URL a line, by sections (HTML 5, 2014, §5.7.3).

use super::Role;
use super::links::Collector;

/// Reads a cache manifest.
pub(super) fn read(text: &str, found: &mut Collector) {
    let mut section = "CACHE:";
    for line in text.split(['\n', '\r']).skip(1).map(str::trim) {
        if found.is_full() {
            return;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.ends_with(':') && !line.contains(char::is_whitespace) {
            section = line;
            continue;
        }
        let mut words = line.split_ascii_whitespace();
        match section {
            "CACHE:" => {
                if let Some(url) = words.next() {
                    found.push(url, Role::Requisite);
                }
            }
            // What stands in for a part of the site that can't be reached.
            "FALLBACK:" => {
                if let Some(page) = words.nth(1) {
                    found.push(page, Role::Requisite);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::links::tests::named;

    #[test]
    fn what_is_cached_and_what_stands_in_is_named() {
        let manifest = b"CACHE MANIFEST\r\n# comment\r\n/a.css\r\nNETWORK:\r\n/api\r\n*\r\nFALLBACK:\r\n/ /off.html\r\nlonely\r\nCACHE:\r\nb.js extra\r\nSETTINGS:\r\nprefer-online\r\n";
        assert_eq!(
            named("text/cache-manifest", manifest),
            [
                "Requisite /a.css",
                "Requisite /off.html",
                "Requisite /dir/b.js"
            ]
        );
    }
}
