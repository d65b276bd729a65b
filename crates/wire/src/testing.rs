//! How tests show what was decoded.

use std::fmt::Display;

use logkeep_record::Record;

use crate::Decoded;

/// A line for each record and each rejection, or the error.
pub(crate) fn rendered<E: Display>(decoded: Result<Decoded<'_>, E>, line: impl Fn(&Record<'_>) -> String) -> String {
    let decoded = match decoded {
        Ok(decoded) => decoded,
        Err(error) => return error.to_string(),
    };
    let rejected = decoded.rejected.iter().map(|one| format!("rejected {}: {}", one.place, one.reason));
    decoded.records.iter().map(line).chain(rejected).collect::<Vec<_>>().join("\n")
}
