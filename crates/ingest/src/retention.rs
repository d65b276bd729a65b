//! Destroying what was kept for long enough, and nothing that is held.
//!
//! What it believes are orders of two people that it checks itself ([`rules`]), the arrival times in the tree, and a clock only at the pace
//! of time ([`time`]). Of a class it takes segments from the front, all of whose records arrived so many days before the last midnight UTC.
//! One transaction takes their rows out of the catalog, and with them the only keys that open them, and puts the signed record of it there; a
//! process that is killed has done all of that or nothing. What follows (objects, pages that SQLite keeps of deleted rows) is
//! done again after the next start until it is said to be done.
//!
//! It runs in the thread that merges segments, so that neither takes what the other has in hand.

mod record;
mod rules;
mod time;

#[cfg(test)]
mod kill;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use logkeep_record::{Class, TenantId};
use logkeep_store::{ObjectKind, ObjectPath};
use logkeep_tlog::{Entry, Hash, read_entries};
use parking_lot::{Mutex, RwLock};
use tokio::sync::oneshot;
use tracing::{info, warn};

pub(crate) use record::{KIND, Range, Record};
use record::{Step, name};
pub(crate) use rules::Rules;
pub use rules::{AUDIT_DAYS, HOLDS, HoldRow, RETENTION, RetentionRow};
use time::Time;

use crate::engine::{Ingest, Shared};
use crate::flush::{FlushError, head_over};
use crate::order::Approval;
use crate::replace::{Replacement, replace};
use crate::state::{ClassKey, SegmentHandle};
use crate::writer::Message;

const DAY_NS: i64 = 24 * 3_600 * 1_000_000_000;
/// How often to look: what is destroyed by a day may wait for that.
const LOOK: Duration = Duration::from_secs(10);

/// What is known between one look and the next.
#[derive(Default)]
pub(crate) struct Retention {
    /// Held while somebody destroys by the rules as they are: who has changed them waits for it.
    turn: Mutex<Turn>,
    /// Classes of which something will be destroyed by its age, so that it is not merged with what is younger.
    limited: RwLock<BTreeSet<ClassKey>>,
    /// Statements that the audit trail does not have yet.
    untold: Mutex<BTreeMap<ClassKey, String>>,
}

#[derive(Default)]
struct Turn {
    /// When it was looked last, by [`logkeep_store::Clock::elapsed_ns`].
    looked_ns: Option<u64>,
    /// Somebody has changed the rules since.
    is_asked: bool,
    time: Option<Time>,
    faults: Vec<(String, String)>,
    /// Classes of which something may be left that was taken out of the catalog: at first all.
    unswept: BTreeSet<ClassKey>,
}

/// Something that retention has destroyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// Whose.
    pub tenant: TenantId,
    /// Of which class.
    pub class: Class,
    /// The signed statement of all that was destroyed of it so far.
    pub statement: String,
}

impl Retention {
    pub(crate) fn is_limited(&self, class: &ClassKey) -> bool {
        self.limited.read().contains(class)
    }
}

impl Ingest {
    /// Returns once nothing is destroyed any more by the rules that were in the catalog before.
    ///
    /// # Errors
    /// The runtime is stopping.
    pub async fn take_up_retention(&self) -> Result<(), FlushError> {
        let shared = self.shared.clone();
        Ok(tokio::task::spawn_blocking(move || shared.retention.turn.lock().is_asked = true).await?)
    }

    /// What retention has destroyed, and [`Ingest::expiry_is_told`] was not said of.
    pub fn untold_expiries(&self) -> Vec<Expired> {
        let untold = self.shared.retention.untold.lock();
        let expired = |((tenant, class), statement): (&ClassKey, &String)| Expired {
            tenant: tenant.clone(),
            class: class.clone(),
            statement: statement.clone(),
        };
        untold.iter().map(expired).collect()
    }

    /// The audit trail has this statement.
    ///
    /// # Errors
    /// The catalog cannot be written: say it again.
    pub async fn expiry_is_told(&self, told: Expired) -> Result<(), FlushError> {
        let shared = self.shared.clone();
        tokio::task::spawn_blocking(move || told_of(&shared, &told)).await?
    }
}

fn told_of(shared: &Shared, Expired { tenant, class, statement }: &Expired) -> Result<(), FlushError> {
    let _turn = shared.retention.turn.lock();
    let class = (tenant.clone(), class.clone());
    let Some(mut record) = shared.runtime.block_on(Record::load(&*shared.catalog, &class))? else { return Ok(()) };
    // More may have been destroyed meanwhile, of which there is another statement.
    if record.statement == *statement && record.step == Step::Swept {
        record.step = Step::Told;
        save(shared, &class, &record)?;
        shared.retention.untold.lock().remove(&class);
    }
    Ok(())
}

