//! How fast files are scanned, and with `--list` what scripts are found to name:
//! `cargo bench --bench scan -- [--list] FILE...`. HTML, CSS and scripts are told
//! by their names; directories are read to their depths.
#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use lastlight::scan::{Kind, scan, script};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How often each kind is scanned; the fastest round counts.
const ROUNDS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let list = arguments.iter().any(|argument| argument == "--list");
    let mut files = Vec::new();
    for argument in arguments
        .iter()
        .filter(|argument| !argument.starts_with("--"))
    {
        collect(Path::new(argument), &mut files);
    }
    files.sort();
    for (name, endings) in [
        ("HTML", &["html", "htm"][..]),
        ("CSS", &["css"]),
        ("scripts", &["js", "mjs", "json"]),
    ] {
        let of_kind = files.iter().filter(|file| {
            let ending = file.extension().and_then(|ending| ending.to_str());
            ending.is_some_and(|ending| endings.contains(&ending))
        });
        let texts: Vec<(&PathBuf, Vec<u8>)> = of_kind
            .filter_map(|file| Some((file, std::fs::read(file).ok()?)))
            .collect();
        measure(name, &texts, list);
    }
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = path.read_dir() else {
        files.push(path.to_owned());
        return;
    };
    for entry in entries.flatten() {
        collect(&entry.path(), files);
    }
}

fn measure(name: &str, texts: &[(&PathBuf, Vec<u8>)], list: bool) {
    let bytes: usize = texts.iter().map(|(_, text)| text.len()).sum();
    if bytes == 0 {
        return;
    }
    let mut fastest = f64::INFINITY;
    let mut urls = 0;
    for round in 0..ROUNDS {
        urls = 0;
        let started = Instant::now();
        for (file, text) in texts {
            for url in found(name, text) {
                urls += 1;
                if list && round == 0 {
                    println!("{}\t{url}", file.display());
                }
            }
        }
        fastest = fastest.min(started.elapsed().as_secs_f64());
    }
    let rate = bytes as f64 / fastest / 1e6;
    println!(
        "{name}: {} files, {bytes} bytes, {urls} URLs, {rate:.1} MB/s",
        texts.len()
    );
}

fn found(name: &str, text: &[u8]) -> Vec<String> {
    let url = ::url::Url::parse("http://host.example/dir/page").expect("a constant URL");
    if name == "scripts" {
        let mentions = script::mentions(text, &url, Some(&url), None);
        return mentions
            .iter()
            .map(|m| format!("{:?} {}", m.role, m.url))
            .collect();
    }
    let kind = if name == "HTML" {
        Kind::Html
    } else {
        Kind::Css
    };
    let scan = scan(kind, text, &url, None);
    let links = scan.links().map(|found| found.url.to_string());
    links
        .chain(
            scan.all_mentions()
                .map(|m| format!("{:?} {}", m.role, m.url)),
        )
        .collect()
}
