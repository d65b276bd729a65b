//! What a reader may see of a tenant's rows.

use std::sync::Arc;

use logkeep_access::Scope;
use logkeep_record::{Class, Resource};

use super::QueryError;
use super::chunk::{Place, Source};
use crate::mask::Mask;

/// Which rows a reader may see, and which fields of them not. The default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// Only what all of these admit.
    pub(crate) scopes: Vec<Scope>,
    pub(crate) mask: Option<Arc<Mask>>,
}

impl View {
    /// Whether there is anything that the reader may not see.
    pub(crate) fn is_limited(&self) -> bool {
        !self.scopes.is_empty() || self.mask.is_some()
    }

    /// Of each stream of a source whether its records may be seen; `None` if all may.
    pub(crate) fn admitted(&self, source: &Source) -> Result<Option<Vec<bool>>, QueryError> {
        if self.scopes.is_empty() {
            return Ok(None);
        }
        let streams = match &source.place {
            Place::Live(rows) => rows.streams().clone(),
            Place::Segment(handle) => handle.segment()?.streams().clone(),
        };
        Ok(Some(streams.iter().map(|stream| self.admits(&source.class, stream)).collect()))
    }

    /// Whether records of this class and resource may be seen.
    pub(crate) fn admits(&self, class: &Class, resource: &Resource) -> bool {
        self.scopes.iter().all(|scope| scope.admits(class, resource))
    }
}
