//! What a segment lists of its templates.

use crate::template::{Template, TemplateId};

/// A stream, by a hash of what names it (its resource). The same everywhere, or ids cannot be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamKey(pub u64);

impl StreamKey {
    /// Of rows for whose streams there was no room in a list.
    pub const OTHERS: Self = Self(u64::MAX);
}

/// A template of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Whose it is.
    pub stream: StreamKey,
    /// Stays what it is while the template becomes more general.
    pub id: TemplateId,
    /// Ids of templates that turned out to be this one, in order.
    pub aliases: Vec<TemplateId>,
    /// As of now.
    pub template: Template,
    /// Rows that have it.
    pub count: u64,
}
