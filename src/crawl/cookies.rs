//! The cookies of one crawl, kept and sent as a browser does (RFC 6265 and its
//! revision, RFC 6265bis), within bounds. `SameSite` is passed over: every
//! request of a crawl is one that its reader could have made by typing the
//! address. Lanes share the jar; the keeper makes its changes durable.

mod field;
mod file;

pub use file::{CookieFileError, Import, read};

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::config::Config;
use crate::http::Head;
use crate::url::CanonicalUrl;

/// One cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    /// Whose it is.
    pub key: Key,
    /// What is sent back.
    pub value: Vec<u8>,
    /// Only over https.
    pub secure: bool,
    /// Not for scripts; kept for the record.
    pub http_only: bool,
    /// Seconds since 1970 at which it ends; `None` for the session's end, which
    /// is the crawl's.
    pub expires: Option<i64>,
    /// It was configured, or set in answer to a request with a secret.
    pub secret: bool,
}

/// What makes two cookies the same (RFC 6265bis §5.7).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Lower case, without leading dot; IPv6 in brackets.
    pub domain: String,
    /// Not for the hosts below it.
    pub host_only: bool,
    /// Begins with `/`.
    pub path: String,
    /// May be empty.
    pub name: Vec<u8>,
}

/// What is sent with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The value of `Cookie`.
    pub value: Vec<u8>,
    /// Whether one of them is a secret.
    pub secret: bool,
}

/// The cookies of a crawl.
pub struct Jar {
    bounds: Bounds,
    inner: Mutex<Inner>,
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    of_host: usize,
    of_cookie: usize,
    memory: usize,
}

#[derive(Default)]
struct Inner {
    domains: HashMap<String, Vec<Held>>,
    memory: usize,
    /// Grows with every use: the order of creation, and of last use.
    clock: u64,
    changed: HashSet<Key>,
}

struct Held {
    cookie: Cookie,
    created: u64,
    used: u64,
}

/// Memory that a cookie takes beside its texts.
const OVERHEAD: usize = 200;

impl Jar {
    /// An empty jar with a configuration's bounds.
    pub fn new(config: &Config) -> Self {
        let size = |size: crate::config::Size| usize::try_from(size.0).unwrap_or(usize::MAX);
        Self {
            bounds: Bounds {
                of_host: config.limits.cookies as usize,
                of_cookie: size(config.limits.cookie),
                memory: size(config.cookies.memory),
            },
            inner: Mutex::default(),
        }
    }

    /// Puts cookies in that come from a file or from the store. Returns how many
    /// of them the jar has no room for; those that have ended don't count.
    pub fn fill(&self, cookies: Vec<Cookie>) -> usize {
        let (mut inner, now) = (self.lock(), now());
        let living = |cookie: &&Cookie| cookie.expires.is_none_or(|expires| expires > now);
        let keys: HashSet<Key> = cookies
            .iter()
            .filter(living)
            .map(|cookie| cookie.key.clone())
            .collect();
        for cookie in cookies {
            inner.put(cookie, self.bounds, now);
        }
        keys.iter().filter(|key| !inner.has(key)).count()
    }

    /// The cookies for a request; the longest path first, of equal ones the
    /// oldest (RFC 6265bis §5.8.3).
    pub fn sent(&self, url: &CanonicalUrl) -> Option<Sent> {
        let (mut inner, now) = (self.lock(), now());
        if inner.domains.is_empty() {
            return None;
        }
        let path = url.url().path();
        inner.clock += 1;
        let clock = inner.clock;
        let mut fitting = Vec::new();
        for domain in field::domains_of(url.host()) {
            let Some(held) = inner.domains.get_mut(domain) else {
                continue;
            };
            for held in held {
                let cookie = &held.cookie;
                let fits = (!cookie.key.host_only || domain == url.host())
                    && (!cookie.secure || url.is_https())
                    && cookie.expires.is_none_or(|expires| expires > now)
                    && field::path_matches(path, &cookie.key.path);
                if fits {
                    held.used = clock;
                    fitting.push((
                        std::cmp::Reverse(cookie.key.path.len()),
                        held.created,
                        cookie.clone(),
                    ));
                }
            }
        }
        fitting.sort_by_key(|(length, created, _)| (*length, *created));
        let mut sent = Sent {
            value: Vec::new(),
            secret: false,
        };
        for (_, _, cookie) in &fitting {
            if !sent.value.is_empty() {
                sent.value.extend_from_slice(b"; ");
            }
            if !cookie.key.name.is_empty() {
                sent.value.extend_from_slice(&cookie.key.name);
                sent.value.push(b'=');
            }
            sent.value.extend_from_slice(&cookie.value);
            sent.secret |= cookie.secret;
        }
        (!fitting.is_empty()).then_some(sent)
    }

