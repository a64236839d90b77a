//! Whose certificates are trusted, what was found out about the others, and in
//! words why a handshake failed. Nothing here decides whether to go on: that is
//! the configuration's `tls.verify`.

mod clock;

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    self, AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct,
    PeerIncompatible, RootCertStore, SignatureScheme,
};

use self::clock::EitherClock;
use super::NetError;
use crate::config;
use crate::url::HostKey;

/// What the TLS handshake agreed on, as WARC fields name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSession {
    /// `tls/1.2` or `tls/1.3`, a value of `WARC-Protocol`.
    pub protocol: &'static str,
    /// The cipher suite by its IANA name.
    pub cipher_suite: String,
    /// What the server presented, its own certificate first, in DER.
    pub certificates: Arc<[CertificateDer<'static>]>,
    /// What the check of them said.
    pub verdict: CertificateVerdict,
}

/// Whether a server's certificate proves that it is the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateVerdict {
    /// By a trusted root, for this name and now.
    Valid,
    /// It doesn't, and `tls.verify` is "record"; why.
    Invalid(String),
}

/// A trust that can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// `tls.roots` can't be read.
    #[error("tls.roots: {path}: {reason}")]
    Roots {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The system's roots and the configuration's, and what they are used for.
pub struct Trust {
    policy: config::CertificatePolicy,
    /// The configuration's own.
    given: RootCertStore,
    /// Read when the first https is spoken: the system may have hundreds of files.
    roots: OnceLock<Roots>,
}

/// What is made of the roots.
struct Roots {
    connector: TlsConnector,
    verifier: Option<Arc<EitherClock>>,
    /// Why there are none, where there are none.
    empty: Option<String>,
}

impl Roots {
    /// A root of the system that doesn't parse is the system's matter; the others
    /// count.
    fn load(mut roots: RootCertStore, policy: config::CertificatePolicy) -> Self {
        let native = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(native.certs);
        let empty = roots.is_empty().then(|| {
            let found = native.errors.first().map(ToString::to_string);
            let found = found.map(|error| format!(" ({error})")).unwrap_or_default();
            format!(
                "no certificate is trusted: the system has none{found}; \
                 install its ca-certificates, or name some in tls.roots"
            )
        });
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()
                .ok()
                .map(|verifier| Arc::new(EitherClock::new(verifier)));
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("ring speaks TLS 1.2 and 1.3")
            .dangerous();
        let builder = match (&verifier, policy) {
            (Some(verifier), config::CertificatePolicy::Require) => {
                builder.with_custom_certificate_verifier(verifier.clone())
            }
            _ => builder.with_custom_certificate_verifier(Arc::new(Anyone(provider))),
        };
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            connector: TlsConnector::from(Arc::new(config)),
            verifier,
            empty,
        }
    }
}

impl Trust {
    /// Loads the roots of the configuration, which must parse: they were given on
    /// purpose. The system's are read when they are wanted.
    pub fn load(settings: &config::Tls) -> Result<Self, TrustError> {
        let mut given = RootCertStore::empty();
        if !settings.roots.is_empty() {
            add_file(&mut given, Path::new(&settings.roots))?;
        }
        Ok(Self {
            policy: settings.verify,
            given,
            roots: OnceLock::new(),
        })
    }

    fn roots(&self) -> &Roots {
        self.roots
            .get_or_init(|| Roots::load(self.given.clone(), self.policy))
    }

    /// Why no site over https can be captured, where none can.
    pub fn cannot_verify(&self) -> Option<&str> {
        match self.policy {
            config::CertificatePolicy::Require => self.roots().empty.as_deref(),
            config::CertificatePolicy::Record => None,
        }
    }

