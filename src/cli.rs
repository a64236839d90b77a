//! The command line: the only place that prints and decides exit codes.

pub mod deposit;
pub mod exit;

pub use exit::{Exit, Failure};
