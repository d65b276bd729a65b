//! Numbers in queries and values, compared exactly.

use std::cmp::Ordering;

/// An integer or a double. Comparing one with the other is exact, also beyond 2^53 where a cast would not be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A 64-bit signed integer.
    Int(i64),
    /// A double.
    Double(f64),
}

impl Number {
    /// Reads a whole text as a decimal number: optional sign, digits, optional fraction, optional exponent. Words like
    /// `inf` and `nan` and surrounding white space are no numbers.
    pub fn read(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let plain = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '-' | '+');
        if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') || !digits.chars().all(plain) {
            return None;
        }
        if let Ok(value) = text.parse() {
            return Some(Self::Int(value));
        }
        text.parse().ok().filter(|value: &f64| value.is_finite()).map(Self::Double)
    }

    /// The order of two numbers; `None` where one is NaN.
    pub fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(&b)),
            (Self::Double(a), Self::Double(b)) => a.partial_cmp(&b),
            (Self::Int(a), Self::Double(b)) => compare_mixed(a, b),
            (Self::Double(a), Self::Int(b)) => compare_mixed(b, a).map(Ordering::reverse),
        }
    }
}

fn compare_mixed(int: i64, double: f64) -> Option<Ordering> {
    const BEYOND_I64: f64 = 9_223_372_036_854_775_808.0;
    if double.is_nan() {
        return None;
    }
    if double >= BEYOND_I64 {
        return Some(Ordering::Less);
    }
    if double < -BEYOND_I64 {
        return Some(Ordering::Greater);
    }
    // In range, so truncation is exact; what it cut off decides between equals.
    let whole = double.trunc();
    Some(int.cmp(&(whole as i64)).then_with(|| 0.0_f64.partial_cmp(&(double - whole)).unwrap_or(Ordering::Equal)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(a: &str, b: &str, expected: Ordering) {
        let (a, b) = (Number::read(a).unwrap(), Number::read(b).unwrap());
        assert_eq!(a.compare(b), Some(expected), "{a:?} {b:?}");
        assert_eq!(b.compare(a), Some(expected.reverse()), "{b:?} {a:?}");
    }

    #[test]
    fn comparing_is_exact() {
        check("9007199254740993", "9007199254740992.0", Ordering::Greater);
        check("9223372036854775807", "9223372036854775808", Ordering::Less);
        check("-9223372036854775808", "-9223372036854775808.0", Ordering::Equal);
        check("-2", "-2.5", Ordering::Greater);
        check("2", "2.5", Ordering::Less);
        check("0", "-0.0", Ordering::Equal);
        check("1e3", "1000", Ordering::Equal);
        assert_eq!(Number::Int(1).compare(Number::Double(f64::NAN)), None);
    }

    #[test]
    fn what_is_no_number() {
        for text in ["", "-", ".", "1.2.3", "nan", "inf", "1e999", " 1", "1 ", "0x10", "1-2", "e5", "5ms"] {
            assert_eq!(Number::read(text), None, "{text:?}");
        }
    }
}
