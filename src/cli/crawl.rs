//! `lastlight crawl` and `lastlight resume`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::{HumanBytes, HumanCount};
use serde_json::json;

use super::exit::print;
use super::progress::Display;
use super::seeds::Seeds;
use super::{Exit, Failure};
use crate::config::{
    CertificatePolicy, Compression, Config, ConfigError, Limit, RobotsPolicy, ScopeKind, Span,
    WarcVersion,
};
use crate::crawl::{self, Control, CrawlError, OutfitError, Stop, Summary};
use crate::snapshot::layout::Layout;
use crate::time::Timestamp14;
use crate::url::CanonicalUrl;

/// Arguments of `crawl`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lastlight crawl https://example.org/\n  \
    lastlight crawl https://example.org/report/ --scope prefix --into snapshots/report\n  \
    lastlight crawl http://127.0.0.1:8000/ --delay 0 --connections 8\n  \
    lastlight crawl --seeds list.txt --scope page\n  \
    lastlight crawl https://example.org/ --sitemap auto --exclude '/print/'\n\n\
    Ctrl-C stops cleanly (exit 3); `lastlight resume SNAPSHOT` goes on.")]
pub struct CrawlArgs {
    /// Where to begin; https://example.org/ or example.org; - reads standard input
    #[arg(required_unless_present_any = ["seeds_file", "sitemap"], value_name = "SEED")]
    seeds: Vec<String>,
    /// A file with a seed a line; +SURT and -SURT lines as in Heritrix
    #[arg(long = "seeds", value_name = "FILE")]
    seeds_file: Vec<PathBuf>,
    /// A sitemap whose pages are seeds, or auto for those the site tells of
    #[arg(long, value_name = "URL")]
    sitemap: Vec<String>,
    /// A configuration that overrides the defaults key by key
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The snapshot's own directory [default: snapshots/<host>-<time>]
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// What belongs to the site: page, prefix, host, domain, any or custom
    #[arg(long, value_name = "KIND")]
    scope: Option<ScopeKind>,
    /// Take URLs that match a regular expression or SURT prefix, whatever the scope says
    #[arg(long, value_name = "RE")]
    include: Vec<String>,
    /// Never take URLs that match
    #[arg(long, value_name = "RE")]
    exclude: Vec<String>,
    /// Links followed from a seed at most
    #[arg(long, value_name = "N")]
    depth: Option<Limit<u32>>,
    /// Links followed beyond the scope
    #[arg(long, value_name = "N")]
    extra_hops: Option<u32>,
    /// obey or ignore robots.txt; the choice is recorded
    #[arg(long, value_name = "POLICY", value_parser = robots)]
    robots: Option<RobotsPolicy>,
    /// Pause between two requests to a host, such as 500ms or 2s
    #[arg(long, value_name = "DURATION")]
    delay: Option<Span>,
    /// A page or e-mail address by which a site's owner can reach you
    #[arg(long, value_name = "CONTACT")]
    contact: Option<String>,
    /// A cookies.txt to begin with
    #[arg(long, value_name = "FILE")]
    cookies: Option<String>,
    /// A proxy, such as http://proxy.example:3128 or socks5://127.0.0.1:1080
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// Go on past certificates that don't check out; the verdict is recorded
    #[arg(long)]
    insecure_certificates: bool,
    /// Connections to a host
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    connections: Option<u32>,
    /// A private network that may be connected to, such as 10.0.0.0/8; behind a
    /// proxy also a name that isn't public, such as wiki.internal
    #[arg(long, value_name = "CIDR")]
    allow_address: Vec<String>,
    /// Stop, resumable, after so many captured URLs
    #[arg(long, value_name = "N")]
    max_urls: Option<Limit<u64>>,
    /// Stop, resumable, after so much time
    #[arg(long, value_name = "DURATION")]
    time_limit: Option<Limit<Span>>,
    /// Version of the WARC standard: 1.0 or 1.1
    #[arg(long, value_name = "VERSION", value_parser = warc_version)]
    warc_version: Option<WarcVersion>,
    /// How records are compressed: gzip or zstd
    #[arg(long, value_name = "CODING", value_parser = compression)]
    warc_compression: Option<Compression>,
    /// An earlier snapshot whose payloads aren't stored again
    #[arg(long, value_name = "SNAPSHOT")]
    dedup_against: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Arguments of `resume`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lastlight resume snapshots/example.org-20270101120000\n\n\
    The crawl goes on with the configuration that it began with."
)]
pub struct ResumeArgs {
    /// The snapshot's directory
    #[arg(value_name = "SNAPSHOT")]
    snapshot: PathBuf,
    /// Take [[access]], [proxy], [tls] and cookies.file from this configuration:
    /// secrets that the snapshot doesn't keep
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, clap::Args)]
struct OutputArgs {
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
    /// No progress, and no summary but the snapshot's path
    #[arg(long)]
    quiet: bool,
}

