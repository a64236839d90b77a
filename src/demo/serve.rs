//! A small HTTP/1.1 server for the built-in [`Site`], on loopback only. It
//! frames answers as an ordinary web server does (header case, keep-alive,
//! chunks), which the server crate of the replay would not let us choose.

use std::{
    io,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use super::site::{Answer, Site};

/// Longest request head that is read, in bytes.
const HEAD: usize = 16 * 1024;
/// Most connections at one time; further ones wait to be accepted.
const CONNECTIONS: usize = 128;
/// How long a connection may be idle, or a write may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Content bytes in one chunk of a chunked answer.
const CHUNK: usize = 700;

/// A running server. Dropping it ends it and its connections.
#[derive(Debug)]
pub struct Serving {
    port: u16,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    site: Site,
    delay: Duration,
    requests: AtomicU64,
}

impl Serving {
    /// Serves `site` on 127.0.0.1 at `port`, or at any free port. Fails when
    /// the port cannot be bound.
    pub async fn start(site: Site, port: Option<u16>) -> io::Result<Serving> {
        Serving::start_slow(site, port, Duration::ZERO).await
    }

    /// As [`Serving::start`], but waits for `delay` before each answer, so
    /// that a test has time to interrupt a crawl.
    pub async fn start_slow(site: Site, port: Option<u16>, delay: Duration) -> io::Result<Serving> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0))).await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            site,
            delay,
            requests: AtomicU64::new(0),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Serving { port, shared, task })
    }

    /// The port that is listened on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The main origin, without a closing slash: `http://inquiry.localhost:PORT`.
    pub fn main_origin(&self) -> String {
        format!("http://inquiry.localhost:{}", self.port)
    }

    /// The site that is served, for instance to [close](Site::close) it.
    pub fn site(&self) -> &Site {
        &self.shared.site
    }

    /// Requests answered so far, of both origins and of any status.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Closes the port and all connections, at once.
    pub async fn stop(mut self) {
        self.task.abort();
        // The error says only that the task was cancelled, as asked.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= CONNECTIONS {
            connections.join_next().await;
        }
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    // A client that goes away ends its own connection only.
                    let _ = converse(stream, &shared).await;
                });
            }
            // Out of file descriptors, or a connection reset while it waited.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Answers the requests of one connection in turn until either side closes.
async fn converse(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut received = Vec::with_capacity(1024);
    while let Some(head) = read_head(&mut stream, &mut received).await? {
        let Some(request) = Request::parse(&head) else {
            let refusal =
                b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            return stream.write_all(refusal).await;
        };
        if !shared.delay.is_zero() {
            tokio::time::sleep(shared.delay).await;
        }
        let answer = shared
            .site
            .answer(request.method, request.host, request.target, request.gzip);
        shared.requests.fetch_add(1, Ordering::Relaxed);
        let bytes = frame(&request, answer);
        timeout(PATIENCE, stream.write_all(&bytes))
            .await
            .map_err(io::Error::from)??;
        if !request.keep_alive {
            break;
        }
    }
    stream.shutdown().await
}

/// Takes the next request head, with its empty line, out of what was
/// received. None when the client has closed, is idle, or sends too long a
/// head.
async fn read_head(stream: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    loop {
        if let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = received.split_off(end + 4);
            return Ok(Some(std::mem::replace(received, rest)));
        }
        if received.len() > HEAD {
            return Ok(None);
        }
        let read = timeout(PATIENCE, stream.read_buf(received)).await;
        match read {
            Ok(Ok(0)) | Err(_) => return Ok(None),
            Ok(read) => read?,
        };
    }
}

/// What the server needs to know of a request.
struct Request<'a> {
    method: &'a str,
    target: &'a str,
    host: &'a str,
    gzip: bool,
    if_none_match: &'a str,
    /// HTTP/1.1 or later: chunks are understood.
    chunks: bool,
    keep_alive: bool,
}

impl Request<'_> {
    fn parse(head: &[u8]) -> Option<Request<'_>> {
        let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
        let mut parts = lines.next()?.split(' ');
        let (method, target, version) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || !version.starts_with("HTTP/1.") {
            return None;
        }
        let chunks = version != "HTTP/1.0";
        let mut request = Request {
            method,
            target,
            host: "",
            gzip: false,
            if_none_match: "",
            chunks,
            keep_alive: chunks,
        };
        for line in lines.take_while(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':')?;
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "host" => request.host = value,
                "accept-encoding" => request.gzip = takes_gzip(value),
                "if-none-match" => request.if_none_match = value,
                "connection" if value.eq_ignore_ascii_case("close") => request.keep_alive = false,
                // A body is not read, so the connection ends after the answer.
                "content-length" if value != "0" => request.keep_alive = false,
                "transfer-encoding" => request.keep_alive = false,
                _ => {}
            }
        }
        Some(request)
    }
}

