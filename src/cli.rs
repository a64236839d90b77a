//! The command line: the only place that prints and decides exit codes.

pub mod exit;
pub mod index;
pub mod verify;

pub use exit::{Exit, Failure};