fn robots(text: &str) -> Result<RobotsPolicy, String> {
    match text {
        "obey" => Ok(RobotsPolicy::Obey),
        "ignore" => Ok(RobotsPolicy::Ignore),
        _ => Err("obey or ignore is expected".into()),
    }
}

fn warc_version(text: &str) -> Result<WarcVersion, String> {
    match text {
        "1.0" => Ok(WarcVersion::V1_0),
        "1.1" => Ok(WarcVersion::V1_1),
        _ => Err("1.0 or 1.1 is expected".into()),
    }
}

fn compression(text: &str) -> Result<Compression, String> {
    match text {
        "gzip" => Ok(Compression::Gzip),
        "zstd" => Ok(Compression::Zstd),
        _ => Err("gzip or zstd is expected".into()),
    }
}

impl CrawlArgs {
    /// The defaults, the file over them, the flags over both.
    fn config(&self) -> Result<Config, Failure> {
        let mut config = match &self.config {
            Some(path) => Config::load(path)?,
            None => Config::defaults(),
        };
        config.crawl.scope = self.scope.unwrap_or(config.crawl.scope);
        config.crawl.include.extend_from_slice(&self.include);
        config.crawl.exclude.extend_from_slice(&self.exclude);
        config.crawl.depth = self.depth.unwrap_or(config.crawl.depth);
        config.crawl.extra_hops = self.extra_hops.unwrap_or(config.crawl.extra_hops);
        config.crawl.sitemaps.extend_from_slice(&self.sitemap);
        config.crawl.max_urls = self.max_urls.unwrap_or(config.crawl.max_urls);
        config.crawl.time_limit = self.time_limit.unwrap_or(config.crawl.time_limit);
        config.politeness.robots = self.robots.unwrap_or(config.politeness.robots);
        config.politeness.delay = self.delay.unwrap_or(config.politeness.delay);
        config.politeness.connections = self.connections.unwrap_or(config.politeness.connections);
        if let Some(contact) = &self.contact {
            config.fetch.contact.clone_from(contact);
        }
        if let Some(cookies) = &self.cookies {
            config.cookies.file.clone_from(cookies);
        }
        if let Some(proxy) = &self.proxy {
            config.proxy.url.clone_from(proxy);
        }
        if self.insecure_certificates {
            config.tls.verify = CertificatePolicy::Record;
        }
        config.address.allow.extend_from_slice(&self.allow_address);
        config.warc.version = self.warc_version.unwrap_or(config.warc.version);
        config.warc.compression = self.warc_compression.unwrap_or(config.warc.compression);
        if let Some(earlier) = &self.dedup_against {
            config.dedup.against = earlier.to_string_lossy().into_owned();
        }
        if !config.dedup.against.is_empty() {
            // `resume` may be called from elsewhere.
            let path = std::path::absolute(&config.dedup.against);
            config.dedup.against = path.map_or(config.dedup.against, |path| {
                path.to_string_lossy().into_owned()
            });
        }
        Ok(config)
    }