/// Whether Accept-Encoding names gzip with a weight other than 0.
fn takes_gzip(value: &str) -> bool {
    value.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().trim_start_matches("q=").trim();
        let refused = !weight.is_empty() && weight.bytes().all(|byte| matches!(byte, b'0' | b'.'));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

/// The answer as bytes: status line, header, content (RFC 9112 §6).
fn frame(request: &Request<'_>, mut answer: Answer) -> Vec<u8> {
    let tag = answer.headers.iter().find(|(name, _)| name == "ETag");
    if answer.status == 200
        && tag.is_some_and(|(_, tag)| {
            request
                .if_none_match
                .split(',')
                .any(|held| held.trim() == tag)
        })
    {
        answer.status = 304;
        answer.body.clear();
        let kept = |name: &str| matches!(name, "ETag" | "Cache-Control" | "Vary");
        answer.headers.retain(|(name, _)| kept(name));
    }
    let mut head = format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status));
    let mut field = |name: &str, value: &str| {
        head.push_str(name);
        head.push_str(": ");
        head.push_str(value);
        head.push_str("\r\n");
    };
    // The years that this format cannot write are those that no clock shows.
    if let Ok(date) = DateTimePrinter::new().timestamp_to_rfc9110_string(&Timestamp::now()) {
        field("Date", &date);
    }
    field("Server", "lastlight-demo");
    for (name, value) in &answer.headers {
        field(name, value);
    }
    let chunked = answer.chunked && request.chunks;
    if chunked {
        field("Transfer-Encoding", "chunked");
    } else if answer.status != 304 {
        field("Content-Length", &answer.body.len().to_string());
    }
    if !request.keep_alive {
        field("Connection", "close");
    }
    head.push_str("\r\n");

    let mut bytes = head.into_bytes();
    if request.method == "HEAD" || answer.status == 304 {
        return bytes;
    }
    if !chunked {
        bytes.append(&mut answer.body);
        return bytes;
    }
    for chunk in answer.body.chunks(CHUNK) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        421 => "Misdirected Request",
        _ => "",
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Sends bytes and reads until the server closes.
    async fn talk(port: u16, request: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn a_connection_is_kept_until_the_client_asks_to_close() {
        let serving = Serving::start(Site::new("31 March 2027"), None)
            .await
            .unwrap();
        let host = format!("Host: inquiry.localhost:{}\r\n", serving.port());
        let answers = talk(
            serving.port(),
            &format!(
                "GET / HTTP/1.1\r\n{host}\r\nHEAD /letter/ HTTP/1.1\r\n{host}\r\n\
                 GET /nowhere HTTP/1.1\r\n{host}Connection: close\r\n\r\n"
            ),
        )
        .await;
        assert_eq!(answers.matches("HTTP/1.1 200 OK\r\nDate: ").count(), 2);
        assert_eq!(answers.matches("HTTP/1.1 404 Not Found\r\n").count(), 1);
        assert_eq!(answers.matches("<!doctype html>").count(), 2);
        assert_eq!(serving.requests(), 3);
        let port = serving.port();
        serving.stop().await;
        assert!(
            TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn chunks_are_framed_for_those_who_understand_them() {
        let serving = Serving::start(Site::new("31 March 2027"), None)
            .await
            .unwrap();
        let path = "/transcripts/day-1.html";
        let ask = |version: &str| {
            format!("GET {path} HTTP/{version}\r\nHost: 127.0.0.1:1\r\nConnection: close\r\n\r\n")
        };
        let chunked = talk(serving.port(), &ask("1.1")).await;
        assert!(chunked.contains("\r\nTransfer-Encoding: chunked\r\n"));
        assert!(
            chunked.contains("\r\n\r\n2bc\r\n<!doctype html>")
                && chunked.ends_with("\r\n0\r\n\r\n")
        );
        let whole = talk(serving.port(), &ask("1.0")).await;
        assert!(whole.contains("\r\nContent-Length: ") && whole.ends_with("</html>\n"));
        serving.stop().await;
    }

    #[tokio::test]
    async fn an_entity_tag_that_is_held_gets_304() {
        let serving = Serving::start(Site::new("31 March 2027"), None)
            .await
            .unwrap();
        let ask = |tag: &str| {
            format!(
                "GET /img/mark.svg HTTP/1.1\r\nHost: localhost:1\r\nIf-None-Match: {tag}\r\nConnection: close\r\n\r\n"
            )
        };
        let first = talk(serving.port(), &ask("\"other\"")).await;
        let tag = first
            .split("ETag: ")
            .nth(1)
            .unwrap()
            .lines()
            .next()
            .unwrap();
        assert!(first.starts_with("HTTP/1.1 200 "));
        let second = talk(serving.port(), &ask(tag)).await;
        assert!(
            second.starts_with("HTTP/1.1 304 Not Modified\r\n") && second.ends_with("\r\n\r\n")
        );
        serving.stop().await;
    }

    #[tokio::test]
    async fn what_is_no_request_ends_the_connection() {
        let serving = Serving::start(Site::new("31 March 2027"), None)
            .await
            .unwrap();
        for request in [
            "GET /\r\n\r\n",
            "\r\n\r\n",
            "GET / HTTP/1.1\r\nno colon\r\n\r\n",
            "é\r\n\r\n",
        ] {
            let answer = talk(serving.port(), request).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{request:?}: {answer}");
        }
        serving.stop().await;
    }

    #[test]
    fn a_weight_of_nought_refuses_gzip() {
        assert!(takes_gzip("gzip") && takes_gzip("br;q=1, GZIP;q=0.5"));
        assert!(!takes_gzip("gzip;q=0") && !takes_gzip("gzip; q=0.000") && !takes_gzip("br"));
    }
}
