//! To be written.

pub mod shelf;
