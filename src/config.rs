//! The configuration: one typed tree over `config.toml`, which is compiled in
//! and the only place where defaults stand. Code receives the part it needs.

mod access;
mod bounds;
mod load;
mod quantity;
mod scope;
mod secret;

pub use access::Access;
pub(crate) use access::is_secret as is_secret_field;
pub use load::ConfigError;
pub use quantity::{Limit, Size, Span};
pub use scope::{Budget, Crawl, ScopeKind, Traps};
pub use secret::{Secret, SecretError};

use serde::{Deserialize, Serialize};

/// The annotated defaults.
pub const DEFAULTS: &str = include_str!("../config.toml");

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What single origins are given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<Access>,
    /// What is captured.
    pub crawl: Crawl,
    /// How a URL is asked for.
    pub fetch: Fetch,
    /// What one answer, page or host may cost.
    pub limits: Limits,
    /// How hosts are spared.
    pub politeness: Politeness,
    /// Which addresses may be connected to.
    pub address: Address,
    /// What is cut off as endless.
    pub traps: Traps,
    /// What one host or path may cost.
    pub budget: Budget,
    /// How records are written.
    pub warc: Warc,
    /// What isn't stored twice.
    pub dedup: Dedup,
    /// Which answers are told apart from captures of the site.
    pub marks: Marks,
    /// When and where things become durable.
    pub storage: Storage,
    /// How far robots.txt and its kin go.
    pub robots: Robots,
    /// Cookies.
    pub cookies: Cookies,
    /// Through whom connections go.
    pub proxy: Proxy,
    /// Certificates.
    pub tls: Tls,
}

/// `[fetch]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fetch {
    /// A page or an e-mail address of who crawls.
    pub contact: String,
    /// `User-Agent`, with `{contact}` where the contact goes.
    pub user_agent: String,
    /// `Accept-Encoding`; empty sends none.
    pub accept_encoding: String,
    /// For look-up, connection and handshake together.
    pub connect_timeout: Span,
    /// Larger bodies wait on disk.
    pub spool_above: Size,
    /// Tries after the first.
    pub retries: u32,
}

/// `[limits]`: each hit is told, in the ledger or in the crawl log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The longest silence within an answer.
    pub idle: Span,
    /// The longest answer in time.
    pub time: Span,
    /// Bytes a second, on average, after the first minute of an answer.
    pub min_rate: Size,
    /// Bytes of an answer's head.
    pub head: Size,
    /// The largest answer.
    pub body: Limit<Size>,
    /// Bytes of an entity that are decoded and scanned.
    pub decoded: Size,
    /// How many times larger than stored an entity may become.
    pub decoded_ratio: u32,
    /// Content codings upon each other.
    pub codings: u32,
    /// Redirects in a row.
    pub redirects: u32,
    /// Requisites of requisites in a row.
    pub embeds: u32,
    /// Bytes of a URL.
    pub url: Size,
    /// URLs that one answer may name.
    pub links: u32,
    /// URLs that one sitemap may list.
    pub sitemap_entries: u32,
    /// Sitemaps within sitemaps.
    pub sitemap_depth: u32,
    /// Cookies of one host.
    pub cookies: u32,
    /// Bytes of one cookie.
    pub cookie: Size,
}

/// `[politeness]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Politeness {
    /// Whether robots.txt binds.
    pub robots: RobotsPolicy,
    /// Pause between the starts of two requests to one host.
    pub delay: Span,
    /// The longest Crawl-delay that is followed.
    pub max_crawl_delay: Span,
    /// The pause in proportion to the time that answers take.
    pub adaptive: f64,
    /// The longest such pause.
    pub max_adaptive_delay: Span,
    /// Connections to one host.
    pub connections: u32,
    /// Hosts at a time.
    pub hosts: u32,
    /// How long a silent host is waited for.
    pub outage: Span,
    /// The longest Retry-After that is waited for.
    pub max_retry_after: Span,
}

/// `politeness.robots`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RobotsPolicy {
    /// RFC 9309.
    Obey,
    /// Only by explicit choice; recorded.
    Ignore,
}

