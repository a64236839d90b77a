//! Which texts of a script are likely to be URLs. What a construct of the
//! language or of the browser takes as a URL needs little proof; a string that
//! stands alone must look like the path of a file or of a page.

/// Endings of data, which a bare file name may have.
const DATA: &[&str] = &["csv", "geojson", "json", "topojson", "tsv"];

/// Endings of other files, which need a path.
const FILES: &[&str] = &[
    "7z",
    "aac",
    "asp",
    "aspx",
    "atom",
    "avif",
    "bmp",
    "bz2",
    "cgi",
    "css",
    "cur",
    "dmg",
    "doc",
    "docx",
    "eot",
    "epub",
    "exe",
    "flac",
    "flv",
    "gif",
    "glb",
    "gltf",
    "gpx",
    "gz",
    "htm",
    "html",
    "ico",
    "ics",
    "jar",
    "jpeg",
    "jpg",
    "js",
    "jsp",
    "kml",
    "kmz",
    "m3u8",
    "m4a",
    "m4v",
    "mid",
    "mjs",
    "mov",
    "mp3",
    "mp4",
    "mpd",
    "msi",
    "odp",
    "ods",
    "odt",
    "oga",
    "ogg",
    "ogv",
    "opus",
    "otf",
    "pbf",
    "pdf",
    "php",
    "png",
    "pps",
    "ppt",
    "pptx",
    "rar",
    "rss",
    "rtf",
    "shtml",
    "svg",
    "svgz",
    "swf",
    "tar",
    "tgz",
    "tif",
    "tiff",
    "torrent",
    "ttf",
    "txt",
    "vcf",
    "vtt",
    "wasm",
    "wav",
    "webm",
    "webmanifest",
    "webp",
    "woff",
    "woff2",
    "xhtml",
    "xls",
    "xlsx",
    "xml",
    "xsl",
    "zip",
];

/// Endings of pages and documents, which a bare file name may have where a person
/// wrote it to be gone to.
const PAGES: &[&str] = &[
    "asp", "aspx", "cgi", "htm", "html", "jsp", "pdf", "php", "shtml", "xhtml",
];

/// Endings of modules, whose names build tools leave in scripts.
const MODULES: &[&str] = &["js", "json", "mjs", "css"];

/// Hosts whose URLs are names of namespaces and vocabularies.
const NAMES: &[&str] = &[
    "json-schema.org",
    "ns.adobe.com",
    "ogp.me",
    "purl.org",
    "rdfs.org",
    "schema.org",
    "schemas.microsoft.com",
    "www.opengis.net",
    "www.schema.org",
    "www.w3.org",
    "www.sitemaps.org",
    "xmlns.com",
];

/// How a text stands in the script, which says how much proof it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ground {
    /// A string like any other.
    Bare,
    /// A string of an event handler or a `javascript:` URL.
    Handler,
    /// The value of a member or attribute that is named like a URL's.
    Named,
    /// What the browser takes as a URL: the argument of `fetch`, `location`.
    Taken,
}

/// Whether a whole string is likely to be a URL.
pub(super) fn is_url(text: &str, ground: Ground) -> bool {
    if text.len() < 2 || !text.chars().all(is_letter) || has_hole(text) {
        return false;
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        return matches!(scheme, "http" | "https") && has_host(rest, ground);
    }
    if let Some(rest) = text.strip_prefix("//") {
        return has_host(rest, ground) && rest.contains('/');
    }
    let path = path(text);
    if path.contains("//") || path.contains(':') {
        return false;
    }
    match ground {
        Ground::Taken => is_taken(text),
        Ground::Named => is_file(text, path) || is_named(path) || is_page_name(path),
        Ground::Handler => is_file(text, path) || is_page(path) || is_page_name(path),
        Ground::Bare => is_file(text, path) || is_page(path),
    }
}

/// Whether a text is an address with a host or the path of a file, whatever
/// else may stand around it.
pub(super) fn is_file_url(text: &str) -> bool {
    is_url(text, Ground::Bare) && (text.contains("//") || ending(path(text)).is_some())
}

