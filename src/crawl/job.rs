//! A URL on its way: how it was found, and what became of asking for it.

use std::fs::File;
use std::time::Duration;

use super::form::Form;
use super::imprint::Imprint;
use super::marks::{Imprints, Mark};
use super::named::Named;
use crate::digest::Digest;
use crate::links::{Hop, Path};
use crate::robots::Rules;
use crate::snapshot::cdxj::CdxjEntry;
use crate::url::{CanonicalUrl, HostKey};

/// A URL whose turn it is.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its row in the store.
    pub id: i64,
    /// What to ask for.
    pub url: CanonicalUrl,
    /// The way to it.
    pub path: Path,
    /// The page that named it first.
    pub via: Option<String>,
    /// What that page was like.
    pub via_imprint: Imprint,
    /// Pages of its form in a row that led to nothing else.
    pub barren: u32,
    /// Pages above it that say and name the same.
    pub nested: u32,
    /// Tries so far.
    pub tries: u32,
    /// Set where the answer is read as a robots.txt: the redirects behind it.
    pub as_robots: Option<u32>,
    /// Only asks whether the host answers; what it says isn't kept.
    pub is_probe: bool,
}

impl Job {
    /// Where it is asked for.
    pub fn host(&self) -> HostKey {
        self.url.host_key()
    }

    /// Bytes of the URLs in it.
    pub fn names(&self) -> usize {
        self.url.as_str().len() + self.via.as_ref().map_or(0, String::len)
    }
}

/// A URL that a captured one names.
#[derive(Debug, Clone)]
pub struct Link {
    /// What it names.
    pub url: CanonicalUrl,
    /// How.
    pub hop: Hop,
    /// 128 bits of the URL's SHA-256, for the cache of seen URLs.
    pub key: u128,
    /// Equal for URLs that differ only in numbers or dates.
    pub form: Form,
    /// Whether it lies below the directory of what names it.
    pub is_below: bool,
    /// Links since the last page within the scope.
    pub beyond: u32,
    /// Whether a sitemap lists it.
    pub is_listed: bool,
    /// Whether it is a seed, as such a sitemap's pages are.
    pub is_seed: bool,
    /// The reason why it is not to be fetched, if there is one.
    pub excluded: Option<&'static str>,
}

#[cfg(test)]
impl Link {
    /// A link to another page.
    pub fn plain(url: CanonicalUrl) -> Self {
        Self {
            key: super::judge::key(&url),
            form: Form::of(&url),
            url,
            hop: Hop::Link,
            is_below: false,
            beyond: 0,
            is_listed: false,
            is_seed: false,
            excluded: None,
        }
    }
}

/// What is stored of one record.
#[derive(Debug)]
pub struct StoredRecord {
    /// `WARC-Record-ID`.
    pub id: String,
    /// Byte offset from the start of its exchange.
    pub offset: u64,
    /// Bytes stored.
    pub length: u64,
    /// SHA-256 of them, hex.
    pub sha256: String,
    /// Its index entry, whose place isn't known yet.
    pub entry: Option<CdxjEntry>,
}

/// Stored bytes on their way to the WARC.
#[derive(Debug)]
pub enum Piece {
    /// Members that fit memory.
    Memory(Vec<u8>),
    /// A member that was compressed to disk.
    Spooled(File),
}

/// A payload that was stored whole.
#[derive(Debug, Clone)]
pub struct Payload {
    /// Its digest.
    pub digest: Digest,
    /// `WARC-Date` of its record, as that has it.
    pub date: String,
}

/// A whole exchange as records.
#[derive(Debug, Default)]
pub struct Recording {
    /// The bytes to append, in order.
    pub pieces: Vec<Piece>,
    /// The records in them, in order; the first is the response or revisit.
    pub records: Vec<StoredRecord>,
    /// The payload of the first, where later answers may refer to it.
    pub payload: Option<Payload>,
    /// Whether the first is a revisit of a record in the earlier snapshot.
    pub is_of_earlier: bool,
    /// Fields in them that carry configured secrets.
    pub secrets: Vec<String>,
}

