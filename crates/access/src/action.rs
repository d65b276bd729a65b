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
    /// Reading who sends, and what became of what they sent: the ledger, which is of all services.
    Sources,
    /// Sending records.
    Write,
    /// Reading records of every service, not only of those in one's scope.
    EveryRow,
    /// Reading a field that is masked for others.
    Unmask,
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
    /// Asking what others may do, and why.
    Explain,
    /// Seeing and ending one's own sessions.
    OwnSessions,
    /// Seeing, making and ending one's own tokens.
    OwnTokens,
    /// Changing by what one is known oneself: the password and the second factor.
    OwnPassword,
    /// Seeing what waits for a second person, and who has broken the glass.
    ListApprovals,
    /// Deciding about what somebody else has asked for.
    Approve,
    /// Breaking the glass: to do for a short time what one otherwise may not.
    BreakGlass,
    /// Saying that one has looked at what somebody did who had broken the glass.
    Review,
    /// Asking that every key of what a tenant has be destroyed.
    DestroyKeys,
    /// Seeing for how long what a tenant has is kept, and what is held.
    ListRetention,
    /// Saying for how long it is kept. To shorten that takes another.
    SetRetention,
    /// Placing a legal hold.
    PlaceHold,
    /// Asking that a legal hold be released.
    ReleaseHold,
    /// Seeing the views that were saved: where in the console, and what is searched for there.
    ListViews,
    /// Saving views, and changing and deleting one's own.
    SaveViews,
    /// Changing and deleting everybody's views.
    ManageViews,
    /// Saying who one is. No policy decides that.
    SignIn,
}

impl Action {
    /// All that policies decide about a tenant; [`Action::Unmask`] is about a field.
    pub const DECIDED: [Self; 29] = [
        Self::Query,
        Self::QueryAudit,
        Self::Tail,
        Self::Status,
        Self::Sources,
        Self::Write,
        Self::EveryRow,
        Self::ListUsers,
        Self::ManageUsers,
        Self::ListTokens,
        Self::ManageTokens,
        Self::ListSessions,
        Self::ManageSessions,
        Self::Explain,
        Self::OwnSessions,
        Self::OwnTokens,
        Self::OwnPassword,
        Self::ListApprovals,
        Self::Approve,
        Self::BreakGlass,
        Self::Review,
        Self::DestroyKeys,
        Self::ListRetention,
        Self::SetRetention,
        Self::PlaceHold,
        Self::ReleaseHold,
        Self::ListViews,
        Self::SaveViews,
        Self::ManageViews,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::QueryAudit => "query_audit",
            Self::Tail => "tail",
            Self::Status => "status",
            Self::Sources => "sources",
            Self::Write => "write",
            Self::EveryRow => "every_row",
            Self::Unmask => "unmask",
            Self::ListUsers => "list_users",
            Self::ManageUsers => "manage_users",
            Self::ListTokens => "list_tokens",
            Self::ManageTokens => "manage_tokens",
            Self::ListSessions => "list_sessions",
            Self::ManageSessions => "manage_sessions",
            Self::Explain => "explain",
            Self::OwnSessions => "own_sessions",
            Self::OwnTokens => "own_tokens",
            Self::OwnPassword => "own_password",
            Self::ListApprovals => "list_approvals",
            Self::Approve => "approve",
            Self::BreakGlass => "break_glass",
            Self::Review => "review",
            Self::DestroyKeys => "destroy_keys",
            Self::ListRetention => "list_retention",
            Self::SetRetention => "set_retention",
            Self::PlaceHold => "place_hold",
            Self::ReleaseHold => "release_hold",
            Self::ListViews => "list_views",
            Self::SaveViews => "save_views",
            Self::ManageViews => "manage_views",
            Self::SignIn => "sign_in",
        }
    }

    /// Whether what it answers is read out, and counts as that.
    pub(crate) fn reads_out(self) -> bool {
        matches!(self, Self::Query | Self::QueryAudit | Self::Tail)
    }

    /// The one of this name, if policies decide it.
    pub fn named(name: &str) -> Option<Self> {
        Self::DECIDED.into_iter().chain([Self::Unmask]).find(|action| action.as_str() == name)
    }
}
