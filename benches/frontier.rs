//! What a URL costs a crawl, however many it has found: `cargo bench --bench
//! frontier -- [--urls N] [--into DIR]`. A crawl each of 10,000 to N URLs (1,000,000
//! unless told otherwise; 10,000,000 take ten minutes and 8 GB of disk), and of 10,000
//! again.
//!
//! The crawl is real but for the network and the workers: pages of 16 hosts, of
//! which one has half of all URLs, name 20 pages each. While it grows all of those
//! are new, and in no order; what is told of a new URL is of the crawl's second half.
//! Then pages name nothing, or what is known. Times are the keeper's, commits with
//! their syncs included: making pages up and judging their links, which is the
//! workers' part, isn't in them. Exit code 1 where the last size costs more than half
//! as much CPU again as the first, or takes more than 512 MB.
#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use lastlight::config::{Config, ScopeKind};
use lastlight::crawl::{CrawlError, Rehearsal, Visit};
use lastlight::links::Hop;
use lastlight::snapshot::layout::Layout;
use lastlight::url::CanonicalUrl;
use rustix::time::{ClockId, clock_gettime};

/// The first size.
const FIRST: u64 = 10_000;
/// Links of a page.
const LINKS: u64 = 20;
/// Pages that are looked at for each figure, at most and as a part of the size.
const PAGES: u64 = 10_000;
const PART: u64 = 20;
/// URLs that are named again and again.
const OFTEN: u64 = 1000;
/// Crawls of the first size; of larger ones there are fewer.
const ROUNDS: u64 = 25;
const SMALL_HOSTS: u64 = 15;
const MOST_GROWTH: f64 = 1.5;
const MOST_MEMORY: f64 = 512e6;

fn main() -> ExitCode {
    let mut urls = 1_000_000;
    let mut into = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next()) {
            ("--urls", Some(number)) => urls = number.replace('_', "").parse().unwrap_or(urls),
            ("--into", Some(directory)) => into = Some(PathBuf::from(directory)),
            _ => {}
        }
    }
    let into = into.unwrap_or_else(std::env::temp_dir);
    let directory = into.join(format!("lastlight-frontier-{}", std::process::id()));
    let measured = fs::create_dir(&directory)
        .map_err(|error| error.to_string())
        .and_then(|()| measure(&directory, urls).map_err(|error| error.to_string()));
    let _ = fs::remove_dir_all(&directory);
    match measured {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Time of the keeper's thread, in seconds: all, and that of its CPU.
#[derive(Clone, Copy, Default)]
struct Time {
    all: f64,
    cpu: f64,
}

impl Time {
    fn now(began: Instant) -> Self {
        Self::of(began, ClockId::ThreadCPUTime)
    }

    /// That of all threads.
    fn of_process(began: Instant) -> Self {
        Self::of(began, ClockId::ProcessCPUTime)
    }

    fn of(began: Instant, cpu: ClockId) -> Self {
        let cpu = clock_gettime(cpu);
        Self {
            all: began.elapsed().as_secs_f64(),
            cpu: cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9,
        }
    }

    fn with(self, other: Self, of: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            all: of(self.all, other.all),
            cpu: of(self.cpu, other.cpu),
        }
    }

    fn since(self, before: Self) -> Self {
        self.with(before, |now, before| now - before)
    }

    fn plus(self, other: Self) -> Self {
        self.with(other, |one, other| one + other)
    }

    fn each(self, number: u64) -> Self {
        self.with(self, |time, _| time / number.max(1) as f64)
    }
}

/// What was measured of one crawl.
#[derive(Clone, Copy)]
struct Costs {
    /// A URL that is new.
    added: Time,
    /// Bytes that the system was given to write for it, WARCs included.
    written: f64,
    /// A link to one of a thousand URLs that are named again and again.
    often: Time,
    /// A link to any URL.
    known: Time,
    /// A turn that was taken and settled.
    turn: Time,
    /// A URL of a crawl that is sealed.
    sealed: Time,
    /// The most memory while the crawl grew, while turns were taken, and while it
    /// was sealed.
    memory: [f64; 3],
    /// Bytes of the store.
    store: f64,
    /// What opening the store takes where the crawl goes on.
    opened: Time,
}

impl Costs {
    /// A URL from its first link to its end, with the links of its page: one is
    /// new, and two were named long ago.
    fn url(&self) -> Time {
        let links = [(self.often, 17.0), (self.known, 2.0), (self.added, 1.0)];
        links.iter().fold(self.turn, |sum, &(link, number)| {
            sum.with(link, |sum, link| sum + link * number)
        })
    }
}

