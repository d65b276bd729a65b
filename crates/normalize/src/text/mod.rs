//! What a line of text says, where it has a form we know.
//!
//! The first bytes decide which form is tried, so that plain text costs a look at one byte and a scan for a level
//! word. A line that does not fit its form to the end is left as plain text: a wrong field is worse than none.

mod access;
mod logfmt;
mod prefix;

use std::borrow::Cow;

use logkeep_record::{Attributes, Severity};

use crate::family::Family;

/// What was read from a line. All texts are slices of it, escaped ones apart.
#[derive(Debug, Default)]
pub(crate) struct Parsed<'t> {
    /// Which meaning the keys have.
    pub(crate) family: Family,
    /// Keys as in that family's JSON form.
    pub(crate) pairs: Attributes<'t>,
    pub(crate) time_ns: Option<i64>,
    pub(crate) severity: Severity,
    pub(crate) severity_text: Cow<'t, str>,
    /// The message inside an envelope; it may have a form of its own.
    pub(crate) message: Option<Cow<'t, str>>,
}

impl Parsed<'_> {
    /// A copy that outlives the line.
    pub(crate) fn into_owned(self) -> Parsed<'static> {
        Parsed {
            family: self.family,
            pairs: self.pairs.into_iter().map(|(k, v)| (Cow::Owned(k.into_owned()), v.into_owned())).collect(),
            time_ns: self.time_ns,
            severity: self.severity,
            severity_text: Cow::Owned(self.severity_text.into_owned()),
            message: self.message.map(|text| Cow::Owned(text.into_owned())),
        }
    }
}

/// Reads a line of any form but JSON; `None` where there is nothing to read from it.
pub(crate) fn parse(line: &str, received_ns: i64) -> Option<Parsed<'_>> {
    match line.as_bytes().first()? {
        b'[' => access::envoy(line).or_else(|| access::common_log(line)),
        b'0'..=b'9' => numbered(line),
        b'I' | b'W' | b'E' | b'F' => {
            prefix::klog(line, received_ns).or_else(|| logfmt::logfmt(line)).or_else(|| prefix::level(line))
        }
        b'a'..=b'f' | b':' => access::common_log(line).or_else(|| logfmt::logfmt(line)).or_else(|| prefix::level(line)),
        b'<' | b'{' | b' ' | b'\t' => None,
        _ => logfmt::logfmt(line).or_else(|| prefix::level(line)),
    }
    .or_else(|| if line.starts_with('[') { prefix::level(line) } else { None })
}

/// Lines that start with a digit: a date or an address.
fn numbered(line: &str) -> Option<Parsed<'_>> {
    let Some((time_ns, rest)) = crate::time::date_time_prefix(line) else {
        return access::common_log(line).or_else(|| logfmt::logfmt(line)).or_else(|| prefix::level(line));
    };
    let parsed = prefix::cri(rest)
        .or_else(|| logfmt::ztunnel(rest))
        .or_else(|| logfmt::logfmt(rest.trim_start()))
        .or_else(|| prefix::level(rest));
    Some(Parsed { time_ns: Some(time_ns), ..parsed.unwrap_or_default() })
}

/// The family a line of an access log belongs to, if it is one; for `detect`.
pub(crate) fn access_line(line: &str) -> Option<Parsed<'_>> {
    parse(line, 0).filter(|parsed| parsed.family != Family::App)
}

/// Whether the line is in the container runtime's form.
pub(crate) fn is_cri(line: &str) -> bool {
    crate::time::date_time_prefix(line).is_some_and(|(_, rest)| prefix::cri(rest).is_some())
}
