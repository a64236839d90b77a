//! Sites over https: what was agreed is recorded, and a certificate that isn't
//! trusted ends in the ledger.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::harness::{crawl, lastlight, scratch};
use crate::holdings::Snapshot;
use crate::wire::{Reply, Wire, page};

/// A certificate for `localhost` by an authority of the test's own, whose
/// certificate stands in a file.
pub struct Authority {
    pub file: PathBuf,
    /// The server's own certificate.
    pem: String,
    root: CertificateDer<'static>,
    own: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    pub server: Arc<ServerConfig>,
    pub directory: tempfile::TempDir,
}

pub fn authority() -> Authority {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    authority_of(&CertificateParams::new(names).unwrap())
}

/// With a server's certificate of one's own wording.
fn authority_of(server: &CertificateParams) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = server.signed_by(&key, &issuer).unwrap();
    let own = certificate.der().clone();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.clone()], key.clone_key())
        .unwrap();
    let directory = scratch();
    let file = directory.path().join("authority.pem");
    std::fs::write(&file, issuer.pem()).unwrap();
    Authority {
        file,
        pem: certificate.pem().replace("\r\n", "\n"),
        root: issuer.der().clone(),
        own,
        key,
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
    crawl(&seed, &into).run().exits(1);
    assert!(wire.asked().is_empty());
    let snapshot = Snapshot::at(&into);
    let robots = snapshot.row(&format!("{seed}robots.txt"));
    assert_eq!(robots["state"], "failed");
    assert!(robots["reason"].starts_with("tls:"), "{robots:?}");
    let row = snapshot.row(&seed);
    assert_eq!(row["state"], "failed");
    assert!(row["reason"].contains("tls:"), "{row:?}");
}

#[test]
fn roots_of_ones_own_are_trusted_beside_the_systems() {
    let authority = authority();
    let (_wire, seed) = serve(authority.server.clone());
    let into = authority.directory.path().join("own-roots");
    let roots = format!("[tls]\nroots = \"{}\"\n", authority.file.display());
    crawl(&seed, &into)
        .config(authority.directory.path(), &roots)
        .run()
        .exits(0);
    assert_eq!(verdict(&into, &seed), "valid");
    crawl(&seed, &into.with_extension("none"))
        .config(
            authority.directory.path(),
            "[tls]\nroots = \"/no/such.pem\"\n",
        )
        .run()
        .exits(2)
        .warns("tls.roots: /no/such.pem");
}

#[test]
fn past_a_bad_certificate_only_by_switch_and_with_the_verdict_recorded() {
    let authority = authority();
    let (_wire, seed) = serve(authority.server.clone());
    let into = authority.directory.path().join("insecure");
    crawl(&seed, &into)
        .arg("--insecure-certificates")
        .run()
        .exits(0)
        .warns("certificate");
    assert!(verdict(&into, &seed).starts_with("invalid: its issuer"));
    let snapshot = Snapshot::at(&into);
    assert_eq!(snapshot.row(&seed)["state"], "captured");
    assert!(
        snapshot
            .text("logs/crawl.jsonl")
            .contains("\"certificate\"")
    );
    lastlight(["verify"]).arg(&into).run().exits(0);
}