    /// Speaks TLS to a host over an open stream.
    pub(super) async fn handshake(
        &self,
        host: &HostKey,
        stream: TcpStream,
    ) -> Result<(TlsStream<Opening>, TlsSession), NetError> {
        let failed = |reason: String, is_lasting: bool| NetError::Tls {
            host: host.to_string(),
            reason,
            is_lasting,
        };
        if let Some(reason) = self.cannot_verify() {
            return Err(failed(reason.to_owned(), true));
        }
        let bare = host.host().trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|error| failed(error.to_string(), true))?;
        let opening = Opening {
            stream,
            first: Vec::new(),
        };
        let connecting = self.roots().connector.connect(name.clone(), opening);
        match connecting.into_fallible().await {
            Ok(stream) => {
                let session = self.session(&name, stream.get_ref().1);
                Ok((stream, session))
            }
            Err((error, mut opening)) => {
                let (reason, is_lasting) = match last_words(&error, &mut opening.stream).await {
                    Some(alert) => (refusal(alert, true), true),
                    None => in_words(&error, &opening.first),
                };
                Err(failed(reason, is_lasting))
            }
        }
    }

    fn session(&self, name: &ServerName<'_>, connection: &rustls::ClientConnection) -> TlsSession {
        let protocol = match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "tls/1.2",
            _ => "tls/1.3",
        };
        let suite = connection
            .negotiated_cipher_suite()
            .map(|suite| suite.suite());
        let suite = suite.and_then(|suite| suite.as_str()).unwrap_or_default();
        let certificates: Arc<[CertificateDer<'static>]> = connection
            .peer_certificates()
            .unwrap_or_default()
            .iter()
            .map(|certificate| certificate.clone().into_owned())
            .collect();
        TlsSession {
            protocol,
            // rustls names TLS 1.3 suites TLS13_…; IANA's name has TLS_.
            cipher_suite: suite.replacen("TLS13_", "TLS_", 1),
            verdict: self.verdict(name, &certificates),
            certificates,
        }
    }

    /// A handshake that "require" let pass is valid; after "record" the check
    /// is made here.
    fn verdict(
        &self,
        name: &ServerName<'_>,
        certificates: &[CertificateDer<'_>],
    ) -> CertificateVerdict {
        if self.policy == config::CertificatePolicy::Require {
            return CertificateVerdict::Valid;
        }
        let invalid = |reason: &str| CertificateVerdict::Invalid(reason.to_owned());
        let Some(verifier) = &self.roots().verifier else {
            return invalid("no certificate is trusted on this system");
        };
        let Some((own, between)) = certificates.split_first() else {
            return invalid("none was presented");
        };
        match verifier.verify_server_cert(own, between, name, &[], UnixTime::now()) {
            Ok(_) => CertificateVerdict::Valid,
            Err(rustls::Error::InvalidCertificate(error)) => invalid(&certificate(&error)),
            Err(error) => invalid(&error.to_string()),
        }
    }
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), TrustError> {
    let wrong = |reason: String| TrustError::Roots {
        path: path.to_owned(),
        reason,
    };
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let certificates = certificates.map_err(|error| wrong(error.to_string()))?;
    if certificates.is_empty() {
        return Err(wrong("it holds no certificate in PEM".into()));
    }
    for certificate in certificates {
        roots
            .add(certificate)
            .map_err(|error| wrong(error.to_string()))?;
    }
    Ok(())
}

/// Takes every certificate: the verdict is made afterwards, and recorded. With
/// no proof of who is there, a signature proves nothing either.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A stream that remembers the first bytes it received: they tell what is
/// spoken there, when it isn't TLS as we speak it.
pub(super) struct Opening {
    pub(super) stream: TcpStream,
    first: Vec<u8>,
}

/// A record's header, a ServerHello's and its version.
const REMEMBERED: usize = 16;

impl AsyncRead for Opening {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let missing = REMEMBERED - self.first.len();
        if missing > 0 {
            let received = &buffer.filled()[before..];
            self.first
                .extend_from_slice(&received[..received.len().min(missing)]);
        }
        polled
    }
}

impl AsyncWrite for Opening {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The TLS error within an error of the stream: a server may refuse only after
/// the handshake, as with client certificates in TLS 1.3.
pub(super) fn later_refusal(error: &io::Error) -> Option<String> {
    match within(error)? {
        rustls::Error::AlertReceived(alert) => Some(refusal(*alert, true)),
        error => Some(error.to_string()),
    }
}

/// The alert that came before a write failed, and that nobody read: a server
/// that refuses and closes at once makes the rest of our handshake a broken
/// pipe.
async fn last_words(error: &io::Error, stream: &mut TcpStream) -> Option<rustls::AlertDescription> {
    /// What has come is there already.
    const PATIENCE: Duration = Duration::from_millis(100);
    if within(error).is_some() || error.kind() == io::ErrorKind::UnexpectedEof {
        return None;
    }
    let mut record = [0; 7];
    let read = stream.read_exact(&mut record);
    tokio::time::timeout(PATIENCE, read).await.ok()?.ok()?;
    match record {
        [21, 3, _, 0, 2, _, alert] => Some(alert.into()),
        _ => None,
    }
}

fn within(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Why a handshake failed, and whether it would fail again.
fn in_words(error: &io::Error, first: &[u8]) -> (String, bool) {
    if let Some(spoken) = not_tls(first) {
        return (
            format!("the server speaks {spoken} on this port, not TLS"),
            true,
        );
    }
    if let Some(version) = old_version(first) {
        let reason = format!("the server speaks only {version}; TLS 1.2 and 1.3 are spoken here");
        return (reason, true);
    }
    let began = first.first() == Some(&HANDSHAKE);
    match within(error) {
        Some(rustls::Error::InvalidCertificate(error)) => {
            (format!("certificate: {}", certificate(error)), true)
        }
        Some(rustls::Error::AlertReceived(alert)) => (refusal(*alert, began), true),
        Some(rustls::Error::PeerIncompatible(why)) => (incompatible(why), true),
        Some(rustls::Error::NoApplicationProtocol) => (NO_HTTP_1.to_owned(), true),
        Some(error) => (error.to_string(), false),
        None if first.is_empty() && error.kind() == io::ErrorKind::UnexpectedEof => (
            "the server closed the connection at the first word of TLS 1.2 or 1.3; \
             it may speak only older versions, or none"
                .to_owned(),
            false,
        ),
        None => (error.to_string(), false),
    }
}

/// The content type of a record of the handshake (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;
const NO_HTTP_1: &str =
    "the server speaks no HTTP/1.1 (ALPN: no_application_protocol); it may speak only HTTP/2";

fn not_tls(first: &[u8]) -> Option<&'static str> {
    let starts = |start: &[u8]| first.len() >= start.len() && first.starts_with(start);
    if starts(b"HTTP/") || starts(b"<") {
        Some("plain HTTP")
    } else if starts(b"SSH-") {
        Some("SSH")
    } else if starts(b"220 ") || starts(b"220-") {
        Some("FTP or SMTP")
    } else {
        None
    }
}

/// The version of a ServerHello that is older than TLS 1.2 (RFC 5246 §7.4.1.3).
fn old_version(first: &[u8]) -> Option<&'static str> {
    const SERVER_HELLO: u8 = 2;
    match first {
        [HANDSHAKE, _, _, _, _, SERVER_HELLO, _, _, _, 3, minor, ..] => match minor {
            0 => Some("SSL 3.0"),
            1 => Some("TLS 1.0"),
            2 => Some("TLS 1.1"),
            _ => None,
        },
        _ => None,
    }
}