/// What an answer said.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The HTTP status; `None` where the status line is none.
    pub status: Option<u16>,
    /// The media type named.
    pub media_type: String,
    /// Length of the payload in bytes.
    pub bytes: u64,
    /// Labelled payload digest.
    pub digest: String,
    /// RFC 3339 time of the request.
    pub time: String,
    /// The title of a page.
    pub title: Option<String>,
    /// Whether it is a page: HTML that a reader goes to.
    pub is_page: bool,
    /// What it is besides a capture of the site.
    pub mark: Option<Mark>,
    /// What it looks like, while it isn't known how the host's missing pages do.
    pub imprints: Option<Imprints>,
    /// Its words, sketched.
    pub words: u64,
    /// Its figures, sketched.
    pub figures: u64,
    /// What a page with a query says to a reader, as a number; 0 of others.
    pub text: u64,
    /// Whether that is next to nothing: a script fills the page.
    pub is_shell: bool,
    /// What it names below its own directory, folded.
    pub below: u64,
}

/// What happens to the URL now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The answer is whole.
    Captured,
    /// It is as the earlier snapshot has it.
    Unchanged,
    /// Never a whole answer; why.
    Failed(String),
    /// A rule found out too late to keep it from being queued.
    Excluded(String),
    /// Ask again after this time; why.
    Retry(Duration, String),
}

/// The result of one try.
#[derive(Debug)]
pub struct Outcome {
    /// What was asked for.
    pub job: Job,
    /// What happens to it.
    pub verdict: Verdict,
    /// What the answer said, if there was one.
    pub answer: Option<Answer>,
    /// The records to append, if the answer is kept.
    pub recording: Recording,
    /// What it names.
    pub named: Named,
    /// What was irregular in it, for the crawl log.
    pub notes: Vec<String>,
    /// Where a redirect leads that sets a cookie or follows one that may have.
    pub redirect: Option<Redirect>,
    /// Where a seed's redirect leads: a seed itself.
    pub new_seed: Option<CanonicalUrl>,
    /// What robots.txt says.
    pub robots: Option<RobotsOutcome>,
    /// How long the host asks to be left alone.
    pub host_pause: Option<Duration>,
    /// Nothing was asked: the host wants to be left alone for too long.
    pub given_back: bool,
    /// How long a whole answer of moderate size took.
    pub elapsed: Option<Duration>,
    /// Why the host's certificate doesn't check out.
    pub bad_certificate: Option<String>,
    /// What the answer asks of indexes: meta robots and X-Robots-Tag.
    pub index_wishes: Option<String>,
    /// What it tells of the host.
    pub health: Health,
    /// Whether a whole answer came, of whatever kind.
    pub heard: bool,
    /// Whether the answer broke off, or stood still until it was given up.
    pub is_cut: bool,
}

impl Outcome {
    /// Whether a network that is gone may be to blame.
    pub fn may_be_of_network(&self) -> bool {
        self.health == Health::Silent || self.is_cut
    }
}

/// What a try tells of the host rather than of the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Well,
    /// It says that it has too much to do: 429 or 503.
    Busy,
    /// No answer: it may be the network or the host.
    Silent,
    /// Nothing: a proxy wouldn't ask it.
    Untold,
}

impl Health {
    /// By the status of an answer.
    pub fn of(status: Option<u16>) -> Self {
        match status {
            Some(429 | 503) => Self::Busy,
            _ => Self::Well,
        }
    }
}

/// A redirect, as loops are told by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// Where it leads.
    pub target: CanonicalUrl,
    /// Whether it sets a cookie.
    pub sets_cookie: bool,
}

/// What asking for robots.txt gave.
#[derive(Debug, Clone)]
pub enum RobotsOutcome {
    /// These rules.
    Rules(Rules),
    /// It is elsewhere.
    Redirect(CanonicalUrl),
    /// Nothing may be fetched, as nobody knows what is allowed (RFC 9309
    /// §2.3.1.4).
    Unavailable(String),
    /// The host's address is none that may be connected to.
    Refused(String),
}
