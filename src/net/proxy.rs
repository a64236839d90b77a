//! Proxies between us and the hosts: HTTP (RFC 9110 §7.3.2, CONNECT for https)
//! and SOCKS5 (RFC 1928), which look names up themselves. A request to the
//! proxy differs from the one that the host gets in its target and in the
//! proxy's own login; records hold what the host gets.

mod own_answer;

use std::borrow::Cow;

use data_encoding::BASE64;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_socks::tcp::Socks5Stream;

use self::own_answer::OwnAnswer;
use super::{HostPattern, HostPatternError, NetError};
use crate::config::{self, SecretError};
use crate::http::{Head, head_length};
use crate::url::HostKey;

/// A proxy and the hosts that are reached without it.
pub struct Proxy {
    kind: Kind,
    host: String,
    port: u16,
    login: Option<(String, String)>,
    direct: Vec<HostPattern>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Http,
    Socks5,
}

/// A proxy that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// Not an address of a proxy.
    #[error(
        "proxy.url: {text:?} is no address such as http://proxy.example:3128 or socks5://127.0.0.1:1080"
    )]
    Url {
        /// As given.
        text: String,
    },
    /// The login stands in the address, where it would be written down.
    #[error("proxy.url: the login belongs into proxy.login, which isn't written into the snapshot")]
    LoginInUrl,
    /// A login without a colon.
    #[error("proxy.login: \"user:password\" is expected")]
    Login,
    /// A login that can't be had.
    #[error("proxy.login: {0}")]
    Secret(#[from] SecretError),
    /// A host that could never be reached directly.
    #[error("proxy.direct: {0}")]
    Direct(#[from] HostPatternError),
}

impl Proxy {
    /// The configured one, if there is one.
    pub fn of(settings: &config::Proxy) -> Result<Option<Self>, ProxyError> {
        if settings.url.is_empty() {
            return Ok(None);
        }
        // Whether or not the rest is an address: a password isn't repeated.
        if settings.url.contains('@') {
            return Err(ProxyError::LoginInUrl);
        }
        let wrong = || ProxyError::Url {
            text: settings.url.clone(),
        };
        let url = url::Url::parse(&settings.url).map_err(|_| wrong())?;
        let (kind, port) = match url.scheme() {
            "http" => (Kind::Http, 80),
            "socks5" | "socks5h" => (Kind::Socks5, 1080),
            _ => return Err(wrong()),
        };
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or_else(wrong)?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() {
            return Err(wrong());
        }
        let login = if settings.login.is_empty() {
            None
        } else {
            let login = settings.login.reveal()?;
            let (user, password) = login.split_once(':').ok_or(ProxyError::Login)?;
            Some((user.to_owned(), password.to_owned()))
        };
        let direct = settings.direct.iter().map(|text| text.parse());
        Ok(Some(Self {
            kind,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(port),
            login,
            direct: direct.collect::<Result<_, _>>()?,
        }))
    }

    /// Whether connections to a host go through it.
    pub fn serves(&self, host: &HostKey) -> bool {
        !self.direct.iter().any(|direct| direct.matches(host))
    }

    /// A stream on which the host is spoken to, and how requests are changed
    /// on it.
    pub(super) async fn open(
        &self,
        host: &HostKey,
    ) -> Result<(TcpStream, Option<Forward>), NetError> {
        let refused = |own: OwnAnswer| NetError::Proxy {
            host: host.to_string(),
            proxy: self.to_string(),
            reason: own.reason,
            is_denial: own.is_denial,
        };
        let failed = |reason: String| refused(no_way(reason));
        let mut stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|source| {
                if super::is_out_of_files(&source) {
                    NetError::Connect {
                        host: host.to_string(),
                        source,
                    }
                } else {
                    failed(source.to_string())
                }
            })?;
        let _ = stream.set_nodelay(true);
        match self.kind {
            Kind::Http if host.is_https() => {
                self.tunnel(host, &mut stream).await.map_err(refused)?;
                Ok((stream, None))
            }
            Kind::Http => {
                let forward = Forward {
                    origin: host.to_string(),
                    authorization: self.authorization(),
                    proxy: self.to_string(),
                };
                Ok((stream, Some(forward)))
            }
            Kind::Socks5 => {
                let name = host.host().trim_matches(['[', ']']);
                let target = (name, host.port());
                let opened = match &self.login {
                    Some((user, password)) => {
                        Socks5Stream::connect_with_password_and_socket(
                            stream, target, user, password,
                        )
                        .await
                    }
                    None => Socks5Stream::connect_with_socket(stream, target).await,
                };
                let opened = opened.map_err(|error| failed(error.to_string()))?;
                Ok((opened.into_inner(), None))
            }
        }
    }

    fn authorization(&self) -> Option<String> {
        let (user, password) = self.login.as_ref()?;
        let login = BASE64.encode(format!("{user}:{password}").as_bytes());
        Some(format!("Proxy-Authorization: Basic {login}\r\n"))
    }

    /// Asks for a tunnel (RFC 9110 §9.3.6). What the proxy says is read byte by
    /// byte: the bytes after it are the host's.
    async fn tunnel(&self, host: &HostKey, stream: &mut TcpStream) -> Result<(), OwnAnswer> {
        let target = format!("{}:{}", host.host(), host.port());
        let login = self.authorization().unwrap_or_default();
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{login}\r\n");
        let io = |error: std::io::Error| no_way(error.to_string());
        stream.write_all(request.as_bytes()).await.map_err(io)?;
        let mut answer = Vec::new();
        while head_length(&answer).is_none() {
            if answer.len() > MAX_ANSWER {
                return Err(no_way("its answer to CONNECT has no end".into()));
            }
            answer.push(stream.read_u8().await.map_err(io)?);
        }
        let head = Head::parse(&answer);
        match head.status() {
            Some(200..=299) => Ok(()),
            status => Err(OwnAnswer {
                reason: format!(
                    "it answers CONNECT with {:?}",
                    String::from_utf8_lossy(head.start_line)
                ),
                is_denial: status.is_some_and(|status| status < 500 && status != 407),
            }),
        }
    }
}

