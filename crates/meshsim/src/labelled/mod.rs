//! Lines with secrets and personal data in them, each marked, and lines that only look like it.
//!
//! A recogniser is as good as what it finds and what it leaves alone, and neither can be said without lines of which the
//! truth is known. Check digits are computed here in another way than a recogniser would, so that an error there is no
//! error here as well. None of it is anybody's: all is made of random numbers.

mod decoys;
mod digits;
mod secrets;

use std::ops::Range;

use crate::Rng;

/// A line, and what is in it.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// As a program would write it.
    pub text: String,
    /// Name of what is in it, and where; `None` for a line that only looks like it.
    pub truth: Option<(&'static str, Range<usize>)>,
}

/// Makes one value.
type Make = fn(&mut Rng) -> String;

/// What there is, how it is made, and lines in which it stands as `{}`.
struct Sort {
    name: &'static str,
    makes: &'static [Make],
    lines: &'static [&'static str],
}

/// Lines in which any value may stand.
const ANYWHERE: &[&str] = &[
    r#"{"ts":"2026-11-21T10:00:00.123Z","level":"info","msg":"request done","detail":"{}","status":200}"#,
    "2026-11-21 10:00:00,123 INFO  [worker-7] com.example.Handler - processed {} in 12 ms",
    "level=warn ts=2026-11-21T10:00:00Z caller=sync.go:41 msg=\"retrying\" arg=\"{}\" attempt=3",
    r#"{"log":"{\"event\":\"update\",\"value\":\"{}\"}\n","stream":"stdout","time":"2026-11-21T10:00:00Z"}"#,
    "<134>1 2026-11-21T10:00:00Z web app 123 - - sent {} to the queue",
];

/// `each` lines of each sort of secret, and as many of each sort of decoy; the same for a seed everywhere.
pub fn labelled(seed: u64, each: usize) -> Vec<Labelled> {
    let mut rng = Rng::new(seed);
    let mut all = Vec::new();
    for sort in secrets::SORTS.iter().chain(digits::SORTS) {
        all.extend((0..each).map(|_| line(&mut rng, sort, Some(sort.name))));
    }
    for sort in decoys::SORTS {
        all.extend((0..each).map(|_| line(&mut rng, sort, None)));
    }
    all
}

fn line(rng: &mut Rng, sort: &Sort, name: Option<&'static str>) -> Labelled {
    let value = rng.pick(sort.makes)(rng);
    let template = *rng.pick(if sort.lines.is_empty() { ANYWHERE } else { sort.lines });
    let (before, after) = template.split_once("{}").unwrap_or((template, ""));
    let text = format!("{before}{value}{after}");
    Labelled { text, truth: name.map(|name| (name, before.len()..before.len() + value.len())) }
}

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &[u8] = b"0123456789";
const HEX: &[u8] = b"0123456789abcdef";
const ALNUM: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn of(rng: &mut Rng, alphabet: &[u8], count: usize) -> String {
    (0..count).map(|_| char::from(*rng.pick(alphabet))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_where_the_values_are() {
        let all = labelled(7, 20);
        assert!(all.len() > 20 * 40);
        for line in &all {
            let Some((name, place)) = &line.truth else { continue };
            assert!(!line.text[place.clone()].is_empty() && !line.text.contains("{}"), "{name}: {}", line.text);
        }
        let again = labelled(7, 20);
        assert!(all.iter().zip(&again).all(|(one, other)| one.text == other.text));
        assert!(labelled(8, 20).iter().zip(&all).any(|(one, other)| one.text != other.text));
    }
}
