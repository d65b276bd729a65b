//! What a variable part of a line looks like, as far as its form tells.

/// A kind of variable. Lines are put together whatever kinds they have in a place: a number that happens to have a letter
/// in it is no other message. So kinds are for people, and for what can be computed with a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// More than one kind has been seen in this place.
    Mixed,
    /// A number with its sign, fraction and unit; a version.
    Number,
    /// Digits of base 16, eight at least or after `0x`.
    Hex,
    /// Letters and digits in no order that a word has.
    Id,
    /// A UUID.
    Uuid,
    /// An IP address, with a port or without.
    Ip,
    /// A hardware address.
    Mac,
    /// A date, a time of day, or both.
    Time,
    /// What stands in quotes.
    Quoted,
    /// A path of files or of HTTP.
    Path,
    /// A URL.
    Url,
    /// An address of electronic mail.
    Email,
    /// Several variables with commas between them, or an array of JSON.
    List,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Mixed,
        Self::Number,
        Self::Hex,
        Self::Id,
        Self::Uuid,
        Self::Ip,
        Self::Mac,
        Self::Time,
        Self::Quoted,
        Self::Path,
        Self::Url,
        Self::Email,
        Self::List,
    ];

    /// How a template shows it.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Mixed => "<var>",
            Self::Number => "<num>",
            Self::Hex => "<hex>",
            Self::Id => "<id>",
            Self::Uuid => "<uuid>",
            Self::Ip => "<ip>",
            Self::Mac => "<mac>",
            Self::Time => "<time>",
            Self::Quoted => "<str>",
            Self::Path => "<path>",
            Self::Url => "<url>",
            Self::Email => "<email>",
            Self::List => "<list>",
        }
    }

    /// What a place holds that has held both.
    pub(crate) fn join(self, other: Self) -> Self {
        if self == other { self } else { Self::Mixed }
    }

    /// Whether a place of this kind may hold the other.
    pub(crate) fn holds(self, other: Self) -> bool {
        self == Self::Mixed || self == other
    }
}
