//! Failures with their exit code.

use std::fmt;
use std::process::ExitCode;

/// Wrong as asked: the same again will fail again.
pub(crate) const REFUSED: u8 = 1;
/// The server is not there or not able; trying again may help.
pub(crate) const UNAVAILABLE: u8 = 3;
/// It is asked for, and done once somebody else has approved it.
pub(crate) const WAITS: u8 = 4;

/// A failure as the user should read it.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The process ends with it.
    pub(crate) code: u8,
    /// One or more lines, without `error:`.
    pub(crate) text: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

/// The exit code for an error: its own, or "refused".
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(error.downcast_ref::<Failure>().map_or(REFUSED, |failure| failure.code))
}