    /// Takes in what an answer sets; `secret` if the request carried a secret.
    /// True if the next request to the same URL would carry something else.
    pub fn received(&self, url: &CanonicalUrl, head: &Head<'_>, secret: bool) -> bool {
        let mut fields = head.fields.iter().filter(|f| f.is("set-cookie")).peekable();
        if fields.peek().is_none() {
            return false;
        }
        let before = self.sent(url).map(|sent| sent.value);
        {
            let (mut inner, now) = (self.lock(), now());
            for field in fields {
                let Some(mut cookie) = field::parse(&field.value, url, now, self.bounds.of_cookie)
                else {
                    continue;
                };
                if !url.is_https() && inner.hides_a_secure_one(&cookie) {
                    continue;
                }
                cookie.secret = secret;
                inner.put(cookie, self.bounds, now);
            }
        }
        self.sent(url).map(|sent| sent.value) != before
    }

    /// What changed since the last call: cookies that are there now, and those
    /// that are gone.
    pub fn changes(&self) -> Vec<(Key, Option<Cookie>)> {
        let mut inner = self.lock();
        let changed = std::mem::take(&mut inner.changed);
        let find = |key: Key| {
            let held = inner.domains.get(&key.domain);
            let held = held.and_then(|held| held.iter().find(|held| held.cookie.key == key));
            let cookie = held.map(|held| held.cookie.clone());
            (key, cookie)
        };
        changed.into_iter().map(find).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Puts a cookie in the place of the one with its key; one that has ended
    /// just removes that.
    fn put(&mut self, cookie: Cookie, bounds: Bounds, now: i64) {
        self.clock += 1;
        let clock = self.clock;
        let created = self.remove(&cookie.key);
        if cookie.expires.is_some_and(|expires| expires <= now) {
            return;
        }
        self.memory += cookie.memory();
        self.changed.insert(cookie.key.clone());
        let domain = cookie.key.domain.clone();
        let held = self.domains.entry(domain.clone()).or_default();
        held.push(Held {
            cookie,
            created: created.unwrap_or(clock),
            used: clock,
        });
        while self.domains.get(&domain).map_or(0, Vec::len) > bounds.of_host {
            self.drop_one(&domain, now);
        }
        if self.memory > bounds.memory {
            self.shrink(bounds.memory);
        }
    }

    fn has(&self, key: &Key) -> bool {
        let held = self.domains.get(&key.domain);
        held.is_some_and(|held| held.iter().any(|held| held.cookie.key == *key))
    }

    /// Removes a cookie; returns when it was created.
    fn remove(&mut self, key: &Key) -> Option<u64> {
        let held = self.domains.get_mut(&key.domain)?;
        let at = held.iter().position(|held| held.cookie.key == *key)?;
        let gone = held.remove(at);
        if held.is_empty() {
            self.domains.remove(&key.domain);
        }
        self.memory -= gone.cookie.memory();
        self.changed.insert(gone.cookie.key);
        Some(gone.created)
    }

    /// Of a host with too many: one that has ended, else the one of the site
    /// that wasn't used for longest; configured ones go last.
    fn drop_one(&mut self, domain: &str, now: i64) {
        let held = self.domains.get(domain).map_or(&[][..], Vec::as_slice);
        let last = held.iter().min_by_key(|held| {
            let ended = held.cookie.expires.is_some_and(|expires| expires <= now);
            (!ended, held.cookie.secret, held.used)
        });
        if let Some(key) = last.map(|held| held.cookie.key.clone()) {
            self.remove(&key);
        }
    }

    /// Drops the ones that weren't used for longest until a tenth is free, so
    /// that it isn't done again at once.
    fn shrink(&mut self, memory: usize) {
        let all = self.domains.values().flatten();
        let mut all: Vec<_> = all
            .map(|held| (held.cookie.secret, held.used, held.cookie.key.clone()))
            .collect();
        all.sort_by_key(|(secret, used, _)| (*secret, *used));
        for (_, _, key) in all {
            if self.memory <= memory - memory / 10 {
                break;
            }
            self.remove(&key);
        }
    }

    /// A cookie that comes in the clear may not stand before one that came over
    /// https (RFC 6265bis §5.7, step 12).
    fn hides_a_secure_one(&self, cookie: &Cookie) -> bool {
        let by_domain = field::domains_of(&cookie.key.domain).filter_map(|d| self.domains.get(d));
        by_domain.flatten().any(|held| {
            held.cookie.secure
                && held.cookie.key.name == cookie.key.name
                && field::path_matches(&cookie.key.path, &held.cookie.key.path)
        })
    }
}

impl Cookie {
    fn memory(&self) -> usize {
        let key = &self.key;
        // The domain is a key of the map, too.
        OVERHEAD + key.domain.len() * 2 + key.path.len() + key.name.len() + self.value.len()
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn url(text: &str) -> CanonicalUrl {
        CanonicalUrl::parse(text).unwrap()
    }

    fn jar() -> Jar {
        Jar::new(&Config::defaults())
    }

    fn set(jar: &Jar, at: &str, fields: &[&str]) -> bool {
        let mut head = "HTTP/1.1 200 OK\r\n".to_owned();
        for field in fields {
            head += &format!("Set-Cookie: {field}\r\n");
        }
        head += "\r\n";
        jar.received(&url(at), &Head::parse(head.as_bytes()), false)
    }

    fn sent(jar: &Jar, to: &str) -> String {
        let sent = jar.sent(&url(to)).map(|sent| sent.value);
        String::from_utf8(sent.unwrap_or_default()).unwrap()
    }

    #[test]
    fn a_cookie_goes_back_to_its_host_and_path() {
        let jar = jar();
        assert!(set(
            &jar,
            "http://a.example/x/y",
            &["n=v", "deep=1; Path=/x", "all=2; path=/"]
        ));
        assert!(!set(&jar, "http://a.example/x/y", &["n=v"]), "nothing new");
        assert_eq!(sent(&jar, "http://a.example/x/z"), "n=v; deep=1; all=2");
        assert_eq!(sent(&jar, "http://a.example/x"), "n=v; deep=1; all=2");
        assert_eq!(sent(&jar, "http://a.example/xy"), "all=2");
        assert_eq!(sent(&jar, "http://b.example/x/y"), "");
        assert_eq!(sent(&jar, "http://sub.a.example/x/y"), "");
    }

    #[test]
    fn a_domain_may_be_the_hosts_own_and_never_a_public_suffix() {
        let jar = jar();
        set(
            &jar,
            "http://www.a.co.uk/",
            &[
                "d=1; Domain=.A.co.uk",
                "s=1; Domain=co.uk",
                "o=1; Domain=b.co.uk",
                "h=1; Domain=",
            ],
        );
        assert_eq!(sent(&jar, "http://mail.a.co.uk/"), "d=1");
        assert_eq!(sent(&jar, "http://www.a.co.uk/"), "d=1; h=1");
        assert_eq!(sent(&jar, "http://b.co.uk/"), "");
        set(&jar, "http://localhost:81/", &["l=1; Domain=localhost"]);
        assert_eq!(
            sent(&jar, "http://localhost:82/"),
            "l=1",
            "ports don't part cookies"
        );
        assert_eq!(sent(&jar, "http://x.localhost/"), "");
        set(
            &jar,
            "http://127.0.0.1/",
            &["i=1; Domain=0.0.1", "j=1; Domain=127.0.0.1"],
        );
        assert_eq!(sent(&jar, "http://127.0.0.1/"), "j=1");
    }

    #[test]
    fn secure_cookies_stay_on_https() {
        let jar = jar();
        set(
            &jar,
            "https://a.example/",
            &[
                "s=1; Secure",
                "__Host-h=1; Secure; Path=/",
                "__Host-x=1; Path=/",
            ],
        );
        assert_eq!(sent(&jar, "https://a.example/"), "s=1; __Host-h=1");
        assert_eq!(sent(&jar, "http://a.example/"), "");
        set(
            &jar,
            "http://a.example/",
            &["s=forged", "t=1; Secure", "__Secure-u=1"],
        );
        assert_eq!(sent(&jar, "https://a.example/"), "s=1; __Host-h=1");
    }

    #[test]
    fn an_end_in_the_past_removes_and_max_age_goes_before_expires() {
        let jar = jar();
        set(
            &jar,
            "http://a.example/",
            &[
                "a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
                "b=1",
            ],
        );
        assert_eq!(sent(&jar, "http://a.example/"), "a=1; b=1");
        assert!(set(
            &jar,
            "http://a.example/",
            &["b=; expires=Thu, 01-Jan-70 00:00:00 GMT", "a=; max-age=0"]
        ));
        assert_eq!(sent(&jar, "http://a.example/"), "");
        let gone = jar.changes();
        assert!(gone.len() == 2 && gone.iter().all(|(_, cookie)| cookie.is_none()));
    }

    #[test]
    fn odd_fields_are_read_as_browsers_read_them() {
        let jar = jar();
        set(
            &jar,
            "http://a.example/",
            &[
                "bare",
                "=v2",
                " sp = a b ;;x",
                "q=\"1;2\"",
                "",
                ";",
                "c\u{1}=1",
            ],
        );
        // An empty name is a name: the second replaces the first.
        assert_eq!(sent(&jar, "http://a.example/"), "v2; sp=a b; q=\"1");
    }

    #[test]
    fn bounds_hold() {
        let mut config = Config::defaults();
        config.limits.cookies = 3;
        config.cookies.memory = crate::config::Size(2000);
        let jar = Jar::new(&config);
        for n in 0..9 {
            set(&jar, "http://a.example/", &[&format!("n{n}=1")]);
        }
        assert_eq!(sent(&jar, "http://a.example/"), "n6=1; n7=1; n8=1");
        set(
            &jar,
            "http://a.example/",
            &[&format!("n9={}", "x".repeat(5000))],
        );
        assert_eq!(sent(&jar, "http://a.example/"), "n6=1; n7=1; n8=1");
        for n in 0..100 {
            set(&jar, &format!("http://h{n}.example/"), &["n=1"]);
        }
        assert!(jar.lock().memory <= 2000);
        assert_eq!(sent(&jar, "http://h99.example/"), "n=1");
        assert_eq!(sent(&jar, "http://h1.example/"), "");
    }

    #[test]
    fn a_bound_of_nothing_keeps_nothing() {
        let mut config = Config::defaults();
        config.limits.cookies = 0;
        let jar = Jar::new(&config);
        assert!(!set(&jar, "http://a.example/", &["n=1"]));
        assert_eq!(sent(&jar, "http://a.example/"), "");
        assert_eq!(jar.lock().memory, 0);
    }

    #[test]
    fn what_an_import_has_no_room_for_is_counted() {
        let mut config = Config::defaults();
        config.limits.cookies = 3;
        let jar = Jar::new(&config);
        let cookie = |n: usize, expires| Cookie {
            key: Key {
                domain: "a.example".into(),
                host_only: true,
                path: "/".into(),
                name: n.to_string().into_bytes(),
            },
            value: b"v".to_vec(),
            secure: false,
            http_only: false,
            expires,
            secret: true,
        };
        let mut cookies: Vec<Cookie> = (0..5).map(|n| cookie(n, None)).collect();
        cookies.push(cookie(9, Some(1)));
        assert_eq!(jar.fill(cookies), 2);
        assert_eq!(jar.fill(vec![cookie(4, None)]), 0);
    }

    #[test]
    fn what_a_secret_request_is_answered_with_is_secret() {
        let jar = jar();
        let head = b"HTTP/1.1 200 OK\r\nSet-Cookie: s=1\r\n\r\n";
        jar.received(&url("http://a.example/"), &Head::parse(head), true);
        set(&jar, "http://b.example/", &["n=1"]);
        assert!(jar.sent(&url("http://a.example/")).unwrap().secret);
        assert!(!jar.sent(&url("http://b.example/")).unwrap().secret);
    }

    proptest! {
        #[test]
        fn no_field_panics(value: Vec<u8>, host in "[a-z]{1,5}(\\.[a-z]{1,5}){0,3}") {
            let jar = jar();
            let head = [b"HTTP/1.1 200 OK\r\nSet-Cookie: ", &value[..], b"\r\n\r\n"].concat();
            let at = url(&format!("http://{host}/a/b"));
            jar.received(&at, &Head::parse(&head), false);
            if let Some(sent) = jar.sent(&at) {
                prop_assert!(!sent.value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)));
            }
        }

        #[test]
        fn no_attributes_panic(value in "n=v(; ?(domain|path|expires|max-age|secure)(=[.a-z0-9/\u{e9}-]{0,6})?){0,5}") {
            set(&jar(), "https://www.a.example/x/", &[&value]);
        }
    }
}
