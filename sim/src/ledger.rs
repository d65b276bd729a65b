//! The ledger after any life: what it counts as stored is what is there, and every line balances.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use logkeep_ingest::{Counts, Ingest, Ledger, Source, minute};
use logkeep_record::TenantId;

/// Minutes of a line that all lines can be compared in: old ones have no finer lines.
const HOUR: i64 = 60;

/// Records by tenant and hour of arrival.
pub(crate) type Arrived = BTreeMap<(TenantId, i64), u64>;

pub(crate) fn hour(received_ns: i64) -> i64 {
    minute(received_ns) - minute(received_ns).rem_euclid(HOUR)
}

/// Counts a record that was rejected, beside any batch. It may be forgotten when the power goes, but only as a whole.
pub(crate) fn reject(ingest: &Ingest, tenant: &TenantId, now_ns: i64) {
    let counts = Counts { received: 1, rejected: [("malformed".to_owned(), 1)].into(), ..Counts::default() };
    let mut lines = Ledger::default();
    lines.add(minute(now_ns), &Arc::new(Source::new("sim")), &counts);
    ingest.count(tenant, &lines);
}

/// Holds the ledger against the records that are there; `rejected` were counted beside them at most.
pub(crate) fn check(ingest: &Ingest, tenants: &[TenantId], arrived: &Arrived, rejected: u64) -> Result<(), String> {
    let mut counted = Arrived::new();
    let mut beside = 0;
    for tenant in tenants {
        let mut reading = Box::pin(ingest.ledger(tenant, i64::MIN..=i64::MAX, HOUR, usize::MAX));
        let Poll::Ready(found) = reading.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            return Err("the model of a catalog makes its readers wait".to_owned());
        };
        for (hour, source, counts) in found.map_err(|error| format!("the ledger cannot be read: {error}"))?.lines() {
            if !counts.is_balanced() {
                return Err(format!("a line of the ledger does not balance: {source:?} {counts:?}"));
            }
            beside += counts.rejected();
            if counts.stored > 0 {
                *counted.entry((tenant.clone(), hour)).or_default() += counts.stored;
            }
        }
    }
    if counted != *arrived {
        return Err(format!("the ledger counts {counted:?} as stored, and {arrived:?} are there"));
    }
    if beside > rejected {
        return Err(format!("the ledger counts {beside} records as rejected, of {rejected}"));
    }
    Ok(())
}
