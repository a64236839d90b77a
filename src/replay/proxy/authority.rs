//! The certificate authority of one run: certificates for the hosts that the
//! browser asks for. Its key is in memory alone and ends with the run, so
//! trust in it can't outlive it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::BASE64;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use thiserror::Error;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::NoServerSessionStorage;
use uuid::Uuid;

use crate::digest::Digest;
use crate::url::HostKey;

/// So many hosts keep their certificate; a page that invents more makes new
/// ones, which takes a fraction of a millisecond.
const MAX_KEPT: usize = 256;
/// Some clients refuse a certificate that is valid for more than 398 days.
const VALID_DAYS: i64 = 366;

/// Why a certificate could not be made.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// The certificate.
    #[error("making a certificate failed: {0}")]
    Certificate(#[from] rcgen::Error),
    /// Its use for TLS.
    #[error("the certificate can't be used: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
}

/// An authority, and the certificates that it made.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// The key of every host: they are all this one server.
    key: KeyPair,
    provider: Arc<CryptoProvider>,
    kept: Mutex<HashMap<String, Arc<ServerConfig>>>,
}

impl Authority {
    /// A new authority with a key of its own.
    pub fn new() -> Result<Self, AuthorityError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        dress(&mut params, "Lastlight replay, this run only");
        Ok(Self {
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)?,
            key: KeyPair::generate()?,
            provider: Arc::new(ring::default_provider()),
            kept: Mutex::default(),
        })
    }

    /// The authority's certificate, without its key.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// What Chromium's `--ignore-certificate-errors-spki-list` takes: base64 of
    /// the SHA-256 of the authority's public key.
    pub fn spki_hash(&self) -> String {
        let key = self.issuer.key().subject_public_key_info();
        BASE64.encode(Digest::sha256(&key).bytes())
    }

    /// How a host's server speaks TLS, with the authority's certificate in the
    /// chain that it shows.
    pub fn config(&self, host: &HostKey) -> Result<Arc<ServerConfig>, AuthorityError> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = kept().get(host.host()) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(self.make(host)?);
        let mut kept = kept();
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(host.host().to_owned(), Arc::clone(&config));
        Ok(config)
    }

    fn make(&self, host: &HostKey) -> Result<ServerConfig, AuthorityError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.subject_alt_names = vec![match host.literal_address() {
            Some(address) => SanType::IpAddress(address),
            None => SanType::DnsName(host.host().try_into()?),
        }];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        dress(&mut params, "Lastlight replay");
        let own = params.signed_by(&self.key, &self.issuer)?;
        let chain = vec![own.der().clone(), self.issuer.der().clone()];
        let key = PrivateKeyDer::Pkcs8(self.key.serialize_der().into());
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A session that is kept would be memory of every host.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}

/// A name, a serial number of its own, and days that are enough for one run.
fn dress(params: &mut CertificateParams, name: &str) {
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from_slice(Uuid::new_v4().as_bytes()));
    let date = |days: i64| {
        let then = Timestamp::now() + SignedDuration::from_hours(24 * days);
        let date = then.to_zoned(TimeZone::UTC).date();
        let part = i8::unsigned_abs;
        rcgen::date_time_ymd(date.year().into(), part(date.month()), part(date.day()))
    };
    params.not_before = date(-1);
    params.not_after = date(VALID_DAYS);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::url::CanonicalUrl;

    fn host(url: &str) -> HostKey {
        CanonicalUrl::parse(url).unwrap().host_key()
    }

    #[test]
    fn every_host_that_a_url_can_name_gets_a_certificate() {
        let authority = Authority::new().unwrap();
        let long = format!("https://{}.example/", "a.".repeat(110));
        for url in [
            "https://example.org/",
            "https://example.org./",
            "https://127.0.0.1/",
            "https://[::1]:8443/",
            "https://under_score.example/",
            "https://o'neil.example/",
            "https://xn--bcher-kva.example/",
            "https://-/",
            &long,
        ] {
            let made = authority.config(&host(url));
            assert!(made.is_ok(), "{url}: {made:?}");
        }
    }

    #[test]
    fn a_page_that_invents_hosts_does_not_fill_memory() {
        let authority = Authority::new().unwrap();
        let first = authority.config(&host("https://example.org/")).unwrap();
        let again = authority.config(&host("http://example.org:81/")).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        for n in 0..MAX_KEPT + 5 {
            let url = format!("https://h{n}.example/");
            authority.config(&host(&url)).unwrap();
        }
        assert!(authority.kept.lock().unwrap().len() <= MAX_KEPT);
    }

    #[test]
    fn each_run_has_an_authority_of_its_own() {
        let (one, other) = (Authority::new().unwrap(), Authority::new().unwrap());
        assert_ne!(one.spki_hash(), other.spki_hash());
        assert_eq!(BASE64.decode(one.spki_hash().as_bytes()).unwrap().len(), 32);
        assert!(one.pem().starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(!one.pem().contains("PRIVATE"));
    }
}
