//! Drives the real executable against sites on loopback. Each file is named
//! for the promise that it holds the program to; assertions are on exit codes,
//! output and files.
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;
mod holdings;
mod malformed;
mod wire;

mod addresses;
mod cli_contract;
mod closed_ledger;
mod committed_snapshot;
mod cookies;
mod crash_resume;
mod crawl_whole_site;
mod credentials;
mod deposit_roundtrip;
mod formats;
mod hostile;
mod incomplete_answers;
mod independent_reader;
mod malformed_answers;
mod manners;
mod marks;
mod offline_replay;
mod proxies;
mod proxy_replay;
mod records;
mod remote_wacz;
mod revisits;
mod scope;
mod session_ids;
mod tls;
mod traps;
mod verbatim;
mod verify_finds_every_change;
mod zstd_warcs;
