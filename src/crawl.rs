//! Capture: what to fetch, when, and how politely.

pub mod robots;
