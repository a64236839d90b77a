//! URLs: the vocabulary that names what is captured.

pub mod surt;

pub use surt::Surt;
