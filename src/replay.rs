//! Replay: serves captures to a browser, each archived origin at an origin of
//! its own, with nothing fetched from the live web.

pub mod address;
pub mod shelf;
