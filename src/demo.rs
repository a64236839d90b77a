//! The main job on a small site of our own that is about to close: serve it on
//! loopback, capture, verify, pack, switch it off, replay.

pub mod serve;
pub mod site;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::config::{Config, Span};

/// The date that the demo's notices name.
pub const CLOSES: &str = "31 March 2027";

/// The port that the demo prefers, so that its captures look alike; another
/// where it is taken.
pub const PORT: u16 = 8431;

/// The configuration of the demo's crawl: without pauses, since the site is
/// our own, and with a short patience for its endless calendar.
pub fn config() -> Config {
    let mut config = Config::defaults();
    config.politeness.delay = Span::from_secs(0);
    config.politeness.connections = 4;
    config.traps.barren = 12;
    config.warc.operator = "Lastlight demo".into();
    config.warc.description = "The built-in closing site, captured from loopback".into();
    config
}

/// Asks a server on loopback for a page by its host name, as a browser that
/// resolves `*.localhost` would; returns the answer as received.
pub fn ask(port: u16, host: &str, target: &str) -> std::io::Result<Vec<u8>> {
    /// Pages of the demo are far smaller.
    const MOST: u64 = 16 * 1024 * 1024;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Dest: iframe\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.take(MOST).read_to_end(&mut answer)?;
    Ok(answer)
}
