//! Other segments in the place of those that there are, without a new batch.

use std::sync::Arc;

use logkeep_catalog::{Change, Head, Pages, SegmentRow};

use crate::engine::Shared;
use crate::flush::FlushError;
use crate::state::{ClassKey, SegmentHandle};

/// What comes and what goes.
pub(crate) struct Replacement<'a> {
    /// All segments that there are afterwards.
    pub(crate) segments: Vec<Arc<SegmentHandle>>,
    pub(crate) add: Vec<SegmentRow>,
    pub(crate) gone: &'a [Arc<SegmentHandle>],
    pub(crate) head: Head,
    /// What the catalog keeps with it.
    pub(crate) secrets: Vec<(String, Vec<u8>)>,
}

/// Makes it so in the catalog, and when that is durable in what is read. The caller has the catalog's turn.
pub(crate) fn replace(shared: &Shared, class: &ClassKey, with: Replacement<'_>) -> Result<(), FlushError> {
    let Replacement { segments, add, gone, head, secrets } = with;
    let change = Change {
        tenant: class.0.clone(),
        class: class.1.clone(),
        add,
        remove: gone.iter().map(|segment| segment.row().id.clone()).collect(),
        head: head.clone(),
        keys: vec![],
        documents: None,
        pages: Pages::default(),
        secrets,
    };
    shared.runtime.block_on(shared.catalog.commit(change))?;
    let mut state = shared.state.lock();
    if let Some(partition) = state.partitions.get_mut(class) {
        partition.replace_segments(segments, gone);
        partition.head = head;
    }
    let next = state.snapshot(&shared.snapshot.load(), [class]);
    shared.snapshot.store(Arc::new(next));
    Ok(())
}
