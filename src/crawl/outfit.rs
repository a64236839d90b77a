//! What a crawl takes along on its way: logins, imported cookies, roots of
//! trust, a proxy. All of it is read and checked before anything is made.

use std::path::Path;

use super::cookies::{self, CookieFileError, Import};
use super::credentials::{Credentials, CredentialsError};
use crate::config::{CertificatePolicy, Config, CookiePolicy};
use crate::net::{Proxy, ProxyError, Trust, TrustError};
use crate::url::CanonicalUrl;

/// Everything that was configured, ready for use.
pub struct Outfit {
    /// What single origins are given.
    pub credentials: Credentials,
    /// From `cookies.file`.
    pub cookies: Import,
    /// Whose certificates are trusted.
    pub trust: Trust,
    /// Through whom connections go.
    pub proxy: Option<Proxy>,
}

/// Why a crawl can't set out.
#[derive(Debug, thiserror::Error)]
pub enum OutfitError {
    /// `[[access]]`
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// `cookies.file`
    #[error("cookies.file: {0}")]
    Cookies(#[from] CookieFileError),
    /// `[tls]`
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// `[proxy]`
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// A login, and nobody to say who gets it.
    #[error(
        "[[access]] and cookies.file go only to servers whose certificates check out: \
         leave out --insecure-certificates (tls.verify), or name the site's own \
         authority in tls.roots"
    )]
    SecretsForAnyone,
    /// A file of cookies, and no cookies wanted.
    #[error("cookies.file is set, and cookies.policy is \"off\": nothing of it would be sent")]
    CookiesOff,
    /// Seeds over https, and no roots to check them by.
    #[error("{seed}: {reason}")]
    NoRoots {
        /// The first seed over https.
        seed: CanonicalUrl,
        /// Why there are none.
        reason: String,
    },
}

impl Outfit {
    /// Reads what a configuration names. `imports` is whether cookies.txt is
    /// read: a crawl that goes on has its cookies in its store.
    pub fn ready(
        config: &Config,
        seeds: &[CanonicalUrl],
        imports: bool,
    ) -> Result<Self, OutfitError> {
        let file = &config.cookies.file;
        let has_secrets = !config.access.is_empty() || !file.is_empty();
        if has_secrets && config.tls.verify == CertificatePolicy::Record {
            return Err(OutfitError::SecretsForAnyone);
        }
        if !file.is_empty() && config.cookies.policy == CookiePolicy::Off {
            return Err(OutfitError::CookiesOff);
        }
        let cookies = if imports && !file.is_empty() {
            cookies::read(Path::new(file))?
        } else {
            Import::default()
        };
        let outfit = Self {
            credentials: Credentials::reveal(&config.access)?,
            cookies,
            trust: Trust::load(&config.tls)?,
            proxy: Proxy::of(&config.proxy)?,
        };
        if let Some(seed) = seeds.iter().find(|seed| seed.is_https())
            && let Some(reason) = outfit.trust.cannot_verify()
        {
            return Err(OutfitError::NoRoots {
                seed: seed.clone(),
                reason: reason.to_owned(),
            });
        }
        Ok(outfit)
    }
}
