//! How long a lookup in a sorted CDXJ takes: `cargo bench --bench lookup --
//! [LINES]`, 10,000,000 lines unless told otherwise. The index is written to the
//! temporary directory first (2 GB), and is read from the system's cache. Exit code
//! 1 where a lookup finds anything but what was written, or where one in a hundred
//! takes 1 ms or more.
#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use lastlight::snapshot::container::Region;
use lastlight::snapshot::index::Index;
use lastlight::snapshot::scratch;

/// Lookups of each kind.
const LOOKUPS: u64 = 20_000;
/// Captures of each URL.
const CAPTURES: u64 = 2;
const EXPECTED: Duration = Duration::from_millis(1);

fn main() -> ExitCode {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse().ok());
    let lines: u64 = numbers.next().unwrap_or(10_000_000);
    match measure(lines) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(lines: u64) -> io::Result<bool> {
    let urls = (lines / CAPTURES).max(1);
    let mut file = BufWriter::with_capacity(1024 * 1024, scratch::file()?);
    for number in 0..urls {
        for capture in 0..CAPTURES {
            line(&mut file, number, capture)?;
        }
    }
    let region = Region::whole(file.into_inner()?)?;
    println!(
        "{} lines, {:.1} MB",
        urls * CAPTURES,
        region.len() as f64 / 1e6
    );
    let index = Index::new(region);
    let mut good = true;
    // A multiplier without common divisor spreads the lookups over the file.
    let some = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % urls;
    good &= kind("captures of a URL", |n| {
        let found = index.captures(&surt(some(n)))?;
        let right = found.iter().all(|entry| entry.url == url(some(n)));
        Ok(right && found.len() as u64 == CAPTURES)
    });
    good &= kind("captures of a URL that isn't there", |n| {
        let found = index.captures(&(surt(some(n)) + "x"))?;
        Ok(found.is_empty())
    });
    good &= kind("first line of a prefix", |n| {
        let whole = surt(some(n));
        let prefix = &whole[..whole.len() - 2];
        let first = index.lines(prefix)?.next().transpose()?;
        Ok(first.is_some_and(|line| line.starts_with(prefix)))
    });
    good &= kind("first line of a host", |n| {
        let whole = surt(some(n));
        let host = whole.split(')').next().unwrap_or_default();
        let first = index.lines(host)?.next().transpose()?;
        Ok(first.is_some_and(|line| line.starts_with(&format!("{host})/section-00/"))))
    });
    Ok(good)
}

/// Keys ascend with the number: hosts of 10,000 pages.
fn surt(number: u64) -> String {
    let (host, page) = (number / 10_000, number % 10_000);
    format!(
        "org,museum-{host:05})/section-{:02}/page-{page:04}?lang=en",
        page / 100
    )
}

fn url(number: u64) -> String {
    let (host, page) = (number / 10_000, number % 10_000);
    format!(
        "https://museum-{host:05}.org/section-{:02}/page-{page:04}?lang=en",
        page / 100
    )
}

fn line(out: &mut impl Write, number: u64, capture: u64) -> io::Result<()> {
    writeln!(
        out,
        "{} 2026112{capture}022846 {{\"url\": \"{}\", \"mime\": \"text/html\", \"status\": \"200\", \
         \"digest\": \"sha256:{:064x}\", \"length\": \"{}\", \"offset\": \"{}\", \
         \"filename\": \"museum-{:05}.warc.gz\"}}",
        surt(number),
        url(number),
        u128::from(number) << 90 | u128::from(capture),
        2000 + number % 7000,
        number % 100_000 * 9000,
        number / 100_000,
    )
}

/// Times one kind of lookup; whether all were right, and fast enough.
fn kind(name: &str, mut lookup: impl FnMut(u64) -> io::Result<bool>) -> bool {
    let mut times = Vec::new();
    for n in 0..LOOKUPS {
        let began = Instant::now();
        let found = lookup(n);
        times.push(began.elapsed());
        if !matches!(found, Ok(true)) {
            println!("{name}: lookup {n} went wrong: {found:?}");
            return false;
        }
    }
    times.sort_unstable();
    let micros = |at: usize| times[at].as_secs_f64() * 1e6;
    let p99 = times.len() * 99 / 100;
    println!(
        "{name}: median {:.0} us, 99 of 100 below {:.0} us, slowest {:.0} us",
        micros(times.len() / 2),
        micros(p99),
        micros(times.len() - 1),
    );
    times[p99] < EXPECTED
}
