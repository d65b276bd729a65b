//! What is searchable now.
//!
//! One view per tenant and class, replaced as a whole: a query takes the current [`Snapshot`] and nothing that happens
//! later changes it. Rows enter a view after their fsync and before their acknowledgement, and a flush exchanges live
//! rows for their segment in one step, so a query sees every acknowledged record exactly once.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use logkeep_catalog::{Head, PageRow, SegmentRow};
use logkeep_record::{Class, TenantId};
use logkeep_segment::{RangeReader, Rows, Segment, SegmentError};
use logkeep_store::SealedObject;
use logkeep_tlog::Tree;

use crate::batch_keys::BatchKeys;
use crate::documents::Documents;
use crate::ledger::Ledger;
use crate::open_segments::OpenSegments;

/// A tenant and a class: the first two parts of every path.
pub(crate) type ClassKey = (TenantId, Class);

/// A segment that the catalog names, opened when it is asked for.
pub struct SegmentHandle {
    row: SegmentRow,
    object: SealedObject,
    open: Arc<OpenSegments>,
    place: u64,
}

impl SegmentHandle {
    pub(crate) fn new(row: SegmentRow, object: SealedObject, open: Arc<OpenSegments>) -> Self {
        let place = open.new_place();
        Self { row, object, open, place }
    }

    /// What the catalog says of it.
    pub fn row(&self) -> &SegmentRow {
        &self.row
    }

    /// The segment. The first call, and one after a long time, reads its footer, tables and index, blocking.
    ///
    /// # Errors
    /// [`SegmentError`] if the object is damaged or cannot be read.
    pub fn segment(&self) -> Result<Arc<Segment>, SegmentError> {
        self.open.get_or_open(self.place, || self.read())
    }

    fn read(&self) -> Result<Segment, SegmentError> {
        let segment = Segment::open(Arc::new(ObjectReader(self.object.clone()))).map_err(|error| match error {
            // Whoever has to find the program that wrote it needs to know which one it is.
            version @ SegmentError::Version(_) => {
                SegmentError::Read(std::io::Error::other(format!("`{}`: {version}", self.object.path())))
            }
            other => other,
        })?;
        if segment.rows() as u64 != self.row.records {
            return Err(SegmentError::Format("it has another number of records than the catalog says"));
        }
        Ok(segment)
    }
}

impl Drop for SegmentHandle {
    fn drop(&mut self) {
        self.open.forget(self.place);
    }
}

/// A sealed object as a segment reads it.
pub(crate) struct ObjectReader(pub(crate) SealedObject);

impl RangeReader for ObjectReader {
    fn len(&self) -> u64 {
        self.0.plain_len()
    }

    fn read(&self, range: Range<u64>) -> std::io::Result<Bytes> {
        self.0.read_blocking(range).map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))
    }
}

/// What is searchable of one tenant and class.
#[derive(Clone)]
pub struct ClassView {
    /// Whose.
    pub tenant: TenantId,
    /// Of which class.
    pub class: Class,
    /// Rows that are only in the write-ahead log so far, oldest batches first.
    pub live: Vec<Arc<Rows>>,
    /// Segments, oldest batches first.
    pub segments: Arc<Vec<Arc<SegmentHandle>>>,
}

/// Everything searchable at one instant.
#[derive(Clone, Default)]
pub struct Snapshot {
    classes: HashMap<ClassKey, Arc<ClassView>>,
}

impl Snapshot {
    /// The view of one tenant's class; `None` if nothing was ever stored there.
    pub fn class(&self, tenant: &TenantId, class: &Class) -> Option<&Arc<ClassView>> {
        self.classes.get(&(tenant.clone(), class.clone()))
    }

    /// The views of one tenant's logs: neither its audit trail nor its spans.
    pub fn logs_of<'a>(&'a self, tenant: &'a TenantId) -> impl Iterator<Item = &'a Arc<ClassView>> {
        self.classes.values().filter(move |view| view.tenant == *tenant && view.class.holds_logs())
    }
}

/// Live rows of one or several batches.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) rows: Arc<Rows>,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) bytes: usize,
}

/// One tenant and class, as the writer and the flusher know it.
pub(crate) struct Partition {
    pub(crate) tree: Tree,
    /// Size of the tree whose tiles and checkpoint are on the disk.
    pub(crate) published: u64,
    pub(crate) head: Head,
    pub(crate) segments: Arc<Vec<Arc<SegmentHandle>>>,
    /// Out of view, and maybe still read by a question that began before.
    pub(crate) replaced: Vec<Weak<SegmentHandle>>,
    pub(crate) live: Vec<Live>,
    pub(crate) live_since: Option<u64>,
    /// When the last live rows came.
    pub(crate) grown_ns: u64,
    /// Of the batches of the live rows.
    pub(crate) ledger: Ledger,
}

impl Partition {
    pub(crate) fn new() -> Self {
        Self {
            tree: Tree::new(),
            published: 0,
            head: Head::default(),
            segments: Arc::default(),
            replaced: Vec::new(),
            live: Vec::new(),
            live_since: None,
            grown_ns: 0,
            ledger: Ledger::default(),
        }
    }

    /// Shows these segments in the place of those before, `gone` being the ones that are not among them.
    pub(crate) fn replace_segments(&mut self, segments: Vec<Arc<SegmentHandle>>, gone: &[Arc<SegmentHandle>]) {
        self.segments = Arc::new(segments);
        self.replaced.retain(|handle| handle.strong_count() > 0);
        self.replaced.extend(gone.iter().map(Arc::downgrade));
    }

    /// Whether a segment that is out of view is still in somebody's hands.
    pub(crate) fn is_replaced_read(&self) -> bool {
        self.replaced.iter().any(|handle| handle.strong_count() > 0)
    }

    pub(crate) fn live_bytes(&self) -> usize {
        self.live.iter().map(|live| live.bytes).sum()
    }

    /// `now_ns` is by [`logkeep_store::Clock::elapsed_ns`].
    pub(crate) fn push_live(&mut self, rows: Arc<Rows>, number: u64, now_ns: u64) {
        let bytes = rows.memory_bytes();
        self.live.push(Live { rows, first: number, last: number, bytes });
        self.live_since.get_or_insert(now_ns);
        self.grown_ns = now_ns;
    }

    fn view(&self, (tenant, class): &ClassKey) -> ClassView {
        ClassView {
            tenant: tenant.clone(),
            class: class.clone(),
            live: self.live.iter().map(|live| live.rows.clone()).collect(),
            segments: self.segments.clone(),
        }
    }
}

/// All partitions, and the keys of batches that were already stored.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) partitions: BTreeMap<ClassKey, Partition>,
    pub(crate) keys: BatchKeys,
    pub(crate) documents: Documents,
    pub(crate) live_bytes: usize,
    /// Pages of the ledger, in order, as the catalog has them.
    pub(crate) pages: BTreeMap<ClassKey, Vec<PageRow>>,
}

impl State {
    /// The next snapshot, in which the classes named are as they are now and all others as in `last`.
    pub(crate) fn snapshot<'a>(&self, last: &Snapshot, changed: impl IntoIterator<Item = &'a ClassKey>) -> Snapshot {
        let mut classes = last.classes.clone();
        for key in changed {
            if let Some(partition) = self.partitions.get(key) {
                classes.insert(key.clone(), Arc::new(partition.view(key)));
            }
        }
        Snapshot { classes }
    }

    pub(crate) fn count_live_bytes(&mut self) {
        self.live_bytes = self.partitions.values().map(Partition::live_bytes).sum();
    }
}