/// Whether a text is the name of a picture without a folder, and no more.
pub(super) fn is_picture(text: &str) -> bool {
    const PICTURES: [&str; 7] = ["png", "gif", "jpg", "jpeg", "svg", "webp", "avif"];
    let ending = text.rsplit_once('.').filter(|(name, _)| name.len() > 1);
    ending.is_some_and(|(_, ending)| PICTURES.contains(&ending))
        && !text.contains('/')
        && is_url(text, Ground::Taken)
}

/// Whether a text is the name or path of a page or document, and no more.
pub(super) fn is_document(text: &str) -> bool {
    let is_page = ending(path(text)).is_some_and(|ending| PAGES.contains(&ending));
    is_page && is_url(text, Ground::Handler)
}

/// What is sure to be fetched of a text that goes on with something unknown:
/// a whole file before its query.
pub(super) fn known_part(text: &str) -> Option<&str> {
    let end = text.find(['?', '#'])?;
    let known = &text[..end];
    ending(known).map(|_| known)
}

fn path(text: &str) -> &str {
    text.split(['?', '#']).next().unwrap_or_default()
}

fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric()
        || letter.is_alphanumeric()
        || "._~/%?&=+:@,;!#-".contains(letter)
}

/// Whether something is to be filled in: `/users/:id`, `%s`.
fn has_hole(text: &str) -> bool {
    let bytes = text.as_bytes();
    text.contains("/:") && !text.contains("://")
        || bytes.iter().enumerate().any(|(at, byte)| {
            let is_escape = |hex: &[u8]| hex.iter().all(u8::is_ascii_hexdigit);
            *byte == b'%' && !bytes.get(at + 1..at + 3).is_some_and(is_escape)
        })
}

/// Whether a host begins the text that can be one.
fn has_host(rest: &str, ground: Ground) -> bool {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.split(':').next().unwrap_or_default();
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && label
                .chars()
                .all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    let has_path = rest.len() > authority.len();
    // A host of one label is common within a house, and so are words.
    let may_be_word = matches!(ground, Ground::Named | Ground::Taken) && has_path;
    host.split('.').all(label)
        && (host.contains('.') || host == "localhost" || may_be_word)
        && !NAMES.contains(&host)
        && (has_path || rest == host || ground == Ground::Taken)
}

/// The ending of a path that names a file, in lower case, if it is known.
fn ending(path: &str) -> Option<&'static str> {
    let file = path.rsplit('/').next().unwrap_or_default();
    let (name, ending) = file.rsplit_once('.')?;
    if name.is_empty() || ending.len() > 11 {
        return None;
    }
    let ending = ending.to_ascii_lowercase();
    [DATA, FILES].iter().find_map(|known| {
        let at = known.binary_search(&ending.as_str()).ok()?;
        Some(known[at])
    })
}

/// The path of a file, or the bare name of one that holds data.
fn is_file(text: &str, path: &str) -> bool {
    let Some(ending) = ending(path) else {
        return false;
    };
    if path.starts_with(['@', '~', ':', '+', ',', ';', '!', '=', '&'])
        || path.contains("node_modules/")
    {
        return false;
    }
    // What a build tool left: `./locale/de.js`.
    let is_module = text.starts_with('.') && MODULES.contains(&ending);
    (path.contains('/') && !is_module) || (DATA.contains(&ending) && !text.starts_with('.'))
}

/// The bare name of a page or document: `list.html`, `./list.html`.
fn is_page_name(path: &str) -> bool {
    let name = path.strip_prefix("./").unwrap_or(path);
    !name.contains('/')
        && name.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        && ending(name).is_some_and(|ending| PAGES.contains(&ending))
}

