//! The distinct values of a field, each with what is counted of it.
//!
//! Numbers are told apart as numbers: most are counted and few are ever shown, and to write one down takes longer than to count it.
//! Values count as one where their texts are one, as those of `503` and `"503"` are.

use std::collections::HashMap;

use logkeep_record::Value;

use super::project::text_of;

/// What a number takes at most as a text, and every value at least.
const NUMBER_BYTES: usize = 32;

type Map<K, C> = HashMap<K, C, foldhash::fast::RandomState>;

/// Values, and a `C` for each.
#[derive(Default)]
pub(super) struct Distinct<C> {
    texts: Map<String, C>,
    ints: Map<i64, C>,
    /// By their bits.
    doubles: Map<u64, C>,
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    ToKnown,
    AsNew,
    Not,
}

impl<C: Default> Distinct<C> {
    /// Values that are counted, or more if some of them have one text.
    pub(super) fn len(&self) -> usize {
        self.texts.len() + self.ints.len() + self.doubles.len()
    }

    /// Counts a value that is known, or that there is room for: `has_room` is told how many bytes it takes. What it once refused it must
    /// refuse for ever, so that what is counted is counted from the first time on.
    pub(super) fn add(
        &mut self,
        value: &Value<'_>,
        has_room: impl FnOnce(usize) -> bool,
        count: impl FnOnce(&mut C),
    ) -> Added {
        let known = match value {
            Value::Str(text) => self.texts.get_mut(&**text),
            Value::Int(number) => self.ints.get_mut(number),
            Value::Double(number) => self.doubles.get_mut(&number.to_bits()),
            other => return self.add(&Value::from(text_of(other)), has_room, count),
        };
        if let Some(known) = known {
            count(known);
            return Added::ToKnown;
        }
        let bytes = if let Value::Str(text) = value { text.len() } else { 0 };
        if !has_room(bytes.max(NUMBER_BYTES)) {
            let Some(known) = self.of_same_text(value) else { return Added::Not };
            count(known);
            return Added::ToKnown;
        }
        count(match value {
            Value::Int(number) => self.ints.entry(*number).or_default(),
            Value::Double(number) => self.doubles.entry(number.to_bits()).or_default(),
            other => self.texts.entry(text_of(other)).or_default(),
        });
        Added::AsNew
    }

    /// A value of another type that is known and has the same text.
    fn of_same_text(&mut self, value: &Value<'_>) -> Option<&mut C> {
        let Value::Str(text) = value else {
            return if self.texts.is_empty() { None } else { self.texts.get_mut(&text_of(value)) };
        };
        let is_written_so = |number: &Value<'_>| text_of(number) == **text;
        let int = text.parse().ok().filter(|number| is_written_so(&Value::Int(*number)));
        if let Some(int) = int {
            return self.ints.get_mut(&int);
        }
        let double = text.parse().ok().filter(|number| is_written_so(&Value::Double(*number)));
        self.doubles.get_mut(&double?.to_bits())
    }

    /// Every `C`.
    pub(super) fn counts_mut(&mut self) -> impl Iterator<Item = &mut C> {
        self.texts.values_mut().chain(self.ints.values_mut()).chain(self.doubles.values_mut())
    }

    /// All values as texts; `merge` adds what belongs to the same one.
    pub(super) fn into_texts(self, merge: impl Fn(&mut C, C)) -> Map<String, C> {
        let ints = self.ints.into_iter().map(|(number, of)| (Value::Int(number), of));
        let doubles = self.doubles.into_iter().map(|(bits, of)| (Value::Double(f64::from_bits(bits)), of));
        let mut texts = self.texts;
        for (number, of) in ints.chain(doubles) {
            merge(texts.entry(text_of(&number)).or_default(), of);
        }
        texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(counts: &mut Distinct<u64>, value: &Value<'_>, room: usize) -> Added {
        let known = counts.len();
        counts.add(value, |_| known < room, |count| *count += 1)
    }

    fn told(counts: Distinct<u64>) -> Vec<(String, u64)> {
        let mut told: Vec<_> = counts.into_texts(|count, more| *count += more).into_iter().collect();
        told.sort();
        told
    }

    #[test]
    fn values_of_one_text_are_one() {
        let mut counts = Distinct::default();
        for value in [Value::Int(503), Value::str("503"), Value::Int(503), Value::Double(0.5), Value::str("0.5")] {
            add(&mut counts, &value, 9);
        }
        add(&mut counts, &Value::Bool(true), 9);
        add(&mut counts, &Value::str("true"), 9);
        assert_eq!(told(counts), [("0.5".into(), 2), ("503".into(), 3), ("true".into(), 2)]);
    }

    #[test]
    fn what_is_told_is_exact_however_little_room_there_is() {
        let mut counts = Distinct::default();
        let values = [
            (Value::Int(1), Added::AsNew),
            (Value::str("2"), Added::AsNew),
            (Value::Double(0.5), Added::AsNew),
            // Full.
            (Value::str("1"), Added::ToKnown),
            (Value::Int(2), Added::ToKnown),
            (Value::str("0.5"), Added::ToKnown),
            (Value::str("01"), Added::Not),
            (Value::str("+1"), Added::Not),
            (Value::str(".5"), Added::Not),
            (Value::str("NaN"), Added::Not),
            (Value::Int(3), Added::Not),
            (Value::Double(1.0), Added::Not),
            (Value::Double(0.5), Added::ToKnown),
        ];
        for (value, expected) in values {
            assert_eq!(add(&mut counts, &value, 3), expected, "{value:?}");
        }
        assert_eq!(told(counts), [("0.5".into(), 3), ("1".into(), 2), ("2".into(), 2)]);
    }
}
