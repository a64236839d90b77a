//! Lastlight captures a website before it closes, proves what it captured,
//! packs it for deposit, and replays it offline.
//!
//! Modules stand on floors; a file uses only floors below its own
//! (`tests/floors.rs` asserts it). ARCHITECTURE.md has the map.

// Floor 0: vocabulary.
pub mod config;
pub mod count;
pub mod digest;
pub mod http;
pub mod time;
pub mod url;

// Floor 1: formats.
pub mod robots;
pub mod scan;
pub mod warc;

// Floor 2: the snapshot and the wire.
pub mod chromium;
pub mod net;
pub mod snapshot;

// Above them: what a stored or received answer names.
pub mod links;

// Floor 3: jobs, which never import each other.
pub mod crawl;
pub mod deposit;
pub mod replay;
pub mod verify;

// Floor 4: faces.
pub mod cli;
pub mod demo;