impl RobotsPolicy {
    /// The word in warcinfo.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Obey => "obey",
            Self::Ignore => "ignore",
        }
    }
}

/// `[address]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// Networks in CIDR notation that may be connected to although they are
    /// not public.
    pub allow: Vec<String>,
}

/// `[warc]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warc {
    /// The standard's version.
    pub version: WarcVersion,
    /// Size at which the next file is begun.
    pub rotate: Size,
    /// For warcinfo.
    pub operator: String,
    /// For warcinfo.
    pub description: String,
    /// For warcinfo.
    pub is_part_of: String,
    /// How records are compressed.
    pub compression: Compression,
    /// Gzip's level, from 1 to 9.
    pub level: Level<9>,
    /// Gzip's level for answers that are compressed in themselves.
    pub level_compressed: Level<9>,
    /// Gzip's level while many answers wait for a worker, unless it is higher than
    /// `level`.
    pub level_backlog: Level<9>,
    /// Zstandard's level, from 1 to 19.
    pub zstd_level: Level<19>,
    /// The file of a Zstandard dictionary; empty for none.
    pub zstd_dictionary: String,
    /// Outlinks of a metadata record at most.
    pub outlinks: u32,
}

/// `warc.compression`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// `.warc.gz`.
    Gzip,
    /// `.warc.zst`.
    Zstd,
}

/// The level of a compression: from 1 (fast) to `MOST` (small).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Level<const MOST: i64>(i32);

impl<const MOST: i64> Level<MOST> {
    /// The number.
    pub fn value(self) -> i32 {
        self.0
    }
}

impl<const MOST: i64> TryFrom<i64> for Level<MOST> {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        if (1..=MOST).contains(&number) {
            Ok(Self(number as i32))
        } else {
            Err(format!("{number} is no level from 1 to {MOST}"))
        }
    }
}

impl<const MOST: i64> From<Level<MOST>> for i64 {
    fn from(level: Level<MOST>) -> Self {
        level.0.into()
    }
}

/// `[dedup]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dedup {
    /// Refer to payloads that the crawl stored before.
    pub payloads: bool,
    /// An earlier snapshot whose payloads are referred to; empty for none.
    pub against: String,
    /// Smaller payloads are stored again.
    pub min_bytes: Size,
}

/// `[marks]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marks {
    /// Tell challenge pages.
    pub challenges: bool,
    /// Challenges in a row after which a host is left alone.
    pub challenge_limit: Limit<u32>,
    /// Learn by a probe what a host's missing pages look like.
    pub soft_404: bool,
}

/// `warc.version`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WarcVersion {
    /// WARC 1.0 (ISO 28500:2009).
    #[serde(rename = "1.0")]
    V1_0,
    /// WARC 1.1 (ISO 28500:2017).
    #[serde(rename = "1.1")]
    V1_1,
}

/// `[storage]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// Pause between two commits.
    pub commit_every: Span,
    /// Free bytes below which the crawl stops.
    pub min_free: Size,
    /// Keys of URLs, and of payloads, that are held in memory.
    pub held_keys: u32,
    /// Pages of the store's log at which it is folded into the database.
    pub log_pages: u32,
}

/// `[robots]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Robots {
    /// Whether robots.txt binds page requisites.
    pub requisites: RobotsPolicy,
    /// What nofollow does.
    pub nofollow: Nofollow,
    /// Age at which robots.txt is asked for again.
    pub refetch: Span,
    /// Age up to which it stays in force when it can't be had again.
    pub stale: Span,
}

/// `robots.nofollow`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nofollow {
    /// Links are followed all the same.
    Follow,
    /// Links are left; the ledger says so.
    Leave,
}

/// `[cookies]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cookies {
    /// Whether there are any.
    pub policy: CookiePolicy,
    /// A cookies.txt; empty for none.
    pub file: String,
    /// Bytes of all cookies.
    pub memory: Size,
}

/// `cookies.policy`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CookiePolicy {
    /// Kept for one crawl.
    Session,
    /// Neither kept nor sent.
    Off,
}

/// `[proxy]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// `http://` or `socks5://`, host and port; empty for none.
    pub url: String,
    /// `user:password`.
    pub login: Secret,
    /// Hosts, domains and networks that are reached without it.
    pub direct: Vec<String>,
}

