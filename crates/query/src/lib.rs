//! What a question means, before anything is read to answer it.
//!
//! The filter language and the times of a request are pure text in, plain values out, so that the server, the live
//! tail and the tests share one meaning of a query.

pub mod kql;
pub mod time;
