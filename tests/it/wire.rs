//! A server that sends exactly the bytes that a test gives it, over TCP or
//! TLS, and remembers what it was asked. It stops when it is dropped.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The longest that a connection waits for its client.
const PATIENCE: Duration = Duration::from_secs(20);

/// One request as received.
#[derive(Debug, Clone)]
pub struct Asked {
    pub target: String,
    pub bytes: Vec<u8>,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
    /// How often this target was asked for before.
    pub before: usize,
}

impl Asked {
    /// The value of the request's first field of this name.
    pub fn field(&self, name: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.bytes);
        text.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    }
}

/// What the server does.
pub enum Reply {
    /// Sends bytes and waits for the next request.
    Keep(Vec<u8>),
    /// Sends bytes and closes.
    Close(Vec<u8>),
    /// Sends bytes and resets the connection.
    Reset(Vec<u8>),
    /// Sends bytes and then nothing, with the connection open.
    Silence(Vec<u8>),
}

type Handler = dyn Fn(&Asked) -> Option<Reply> + Send + Sync;

pub struct Wire {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Shared {
    handler: Box<Handler>,
    tls: Option<Arc<ServerConfig>>,
    asked: Mutex<Vec<Asked>>,
    connections: AtomicUsize,
    stopped: AtomicBool,
}

/// An answer with a status line, header lines and a body of stated length.
pub fn answer(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes = format!("HTTP/1.1 {status}\r\n").into_bytes();
    for header in headers {
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// A page with these links, each of which is fetched.
pub fn page(links: &[&str]) -> Vec<u8> {
    let mut html = "<!doctype html><title>Links</title>\n".to_owned();
    for link in links {
        html += &["<a href=\"", link, "\">x</a>\n"].concat();
    }
    answer("200 OK", &["Content-Type: text/html"], html)
}

impl Wire {
    /// Serves on 127.0.0.1; what the handler doesn't know is a 404.
    pub fn serve(handler: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) -> Self {
        Self::start(Ipv4Addr::LOCALHOST, None, Box::new(handler))
    }

    /// Serves on another address of the loopback network.
    pub fn serve_at(
        address: Ipv4Addr,
        handler: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        Self::start(address, None, Box::new(handler))
    }

    /// Serves over TLS.
    pub fn serve_tls(
        tls: Arc<ServerConfig>,
        handler: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        Self::start(Ipv4Addr::LOCALHOST, Some(tls), Box::new(handler))
    }

    fn start(address: Ipv4Addr, tls: Option<Arc<ServerConfig>>, handler: Box<Handler>) -> Self {
        let listener = TcpListener::bind((IpAddr::V4(address), 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            handler,
            tls,
            asked: Mutex::default(),
            connections: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        });
        let serving = shared.clone();
        let thread = std::thread::spawn(move || {
            let mut talks = Vec::new();
            for stream in listener.incoming() {
                if serving.stopped.load(Ordering::Relaxed) {
                    break;
                }
                let (Ok(stream), serving) = (stream, serving.clone()) else {
                    continue;
                };
                let _ = stream.set_read_timeout(Some(PATIENCE));
                let _ = stream.set_write_timeout(Some(PATIENCE));
                talks.push(std::thread::spawn(move || serving.greet(stream)));
            }
        });
        Self {
            address,
            shared,
            thread: Some(thread),
        }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// A URL by the server's address.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Everything that was asked for.
    pub fn everything(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// Everything that was asked for, robots.txt left out.
    pub fn asked(&self) -> Vec<Asked> {
        let mut asked = self.everything();
        asked.retain(|asked| asked.target != "/robots.txt");
        asked
    }

    /// Whether anyone ever connected.
    pub fn was_reached(&self) -> bool {
        self.shared.connections.load(Ordering::Relaxed) > 0
    }

    /// How often a target was asked for.
    pub fn times(&self, target: &str) -> usize {
        self.asked()
            .iter()
            .filter(|asked| asked.target == target)
            .count()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn greet(&self, stream: TcpStream) {
        let connection = self.connections.fetch_add(1, Ordering::Relaxed);
        let bare = stream.try_clone().unwrap();
        match &self.tls {
            None => self.talk(stream, &bare, connection),
            Some(config) => {
                let session = ServerConnection::new(config.clone()).unwrap();
                self.talk(StreamOwned::new(session, stream), &bare, connection);
            }
        }
    }

    fn talk(&self, mut stream: impl Read + Write, bare: &TcpStream, connection: usize) {
        while let Some(bytes) = read_head(&mut stream) {
            let target = String::from_utf8_lossy(&bytes);
            let target = target.split(' ').nth(1).unwrap_or_default().to_owned();
            let asked = {
                let mut all = self.asked.lock().unwrap();
                let before = all.iter().filter(|asked| asked.target == target).count();
                let asked = Asked {
                    target,
                    bytes,
                    connection,
                    before,
                };
                all.push(asked.clone());
                asked
            };
            let reply = (self.handler)(&asked);
            let missing = || answer("404 Not Found", &["Content-Type: text/plain"], "no\n");
            match reply.unwrap_or_else(|| Reply::Keep(missing())) {
                Reply::Keep(bytes) => {
                    if stream
                        .write_all(&bytes)
                        .and_then(|()| stream.flush())
                        .is_err()
                    {
                        return;
                    }
                }
                Reply::Close(bytes) => {
                    let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
                    let _ = bare.shutdown(std::net::Shutdown::Both);
                    return;
                }
                Reply::Reset(bytes) => {
                    let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
                    // The client is to have read the bytes when the reset comes.
                    std::thread::sleep(Duration::from_millis(50));
                    let now = Some(Duration::ZERO);
                    rustix::net::sockopt::set_socket_linger(bare, now).unwrap();
                    return;
                }
                Reply::Silence(bytes) => {
                    let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
                    // Until the client has enough of it.
                    let _ = stream.read(&mut [0]);
                    return;
                }
            }
        }
    }
}

fn read_head(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => bytes.push(byte[0]),
            _ => return None,
        }
    }
    Some(bytes)
}