fn save(shared: &Shared, class: &ClassKey, record: &Record) -> Result<(), FlushError> {
    Ok(shared.runtime.block_on(shared.catalog.set_secret(&name(class), &record.to_bytes()))?)
}

/// Destroys what is due, if it is time to look.
///
/// # Errors
/// What stood in the way: the next look goes on.
pub(crate) fn look(shared: &Shared) -> Result<(), FlushError> {
    let (destroyed, unswept) = {
        let mut turn = shared.retention.turn.lock();
        let Some(passed_ns) = turn.begin(shared.clock.elapsed_ns()) else { return Ok(()) };
        let rules = shared.runtime.block_on(Rules::read(&*shared.catalog))?;
        turn.warn_of(&rules);
        if rules.classes.is_empty() {
            return Ok(());
        }
        if turn.time.is_none() {
            turn.unswept.extend(rules.classes.keys().cloned());
        }
        let certain_ns = turn.certain_ns(shared, passed_ns, rules.newest_order_ns())?;
        *shared.retention.limited.write() = limited(&rules);
        let destroyed = destroy_due(shared, &rules, certain_ns, &mut turn.unswept);
        (destroyed, turn.unswept.clone())
    };
    sweep(shared, &unswept)?;
    shared.retention.turn.lock().unswept.retain(|class| !unswept.contains(class));
    destroyed
}

impl Turn {
    /// How long the last look is ago, if it is time for the next.
    fn begin(&mut self, now_ns: u64) -> Option<u64> {
        let passed_ns = self.looked_ns.map_or(0, |last_ns| now_ns.saturating_sub(last_ns));
        if self.looked_ns.is_some() && !self.is_asked && Duration::from_nanos(passed_ns) < LOOK {
            return None;
        }
        (self.looked_ns, self.is_asked) = (Some(now_ns), false);
        Some(passed_ns)
    }

    fn warn_of(&mut self, rules: &Rules) {
        if self.faults != rules.faults {
            self.faults.clone_from(&rules.faults);
            for (object, what) in &rules.faults {
                warn!(
                    object,
                    what,
                    "a retention or a hold is not as it must be; nothing is destroyed by it, run `logkeep verify`"
                );
            }
        }
    }

    fn certain_ns(&mut self, shared: &Shared, passed_ns: u64, witnessed_ns: i64) -> Result<i64, FlushError> {
        let mut time = match self.time {
            Some(time) => time,
            None => shared.runtime.block_on(Time::load(&*shared.catalog))?,
        };
        let certain_ns = time.pass(passed_ns, shared.clock.now_ns(), witnessed_ns);
        let kept = shared.runtime.block_on(time.keep(&*shared.catalog));
        self.time = Some(time);
        kept.map(|()| certain_ns).map_err(Into::into)
    }
}

fn limited(rules: &Rules) -> BTreeSet<ClassKey> {
    rules.classes.iter().filter(|(_, rule)| rule.in_force().is_some()).map(|(class, _)| class.clone()).collect()
}

/// What is wrong with one class keeps none of the others.
fn destroy_due(
    shared: &Shared,
    rules: &Rules,
    certain_ns: i64,
    unswept: &mut BTreeSet<ClassKey>,
) -> Result<(), FlushError> {
    let mut result = Ok(());
    for (class, rule) in &rules.classes {
        if rules.hold_of(class).is_none()
            && !shared.destructions.takes(&class.0, &class.1)
            && let Some((days, by)) = rule.in_force()
        {
            match expire(shared, class, (days, by), certain_ns) {
                Ok(true) => drop(unswept.insert(class.clone())),
                Ok(false) => {}
                Err(error) => result = Err(error),
            }
        }
    }
    result
}

/// Takes what is due out of the catalog and out of view, and says whether there was any.
fn expire(
    shared: &Shared,
    class: &ClassKey,
    (days, by): (u32, &Approval),
    certain_ns: i64,
) -> Result<bool, FlushError> {
    // Whole days, so that there is at most one statement of a class in a day.
    let until_ns = certain_ns.div_euclid(DAY_NS) * DAY_NS - i64::from(days) * DAY_NS;
    let in_log = shared.wal_files.lock().first_of(class);
    let _turn = shared.catalog_turn.lock();
    let first_in_log = in_log.map(|(first, _)| first);
    let Some((gone, left, head)) = due(shared, class, until_ns, first_in_log) else { return Ok(false) };
    let Some(last) = gone.last() else {
        if in_log.is_some_and(|(_, is_current)| is_current) {
            begin_log_file(shared);
        }
        return Ok(false);
    };
    let (from, to) = (head.destroyed, last.row().last_batch + 1);
    let (records, newest_ns) = tally(shared, class, from, to)?;
    if newest_ns > until_ns {
        let what = format!(
            "batches {from} to {} of `{}/{}` arrived later than the catalog says; run `logkeep verify`",
            to - 1,
            class.0,
            class.1
        );
        return Err(what.into());
    }
    let range = Range { from, to, records, newest_ns, days, approval: by.approval.clone(), destroyed_ns: certain_ns };
    let before = shared.runtime.block_on(Record::load(&*shared.catalog, class))?;
    let tree = (head.flushed, Hash(head.root));
    let record = Record::with(before, class, range, tree, &shared.signer)?;
    let head = head_over(&left, to, head.flushed, Hash(head.root));
    let secrets = vec![(name(class), record.to_bytes())];
    replace(shared, class, Replacement { segments: left, add: vec![], gone: &gone, head, secrets })?;
    info!(tenant = %class.0, class = %class.1, records, days, "destroyed what was kept for long enough");
    Ok(true)
}

