//! Fields of a metadata record that tell how an answer came: through which
//! proxy, with which verdict on the certificate, and which secrets went along.

use crate::net::{CertificateVerdict, Exchange};

/// Names the request's fields that carry configured secrets.
pub const SECRETS: &str = "credentialsSent";

/// The fields that apply.
pub fn fields(exchange: &Exchange) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    if let Some(proxy) = &exchange.proxy {
        fields.push(("proxy", proxy.clone()));
    }
    if let Some(tls) = &exchange.tls {
        let verdict = match &tls.verdict {
            CertificateVerdict::Valid => "valid".to_owned(),
            CertificateVerdict::Invalid(reason) => format!("invalid: {reason}"),
        };
        fields.push(("tlsCertificate", verdict));
    }
    if !exchange.secrets.is_empty() {
        fields.push((SECRETS, exchange.secrets.join(", ")));
    }
    fields
}