    /// The seeds; where only sitemaps are named, those. Prefixes that stand
    /// among the seeds go into the configuration.
    fn seeds(&self, config: &mut Config) -> Result<Vec<CanonicalUrl>, Failure> {
        let mut seeds = Seeds::default();
        for text in &self.seeds {
            seeds.add_argument(text)?;
        }
        for path in &self.seeds_file {
            seeds.add_file(path)?;
        }
        if seeds.urls.is_empty() {
            for sitemap in config.crawl.named_sitemaps() {
                seeds.add_argument(sitemap)?;
            }
        }
        if seeds.urls.is_empty() {
            return Err(Failure::usage("there are no seeds")
                .hint("Name one: lastlight crawl https://example.org/"));
        }
        config.crawl.surts.append(&mut seeds.surts);
        Ok(seeds.urls)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error).hint("config.toml in the repository has every key with its default.")
    }
}

impl From<CrawlError> for Failure {
    fn from(error: CrawlError) -> Self {
        match error {
            CrawlError::Lock(error) => error.into(),
            CrawlError::Config(error) => error.into(),
            CrawlError::Outfit(OutfitError::NoRoots { .. }) => Self::environment(&error),
            CrawlError::Pattern(_)
            | CrawlError::Allowed(_)
            | CrawlError::Dictionary { .. }
            | CrawlError::Outfit(_) => Self::usage(&error),
            CrawlError::Earlier(_) => Self::usage(&error)
                .hint("Name a sealed snapshot of Lastlight's: its directory, WACZ or bag."),
            CrawlError::Exists { ref path } => Self::usage(&error).hint(format!(
                "Give another directory with --into; to go on with a crawl there: lastlight resume {}",
                path.display()
            )),
            CrawlError::NotADirectory { .. } => {
                Self::usage(&error).hint("Give a new directory with --into.")
            }
            CrawlError::OtherVersion { .. } => Self::usage(&error).hint(
                "Resume it with the version that began it; the warcinfo records of its WARCs name \
                 that. What it has captured can be verified and replayed as it is. To go on with \
                 this version, crawl anew; --dedup-against a sealed snapshot stores nothing twice.",
            ),
            CrawlError::NeverBegan { ref path } if holds_records(path) => Self::usage(&error)
                .hint(format!(
                    "Its store is lost, and WARCs are there: keep {0}/archive, which can be \
                     verified and replayed, and crawl anew into another directory.",
                    path.display()
                )),
            CrawlError::NeverBegan { ref path } => Self::usage(&error).hint(format!(
                "Nothing was captured: remove {} and start the crawl again.",
                path.display()
            )),
            CrawlError::NotASnapshot { .. } => {
                Self::usage(&error).hint("Give the directory that `lastlight crawl` printed.")
            }
            _ => Self::environment(&error).hint(
                "Nothing captured is lost: mend the cause, then `lastlight resume` the snapshot.",
            ),
        }
    }
}

/// Whether a snapshot's archive has anything in it.
fn holds_records(snapshot: &Path) -> bool {
    let files = std::fs::read_dir(Layout::new(snapshot).archive());
    let mut files = files.into_iter().flatten().flatten();
    files.any(|file| {
        file.metadata()
            .is_ok_and(|file| file.is_file() && file.len() > 0)
    })
}

/// Runs `crawl`.
pub fn crawl(args: &CrawlArgs) -> Result<Exit, Failure> {
    let mut config = args.config()?;
    let seeds = args.seeds(&mut config)?;
    let into = args
        .into
        .clone()
        .unwrap_or_else(|| default_directory(&seeds));
    let layout = Layout::new(into);
    observed(&layout, &args.output, |control| {
        crawl::start(&layout, &config, &seeds, control)
    })
}

/// Runs `resume`.
pub fn resume(args: &ResumeArgs) -> Result<Exit, Failure> {
    let layout = Layout::new(&args.snapshot);
    let is_complete = crawl::is_complete(&layout).map_err(|error| {
        Failure::environment(error).hint(
            "It is complete; whether that is on the disk for certain can't be told: \
             verify it, and copy it to a disk that works.",
        )
    });
    if is_complete? {
        let path = args.snapshot.display();
        let told = format!("{path}: complete already, nothing to resume");
        let told = match (args.output.json, args.output.quiet) {
            (true, _) => json!({ "snapshot": args.snapshot.to_string_lossy(), "complete": true,
                "exit": 0, "findings": [] })
            .to_string(),
            (false, true) => path.to_string(),
            (false, false) => told,
        };
        print(format_args!("{told}\n"))?;
        return Ok(Exit::Done);
    }
    let given = args.config.as_deref().map(Config::load).transpose()?;
    observed(&layout, &args.output, |control| {
        crawl::resume(&layout, given, control)
    })
}

