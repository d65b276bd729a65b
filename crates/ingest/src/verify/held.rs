//! Holds, as the audit trail tells of them.
//!
//! Whoever has the key file can take a hold out of the catalog, and nothing there would miss it. But each was told to the audit trail once it
//! was placed, and that is in a tree.

use logkeep_record::Value;
use logkeep_segment::{RowError, Rows};

/// The event of records that tell of one, and the attribute that names it (docs/guide/retention.md).
const PLACED: &str = "audit.hold.placed";
const HOLD: &str = "audit.hold";

/// The holds that these records of an audit trail tell of.
pub(super) fn placed(rows: &Rows) -> Result<Vec<String>, RowError> {
    let mut found = Vec::new();
    for row in 0..rows.len() {
        let record = rows.record(row)?;
        if record.event_name == PLACED {
            let named = record.attributes.iter().filter(|(name, _)| name == HOLD);
            found.extend(named.filter_map(|(_, value)| Value::as_str(value).map(str::to_owned)));
        }
    }
    Ok(found)
}
