//! Whether a certificate is valid today, where the clock of the day may jump: a crawl
//! mustn't lose its hosts to that. One that is valid by the clock is, or that would be by
//! the time that has passed since the first use of https.

use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

/// Verifies by the clock, and by the time that has passed.
#[derive(Debug)]
pub struct EitherClock {
    verifier: Arc<WebPkiServerVerifier>,
    /// The day's time when this began, and that since the system's start.
    began: (UnixTime, i64),
}

impl EitherClock {
    /// By a verifier, from now on.
    pub fn new(verifier: Arc<WebPkiServerVerifier>) -> Self {
        Self {
            verifier,
            began: (UnixTime::now(), since_start()),
        }
    }

    /// The day's time if nobody had set the clock.
    fn steady(&self) -> UnixTime {
        let (time, start) = self.began;
        let passed = since_start().saturating_sub(start).unsigned_abs();
        UnixTime::since_unix_epoch(Duration::from_secs(time.as_secs().saturating_add(passed)))
    }
}

/// Seconds, those of sleep included.
fn since_start() -> i64 {
    clock_gettime(ClockId::Boottime).tv_sec
}

/// Whether it's the time that a certificate isn't valid at.
fn is_of_time(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(
            CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
        )
    )
}

impl ServerCertVerifier for EitherClock {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let at = |time| {
            self.verifier
                .verify_server_cert(own, between, name, ocsp, time)
        };
        match at(now) {
            Err(error) if is_of_time(&error) => {
                at(self.steady()).map_err(|steady| if is_of_time(&steady) { error } else { steady })
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use tokio_rustls::rustls::RootCertStore;
    use tokio_rustls::rustls::crypto::ring;

    const YEAR: u64 = 365 * 86_400;

    #[test]
    fn a_clock_that_jumps_makes_no_certificate_invalid_and_none_valid() {
        let mut issuer = CertificateParams::default();
        issuer.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        issuer.not_before = rcgen::date_time_ymd(2001, 1, 1);
        let issuer = CertifiedIssuer::self_signed(issuer, KeyPair::generate().unwrap()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(issuer.der().clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let verifier = EitherClock::new(verifier.build().unwrap());
        let this_year = 1970 + i32::try_from(UnixTime::now().as_secs() / YEAR).unwrap();
        for (from, to, is_valid) in [
            (this_year - 2, this_year + 2, true),
            (2010, 2011, false),
            (this_year + 5, this_year + 6, false),
        ] {
            let mut server = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
            server.not_before = rcgen::date_time_ymd(from, 1, 1);
            server.not_after = rcgen::date_time_ymd(to, 12, 31);
            let key = KeyPair::generate().unwrap();
            let server = server.signed_by(&key, &issuer).unwrap();
            let verify = |name: &'static str, time: u64| {
                let now = UnixTime::since_unix_epoch(Duration::from_secs(time));
                let name = ServerName::try_from(name).unwrap();
                verifier.verify_server_cert(server.der(), &[], &name, &[], now)
            };
            let today = UnixTime::now().as_secs();
            for now in [today, today + 3 * YEAR, today - 3 * YEAR] {
                assert_eq!(verify("a.example", now).is_ok(), is_valid, "{from}: {now}");
                assert!(verify("b.example", now).is_err());
            }
        }
    }
}