/// The path of a page: from the root, of several parts, or of one with an
/// ending of its own.
fn is_page(path: &str) -> bool {
    let Some(parts) = segments(path) else {
        return false;
    };
    let is_word = |part: &&str| part.chars().filter(|c| c.is_alphabetic()).count() > 1;
    let many = parts.len() > 1 && parts.iter().any(|part| part.len() > 2 && is_word(part));
    many || parts.last().is_some_and(|last| {
        last.rsplit_once('.').is_some_and(|(name, ending)| {
            name.len() > 2
                && (3..=6).contains(&ending.len())
                && ending.bytes().all(|byte| byte.is_ascii_lowercase())
        })
    })
}

/// The path of a page under a name that tells as much.
fn is_named(path: &str) -> bool {
    segments(path).is_some() || {
        // Relative: `blog/post-1`, `page/`.
        let parts = path
            .strip_prefix("./")
            .unwrap_or(path)
            .trim_start_matches("../");
        parts.contains('/') && segments(&format!("/{parts}")).is_some()
    }
}

/// The parts of a path from the root, if each could be one of a page's.
fn segments(path: &str) -> Option<Vec<&str>> {
    let inner = path.strip_prefix('/')?;
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let parts: Vec<&str> = inner.split('/').collect();
    let is_part = |part: &&str| {
        let starts =
            part.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '~' | '%'));
        let letter = |c: char| c.is_alphanumeric() || "._~%-@+,!".contains(c);
        starts && part.chars().all(letter)
    };
    parts.iter().all(is_part).then_some(parts)
}

/// What the browser takes as a URL isn't one only if nothing in it says so.
fn is_taken(text: &str) -> bool {
    let first = text.chars().next().unwrap_or_default();
    (first.is_alphanumeric() || "/.?_~%".contains(first))
        && text.contains(['/', '.', '?'])
        && text.chars().any(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted() {
        assert!(DATA.is_sorted() && FILES.is_sorted() && PAGES.is_sorted());
    }

    #[test]
    fn a_text_needs_more_proof_the_less_says_that_it_is_a_url() {
        use Ground::{Bare, Handler, Named, Taken};
        for (text, least) in [
            ("/data/list.json?page=1", Some(Bare)),
            ("data.csv", Some(Bare)),
            ("img/a.PNG", Some(Bare)),
            ("../img/a.png", Some(Bare)),
            ("https://a.example/", Some(Bare)),
            ("http://a.example/x?y=z#w", Some(Bare)),
            ("//a.example/x.js", Some(Bare)),
            ("/api/items", Some(Bare)),
            ("/bücher/übersicht", Some(Bare)),
            ("/route.found", Some(Bare)),
            ("/about", Some(Named)),
            ("/blog/", Some(Named)),
            ("blog/post-1", Some(Named)),
            ("./locale/de.js", Some(Named)),
            ("page.html", Some(Handler)),
            ("Page.PHP?x=1", Some(Handler)),
            ("photo.png", Some(Taken)),
            ("page?x=1", Some(Taken)),
            ("items/", Some(Named)),
            ("/", None),
            ("#top", None),
            ("word", None),
            ("a b.png", None),
            ("/users/:id", None),
            ("/x/%s.png", None),
            ("http://www.w3.org/2000/svg", None),
            ("https://schema.org", None),
            ("http://", None),
            ("https://.", None),
            ("javascript:x.js", None),
            ("mailto:a@b.example", None),
            ("img/${name}.png", None),
            ("<a/b.png>", None),
            ("@scope/package.js", None),
        ] {
            let grounds = [Bare, Handler, Named, Taken];
            let found = grounds.into_iter().find(|ground| is_url(text, *ground));
            assert_eq!(found, least, "{text}");
        }
        for junk in [
            "text/html",
            "application/json",
            "a.b",
            "1.5",
            "MM/DD/YYYY",
            "and/or",
            "//",
            "/g",
            "./",
            "1/2.3",
            "/[a-z]/",
        ] {
            assert!(!is_url(junk, Bare), "{junk}");
        }
    }

    #[test]
    fn of_a_text_that_goes_on_only_a_whole_file_is_known() {
        assert_eq!(known_part("/a/b.json?v="), Some("/a/b.json"));
        assert_eq!(known_part("/a/b?v="), None);
        assert_eq!(known_part("/a/b.js"), None);
    }
}
