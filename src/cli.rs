//! The command line: the only place that prints and decides exit codes.

pub mod exit;
pub mod replay;

pub use exit::{Exit, Failure};