type Segments = Vec<Arc<SegmentHandle>>;

/// The segments that go, those that stay, and the head; `None` if nothing is due. None go while the log still has their batches.
fn due(
    shared: &Shared,
    class: &ClassKey,
    until_ns: i64,
    in_log: Option<u64>,
) -> Option<(Segments, Segments, logkeep_catalog::Head)> {
    let state = shared.state.lock();
    let partition = state.partitions.get(class)?;
    let is_old = |segment: &&Arc<SegmentHandle>| segment.row().max_received_ns <= until_ns;
    let old = partition.segments.iter().take_while(is_old).count();
    let is_out = |segment: &&Arc<SegmentHandle>| in_log.is_none_or(|first| segment.row().last_batch < first);
    let out = partition.segments[..old].iter().take_while(is_out).count();
    let (gone, left) = partition.segments.split_at(out);
    (old > 0).then(|| (gone.to_vec(), left.to_vec(), partition.head.clone()))
}

/// What the tree says of these batches: how many records, and when the last arrived.
fn tally(shared: &Shared, class: &ClassKey, from: u64, to: u64) -> Result<(u64, i64), FlushError> {
    let size = shared.state.lock().partitions.get(class).map_or(0, |partition| partition.published);
    let tiles = shared.tiles(class);
    let (mut next, mut records, mut newest_ns) = (from, 0, i64::MIN);
    while next < to {
        let found = read_entries(&tiles, next, size)?;
        if found.is_empty() {
            return Err("a batch is not in its tree".into());
        }
        for bytes in found.iter().take((to - next) as usize) {
            let entry = Entry::decode(bytes)?;
            records += u64::from(entry.records);
            newest_ns = newest_ns.max(entry.max_received_ns);
        }
        next += found.len() as u64;
    }
    Ok((records, newest_ns))
}

/// The file of the log that is written to has batches which are due. It goes once there is a younger one.
fn begin_log_file(shared: &Shared) {
    let Some(queue) = shared.queue.get().and_then(tokio::sync::mpsc::WeakSender::upgrade) else { return };
    // If there is no room now there is at the next look.
    drop(queue.try_send(Message::BeginFile(oneshot::channel().0)));
}

/// Leaves nothing of what was taken out of the catalog.
fn sweep(shared: &Shared, classes: &BTreeSet<ClassKey>) -> Result<(), FlushError> {
    let mut cut = Vec::new();
    for class in classes {
        match shared.runtime.block_on(Record::load(&*shared.catalog, class))? {
            Some(record) if record.step == Step::Cut => cut.push((class, record)),
            Some(record) if record.step == Step::Swept => tell(shared, class, record),
            _ => {}
        }
    }
    if cut.is_empty() {
        return Ok(());
    }
    for (class, record) in &cut {
        delete_objects(shared, class, record.end())?;
    }
    shared.runtime.block_on(shared.catalog.leave_nothing_deleted())?;
    for (class, mut record) in cut {
        record.step = Step::Swept;
        save(shared, class, &record)?;
        tell(shared, class, record);
    }
    Ok(())
}

fn tell(shared: &Shared, class: &ClassKey, record: Record) {
    shared.retention.untold.lock().insert(class.clone(), record.statement);
}

/// Deletes every segment of batches before this one, also those that a merge has left and no row names. Queries that still read one
/// hold it open.
fn delete_objects(shared: &Shared, class: &ClassKey, end: u64) -> Result<(), FlushError> {
    let prefix = ObjectPath::prefix(&class.0, &class.1, ObjectKind::Segment);
    for path in shared.runtime.block_on(shared.objects.list(&prefix))? {
        let last = path.as_str().rsplit('/').next().and_then(|id| id.split('-').nth(1)?.parse::<u64>().ok());
        if last.is_some_and(|last| last < end) {
            shared.runtime.block_on(shared.objects.delete(&path))?;
        }
    }
    Ok(())
}
