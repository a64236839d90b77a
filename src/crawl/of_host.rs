//! What is recorded of a host once in a run: the addresses that its name has,
//! and the certificates that it showed. Each is a resource record of its own.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use data_encoding::BASE64;

use crate::net::{Exchange, Lookup};
use crate::time::WarcDate;
use crate::url::HostKey;

/// So many hosts are remembered; beyond it they are told again.
const MOST_HOSTS: usize = 200_000;

/// A record about a host.
#[derive(Debug, PartialEq, Eq)]
pub struct OfHost {
    /// `WARC-Target-URI`.
    pub url: String,
    /// `WARC-Date`, where it isn't that of the exchange.
    pub date: Option<WarcDate>,
    /// `Content-Type`.
    pub media_type: &'static str,
    /// Further fields.
    pub fields: Vec<(&'static str, String)>,
    /// Its block.
    pub block: Vec<u8>,
}

/// Which hosts are told of already.
#[derive(Default)]
pub struct Hosts {
    told: Mutex<HashSet<String>>,
}

impl Hosts {
    /// What an exchange says of its host for the first time.
    pub fn tell(&self, host: &HostKey, exchange: &Exchange) -> Vec<OfHost> {
        let mut records = Vec::new();
        if exchange.lookup.is_none() && exchange.tls.is_none() {
            return records;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() > MOST_HOSTS {
            told.clear();
        }
        if let Some(lookup) = &exchange.lookup
            && told.insert(format!("dns:{}", host.host()))
        {
            records.push(addresses(host.host(), lookup));
        }
        let Some(tls) = &exchange.tls else {
            return records;
        };
        let url = format!("urn:tls:{}:{}", host.host(), host.port());
        if !tls.certificates.is_empty() && told.insert(url.clone()) {
            let address = exchange.address.map(|address| {
                let address = address.ip().to_canonical().to_string();
                ("WARC-IP-Address", address)
            });
            let mut fields: Vec<_> = address.into_iter().collect();
            fields.push(("WARC-Protocol", tls.protocol.to_owned()));
            fields.push(("WARC-Cipher-Suite", tls.cipher_suite.clone()));
            records.push(OfHost {
                url,
                date: None,
                media_type: "application/pem-certificate-chain",
                fields,
                block: pem(tls.certificates.iter().map(AsRef::as_ref)),
            });
        }
        records
    }
}

/// `dns:` with `text/dns` (WARC 1.1 §6.4.3, RFC 4027): the time of the look-up,
/// then a line an address in the form of RFC 1035 §5.1, as Heritrix writes
/// them. The system's resolver tells neither a time to live nor which server
/// said so, so neither is there.
fn addresses(name: &str, lookup: &Lookup) -> OfHost {
    let mut block = format!("{}\r\n", lookup.at.timestamp14());
    for address in &lookup.addresses {
        let kind = if address.is_ipv4() { "A" } else { "AAAA" };
        block += &format!("{name}.\tIN\t{kind}\t{address}\r\n");
    }
    OfHost {
        url: format!("dns:{name}"),
        date: Some(lookup.at),
        media_type: "text/dns",
        fields: Vec::new(),
        block: block.into_bytes(),
    }
}

/// Certificates as RFC 8555 §9.1 chains them, the host's own first.
fn pem<'c>(certificates: impl Iterator<Item = &'c [u8]>) -> Vec<u8> {
    let mut text = String::new();
    for certificate in certificates {
        text += "-----BEGIN CERTIFICATE-----\n";
        let base64 = BASE64.encode(certificate);
        for line in base64.as_bytes().chunks(64) {
            text += &String::from_utf8_lossy(line);
            text.push('\n');
        }
        text += "-----END CERTIFICATE-----\n";
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::net::{Spool, TlsSession};
    use std::time::Duration;

    fn exchange(lookup: Option<Lookup>, certificate: Option<&'static [u8]>) -> Exchange {
        Exchange {
            request: Vec::new(),
            response: Spool::new(std::path::Path::new("/nowhere"), usize::MAX),
            head_length: 0,
            truncated: None,
            started: WarcDate::now(),
            elapsed: Duration::ZERO,
            address: Some("192.0.2.7:443".parse().unwrap()),
            proxy: None,
            secrets: Vec::new(),
            tls: certificate.map(|der| TlsSession {
                verdict: crate::net::CertificateVerdict::Valid,
                protocol: "tls/1.3",
                cipher_suite: "TLS_AES_128_GCM_SHA256".into(),
                certificates: [der.into()].into(),
            }),
            lookup: lookup.map(Into::into),
            reusable: false,
        }
    }

    fn host(url: &str) -> HostKey {
        crate::url::CanonicalUrl::parse(url).unwrap().host_key()
    }

    #[test]
    fn a_look_up_is_told_once_a_name_in_the_form_of_rfc1035() {
        let hosts = Hosts::default();
        let lookup = Lookup {
            at: "2026-11-22T02:28:46.5Z".parse().unwrap(),
            addresses: vec!["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()],
        };
        let exchange = exchange(Some(lookup), None);
        let told = hosts.tell(&host("http://a.example/"), &exchange);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].url, "dns:a.example");
        assert_eq!(
            String::from_utf8_lossy(&told[0].block),
            "20261122022846\r\na.example.\tIN\tA\t192.0.2.7\r\na.example.\tIN\tAAAA\t2001:db8::7\r\n"
        );
        // The same name on another port isn't looked up otherwise.
        assert_eq!(hosts.tell(&host("http://a.example:81/"), &exchange), []);
        assert_eq!(hosts.tell(&host("http://b.example/"), &exchange).len(), 1);
    }

    #[test]
    fn certificates_are_told_once_a_host_and_port() {
        let hosts = Hosts::default();
        let exchange = exchange(None, Some(&[7; 60]));
        let told = hosts.tell(&host("https://a.example/"), &exchange);
        assert_eq!(told[0].url, "urn:tls:a.example:443");
        let text = String::from_utf8_lossy(&told[0].block);
        assert!(text.starts_with("-----BEGIN CERTIFICATE-----\nBwcH"));
        assert!(text.lines().all(|line| line.len() <= 64));
        assert_eq!(hosts.tell(&host("https://a.example/x"), &exchange), []);
        assert_eq!(
            hosts.tell(&host("https://a.example:444/"), &exchange).len(),
            1
        );
    }
}