/// `snapshots/<host>-<timestamp14>`; a second crawl within one second gets a
/// number.
fn default_directory(seeds: &[CanonicalUrl]) -> PathBuf {
    let host = seeds.first().map_or("site", |seed| seed.host());
    let host: String = host
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') {
                c
            } else {
                '_'
            }
        })
        .collect();
    let base = format!("{host}-{}", Timestamp14::now());
    let candidates = std::iter::once(base.clone()).chain((2..).map(|n| format!("{base}-{n}")));
    let mut paths = candidates.map(|name| Path::new("snapshots").join(name));
    paths
        .find(|path| !path.exists())
        .expect("there are more numbers than directories")
}

/// Runs a crawl while showing its progress and listening for Ctrl-C.
fn observed(
    layout: &Layout,
    output: &OutputArgs,
    run: impl FnOnce(&Control) -> Result<Summary, CrawlError>,
) -> Result<Exit, Failure> {
    let control = Arc::new(Control::default());
    stop_on_signal(control.clone())?;
    let display = Display::start(control.clone(), output.quiet || output.json);
    let result = run(&control);
    drop(display);
    let summary = result.map_err(|error| ended(layout, error))?;
    let exit = exit_of(&summary);
    let path = layout.root().display();
    if output.json {
        print(format_args!("{}\n", as_json(layout, &summary, exit)))?;
    } else if output.quiet {
        print(format_args!("{path}\n"))?;
    } else {
        print(as_text(layout, &summary))?;
    }
    // Whom nobody looks after learns of it from the standard error stream.
    if (output.json || output.quiet)
        && let Some(what_to_do) = summary.stopped.and_then(Stop::what_to_do)
    {
        use std::io::Write as _;
        let _ = writeln!(
            std::io::stderr(),
            "lastlight: {what_to_do} Then: lastlight resume {path}"
        );
    }
    Ok(exit)
}

/// A crawl that the machine failed can go on, once it has begun.
fn ended(layout: &Layout, error: CrawlError) -> Failure {
    if !error.is_of_the_machine() {
        return error.into();
    }
    if !layout.store().is_file() && !holds_records(layout.root()) {
        let failure = Failure::from(error);
        return match failure.exit {
            Exit::Environment => failure.hint(format!(
                "Nothing was captured yet: mend the cause, remove {} and start the crawl again.",
                layout.root().display()
            )),
            _ => failure,
        };
    }
    let what_to_do = if error.is_disk_full() {
        "The disk is full. Nothing captured is lost: make room"
    } else if error.is_out_of_files() {
        "Nothing captured is lost: allow more (ulimit -n), or lower politeness.hosts or .connections"
    } else {
        "Nothing captured is lost: mend the cause, or copy the snapshot to a disk that works"
    };
    Failure {
        exit: Exit::Stopped,
        what: error.to_string(),
        hint: Some(format!(
            "{what_to_do}, then: lastlight resume {}",
            layout.root().display()
        )),
    }
}

fn exit_of(summary: &Summary) -> Exit {
    if !summary.complete {
        Exit::Stopped
    } else if summary.counts.failed > 0 {
        Exit::Findings
    } else {
        Exit::Done
    }
}

/// The first signal stops cleanly; the second ends the process, which the
/// order of writes allows at any moment.
pub fn stop_on_signal(control: Arc<Control>) -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed =
        |error: std::io::Error| Failure::environment(format!("listening for signals: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        let interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        (interrupt, signal(SignalKind::terminate()).map_err(failed)?)
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            for second in [false, true] {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if second {
                    std::process::exit(Exit::Stopped as i32);
                }
                control.stop();
            }
        });
    });
    Ok(())
}

