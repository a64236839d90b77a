//! The floors of the design: a file uses only what stands below it. Reads the
//! `crate::` paths of every source file, comments and texts left out.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules by floor, the lowest first; modules of one floor are siblings that
/// never import each other. Of the two faces the command line stands above
/// the demo, which it tells about.
const FLOORS: &[&[&str]] = &[
    &["config", "url", "time", "count", "digest", "http"],
    &["warc", "scan", "robots"],
    &["snapshot", "net", "chromium"],
    &["links"],
    &["crawl", "verify", "deposit", "replay", "report"],
    &["demo"],
    &["cli"],
];

#[test]
fn every_file_uses_only_the_floors_below_its_own() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let files = rust_files(&source);
    for file in &files {
        let relative = file.strip_prefix(&source).unwrap();
        let module = module_of(relative);
        // The crate's own two files hold no code but the list of modules.
        if module.is_empty() {
            continue;
        }
        let text = fs::read_to_string(file).unwrap();
        for used in used_modules(&text, &module) {
            if let Some(why) = fault(&module[0], &used) {
                wrong.push(format!("src/{}: {why}", relative.display()));
            }
        }
    }
    assert!(files.len() > 50, "only {} files were read", files.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_of_the_crate_has_its_floor() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in rust_files(&source) {
        let module = module_of(file.strip_prefix(&source).unwrap());
        if let Some(top) = module.first() {
            assert!(floor(top).is_some(), "{top} stands on no floor");
        }
    }
}

/// Cargo.toml denies `unsafe`, which a module may lift for itself: these alone do.
#[test]
fn c_is_called_in_two_files() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lifts = |file: &PathBuf| {
        let tokens = tokens(&fs::read_to_string(file).unwrap());
        tokens
            .iter()
            .any(|token| token == "unsafe" || token == "unsafe_code")
    };
    let mut files = rust_files(&source);
    files.retain(lifts);
    let mut names: Vec<_> = files
        .iter()
        .map(|file| file.strip_prefix(&source).unwrap().to_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["cli/heap.rs", "warc/member.rs"]);
}

#[test]
fn imports_that_go_up_or_sideways_are_found_in_a_made_up_text() {
    // `$` stands for the hash that would end this text.
    let text = r#"
        //! Not code: `use crate::cli::Exit`.
        /* nor crate::demo /* nested crate::cli */ */
        use crate::{config::Config, snapshot::{self, SnapshotError}, verify};
        use super::Found;
        use super::super::net::Spool;
        const TEXT: &str = "crate::replay";
        const RAW: &str = r$"crate::report "quoted""$;
        fn one<'a>(quote: char) -> bool { quote == '"' || crate::scan::is(quote) }
        pub(in crate::crawl) struct Own;
        mod tests {
            use super::super::super::deposit;
            use super::super::links;
        }
    "#
    .replace('$', "#");
    let used = used_modules(&text, &["crawl".to_owned(), "fetch".to_owned()]);
    let used: Vec<&str> = used.iter().map(String::as_str).collect();
    let expected = [
        "config", "crawl", "deposit", "net", "scan", "snapshot", "verify",
    ];
    assert_eq!(used, expected);
    let faults: Vec<&str> = used
        .into_iter()
        .filter(|used| fault("crawl", used).is_some())
        .collect();
    assert_eq!(faults, ["deposit", "verify"]);
    assert!(fault("scan", "snapshot").is_some(), "up");
    assert!(fault("url", "digest").is_some(), "sideways");
    assert!(fault("demo", "cli").is_some(), "faces");
    assert!(fault("warc", "nowhere").is_some(), "no floor");
    assert_eq!(fault("cli", "demo"), None);
    assert_eq!(fault("net", "http"), None);
}

