//! What time it certainly is.
//!
//! A clock that jumps ahead by years, by a fault or by somebody's hand, would destroy everything at once if it were believed. So it is
//! followed at twice the pace of time that passes while this program runs, and never beyond what it says: a weekend that the server was
//! off is caught up with in a weekend, and a year too many destroys one day too much in a day, while somebody may notice. It begins at
//! the time of the last order of two people.

use logkeep_catalog::{Catalog, CatalogError};
use serde::{Deserialize, Serialize};

const SECRET: &str = "retention/time";
/// How much faster than time the clock is followed.
const PACE: i64 = 2;
/// What may be lost by a kill; what is lost is kept for longer.
const KEPT_EVERY_NS: i64 = 3_600 * 1_000_000_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Time {
    certain_ns: i64,
    #[serde(skip)]
    kept_ns: i64,
}

impl Time {
    pub(super) async fn load(catalog: &dyn Catalog) -> Result<Self, CatalogError> {
        let Some(bytes) = catalog.secret(SECRET).await? else { return Ok(Self::default()) };
        let time: Self =
            serde_json::from_slice(&bytes).map_err(|error| CatalogError::Corrupt(format!("`{SECRET}`: {error}")))?;
        Ok(Self { kept_ns: time.certain_ns, ..time })
    }

    /// The time after so much has passed, by a clock that says `now_ns`, when two people were there at `witnessed_ns`.
    pub(super) fn pass(&mut self, passed_ns: u64, now_ns: i64, witnessed_ns: i64) -> i64 {
        let passed_ns = i64::try_from(passed_ns).unwrap_or(i64::MAX).saturating_mul(PACE);
        let followed_ns = self.certain_ns.saturating_add(passed_ns).min(now_ns);
        self.certain_ns = self.certain_ns.max(witnessed_ns).max(followed_ns);
        self.certain_ns.min(now_ns)
    }

    /// Keeps it over a restart, now and then.
    pub(super) async fn keep(&mut self, catalog: &dyn Catalog) -> Result<(), CatalogError> {
        if self.certain_ns.saturating_sub(self.kept_ns) < KEPT_EVERY_NS {
            return Ok(());
        }
        let bytes = serde_json::to_vec(self).expect("a number is JSON");
        catalog.set_secret(SECRET, &bytes).await?;
        self.kept_ns = self.certain_ns;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_followed_at_twice_the_pace_and_never_beyond_what_it_says() {
        let mut time = Time::default();
        assert_eq!(time.pass(0, 1_000, 900), 900, "two people were there");
        assert_eq!(time.pass(10, 1_010, 900), 920);
        assert_eq!(time.pass(200, 1_210, 900), 1_210, "it has caught up");
        assert_eq!(time.pass(10, 1_000_000, 900), 1_230, "a clock that jumps is followed slowly");
        assert_eq!(time.pass(10, 1_000, 900), 1_000, "one that is set back is believed");
        assert_eq!(time.pass(10, 1_000_000, 900), 1_250);
        assert_eq!(time.pass(0, 1_000_000, 5_000), 5_000, "as are two people");
        assert_eq!(time.pass(u64::MAX, i64::MAX, 0), i64::MAX);
    }
}