fn as_json(layout: &Layout, summary: &Summary, exit: Exit) -> String {
    let reasons = |state: &'static str, reasons: &[(String, u64, String)]| {
        let list = reasons.iter().map(|(reason, count, example)| {
            json!({ "state": state, "reason": reason, "count": count, "example": example })
        });
        list.collect::<Vec<_>>()
    };
    json!({
        "snapshot": layout.root().to_string_lossy(),
        "complete": summary.complete,
        "exit": exit as u8,
        "counts": summary.counts,
        "bytes": summary.bytes,
        "seconds": (summary.seconds * 1000.0).round() / 1000.0,
        "findings": reasons("failed", &summary.failed),
        "excluded": reasons("excluded", &summary.excluded),
        "alarms": summary.alarms,
        "missed_seeds": summary.missed_seeds,
        "marked": summary.marked.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "sitemaps": summary.sitemaps,
        "stopped": summary.stopped.map(Stop::reason),
    })
    .to_string()
}

/// What was got, what was not and why, and which command comes next.
pub fn as_text(layout: &Layout, summary: &Summary) -> String {
    use std::fmt::Write as _;
    let counts = &summary.counts;
    let path = layout.root().display();
    let mut text = format!("{path}\n");
    if counts.unchanged > 0 {
        let _ = writeln!(text, "unchanged {:>9}", HumanCount(counts.unchanged));
    }
    let _ = writeln!(
        text,
        "captured  {:>9}  of {} URLs discovered, {} pages in this run, {} in {:.1} s",
        HumanCount(counts.captured),
        HumanCount(counts.discovered),
        HumanCount(summary.pages),
        HumanBytes(summary.bytes),
        summary.seconds,
    );
    let mut list = |name: &str, total: u64, reasons: &[(String, u64, String)]| {
        if total == 0 {
            return;
        }
        let _ = writeln!(text, "{name:<10}{:>9}", HumanCount(total));
        for (reason, count, example) in reasons.iter().take(8) {
            let _ = writeln!(
                text,
                "  {reason:<24}{:>6}  such as {example}",
                HumanCount(*count)
            );
        }
    };
    list("excluded", counts.excluded, &summary.excluded);
    list("failed", counts.failed, &summary.failed);
    for (seed, reason) in &summary.missed_seeds {
        let _ = writeln!(text, "seed not captured: {seed} ({reason})");
    }
    for alarm in &summary.alarms {
        let _ = writeln!(text, "alarm: {alarm}");
    }
    let sitemaps = summary.sitemaps;
    if sitemaps.listed > 0 {
        let _ = writeln!(
            text,
            "sitemaps  {:>9}  of {} URLs that they list were captured",
            HumanCount(sitemaps.captured),
            HumanCount(sitemaps.listed),
        );
    }
    if sitemaps.missing > 0 {
        let _ = writeln!(text, "  missing: {path}/reports/sitemaps.csv");
    }
    if counts.unreached > 0 {
        let why = summary.stopped.map_or("", Stop::reason);
        let _ = writeln!(text, "unreached {:>9}  {why}", HumanCount(counts.unreached));
    }
    if summary.notes > 0 {
        let _ = writeln!(
            text,
            "notes     {:>9}  in {path}/logs/crawl.jsonl",
            HumanCount(summary.notes)
        );
    }
    for (mark, count) in &summary.marked {
        let _ = writeln!(
            text,
            "{mark:<10}{:>9}  kept out of the replay",
            HumanCount(*count)
        );
    }
    let _ = writeln!(text, "Every URL with its reason: {path}/reports/ledger.csv");
    if summary.complete && counts.failed > 0 {
        let _ = writeln!(text, "To try the failed again: lastlight resume {path}");
    }
    if summary.complete {
        let _ = writeln!(text, "Next: lastlight verify {path}");
        let _ = writeln!(text, "      lastlight replay {path}");
    } else {
        if let Some(what_to_do) = summary.stopped.and_then(Stop::what_to_do) {
            let _ = writeln!(text, "{what_to_do}");
        }
        let _ = writeln!(text, "Stopped early. Next: lastlight resume {path}");
    }
    text
}
