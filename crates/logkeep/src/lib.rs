//! What the `logkeep` program is configured with.
//!
//! A library so that what starts the server and what checks a file share one meaning of it. The command line itself is
//! in `main.rs`.

pub mod config;