/// A server's alert; `began` if it had agreed on version and ciphers before.
fn refusal(alert: AlertDescription, began: bool) -> String {
    let what = match alert {
        AlertDescription::ProtocolVersion => {
            "it speaks neither TLS 1.2 nor 1.3; it may speak only TLS 1.0 or 1.1"
        }
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity if !began => {
            "there is no cipher suite or key exchange that both know"
        }
        AlertDescription::CertificateRequired => "it requires a client certificate",
        AlertDescription::HandshakeFailure
        | AlertDescription::BadCertificate
        | AlertDescription::AccessDenied
            if began =>
        {
            "it may require a client certificate"
        }
        AlertDescription::UnrecognisedName => "it knows no host of this name (SNI)",
        AlertDescription::NoApplicationProtocol => return NO_HTTP_1.to_owned(),
        _ => "no reason is given",
    };
    format!("the server refuses: {what} (alert {alert:?})")
}

fn incompatible(why: &PeerIncompatible) -> String {
    let what = match why {
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => {
            "the server speaks neither TLS 1.2 nor 1.3"
        }
        PeerIncompatible::NoCipherSuitesInCommon => "the server's cipher suite isn't spoken here",
        PeerIncompatible::NoKxGroupsInCommon => "the server's key exchange isn't spoken here",
        PeerIncompatible::NoSignatureSchemesInCommon => {
            "the server's signature scheme isn't spoken here"
        }
        _ => return format!("the server asks for what isn't spoken here: {why:?}"),
    };
    what.to_owned()
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "not valid yet".to_owned()
        }
        CertificateError::UnknownIssuer => {
            "its issuer isn't trusted here (self-signed, or a certificate between is missing)"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name".to_owned()
        }
        CertificateError::Revoked => "revoked".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spoken_instead_of_tls_is_named() {
        let error = io::Error::from(io::ErrorKind::InvalidData);
        let named = |first: &[u8]| in_words(&error, first).0;
        assert!(named(b"HTTP/1.1 400 Bad").contains("plain HTTP"));
        assert!(named(b"SSH-2.0-OpenSSH_").contains("SSH"));
        for (minor, name) in [(0, "SSL 3.0"), (1, "TLS 1.0"), (2, "TLS 1.1")] {
            let hello = [22, 3, minor, 0, 74, 2, 0, 0, 70, 3, minor, 1, 2, 3, 4, 5];
            assert!(named(&hello).contains(name));
            for end in 0..hello.len() {
                let _ = named(&hello[..end]);
            }
        }
    }

    #[test]
    fn a_refusal_says_what_is_missing() {
        for (alert, began, word) in [
            (AlertDescription::ProtocolVersion, false, "TLS 1.0"),
            (AlertDescription::HandshakeFailure, false, "cipher suite"),
            (
                AlertDescription::HandshakeFailure,
                true,
                "client certificate",
            ),
            (
                AlertDescription::CertificateRequired,
                true,
                "client certificate",
            ),
            (AlertDescription::UnrecognisedName, false, "SNI"),
            (AlertDescription::NoApplicationProtocol, false, "HTTP/2"),
        ] {
            assert!(refusal(alert, began).contains(word), "{alert:?}");
        }
    }
}
