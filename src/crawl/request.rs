//! The request for a URL: who asks, from where, and what the URL's own origin
//! is given beside. Which of its fields are secret goes with it.

use std::sync::Arc;

use super::cookies::Jar;
use super::credentials::Credentials;
use super::job::Job;
use crate::config::Config;
use crate::http::Head;
use crate::net::Exchange;
use crate::url::CanonicalUrl;

/// What the requests of a crawl have in common.
pub struct Requests {
    user_agent: String,
    from: Option<String>,
    accept_encoding: String,
    credentials: Credentials,
    jar: Option<Arc<Jar>>,
}

/// A request as it is sent.
pub struct Request {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The names of its fields that are secret, in lower case.
    pub secrets: Vec<String>,
}

impl Requests {
    /// For a configuration whose secrets were read.
    pub fn new(config: &Config, credentials: Credentials, jar: Option<Arc<Jar>>) -> Self {
        // A line end within a field would begin another field.
        let field = |value: &str| value.replace(|c: char| c.is_control(), " ");
        let contact = config.fetch.contact.trim();
        Self {
            user_agent: field(&config.user_agent()),
            from: config.is_contact_an_address().then(|| field(contact)),
            accept_encoding: field(&config.fetch.accept_encoding),
            credentials,
            jar,
        }
    }

    /// The request for a job.
    pub fn of(&self, job: &Job) -> Request {
        let (target, host) = (job.url.request_target(), job.url.host_field());
        let given = self.credentials.fields(&job.url.host_key());
        let mut bytes = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n").into_bytes();
        let mut usual = |name: &str, value: &str| {
            let replaced = given.iter().any(|g| g.name.eq_ignore_ascii_case(name));
            if !replaced && !value.is_empty() {
                bytes.extend(format!("{name}: {value}\r\n").bytes());
            }
        };
        usual("User-Agent", &self.user_agent);
        usual("Accept", "*/*");
        usual("Accept-Encoding", &self.accept_encoding);
        usual("From", self.from.as_deref().unwrap_or_default());
        usual("Referer", &referrer(job).unwrap_or_default());
        let mut secrets = Vec::new();
        if let Some(sent) = self.jar.as_ref().and_then(|jar| jar.sent(&job.url)) {
            bytes.extend_from_slice(b"Cookie: ");
            bytes.extend_from_slice(&sent.value);
            bytes.extend_from_slice(b"\r\n");
            secrets.extend(sent.secret.then(|| "cookie".to_owned()));
        }
        for field in given {
            bytes.extend(format!("{}: {}\r\n", field.name, field.value).bytes());
            secrets.extend(field.secret.then(|| field.name.to_ascii_lowercase()));
        }
        bytes.extend_from_slice(b"\r\n");
        Request { bytes, secrets }
    }

    /// Takes in what an answer sets, before the next request is made.
    pub fn answered(&self, url: &CanonicalUrl, secrets: Vec<String>, exchange: &mut Exchange) {
        exchange.secrets = secrets;
        let Ok(bytes) = super::recorder::head_bytes(exchange) else {
            return;
        };
        let head = Head::parse(&bytes);
        let is_secret = !exchange.secrets.is_empty();
        if is_secret && head.fields.iter().any(|field| field.is("set-cookie")) {
            exchange.secrets.push("set-cookie".to_owned());
        }
        if let Some(jar) = &self.jar {
            jar.received(url, &head, is_secret);
        }
    }
}

/// As browsers do by default: no referrer from https to http, and only the
/// origin to other hosts.
fn referrer(job: &Job) -> Option<String> {
    let via: CanonicalUrl = job.via.as_deref()?.parse().ok()?;
    let (from, to) = (via.host_key(), job.url.host_key());
    if from == to {
        Some(via.to_string())
    } else {
        (!from.is_https() || to.is_https()).then(|| format!("{from}/"))
    }
}
