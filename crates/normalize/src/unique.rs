//! Each name once.
//!
//! A document may say a key twice, and a nested key may be spelled with dots beside it. Whoever asks for a field must get one
//! answer, so the first value has the name, and what else was said is kept in a list of its own.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use logkeep_record::{Attributes, Value, limits};

use crate::table;

/// In front of the name that came more than once; its value has the other values, in order.
pub(crate) const REPEATED: &str = "logkeep.repeated.";
/// Names compared with each other; more go into a set.
const FEW: usize = 128;

/// Leaves each name once; gives how many values cannot be kept, because their name would be too long.
pub(crate) fn settle(attributes: &mut Attributes<'_>) -> u32 {
    if repeats(attributes) { separate(attributes) } else { 0 }
}

fn repeats(attributes: &Attributes<'_>) -> bool {
    if attributes.len() > FEW {
        let mut seen = HashSet::with_capacity(attributes.len());
        return !attributes.iter().all(|(name, _)| seen.insert(name.as_ref()));
    }
    // Most names have a bit for themselves.
    let mut seen = [0_u64; table::SLOTS / 64];
    attributes.iter().enumerate().any(|(place, (name, _))| {
        let slot = table::slot(name.as_bytes());
        let (word, bit) = (&mut seen[slot / 64], 1 << (slot % 64));
        let may_repeat = *word & bit != 0;
        *word |= bit;
        may_repeat && attributes[..place].iter().any(|(before, _)| before == name)
    })
}

fn separate(attributes: &mut Attributes<'_>) -> u32 {
    let all = std::mem::take(attributes);
    let mut places = HashMap::with_capacity(all.len());
    let (mut others, mut lists): (Vec<_>, HashMap<usize, usize>) = (Vec::new(), HashMap::new());
    for (name, value) in all {
        let place = *places.entry(name.clone()).or_insert(attributes.len());
        if place == attributes.len() {
            attributes.push((name, value));
        } else if attributes[place].1 != value {
            let list = *lists.entry(place).or_insert(others.len());
            if list == others.len() {
                others.push((name, Vec::new()));
            }
            others[list].1.push(value);
        }
    }
    let mut dropped = 0;
    for (name, values) in others {
        let mut name = format!("{REPEATED}{name}");
        // A sender may use such a name, too.
        while places.contains_key(name.as_str()) && name.len() <= limits::KEY_BYTES {
            name.insert_str(0, REPEATED);
        }
        if name.len() > limits::KEY_BYTES {
            dropped += values.len() as u32;
        } else {
            places.insert(Cow::Owned(name.clone()), attributes.len());
            attributes.push((Cow::Owned(name), Value::Array(values)));
        }
    }
    dropped
}

#[cfg(test)]
mod tests {
    use logkeep_record::json;

    use super::*;

    fn check(before: &str, after: &str, dropped: u32) {
        let Value::Map(mut pairs) = json::parse(before).unwrap() else { panic!("{before}") };
        assert_eq!(settle(&mut pairs), dropped, "{before}");
        let mut text = String::new();
        json::write(&Value::Map(pairs), &mut text);
        assert_eq!(text, after);
    }

    #[test]
    fn the_first_value_has_the_name_and_the_others_are_kept() {
        check(r#"{"a":1,"b":2}"#, r#"{"a":1,"b":2}"#, 0);
        check(r#"{"a":1,"b":2,"a":1}"#, r#"{"a":1,"b":2}"#, 0);
        check(
            r#"{"a":1,"b":2,"a":"x","b":2,"b":3,"a":[1]}"#,
            r#"{"a":1,"b":2,"logkeep.repeated.a":["x",[1]],"logkeep.repeated.b":[3]}"#,
            0,
        );
        let twice = r#"{"a":1,"logkeep.repeated.a":3,"logkeep.repeated.logkeep.repeated.a":[2]}"#;
        check(r#"{"a":1,"a":2,"logkeep.repeated.a":3}"#, twice, 0);
        let long = "x".repeat(limits::KEY_BYTES);
        check(&format!("{{\"{long}\":1,\"{long}\":2,\"{long}\":3}}"), &format!("{{\"{long}\":1}}"), 2);
    }

    #[test]
    fn many_names_take_time_in_proportion() {
        let name = |n: usize| Cow::Owned(format!("k{n}"));
        let mut pairs: Attributes<'_> = (0..10_000).map(|n| (name(n % 5_000), Value::Int(n as i64))).collect();
        assert_eq!((settle(&mut pairs), pairs.len()), (0, 10_000));
        let last = (Cow::Owned(format!("{REPEATED}k4999")), Value::Array(vec![Value::Int(9_999)]));
        assert_eq!(pairs.last(), Some(&last));
    }
}