/// That there is no way through the proxy for now.
fn no_way(reason: String) -> OwnAnswer {
    OwnAnswer {
        reason,
        is_denial: false,
    }
}

/// What a proxy may say before a tunnel.
const MAX_ANSWER: usize = 16 * 1024;

impl std::fmt::Display for Proxy {
    /// Its address, without login.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = match self.kind {
            Kind::Http => "http",
            Kind::Socks5 => "socks5",
        };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// How requests are changed for an HTTP proxy that forwards them.
pub(super) struct Forward {
    origin: String,
    authorization: Option<String>,
    proxy: String,
}

impl Forward {
    /// An answer that the proxy gives itself isn't one of the host.
    pub(super) fn refusal(&self, host: &str, head: &Head<'_>) -> Option<NetError> {
        let own = own_answer::recognise(head)?;
        Some(NetError::Proxy {
            host: host.to_owned(),
            proxy: self.proxy.clone(),
            reason: own.reason,
            is_denial: own.is_denial,
        })
    }

    /// The request with an absolute target (RFC 9112 §3.2.2) and the proxy's
    /// login.
    pub(super) fn on_the_wire<'r>(&self, request: &'r [u8]) -> Cow<'r, [u8]> {
        let Some(blank) = request.iter().position(|&b| b == b' ') else {
            return Cow::Borrowed(request);
        };
        let Some(end) = request.iter().position(|&b| b == b'\n') else {
            return Cow::Borrowed(request);
        };
        let login = self.authorization.as_deref().unwrap_or_default();
        let parts = [
            &request[..=blank],
            self.origin.as_bytes(),
            &request[blank + 1..=end],
            login.as_bytes(),
            &request[end + 1..],
        ];
        Cow::Owned(parts.concat())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::config::Config;
    use crate::url::CanonicalUrl;

    fn proxy(url: &str, direct: &[&str]) -> Result<Option<Proxy>, ProxyError> {
        let mut settings = Config::defaults().proxy;
        url.clone_into(&mut settings.url);
        settings.direct = direct.iter().map(ToString::to_string).collect();
        Proxy::of(&settings)
    }

    #[test]
    fn an_address_is_a_scheme_a_host_and_a_port() {
        let named = |url: &str| proxy(url, &[]).unwrap().unwrap().to_string();
        assert_eq!(named("http://p.example"), "http://p.example:80");
        assert_eq!(named("socks5h://[::1]:9050/"), "socks5://[::1]:9050");
        assert!(proxy("", &[]).unwrap().is_none());
        for wrong in [
            "p.example:3128",
            "ftp://p.example",
            "http://p.example/x",
            "https://p.example",
        ] {
            assert!(
                matches!(proxy(wrong, &[]), Err(ProxyError::Url { .. })),
                "{wrong}"
            );
        }
        for with_login in [
            "http://me:hush@p.example",
            "me:hush@p.example:3128",
            "http://me:hush@p exa/mple",
            "https://me:hu@sh@p.example/x",
        ] {
            let error = proxy(with_login, &[]).err().unwrap();
            assert!(matches!(error, ProxyError::LoginInUrl), "{error}");
        }
    }

    #[test]
    fn a_host_that_never_matches_is_refused() {
        for direct in ["intranet.example:80", "*.example", "http://a.example/"] {
            let error = proxy("http://p.example", &[direct]).err().unwrap();
            assert!(error.to_string().starts_with("proxy.direct: "), "{error}");
        }
    }

    #[test]
    fn some_hosts_are_reached_without_it() {
        let proxy = proxy(
            "http://p.example",
            &["a.example", ".b.example", "10.0.0.0/8"],
        );
        let proxy = proxy.unwrap().unwrap();
        let serves = |url: &str| proxy.serves(&CanonicalUrl::parse(url).unwrap().host_key());
        for direct in [
            "http://a.example/",
            "https://b.example/",
            "http://x.b.example/",
            "http://10.1.2.3/",
        ] {
            assert!(!serves(direct), "{direct}");
        }
        for served in [
            "http://x.a.example/",
            "http://cb.example/",
            "http://11.1.2.3/",
        ] {
            assert!(serves(served), "{served}");
        }
    }

    #[test]
    fn a_forwarded_request_has_an_absolute_target() {
        let forward = Forward {
            origin: "http://a.example:81".into(),
            authorization: Some("Proxy-Authorization: Basic eDp5\r\n".into()),
            proxy: String::new(),
        };
        assert_eq!(
            *forward.on_the_wire(b"GET /x?y HTTP/1.1\r\nHost: a.example:81\r\n\r\n"),
            *b"GET http://a.example:81/x?y HTTP/1.1\r\nProxy-Authorization: Basic eDp5\r\nHost: a.example:81\r\n\r\n"
        );
    }
}
