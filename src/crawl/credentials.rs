//! Logins and fields for single origins, from `[[access]]`. They are chosen by
//! the origin of each request alone, so a redirect to another host, port or
//! scheme leaves them behind.

use std::collections::HashMap;

use data_encoding::BASE64;

use crate::config::{self, Secret, SecretError};
use crate::url::{CanonicalUrl, HostKey};

/// A field of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenField {
    /// Its name as configured.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether it may not become public.
    pub secret: bool,
}

/// What each origin is given.
#[derive(Debug, Default)]
pub struct Credentials {
    of: HashMap<HostKey, Vec<GivenField>>,
}

/// An entry that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("[[access]] for {host:?}: {problem}")]
pub struct CredentialsError {
    host: String,
    problem: Problem,
}

/// What is wrong with it.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("host is an origin such as https://members.example or http://127.0.0.1:8080")]
    Host,
    #[error("host is an origin alone: the login goes into basic, as \"user:password\"")]
    LoginInHost,
    #[error("the origin has an entry already")]
    Twice,
    #[error("give one of basic, bearer and the header Authorization")]
    Several,
    #[error("basic is \"user:password\"")]
    Basic,
    #[error("{0:?} is no name of a field that may be set")]
    Name(String),
    #[error("the value of {0} has a character that may not stand in a field")]
    Value(String),
    #[error("{0}: {1}")]
    Secret(String, SecretError),
}

/// Fields on which the message's meaning or its own place depends; cookies
/// have a file of their own.
const RESERVED: [&str; 11] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "keep-alive",
    "proxy-authorization",
    "cookie",
];

impl Credentials {
    /// Reads every secret from where it stands.
    pub fn reveal(entries: &[config::Access]) -> Result<Self, CredentialsError> {
        let mut credentials = Self::default();
        for entry in entries {
            let failed = |problem| CredentialsError {
                // The rest of a login that stands in the wrong place is its host.
                host: entry.host.rsplit('@').next().unwrap_or_default().to_owned(),
                problem,
            };
            if entry.host.contains('@') {
                return Err(failed(Problem::LoginInHost));
            }
            let origin = origin(&entry.host).ok_or_else(|| failed(Problem::Host))?;
            let fields = fields(entry).map_err(failed)?;
            if credentials.of.insert(origin, fields).is_some() {
                return Err(failed(Problem::Twice));
            }
        }
        Ok(credentials)
    }

    /// What goes to an origin.
    pub fn fields(&self, origin: &HostKey) -> &[GivenField] {
        self.of.get(origin).map_or(&[], Vec::as_slice)
    }
}

fn origin(text: &str) -> Option<HostKey> {
    let text = if text.contains("://") {
        text.to_owned()
    } else {
        format!("https://{text}")
    };
    let plain = !text.contains('#');
    let url = CanonicalUrl::parse(&text).ok().filter(|_| plain)?;
    (url.request_target() == "/").then(|| url.host_key())
}

fn fields(entry: &config::Access) -> Result<Vec<GivenField>, Problem> {
    let reveal = |name: &str, secret: &Secret| {
        secret
            .reveal()
            .map_err(|error| Problem::Secret(name.to_owned(), error))
    };
    let mut fields = Vec::new();
    let mut give = |name: &str, value: String| {
        // A tab may stand in a value (RFC 9110 §5.5).
        if value.chars().any(|c| c.is_control() && c != '\t') {
            return Err(Problem::Value(name.to_owned()));
        }
        fields.push(GivenField {
            secret: config::is_secret_field(name),
            name: name.to_owned(),
            value,
        });
        Ok(())
    };
    if !entry.basic.is_empty() {
        let login = reveal("basic", &entry.basic)?;
        if !login.contains(':') {
            return Err(Problem::Basic);
        }
        give(
            "Authorization",
            format!("Basic {}", BASE64.encode(login.as_bytes())),
        )?;
    }
    if !entry.bearer.is_empty() {
        give(
            "Authorization",
            format!("Bearer {}", reveal("bearer", &entry.bearer)?),
        )?;
    }
    for (name, value) in &entry.headers {
        let is_token = !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
        if !is_token || RESERVED.iter().any(|r| r.eq_ignore_ascii_case(name)) {
            return Err(Problem::Name(name.clone()));
        }
        give(name, reveal(name, value)?)?;
    }
    let authorizations = fields
        .iter()
        .filter(|field| field.name.eq_ignore_ascii_case("authorization"));
    if authorizations.count() > 1 {
        return Err(Problem::Several);
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn reveal(text: &str) -> Result<Credentials, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("my.toml");
        std::fs::write(&path, text).unwrap();
        let config = config::Config::load(&path).unwrap();
        Credentials::reveal(&config.access).map_err(|error| error.to_string())
    }

    fn given(credentials: &Credentials, url: &str) -> Vec<String> {
        let origin = CanonicalUrl::parse(url).unwrap().host_key();
        let fields = credentials.fields(&origin).iter();
        fields
            .map(|field| format!("{}: {}", field.name, field.value))
            .collect()
    }

    #[test]
    fn only_the_very_origin_is_given_anything() {
        let credentials = reveal(
            "[[access]]\nhost = \"a.example\"\nbasic = \"Aladdin:open sesame\"\n\
             [[access]]\nhost = \"http://b.example:8080/\"\nbearer = \"t\"\nheaders = { X-A = \"1\" }\n",
        )
        .unwrap();
        assert_eq!(
            given(&credentials, "https://a.example/x"),
            ["Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]
        );
        assert_eq!(
            given(&credentials, "http://b.example:8080/x"),
            ["Authorization: Bearer t", "X-A: 1"]
        );
        for other in [
            "http://a.example/",
            "https://a.example:444/",
            "https://x.a.example/",
            "http://b.example/",
        ] {
            assert!(given(&credentials, other).is_empty(), "{other}");
        }
    }

    #[test]
    fn a_wrong_entry_is_refused_without_telling_its_secret() {
        for (entry, word) in [
            ("host = \"a.example/members\"\nbasic = \"u:hush\"", "origin"),
            ("host = \"https://u:hush@a.example\"", "goes into basic"),
            ("host = \"u:hush@a example\"", "goes into basic"),
            ("host = \"a.example\"\nbasic = \"hush\"", "user:password"),
            (
                "host = \"a.example\"\nbasic = \"u:hush\"\nbearer = \"hush\"",
                "one of",
            ),
            (
                "host = \"a.example\"\nheaders = { Host = \"hush\" }",
                "Host",
            ),
            (
                "host = \"a.example\"\nheaders = { \"X Y\" = \"hush\" }",
                "X Y",
            ),
            (
                "host = \"a.example\"\nheaders = { X = \"hush\\nY: 1\" }",
                "X",
            ),
            ("host = \"a.example\"\nbearer = \"left out\"", "--config"),
            (
                "host = \"a.example\"\nbearer = \"file:/no/such\"",
                "/no/such",
            ),
            (
                "host = \"a.example\"\nbearer = \"env:LASTLIGHT_NO_SUCH\"",
                "LASTLIGHT_NO_SUCH",
            ),
        ] {
            let error = reveal(&format!("[[access]]\n{entry}\n")).unwrap_err();
            assert!(error.contains(word) && !error.contains("hush"), "{error}");
        }
        let twice =
            "[[access]]\nhost = \"a.example\"\n[[access]]\nhost = \"https://a.example:443\"\n";
        assert!(reveal(twice).unwrap_err().contains("already"));
    }
}
