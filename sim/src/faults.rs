//! What goes wrong with the disk, and what did.

/// What may go wrong from now on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// The power goes at this many changes from the beginning.
    pub(crate) crash_at: Option<u64>,
    /// The power goes when this many more changes to the write-ahead log have been asked for.
    pub(crate) crash_in_log: Option<u64>,
    /// Percent of syncs and writes that fail.
    pub(crate) fail_percent: u64,
    /// Bytes that fit.
    pub(crate) capacity: Option<u64>,
}

/// What did go wrong, and how much was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Changes and syncs.
    pub operations: u64,
    /// Times the power went.
    pub crashes: u64,
    /// Writes that a crash lost.
    pub lost: u64,
    /// Writes that a crash tore.
    pub torn: u64,
    /// Writes that a crash kept although an earlier one of the same file was not kept in full.
    pub reordered: u64,
    /// Writes that a crash repeated after the end of their file.
    pub repeated: u64,
    /// Names that a crash lost.
    pub names_lost: u64,
    /// Syncs that failed.
    pub failed_syncs: u64,
    /// Writes that failed.
    pub failed_writes: u64,
    /// Refusals because the disk was full.
    pub full: u64,
    /// Bits that rotted.
    pub rotted: u64,
}

impl Tally {
    /// Faults of all kinds.
    pub fn faults(&self) -> u64 {
        self.crashes
            + self.lost
            + self.torn
            + self.reordered
            + self.repeated
            + self.names_lost
            + self.failed_syncs
            + self.failed_writes
            + self.full
            + self.rotted
    }

    /// Operations that failed.
    pub(crate) fn refusals(&self) -> u64 {
        self.failed_syncs + self.failed_writes + self.full
    }

    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.crashes += other.crashes;
        self.lost += other.lost;
        self.torn += other.torn;
        self.reordered += other.reordered;
        self.repeated += other.repeated;
        self.names_lost += other.names_lost;
        self.failed_syncs += other.failed_syncs;
        self.failed_writes += other.failed_writes;
        self.full += other.full;
        self.rotted += other.rotted;
    }
}
