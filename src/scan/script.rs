//! URL-like strings in scripts: what a script is likely to fetch and nobody
//! links to. A guess, guarded so that junk stays out: only whole string
//! literals of URL letters that name a file by an ending that browsers load.

/// Strings of one script that are taken.
const MOST: usize = 1000;
/// The longest string that is looked at, in bytes.
const LONGEST: usize = 500;

/// Endings of data, which a bare file name may have.
const DATA: [&str; 5] = ["json", "geojson", "topojson", "csv", "tsv"];
/// Endings of other files, which need a path.
const FILES: [&str; 34] = [
    "js", "mjs", "css", "html", "htm", "xml", "txt", "pdf", "png", "jpg", "jpeg", "gif", "svg",
    "webp", "avif", "ico", "woff", "woff2", "ttf", "otf", "mp3", "mp4", "webm", "ogg", "m3u8",
    "mpd", "vtt", "wasm", "zip", "xls", "xlsx", "doc", "docx", "kml",
];

/// The texts of a page's inline scripts.
pub fn inline(html: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = html;
    std::iter::from_fn(move || {
        loop {
            let tag = find(rest, b"<script")?;
            let start = tag + rest[tag..].iter().position(|&b| b == b'>')? + 1;
            let end = start + find(&rest[start..], b"</script")?;
            let text = &rest[start..end];
            rest = &rest[end..];
            if !text.trim_ascii().is_empty() {
                return Some(text);
            }
        }
    })
}

fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    text.windows(mark.len())
        .position(|window| window.eq_ignore_ascii_case(mark))
}

/// The URL-like strings of a script, each once, in order.
pub fn urls(script: &[u8]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(open) = script[at..].iter().position(|b| b"'\"`".contains(b)) {
        let start = at + open + 1;
        let quote = script[start - 1];
        let window = &script[start..script.len().min(start + LONGEST)];
        let end = window.iter().position(|&b| b == quote || b == b'\n');
        // A quote that closes rather than opens is told by what follows it: no
        // URL; then the next quote is tried.
        at = start;
        let Some(end) = end.filter(|&end| window[end] == quote) else {
            continue;
        };
        let Ok(text) = std::str::from_utf8(&window[..end]) else {
            continue;
        };
        let text = text.replace("\\/", "/");
        if is_url_like(&text) {
            at = start + end + 1;
            if !found.contains(&text) {
                found.push(text);
            }
            if found.len() == MOST {
                break;
            }
        }
    }
    found
}

fn is_url_like(text: &str) -> bool {
    let letters = |c: char| c.is_ascii_alphanumeric() || "._~/%?&=+:@,-".contains(c);
    if text.len() < 5
        || !text.chars().all(letters)
        || text.starts_with(['.', '@']) && !text.contains('/')
    {
        return false;
    }
    let path = text.split('?').next().unwrap_or_default();
    let file = path.rsplit('/').next().unwrap_or_default();
    let Some((name, ending)) = file.rsplit_once('.') else {
        return false;
    };
    let ending = ending.to_ascii_lowercase();
    let scheme_is_http = match text.split_once(':') {
        Some((scheme, rest)) => matches!(scheme, "http" | "https") && rest.starts_with("//"),
        None => true,
    };
    let is_data = DATA.contains(&ending.as_str());
    let is_file = path.contains('/') && FILES.contains(&ending.as_str());
    !name.is_empty() && scheme_is_http && !text.contains("//.") && (is_data || is_file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_scripts_fetch_are_found_and_junk_is_not() {
        let script = br#"$.getJSON("_static/glossary.json", f); fetch('/api/list.json?page=1');
            load("data.csv"); var x = 'https:\/\/cdn.example\/lib.js'; // don't
            img.src = "images/a b.png"; t = "text/javascript"; u = "a.b"; v = "/"; w = "index.html";
            y = `img/${name}.png`; z = "1.5/2.json.x"; q = "javascript:void(0).js"; p = "/maps/tiles.pdf""#;
        assert_eq!(
            urls(script),
            [
                "_static/glossary.json",
                "/api/list.json?page=1",
                "data.csv",
                "https://cdn.example/lib.js",
                "/maps/tiles.pdf"
            ]
        );
    }

    #[test]
    fn inline_scripts_are_told_from_the_page_and_from_files() {
        let page = b"<p>'a/b.json'</p><SCRIPT src=x></SCRIPT><script>one</script><script type=module>two</Script>";
        assert_eq!(inline(page).collect::<Vec<_>>(), [&b"one"[..], b"two"]);
        assert_eq!(inline(b"<script>no end").count(), 0);
    }
}