#[test]
fn a_certificate_for_another_name_or_past_its_end_says_so() {
    let mut params = CertificateParams::new(vec!["other.example".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let authority = authority_of(&params);
    let (_wire, seed) = serve(authority.server.clone());
    let reason = fails(&authority, &seed);
    assert!(
        reason.contains("certificate: expired")
            || reason.contains("certificate: it is for another name"),
        "{reason}"
    );
}

#[test]
fn without_any_root_a_secure_seed_is_refused_with_what_to_do() {
    let authority = authority();
    let (wire, seed) = serve(authority.server.clone());
    let into = authority.directory.path().join("no-roots");
    crawl(&seed, &into)
        .env("SSL_CERT_FILE", "/no/such/file.pem")
        .env("SSL_CERT_DIR", authority.directory.path().join("none"))
        .run()
        .exits(4)
        .warns("ca-certificates");
    assert!(!wire.was_reached() && !into.exists());
}

#[test]
fn a_server_that_wants_a_client_certificate_says_so() {
    let authority = authority();
    let mut roots = RootCertStore::empty();
    roots.add(authority.root.clone()).unwrap();
    for versions in [
        &[&tokio_rustls::rustls::version::TLS13][..],
        &[&tokio_rustls::rustls::version::TLS12],
    ] {
        let provider = Arc::new(ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots.clone()), provider.clone())
                .build()
                .unwrap();
        let server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![authority.own.clone()], authority.key.clone_key())
            .unwrap();
        let (_wire, seed) = serve(Arc::new(server));
        let reason = fails(&authority, &seed);
        assert!(reason.contains("client certificate"), "{reason}");
    }
}

#[test]
fn a_server_that_speaks_only_http_2_says_so() {
    let authority = authority();
    let mut server = ServerConfig::clone(&authority.server);
    server.alpn_protocols = vec![b"h2".to_vec()];
    let (_wire, seed) = serve(Arc::new(server));
    let reason = fails(&authority, &seed);
    assert!(reason.contains("HTTP/2"), "{reason}");
}

#[test]
fn what_rustls_cannot_speak_is_named() {
    // A ServerHello of TLS 1.0 (RFC 2246 §7.4.1.3), and of TLS 1.1.
    let hello = |minor: u8| {
        let mut bytes = vec![22, 3, minor, 0, 42, 2, 0, 0, 38, 3, minor];
        bytes.extend([7; 32]);
        bytes.extend([0, 0, 0x2f, 0]);
        bytes
    };
    let alert = |description: u8| vec![21, 3, 1, 0, 2, 2, description];
    for (answer, word) in [
        (hello(1), "TLS 1.0"),
        (hello(2), "TLS 1.1"),
        (hello(0), "SSL 3.0"),
        (alert(70), "TLS 1.0 or 1.1"),
        (alert(40), "cipher suite"),
        (alert(112), "SNI"),
        (alert(120), "HTTP/2"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "plain HTTP"),
        (b"SSH-2.0-OpenSSH_9.9\r\n".to_vec(), "SSH"),
        (Vec::new(), "older versions"),
    ] {
        let raw = Raw::serve(answer);
        let seed = format!("https://localhost:{}/", raw.address.port());
        let authority = authority();
        let reason = fails(&authority, &seed);
        assert!(
            reason.contains("tls:") && reason.contains(word),
            "{word}: {reason}"
        );
    }
}

/// The reason for which a seed's robots.txt can't be had, with a crawl that
/// trusts the authority.
#[track_caller]
fn fails(authority: &Authority, seed: &str) -> String {
    let directory = scratch();
    let into = directory.path().join("refused");
    crawl(seed, &into)
        .env("SSL_CERT_FILE", &authority.file)
        .config(directory.path(), "[fetch]\nretries = 0\n")
        .run()
        .exits(1);
    let snapshot = Snapshot::at(&into);
    snapshot.row(&format!("{seed}robots.txt"))["reason"].clone()
}

/// What the metadata record of a URL says of the certificate.
fn verdict(into: &std::path::Path, url: &str) -> String {
    let records = Snapshot::at(into).records();
    let metadata = records
        .iter()
        .find(|record| record.kind() == "metadata" && record.url() == url)
        .unwrap();
    let text = String::from_utf8(metadata.block.clone()).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("tlsCertificate: "));
    line.unwrap().to_owned()
}

/// Sends the same bytes to everybody and closes; stops when it is dropped.
struct Raw {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Raw {
    fn serve(answer: Vec<u8>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let told = stopped.clone();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if told.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(mut stream) = stream else { continue };
                let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(&answer);
                let _ = stream.shutdown(std::net::Shutdown::Write);
                // What is unread at a close would reset the connection.
                while stream.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {}
            }
        });
        Self {
            address,
            stopped,
            thread: Some(thread),
        }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