/// Why one module may not use the other.
fn fault(module: &str, used: &str) -> Option<String> {
    if module == used {
        return None;
    }
    let (Some(own), Some(other)) = (floor(module), floor(used)) else {
        return Some(format!("{module} or {used} stands on no floor"));
    };
    let way = match other.cmp(&own) {
        std::cmp::Ordering::Less => return None,
        std::cmp::Ordering::Equal => "sideways",
        std::cmp::Ordering::Greater => "up",
    };
    Some(format!("{module} imports {used}, which goes {way}"))
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The module of a file: `crawl/fetch.rs` is `crawl::fetch`.
fn module_of(relative: &Path) -> Vec<String> {
    let path = relative.with_extension("");
    let names: Vec<String> = path
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    match names[0].as_str() {
        "lib" | "main" => Vec::new(),
        _ => names,
    }
}

/// The top-level modules that a file names by `crate::` or by enough `super::`.
fn used_modules(text: &str, module: &[String]) -> BTreeSet<String> {
    let tokens = tokens(text);
    let token = |at: usize| tokens.get(at).map_or("", String::as_str);
    let mut used = BTreeSet::new();
    // Whether each open brace is that of a module within the file.
    let mut braces = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match token(at) {
            "{" => braces.push(at >= 2 && token(at - 2) == "mod"),
            "}" => {
                braces.pop();
            }
            "crate" if token(at + 1) == "::" => first_names(&tokens, at + 2, &mut used),
            "super" => {
                let depth = module.len() + braces.iter().filter(|inline| **inline).count();
                let mut supers = 1;
                while token(at + 1) == "::" && token(at + 2) == "super" {
                    (supers, at) = (supers + 1, at + 2);
                }
                if supers == depth && token(at + 1) == "::" {
                    first_names(&tokens, at + 2, &mut used);
                }
            }
            // `pub(in crate::crawl)` is a path like any other; `pub(crate)` isn't one.
            _ => {}
        }
        at += 1;
    }
    used
}

/// The first names of a path, or of each path in a group.
fn first_names(tokens: &[String], at: usize, used: &mut BTreeSet<String>) {
    if tokens.get(at).is_none_or(|token| token != "{") {
        used.extend(tokens.get(at).cloned());
        return;
    }
    let mut depth = 0;
    let mut first = true;
    for token in &tokens[at..] {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => first = true,
            name => {
                if depth == 1 && first {
                    used.insert(name.to_owned());
                }
                first = false;
            }
        }
        if depth == 0 {
            return;
        }
    }
}

/// Names, `::` and single characters; comments and literals are left out.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let starts = |at: usize, what: &str| {
        what.chars()
            .enumerate()
            .all(|(i, c)| chars.get(at + i) == Some(&c))
    };
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        if starts(at, "//") {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else if starts(at, "/*") {
            let mut depth = 0;
            while at < chars.len() {
                if starts(at, "/*") {
                    (depth, at) = (depth + 1, at + 2);
                } else if starts(at, "*/") {
                    (depth, at) = (depth - 1, at + 2);
                } else {
                    at += 1;
                }
                if depth == 0 {
                    break;
                }
            }
        } else if let Some(end) = raw_text_end(&chars, at) {
            at = end;
        } else if c == '"' {
            at += 1;
            while at < chars.len() && chars[at] != '"' {
                at += if chars[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if c == '\'' {
            // A lifetime has no closing quote after one character.
            if chars.get(at + 1) == Some(&'\\') {
                at += 3;
                while at < chars.len() && chars[at] != '\'' {
                    at += 1;
                }
                at += 1;
            } else if chars.get(at + 2) == Some(&'\'') {
                at += 3;
            } else {
                at += 1;
            }
        } else if c.is_alphanumeric() || c == '_' {
            let start = at;
            while at < chars.len() && (chars[at].is_alphanumeric() || chars[at] == '_') {
                at += 1;
            }
            tokens.push(chars[start..at].iter().collect());
        } else if starts(at, "::") {
            tokens.push("::".to_owned());
            at += 2;
        } else {
            if !c.is_whitespace() {
                tokens.push(c.to_string());
            }
            at += 1;
        }
    }
    tokens
}

/// Where a raw text such as `br#"…"#` that starts here ends.
fn raw_text_end(chars: &[char], at: usize) -> Option<usize> {
    if at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_') {
        return None;
    }
    let mut next = at;
    if chars.get(next) == Some(&'b') {
        next += 1;
    }
    if chars.get(next) != Some(&'r') {
        return None;
    }
    next += 1;
    let hashes = chars[next..].iter().take_while(|c| **c == '#').count();
    next += hashes;
    if chars.get(next) != Some(&'"') {
        return None;
    }
    let rest = &chars[next + 1..];
    let end = rest.iter().enumerate().position(|(i, c)| {
        *c == '"'
            && rest[i + 1..]
                .iter()
                .take(hashes)
                .filter(|c| **c == '#')
                .count()
                == hashes
    })?;
    Some(next + 1 + end + 1 + hashes)
}
