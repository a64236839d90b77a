//! Where the addresses in an answer lead: to origins of their own, or to paths of
//! one host.

use super::address::{Base, Visit};
use super::headers::is_absolute;
use super::path_mode::Paths;
use super::rewrite::RESERVED;
use crate::scan::Role;
use crate::url::CanonicalUrl;

/// How archived URLs are addressed in an answer.
#[derive(Debug, Clone, Copy)]
pub enum Way<'a> {
    /// Each archived origin at an origin of its own.
    Origins(&'a Base, &'a Visit),
    /// Everything at one host.
    Paths(&'a Paths),
}

impl Way<'_> {
    /// The address at which a URL is replayed, its fragment kept; `None` where it
    /// isn't http or https. `role` is what it is named as; `None` where it answers
    /// in the place of what was asked for.
    pub fn address(self, url: ::url::Url, role: Option<Role>) -> Option<String> {
        let fragment = url.fragment().map(str::to_owned);
        let url = CanonicalUrl::of(url).ok()?;
        let mut address = match (self, role) {
            (Self::Origins(base, visit), _) => {
                base.content_url(&visit.collection, visit.timestamp, &url)
            }
            (Self::Paths(paths), Some(role)) => paths.address(url.as_str(), role),
            (Self::Paths(paths), None) => paths.address_alike(url.as_str()),
        };
        if let Some(fragment) = fragment {
            address.push('#');
            address.push_str(&fragment);
        }
        Some(address)
    }

    /// Whether a reference leads to the right place as it stands.
    pub fn stays(self, reference: &str) -> bool {
        match self {
            Self::Origins(..) => !is_absolute(reference),
            Self::Paths(_) => Paths::stays(reference),
        }
    }

    /// Where the runtime is, and what it must know beside the page's URL and time,
    /// as attributes of its element.
    pub fn runtime(self) -> (String, String) {
        match self {
            Self::Origins(base, visit) => {
                let Visit {
                    origin,
                    timestamp,
                    collection,
                } = visit;
                let own = base.content_origin(collection, *timestamp, origin);
                (format!("{own}{RESERVED}runtime.js"), String::new())
            }
            Self::Paths(paths) => (
                format!("{}{RUNTIME}", paths.origin),
                format!(" data-path=\"{}\"", paths.start()),
            ),
        }
    }
}

/// The path of the runtime at the interface's host.
pub const RUNTIME: &str = "/-/runtime.js";
