//! Replay: serves captures to a browser, each archived origin at an origin of
//! its own, with nothing fetched from the live web.

pub mod address;
pub mod answer;
pub mod cdx_server;
pub mod connection;
pub mod content;
pub mod csp;
pub mod find;
pub mod headers;
pub mod judging;
pub mod ledger;
pub mod memento;
pub mod missing;
pub mod near;
pub mod notice;
pub mod opener;
pub mod outlet;
pub mod path_mode;
pub mod proxy;
pub mod record;
pub mod remote;
pub mod resolve;
pub mod rewrite;
pub mod server;
pub mod shelf;
pub mod spread;
pub mod ui;
pub mod viewer;
pub mod way;

pub use proxy::Proxy;
pub use server::Server;
