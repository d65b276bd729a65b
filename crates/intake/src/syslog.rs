//! Syslog over TCP, TLS (RFC 5425) and UDP.

use logkeep_record::Record;
use logkeep_wire::frame::{Frame, Framer};
use logkeep_wire::syslog::Parser;

use crate::counters::Protocol;
use crate::unanswered::Dialect;

/// Reads what is sent under the name of syslog.
#[derive(Default)]
pub(crate) struct Syslog(Parser);

impl Dialect for Syslog {
    const PROTOCOL: Protocol = Protocol::Syslog;
    type Assembler = ();

    fn framer() -> Framer {
        Framer::syslog()
    }

    fn record<'a>(&mut self, message: &Frame<'a>, received_ns: i64) -> Record<'a> {
        self.0.record(message, received_ns)
    }
}
