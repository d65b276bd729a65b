//! Some records of many.
//!
//! By the hash of a field and nothing else: records with the same value stay together, whichever server they reach and
//! whenever it was started, and a sample of one in a hundred is part of that of one in ten.

use logkeep_record::Record;
use xxhash_rust::xxh3::xxh3_64;

use crate::field::Field;
use crate::spec;
use crate::when::Condition;

/// No share of records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no share of records: write `1/10`, `10%` or `0.1`")]
pub struct KeepError(String);

/// The values of a hash below which records are kept, from `1/10`, `10%` or `0.1`.
///
/// # Errors
/// [`KeepError`]: it is none of them, or not more than nothing and at most all.
pub fn parse_keep(text: &str) -> Result<u64, KeepError> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let share = match (text.split_once('/'), text.strip_suffix('%')) {
        (Some((one, of)), _) => number(one).zip(number(of)).map(|(one, of)| one / of),
        (_, Some(percent)) => number(percent).map(|percent| percent / 100.0),
        _ => number(text),
    };
    let share = share.filter(|share| *share > 0.0 && *share <= 1.0).ok_or_else(|| KeepError(text.to_owned()))?;
    // 1.0 is more than the largest number there is, which the conversion makes of it.
    Ok((share * 2.0_f64.powi(64)) as u64)
}

#[derive(Debug)]
pub(crate) struct Sampler {
    below: u64,
    by: Field,
    except: Option<Condition>,
}

impl Sampler {
    pub(crate) fn new(sample: &spec::Sample) -> Result<Self, String> {
        let except = sample.except.as_ref().map(Condition::new).transpose()?;
        Ok(Self { below: sample.below, by: Field::new(&sample.by)?, except })
    }

    /// Whether a record stays. One without the field does: there is nothing it could stay together with.
    pub(crate) fn keeps(&self, record: &Record<'_>) -> bool {
        let Some(key) = self.by.text(record).filter(|key| !key.is_empty()) else { return true };
        let is_kept = self.below == u64::MAX || xxh3_64(key.as_bytes()) < self.below;
        is_kept || self.except.as_ref().is_some_and(|except| except.holds(record))
    }
}
