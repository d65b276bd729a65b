//! How much may be read out: rows of one answer, and rows that one person, or machine of its own, reads in a day.
//!
//! What was read today outlives the process: whoever can have it restarted could else begin the day anew. A transaction for each answer
//! would cost as much as the answer, so rows are taken from the catalog in leases, and given out of these in memory. What is left
//! of a lease when the process ends is lost: a thousandth of a day's rows at most.

use std::collections::BTreeMap;
use std::sync::Arc;

use logkeep_catalog::{Catalog, CatalogError};
use logkeep_store::Clock;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::directory::DAY_NS;

const TABLE: &str = "access/export";
const LEASES_A_DAY: u64 = 1_000;
/// Those who are counted each for themselves; others share one count, so that names cannot fill the memory.
const MOST: usize = 4_096;
const OTHERS: &str = "(others)";
/// So many bytes of an answer count as a row, however few rows they stand in: a function of SQL can put a table into one.
const ROW_BYTES: u64 = 16 << 10;

/// How much may be read out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportLimits {
    /// Rows of one answer.
    pub rows: u64,
    /// Rows of all answers to one person, their tokens among them, in a day (UTC).
    pub rows_a_day: u64,
}

/// Why something is not given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Withheld {
    /// It is too much for one answer.
    Answer { rows: u64, most: u64 },
    /// It is too much for today.
    Day { left: u64, most: u64 },
    /// It cannot be counted: the catalog cannot be written.
    Uncounted(String),
}

impl Withheld {
    /// The setting that says so, for the audit trail.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Answer { .. } => "access.export_rows",
            Self::Day { .. } => "access.export_rows_a_day",
            Self::Uncounted(_) => "it cannot be counted",
        }
    }

    /// What to tell whoever asked.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Answer { rows, most } => format!(
                "this answer has {rows} rows and one may have {most} (`access.export_rows`); ask for less at a time"
            ),
            Self::Day { left, most } => format!(
                "you may read {most} rows a day (`access.export_rows_a_day`) and {left} are left until midnight UTC"
            ),
            Self::Uncounted(error) => format!("what you read cannot be counted: {error}"),
        }
    }
}

/// What the catalog has: rows that were leased on a day, by account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Leased {
    day: i64,
    rows: BTreeMap<String, u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Account {
    leased: u64,
    read: u64,
}

#[derive(Debug, Default)]
struct Today {
    day: i64,
    accounts: BTreeMap<String, Account>,
}

impl Today {
    /// Begins a new day if it is one. A clock that is set back does not bring a day back.
    fn roll(&mut self, day: i64) {
        if day > self.day {
            *self = Self { day, accounts: BTreeMap::new() };
        }
    }

    /// Whose count it is.
    fn counted_as<'a>(&self, account: &'a str) -> &'a str {
        if self.accounts.len() < MOST || self.accounts.contains_key(account) { account } else { OTHERS }
    }

    fn of(&self, account: &str) -> Account {
        self.accounts.get(account).copied().unwrap_or_default()
    }
}

/// Counts what is read out.
pub struct Exports {
    catalog: Arc<dyn Catalog>,
    clock: Arc<dyn Clock>,
    limits: ExportLimits,
    today: Mutex<Today>,
    /// Held while rows are leased.
    turn: tokio::sync::Mutex<()>,
}

impl Exports {
    /// Goes on with the day where the catalog says that it was left.
    ///
    /// # Errors
    /// [`CatalogError`]: the catalog cannot be read.
    pub async fn open(
        catalog: Arc<dyn Catalog>,
        clock: Arc<dyn Clock>,
        limits: ExportLimits,
    ) -> Result<Self, CatalogError> {
        // What cannot be read is of a later program; the day begins anew, as it would with that.
        let read = |bytes: Vec<u8>| serde_json::from_slice::<Leased>(&bytes).unwrap_or_default();
        let Leased { day, rows } = catalog.secret(TABLE).await?.map(read).unwrap_or_default();
        let accounts = rows.into_iter().map(|(name, leased)| (name, Account { leased, read: leased })).collect();
        let today = Mutex::new(Today { day, accounts });
        Ok(Self { catalog, clock, limits, today, turn: tokio::sync::Mutex::default() })
    }

    /// How many rows an answer counts as.
    pub(crate) fn weight(rows: u64, bytes: u64) -> u64 {
        rows.max(bytes / ROW_BYTES)
    }

    /// Rows that one answer may have.
    pub(crate) fn most(&self) -> u64 {
        self.limits.rows
    }

