//! What tracers in the applications of the mesh would tell of the requests that the lines are about.
//!
//! A hop has two halves: the caller's span, as long as it waits, and within it the span of the one that is called. They have
//! no random numbers of their own, so that the lines of a seed stay the same whether anyone wants spans or not.

use std::sync::Arc;

use crate::event::{Access, Level, Side};
use crate::topology::Pod;

/// One half of a hop.
#[derive(Clone, Debug)]
pub struct Span {
    /// Of the whole request.
    pub trace_id: u128,
    /// Its own.
    pub span_id: u64,
    /// Of the span that it is part of; `None` where the request enters the mesh.
    pub parent_id: Option<u64>,
    /// When it began, nanoseconds since the Unix epoch.
    pub start_ns: i64,
    /// When it ended.
    pub end_ns: i64,
    /// The path with `{id}` where an id stands.
    pub route: &'static str,
    /// What was asked and answered; its `side` says which half this is.
    pub access: Access,
    /// What the application threw, where it could not answer.
    pub exception: Option<Exception>,
}

/// A fault as the application's log has it too.
#[derive(Clone, Debug)]
pub struct Exception {
    /// What it says.
    pub message: String,
    /// Where it came from, several lines.
    pub stack: Option<String>,
}

impl Span {
    /// The pod whose application made it. Only where nobody in the mesh called has it no caller.
    pub fn pod(&self) -> &Arc<Pod> {
        match (self.access.side, &self.access.caller) {
            (Side::Outbound, Some(caller)) => caller,
            _ => &self.access.server,
        }
    }

    /// Whether the one that was called failed. What the caller asked wrongly (4xx) is no failure of this shop: its tracers
    /// are told so.
    pub fn failed(&self) -> bool {
        self.access.level() == Level::Error
    }
}

/// The id of the caller's half of a hop, by that of the other.
pub(crate) fn caller_half(span_id: u64) -> u64 {
    (span_id.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ 0xd1b5_4a32_d192_ed03) | 1
}
