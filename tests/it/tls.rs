//! Sites over https: what was agreed is recorded, and a certificate that isn't
//! trusted ends in the ledger.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::harness::{crawl, lastlight, scratch};
use crate::holdings::Snapshot;
use crate::wire::{Reply, Wire, page};

/// A certificate for `localhost` by an authority of the test's own, whose
/// certificate stands in a file.
struct Authority {
    file: PathBuf,
    /// The server's own certificate.
    pem: String,
    server: Arc<ServerConfig>,
    directory: tempfile::TempDir,
}

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    let directory = scratch();
    let file = directory.path().join("authority.pem");
    std::fs::write(&file, issuer.pem()).unwrap();
    Authority {
        file,
        pem: certificate.pem().replace("\r\n", "\n"),
        server: Arc::new(server),
        directory,
    }
}

fn serve(server: Arc<ServerConfig>) -> (Wire, String) {
    let wire = Wire::serve_tls(server, |asked| {
        (asked.target == "/").then(|| Reply::Keep(page(&["/next"])))
    });
    let seed = format!("https://localhost:{}/", wire.port());
    (wire, seed)
}

#[test]
fn a_site_over_https_is_captured_with_its_protocol_and_cipher_suite() {
    let authority = authority();
    let (wire, seed) = serve(authority.server.clone());
    let into = authority.directory.path().join("secure");
    crawl(&seed, &into)
        .env("SSL_CERT_FILE", &authority.file)
        .run()
        .exits(0);
    let snapshot = Snapshot::at(&into);
    assert_eq!(snapshot.row(&format!("{seed}next"))["status"], "404");
    let record = snapshot.response(&seed);
    assert_eq!(record.block, page(&["/next"]));
    assert_eq!(record.all("WARC-Protocol"), ["http/1.1", "tls/1.3"]);
    let suite = record.field("WARC-Cipher-Suite").unwrap();
    assert!(suite.starts_with("TLS_"), "{suite}");
    assert_eq!(wire.times("/"), 1);
    // The chain stands there once, though two connections and more showed it.
    let mut chains = snapshot.records();
    chains.retain(|record| record.kind() == "resource");
    assert_eq!(chains.len(), 1);
    let chain = &chains[0];
    assert_eq!(chain.url(), format!("urn:tls:localhost:{}", wire.port()));
    assert_eq!(
        chain.field("Content-Type"),
        Some("application/pem-certificate-chain")
    );
    assert_eq!(chain.all("WARC-Protocol"), ["tls/1.3"]);
    let pem = String::from_utf8_lossy(&chain.block);
    assert_eq!(pem, authority.pem);
    let index = snapshot.text("indexes/index.cdxj");
    assert!(index.contains("\"url\": \"urn:tls:localhost:"), "{index}");
    lastlight(["verify"]).arg(&into).run().exits(0);
}

#[test]
fn a_certificate_that_is_not_trusted_fails_and_nothing_is_asked() {
    let authority = authority();
    let (wire, seed) = serve(authority.server.clone());
    let into = authority.directory.path().join("untrusted");
    crawl(&seed, &into)
        .config(authority.directory.path(), "[fetch]\nretries = 0\n")
        .run()
        .exits(1);
    assert!(wire.asked().is_empty());
    let snapshot = Snapshot::at(&into);
    let robots = snapshot.row(&format!("{seed}robots.txt"));
    assert_eq!(robots["state"], "failed");
    assert!(robots["reason"].starts_with("tls:"), "{robots:?}");
    let row = snapshot.row(&seed);
    assert_eq!(row["state"], "failed");
    assert!(row["reason"].contains("tls:"), "{row:?}");
}