    /// Why nothing more is given to an account today, if that is so.
    pub(crate) fn used_up(&self, account: &str) -> Option<Withheld> {
        let most = self.limits.rows_a_day;
        (self.left(account) == 0).then_some(Withheld::Day { left: 0, most })
    }

    fn left(&self, account: &str) -> u64 {
        let mut today = self.today.lock();
        today.roll(self.day());
        self.limits.rows_a_day.saturating_sub(today.of(today.counted_as(account)).read)
    }

    fn day(&self) -> i64 {
        self.clock.now_ns().div_euclid(DAY_NS)
    }

    /// Counts a piece, that has not left yet, of an answer of which `before` rows have; or all of an answer, of which none has. What is
    /// withheld is not counted.
    pub(crate) async fn take(&self, account: &str, before: u64, more: u64) -> Result<(), Withheld> {
        let (rows, most) = (before.saturating_add(more), self.limits.rows);
        if rows > most {
            return Err(Withheld::Answer { rows, most });
        }
        self.count(account, more).await
    }

    /// Counts what has left already, as records do that somebody follows. Beyond what was left nothing is.
    pub(crate) async fn taken(&self, account: &str, rows: u64) -> Result<(), Withheld> {
        let left = self.left(account);
        self.count(account, rows.min(left)).await?;
        let most = self.limits.rows_a_day;
        if rows > left { Err(Withheld::Day { left: 0, most }) } else { Ok(()) }
    }

    async fn count(&self, account: &str, rows: u64) -> Result<(), Withheld> {
        if self.count_leased(account, rows)? {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        while !self.count_leased(account, rows)? {
            self.lease(account, rows).await?;
        }
        Ok(())
    }

    /// Whether there were so many rows in the lease, which then are fewer.
    fn count_leased(&self, account: &str, rows: u64) -> Result<bool, Withheld> {
        let most = self.limits.rows_a_day;
        let mut today = self.today.lock();
        today.roll(self.day());
        let account = today.counted_as(account);
        let Account { leased, read } = today.of(account);
        let after = read.saturating_add(rows);
        if after > most {
            return Err(Withheld::Day { left: most.saturating_sub(read), most });
        }
        if after <= leased && rows > 0 {
            today.accounts.insert(account.to_owned(), Account { leased, read: after });
        }
        Ok(after <= leased || rows == 0)
    }

    /// Has the catalog know of more rows than are asked for. To be called with the turn held.
    async fn lease(&self, account: &str, rows: u64) -> Result<(), Withheld> {
        let LeaseOf { day, account, leased, bytes } = self.next_lease(account, rows)?;
        self.catalog.set_secret(TABLE, &bytes).await.map_err(|error| Withheld::Uncounted(error.to_string()))?;
        let mut today = self.today.lock();
        // A lease of yesterday is none of today.
        if today.day == day {
            let read = today.of(&account).read;
            today.accounts.insert(account, Account { leased, read });
        }
        Ok(())
    }

    fn next_lease(&self, account: &str, rows: u64) -> Result<LeaseOf, Withheld> {
        let most = self.limits.rows_a_day;
        let today = self.today.lock();
        let account = today.counted_as(account).to_owned();
        let wanted = today.of(&account).read.saturating_add(rows).saturating_add(most / LEASES_A_DAY);
        let leased = wanted.min(most);
        let mut all: BTreeMap<String, u64> =
            today.accounts.iter().map(|(name, account)| (name.clone(), account.leased)).collect();
        all.insert(account.clone(), leased);
        let stored = serde_json::to_vec(&Leased { day: today.day, rows: all });
        let bytes = stored.map_err(|error| Withheld::Uncounted(error.to_string()))?;
        Ok(LeaseOf { day: today.day, account, leased, bytes })
    }
}

/// A lease, and all of them as the catalog is to have them.
struct LeaseOf {
    day: i64,
    account: String,
    leased: u64,
    bytes: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use logkeep_catalog::SqliteCatalog;
    use logkeep_cipher::DataKey;
    use logkeep_store::ManualClock;

    use super::*;

    const LIMITS: ExportLimits = ExportLimits { rows: 3_000, rows_a_day: 10_000 };

    async fn open(folder: &Path, clock: &Arc<ManualClock>) -> Exports {
        let catalog = SqliteCatalog::open(&folder.join("c.sqlite"), &DataKey::from_bytes([1; 32])).await.unwrap();
        Exports::open(Arc::new(catalog), clock.clone(), LIMITS).await.unwrap()
    }