/// `[tls]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// What happens to a bad certificate.
    pub verify: CertificatePolicy,
    /// A PEM file of more roots; empty for none.
    pub roots: String,
}

/// `tls.verify`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CertificatePolicy {
    /// Nothing is fetched.
    Require,
    /// It is gone on; the verdict is recorded.
    Record,
}

impl Config {
    /// The `User-Agent`, with the contact in its place.
    pub fn user_agent(&self) -> String {
        let contact = self.fetch.contact.trim();
        let contact = match (contact.is_empty(), self.is_contact_an_address()) {
            (true, _) => String::new(),
            (_, true) => format!("; +mailto:{contact}"),
            _ => format!("; +{contact}"),
        };
        self.fetch.user_agent.replace("{contact}", &contact)
    }

    /// Whether the contact is an e-mail address, which `From` takes.
    pub fn is_contact_an_address(&self) -> bool {
        self.fetch.contact.contains('@') && !self.fetch.contact.contains('/')
    }

    /// Takes what [`Self::to_toml`] leaves out from a configuration in which it
    /// was given again. What that one doesn't set stays as it is: a crawl that
    /// began through a proxy never goes on without.
    pub fn take_access(&mut self, given: Self) {
        let defaults = Self::defaults();
        if !given.access.is_empty() {
            self.access = given.access;
        }
        if !given.cookies.file.is_empty() {
            self.cookies.file = given.cookies.file;
        }
        if given.proxy != defaults.proxy {
            let before = std::mem::replace(&mut self.proxy, given.proxy);
            if self.proxy.url.is_empty() {
                self.proxy.url = before.url;
            }
        }
        if given.tls != defaults.tls {
            self.tls = given.tls;
        }
    }

    /// The whole configuration as TOML, as it goes into the snapshot and
    /// warcinfo. A secret is in it only by reference, or as [`secret::REDACTED`].
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a configuration is plain data")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::path::Path;

    fn load(text: &str) -> Result<Config, ConfigError> {
        Config::over_defaults(Path::new("my.toml"), text)
    }

    #[test]
    fn a_file_overrides_key_by_key() {
        let config = load("[politeness]\ndelay = \"2s\"").unwrap();
        assert_eq!(config.politeness.delay, Span::from_secs(2));
        assert_eq!(
            config.politeness.connections,
            Config::defaults().politeness.connections
        );
        assert_eq!(load(&config.to_toml()).unwrap(), config);
    }

    #[test]
    fn secrets_do_not_leave_the_configuration_but_as_references() {
        let config = load(
            "[proxy]\nlogin = \"me:proxypass\"\n[[access]]\nhost = \"a.example\"\nbasic = \"me:sesame\"\n\
             headers = { X-Key = \"hush\", X-Other = \"env:OTHER\", Accept-Language = \"de\" }\n\
             [[access]]\nhost = \"http://b.example\"\nbearer = \"file:/run/token\"\n",
        )
        .unwrap();
        let text = config.to_toml();
        for secret in ["sesame", "hush", "proxypass"] {
            assert!(!text.contains(secret), "{text}");
            assert!(!format!("{config:?}").contains(secret));
        }
        for kept in ["env:OTHER", "file:/run/token", "\"de\"", "http://b.example"] {
            assert!(text.contains(kept), "{text}");
        }
        let again = load(&text).unwrap();
        assert_eq!(again.access[1], config.access[1]);
        assert!(
            again.access[0]
                .basic
                .reveal()
                .unwrap_err()
                .to_string()
                .contains("left out")
        );
    }

    #[test]
    fn a_contact_goes_into_the_user_agent() {
        let agent = |contact: &str| {
            load(&format!("[fetch]\ncontact = \"{contact}\""))
                .unwrap()
                .user_agent()
        };
        assert_eq!(agent(""), "Mozilla/5.0 (compatible; lastlight/0.1)");
        assert!(agent("https://a.example/bot").ends_with("; +https://a.example/bot)"));
        assert!(agent("me@a.example").ends_with("; +mailto:me@a.example)"));
    }
}