fn measure(directory: &Path, most: u64) -> Result<bool, CrawlError> {
    let mut last = None;
    let mut size = FIRST;
    while size <= most {
        last = Some(crawls(directory, size)?);
        size *= 10;
    }
    let Some(last) = last else {
        return Ok(true);
    };
    // Many machines are faster in their first minute than later on.
    let first = crawls(directory, FIRST)?;
    let growth = last.url().with(first.url(), |last, first| last / first);
    let memory = last.memory.into_iter().fold(0.0, f64::max);
    println!(
        "a URL takes {:.2} times as much CPU at last as at first (at most {MOST_GROWTH}), and {:.2} times as long",
        growth.cpu, growth.all
    );
    println!(
        "memory: {:.0} MB (at most {:.0})",
        memory / 1e6,
        MOST_MEMORY / 1e6
    );
    Ok(growth.cpu <= MOST_GROWTH && memory <= MOST_MEMORY)
}

/// Crawls so many URLs, again and again where they are few, and tells of the middle one
/// by what a URL costs.
fn crawls(directory: &Path, size: u64) -> Result<Costs, CrawlError> {
    let mut rounds = Vec::new();
    for _ in 0..(ROUNDS * FIRST / size).max(1) {
        let snapshot = directory.join("snapshot");
        rounds.push(crawl(&snapshot, size)?);
        fs::remove_dir_all(&snapshot).map_err(CrawlError::Spool)?;
    }
    rounds.sort_by(|a, b| a.url().cpu.total_cmp(&b.url().cpu));
    let costs = rounds[rounds.len() / 2];
    tell(size, &costs);
    Ok(costs)
}

fn tell(size: u64, costs: &Costs) {
    println!("{size} URLs; microseconds for each, and of these on the CPU:");
    for (name, time) in [
        ("a new URL", costs.added),
        ("a link to a URL that is named often", costs.often),
        ("a link to any URL that is known", costs.known),
        ("a turn taken and settled", costs.turn),
        ("all of it for a URL and its page's links", costs.url()),
        ("sealing, a URL", costs.sealed),
        ("opening again, a URL", costs.opened),
    ] {
        println!(
            "  {name:<42} {:>8.2} {:>8.2}",
            time.all * 1e6,
            time.cpu * 1e6
        );
    }
    let [growing, taking, sealing] = costs.memory.map(|bytes| bytes / 1e6);
    println!(
        "  memory: {growing:.0} MB growing, {taking:.0} MB taking turns, {sealing:.0} MB sealing"
    );
    println!(
        "  store: {:.0} bytes a URL; {:.0} bytes are written for a new one",
        costs.store / size as f64,
        costs.written
    );
}

/// Crawls until there are so many URLs.
fn crawl(snapshot: &Path, urls: u64) -> Result<Costs, CrawlError> {
    let layout = Layout::new(snapshot);
    let mut config = Config::defaults();
    config.crawl.scope = ScopeKind::Any;
    config.politeness.delay.0 = Duration::ZERO;
    config.politeness.connections = 8;
    let seeds: Vec<CanonicalUrl> = (0..=SMALL_HOSTS).map(|n| url(n * 2 + n % 2)).collect();
    let mut site = Site {
        crawl: Rehearsal::begin(&layout, &config, &seeds)?,
        turns: VecDeque::new(),
        named: 0,
        began: Instant::now(),
        spent: Time::default(),
        taken_in: Time::default(),
    };
    forget_peak();
    site.grow_to(urls / 2)?;
    let (before, written) = (site.spent, bytes_written());
    site.grow_to(urls)?;
    let added = site.spent.since(before).each(urls / 2);
    let written = (bytes_written() - written) / (urls / 2) as f64;
    let growing = peak_memory();

    forget_peak();
    let pages = (urls / PART).min(PAGES);
    let [turn, often, known] = site.look(pages)?;
    let taking = peak_memory();

    forget_peak();
    let before = Time::of_process(site.began);
    site.crawl.seal()?;
    let sealed = Time::of_process(site.began).since(before).each(urls);
    let sealing = peak_memory();
    let store = store_bytes(&layout);
    site.crawl.close()?;
    let before = Time::now(site.began);
    Rehearsal::resume(&layout, &config, &seeds)?;
    let opened = Time::now(site.began).since(before).each(urls);
    Ok(Costs {
        added,
        written,
        often,
        known,
        turn,
        sealed,
        memory: [growing, taking, sealing],
        store,
        opened,
    })
}

struct Site<'c> {
    crawl: Rehearsal<'c>,
    turns: VecDeque<Visit>,
    /// URLs that pages have named so far: those of the numbers below.
    named: u64,
    began: Instant,
    /// Time in the keeper.
    spent: Time,
    /// That of answers that were taken in, without turns and commits.
    taken_in: Time,
}