    fn day(left: u64) -> Withheld {
        Withheld::Day { left, most: LIMITS.rows_a_day }
    }

    #[tokio::test]
    async fn one_answer_and_one_day() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(5 * DAY_NS + 7));
        let exports = open(folder.path(), &clock).await;
        assert_eq!(exports.take("ann", 0, 3_001).await, Err(Withheld::Answer { rows: 3_001, most: 3_000 }));
        for _ in 0..3 {
            exports.take("ann", 0, 3_000).await.unwrap();
        }
        assert_eq!(exports.take("ann", 0, 1_001).await, Err(day(1_000)), "and it is not counted");
        assert_eq!(exports.used_up("ann"), None);
        exports.take("ann", 0, 1_000).await.unwrap();
        assert_eq!(exports.take("ann", 0, 1).await, Err(day(0)));
        assert_eq!(exports.take("ann", 0, 0).await, Ok(()));
        assert_eq!(exports.used_up("ann"), Some(day(0)));
        exports.take("bob", 0, 3_000).await.unwrap();
        clock.advance_ns(DAY_NS);
        exports.take("ann", 0, 3_000).await.unwrap();
        // A clock that is set back brings no day back, and begins none.
        clock.advance_ns(-DAY_NS);
        exports.take("ann", 0, 3_000).await.unwrap();
        exports.take("ann", 0, 3_000).await.unwrap();
        assert_eq!(exports.take("ann", 0, 3_000).await, Err(day(1_000)));
    }

    #[tokio::test]
    async fn pieces_of_an_answer_are_held_to_what_one_may_have() {
        let folder = tempfile::tempdir().unwrap();
        let exports = open(folder.path(), &Arc::new(ManualClock::at(0))).await;
        exports.take("ann", 0, 2_000).await.unwrap();
        let too_much = Withheld::Answer { rows: 3_001, most: 3_000 };
        assert_eq!(exports.take("ann", 2_000, 1_001).await, Err(too_much));
        exports.take("ann", 2_000, 1_000).await.unwrap();
        assert_eq!(exports.left("ann"), 7_000, "each piece counts once, and what is withheld does not");
        exports.taken("ann", 6_000).await.unwrap();
        assert_eq!(exports.take("ann", 0, 1_001).await, Err(day(1_000)));
    }

    #[tokio::test]
    async fn a_restart_gives_nothing_back() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(DAY_NS));
        let (mut given, mut starts) = (0, 0);
        'day: for _ in 0..2_000 {
            let exports = open(folder.path(), &clock).await;
            starts += 1;
            for _ in 0..100 {
                match exports.take("ann", 0, 7).await {
                    Ok(()) => given += 7,
                    Err(withheld) => {
                        assert!(matches!(withheld, Withheld::Day { left: 0..7, .. }), "{withheld:?}");
                        break 'day;
                    }
                }
            }
        }
        assert!(given <= LIMITS.rows_a_day, "{given} rows");
        let lost = LIMITS.rows_a_day - given;
        assert!(lost <= starts * (LIMITS.rows_a_day / LEASES_A_DAY) + 7, "{lost} rows are lost over {starts} starts");
    }

    #[tokio::test]
    async fn what_has_left_already_is_counted_to_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let exports = open(folder.path(), &Arc::new(ManualClock::at(0))).await;
        exports.taken("ann", 9_999).await.unwrap();
        assert_eq!(exports.taken("ann", 2).await, Err(day(0)));
        assert_eq!(exports.used_up("ann"), Some(day(0)));
        drop(exports);
        let again = open(folder.path(), &Arc::new(ManualClock::at(1))).await;
        assert_eq!(again.used_up("ann"), Some(day(0)));
    }

    #[tokio::test]
    async fn many_names_share_a_count() {
        let folder = tempfile::tempdir().unwrap();
        let exports = open(folder.path(), &Arc::new(ManualClock::at(0))).await;
        let full = (0..MOST).map(|n| (n.to_string(), Account { leased: 1, read: 1 })).collect();
        exports.today.lock().accounts = full;
        exports.take("ann", 0, 3_000).await.unwrap();
        exports.taken("bob", 7_000).await.unwrap();
        assert_eq!(exports.used_up("zoe"), Some(day(0)));
        assert_eq!(exports.used_up("7"), None);
        assert_eq!(exports.today.lock().accounts.len(), MOST + 1);
    }

    #[test]
    fn a_table_in_one_row_counts() {
        assert_eq!(Exports::weight(3, 10), 3);
        assert_eq!(Exports::weight(1, 1 << 20), 64);
    }
}
