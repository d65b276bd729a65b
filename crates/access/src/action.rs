//! What can be asked for.

/// An action, as policies and the audit trail name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Searching records, by filter or SQL, and everything computed from them.
    Query,
    /// The same of the audit trail.
    QueryAudit,
    /// Following records as they arrive.
    Tail,
    /// Reading what the server knows of itself: counts, bounds, receivers.
    Status,
    /// Sending records.
    Write,
    /// Seeing who there is.
    ListUsers,
    /// Adding people, and changing what they may do.
    ManageUsers,
    /// Seeing everybody's tokens.
    ListTokens,
    /// Ending everybody's tokens.
    ManageTokens,
    /// Seeing everybody's sessions.
    ListSessions,
    /// Ending everybody's sessions.
    ManageSessions,
    /// Seeing and ending one's own sessions.
    OwnSessions,
    /// Seeing, making and ending one's own tokens.
    OwnTokens,
    /// Changing one's own password.
    OwnPassword,
    /// Saying who one is. No policy decides that.
    SignIn,
}

impl Action {
    /// All that policies decide.
    pub const DECIDED: [Self; 14] = [
        Self::Query,
        Self::QueryAudit,
        Self::Tail,
        Self::Status,
        Self::Write,
        Self::ListUsers,
        Self::ManageUsers,
        Self::ListTokens,
        Self::ManageTokens,
        Self::ListSessions,
        Self::ManageSessions,
        Self::OwnSessions,
        Self::OwnTokens,
        Self::OwnPassword,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::QueryAudit => "query_audit",
            Self::Tail => "tail",
            Self::Status => "status",
            Self::Write => "write",
            Self::ListUsers => "list_users",
            Self::ManageUsers => "manage_users",
            Self::ListTokens => "list_tokens",
            Self::ManageTokens => "manage_tokens",
            Self::ListSessions => "list_sessions",
            Self::ManageSessions => "manage_sessions",
            Self::OwnSessions => "own_sessions",
            Self::OwnTokens => "own_tokens",
            Self::OwnPassword => "own_password",
            Self::SignIn => "sign_in",
        }
    }
}
