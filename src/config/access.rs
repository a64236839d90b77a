//! `[[access]]`: what one origin is given beside the usual request.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use super::Secret;

/// The name of the array of tables.
pub(super) const TABLE: &str = "access";

/// One entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// The origin: `https://members.example`, with a port where it isn't the
    /// default; without a scheme it is https.
    pub host: String,
    /// `user:password` for the Basic scheme (RFC 7617).
    #[serde(default, skip_serializing_if = "Secret::is_empty")]
    pub basic: Secret,
    /// A token for the Bearer scheme (RFC 6750).
    #[serde(default, skip_serializing_if = "Secret::is_empty")]
    pub bearer: Secret,
    /// More fields of the request.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        serialize_with = "written"
    )]
    pub headers: BTreeMap<String, Secret>,
}

/// Fields that say what is wanted and nothing of who asks.
const PLAIN: [&str; 8] = [
    "accept",
    "accept-language",
    "accept-encoding",
    "user-agent",
    "referer",
    "dnt",
    "sec-gpc",
    "cache-control",
];

/// Whether a field of this name is taken for a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    !PLAIN.iter().any(|plain| plain.eq_ignore_ascii_case(name))
}

fn written<S: Serializer>(
    headers: &BTreeMap<String, Secret>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(headers.iter().map(|(name, value)| {
        if is_secret(name) {
            (name, value.written().to_owned())
        } else {
            (name, value.as_given().to_owned())
        }
    }))
}