impl Site<'_> {
    /// Answers turns with pages that name new URLs until there are so many.
    fn grow_to(&mut self, size: u64) -> Result<(), CrawlError> {
        while self.named < size {
            let first = self.named;
            self.named += self.page(|n| first + n, LINKS)?;
        }
        self.in_keeper(|site| site.crawl.commit())
    }

    /// Answers turns with pages of three kinds, so many of each: the time of a turn,
    /// of a link to what is named often, and of a link to anything known.
    fn look(&mut self, pages: u64) -> Result<[Time; 3], CrawlError> {
        let (before, named) = (self.spent, self.named);
        let mut taken_in = [Time::default(); 3];
        for n in 0..pages * 3 {
            let kind = (n % 3) as usize;
            let last = self.taken_in;
            match kind {
                0 => self.page(|_| 0, 0)?,
                1 => self.page(|at| (n * LINKS + at) % OFTEN, LINKS)?,
                _ => self.page(|at| mixed(n * LINKS + at) % named, LINKS)?,
            };
            taken_in[kind] = taken_in[kind].plus(self.taken_in.since(last));
        }
        self.in_keeper(|site| site.crawl.commit())?;
        let [bare, often, known] = taken_in;
        let of_links = [often, known].map(|page| page.since(bare));
        let turns = self
            .spent
            .since(before)
            .since(of_links[0])
            .since(of_links[1]);
        let [often, known] = of_links.map(|all| all.each(pages * LINKS));
        Ok([turns.each(pages * 3), often, known])
    }

    /// Answers a turn with a page; how many links it has: none where it is a
    /// robots.txt.
    fn page(&mut self, link: impl Fn(u64) -> u64, links: u64) -> Result<u64, CrawlError> {
        let visit = loop {
            if let Some(visit) = self.turns.pop_front() {
                break visit;
            }
            let turns = self.in_keeper(|site| site.crawl.turns())?;
            self.turns.extend(turns);
        };
        let links = if visit.is_robots() { 0 } else { links };
        let named = (0..links).map(|n| (url(link(n)), Hop::Link)).collect();
        let answered = self.crawl.answer(visit, named);
        let before = self.spent;
        self.in_keeper(|site| site.crawl.take_in(answered))?;
        self.taken_in = self.taken_in.plus(self.spent.since(before));
        self.in_keeper(|site| site.crawl.commit_if_due())?;
        Ok(links)
    }

    fn in_keeper<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = Time::now(self.began);
        let result = work(self);
        let time = Time::now(self.began).since(before);
        self.spent = self.spent.plus(time);
        result
    }
}

/// Spreads numbers evenly over all of 64 bits (SplitMix64).
fn mixed(n: u64) -> u64 {
    let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ n >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ n >> 31
}

/// The URL of a number, of about 70 bytes; URLs that are named one after the other
/// are apart in every order. One in ten has a query.
fn url(number: u64) -> CanonicalUrl {
    let host = if number.is_multiple_of(2) {
        0
    } else {
        1 + number / 2 % SMALL_HOSTS
    };
    let (section, mut rest) = (mixed(number) % 1000, mixed(number ^ 1 << 40) >> 4);
    let section = word(section);
    let mut name = String::new();
    for _ in 0..3 {
        name += &word(rest & 0xf_ffff);
        name.push('-');
        rest >>= 20;
    }
    let query = if number % 10 == 7 { "?lang=en" } else { "" };
    let text = format!(
        "https://museum-{}.example.org/collection/{section}/{name}{}.html{query}",
        word(host),
        word(number)
    );
    CanonicalUrl::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A number in letters.
fn word(mut number: u64) -> String {
    let mut word = String::new();
    loop {
        word.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
        if number == 0 {
            return word;
        }
    }
}

/// The most memory that was resident since it was forgotten, in bytes.
fn peak_memory() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kilobytes.unwrap_or(f64::NAN) * 1024.0
}

/// Lets the system's peak begin again.
fn forget_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// Bytes that this process has had written.
fn bytes_written() -> f64 {
    let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
    let bytes = io
        .lines()
        .find_map(|line| line.strip_prefix("write_bytes: "));
    bytes
        .and_then(|bytes| bytes.parse().ok())
        .unwrap_or(f64::NAN)
}

/// Bytes of the store with its log.
fn store_bytes(layout: &Layout) -> f64 {
    let store = layout.store();
    let log = PathBuf::from(format!("{}-wal", store.display()));
    let files = [store, log].map(|path| fs::metadata(path).map_or(0, |file| file.len()));
    files.iter().sum::<u64>() as f64
}
