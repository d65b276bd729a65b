//! Why a request is answered with no, before a protocol puts it into its own words.

use logkeep_ingest::CommitError;
use logkeep_wire::compress::CompressError;

/// Seconds after which a sender should try again.
pub(crate) const RETRY_AFTER_S: u32 = 2;

/// What the sender should make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Never send this again.
    Malformed,
    /// Never send as much at once again.
    TooLarge,
    /// Never send it in this form again.
    Unsupported,
    /// Not a tenant that was declared, or not one of the sender, or one of which everything was destroyed.
    Tenant,
    /// Nobody knows who sends it.
    Unauthenticated,
    /// Who sends it may not.
    Denied,
    /// Send again later: others are being served.
    Busy,
    /// Send again later: something is broken here.
    Unavailable,
}

/// A request refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    pub(crate) kind: Kind,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What the ledger calls it.
    pub(crate) fn reason(&self) -> &'static str {
        match self.kind {
            Kind::Malformed => "malformed",
            Kind::TooLarge => "too_large",
            Kind::Unsupported => "unsupported",
            Kind::Tenant => "unknown_tenant",
            Kind::Unauthenticated => "unauthenticated",
            Kind::Denied => "denied",
            Kind::Busy => "busy",
            Kind::Unavailable => "unavailable",
        }
    }

    /// A defect of ours. Never 500: senders of OTLP drop what was answered so.
    pub(crate) fn defect(what: impl std::fmt::Display) -> Self {
        tracing::error!(%what, "a request failed by a defect and was answered with \"later\"");
        Self::new(Kind::Unavailable, "the server failed on this request; nothing was stored, send again later")
    }

    /// HTTP status where the protocol has no other idea.
    pub(crate) fn status(&self) -> u16 {
        match self.kind {
            Kind::Malformed => 400,
            Kind::TooLarge => 413,
            Kind::Unsupported => 415,
            Kind::Tenant | Kind::Unauthenticated => 401,
            Kind::Denied => 403,
            Kind::Busy => 429,
            Kind::Unavailable => 503,
        }
    }

    /// What our own API calls it (docs/api.md).
    pub(crate) fn code(&self) -> &'static str {
        match self.kind {
            Kind::Malformed | Kind::Unsupported => "bad_request",
            Kind::TooLarge => "too_large",
            Kind::Tenant | Kind::Denied => "forbidden",
            Kind::Unauthenticated => "unauthenticated",
            Kind::Busy => "busy",
            Kind::Unavailable => "unavailable",
        }
    }

    /// Whether it is for who sends, and not for what.
    pub(crate) fn is_about_the_sender(&self) -> bool {
        matches!(self.kind, Kind::Tenant | Kind::Unauthenticated | Kind::Denied)
    }

    /// Set where the sender should try again.
    pub(crate) fn retry_after_s(&self) -> Option<u32> {
        matches!(self.kind, Kind::Busy | Kind::Unavailable).then_some(RETRY_AFTER_S)
    }
}

impl From<CompressError> for Refusal {
    fn from(error: CompressError) -> Self {
        let kind = match error {
            CompressError::TooLarge { .. } => Kind::TooLarge,
            CompressError::Corrupt { .. } => Kind::Malformed,
            CompressError::Unsupported { .. } => Kind::Unsupported,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<CommitError> for Refusal {
    fn from(error: CommitError) -> Self {
        let kind = if matches!(error, CommitError::Destroyed(_)) { Kind::Tenant } else { Kind::Unavailable };
        Self::new(kind, error.to_string())
    }
}
