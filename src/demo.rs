//! To be written.

pub mod serve;
pub mod site;
