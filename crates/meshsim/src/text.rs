//! Numbers, times and JSON strings appended to a line.
//!
//! `format!` per field would cost more than the simulation itself, and a bench that cannot make its input faster than
//! the store takes it measures itself.

/// Appends a whole number.
pub(crate) fn push_u64(out: &mut String, value: u64) {
    out.push_str(itoa::Buffer::new().format(value));
}

/// Appends `value` with at least `width` digits, filled with zeros.
pub(crate) fn push_padded(out: &mut String, value: u64, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value);
    (digits.len()..width).for_each(|_| out.push('0'));
    out.push_str(digits);
}

/// Appends the low `digits` base-16 digits of `value`.
pub(crate) fn push_hex(out: &mut String, value: u128, digits: u32) {
    for place in (0..digits).rev() {
        out.push(char::from(b"0123456789abcdef"[(value >> (place * 4)) as usize & 15]));
    }
}

/// Appends `value` in the form of a UUID.
pub(crate) fn push_uuid(out: &mut String, value: u128) {
    for (shift, digits) in [(96, 8), (80, 4), (64, 4), (48, 4), (0, 12)] {
        if shift != 96 {
            out.push('-');
        }
        push_hex(out, value >> shift, digits);
    }
}

/// Appends an IPv4 address.
pub(crate) fn push_ip(out: &mut String, ip: [u8; 4]) {
    for (place, octet) in ip.into_iter().enumerate() {
        if place > 0 {
            out.push('.');
        }
        push_u64(out, u64::from(octet));
    }
}

/// Appends an IPv4 address with a port.
pub(crate) fn push_address(out: &mut String, ip: [u8; 4], port: u16) {
    push_ip(out, ip);
    out.push(':');
    push_u64(out, u64::from(port));
}

/// Appends the date and time of day, `date` and `time` separated by `between`, with `digits` of the second's fraction
/// after `point`.
pub(crate) fn push_civil(out: &mut String, time_ns: i64, between: char, point: char, digits: u32) {
    let seconds = time_ns.div_euclid(1_000_000_000);
    let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400) as u64;
    push_padded(out, year as u64, 4);
    out.push('-');
    push_padded(out, month, 2);
    out.push('-');
    push_padded(out, day, 2);
    out.push(between);
    push_padded(out, of_day / 3_600, 2);
    out.push(':');
    push_padded(out, of_day / 60 % 60, 2);
    out.push(':');
    push_padded(out, of_day % 60, 2);
    if digits > 0 {
        out.push(point);
        let fraction = time_ns.rem_euclid(1_000_000_000) as u64 / 10_u64.pow(9 - digits.min(9));
        push_padded(out, fraction, digits as usize);
    }
}

/// Appends RFC 3339 in UTC with `digits` of the second's fraction.
pub(crate) fn push_rfc3339(out: &mut String, time_ns: i64, digits: u32) {
    push_civil(out, time_ns, 'T', '.', digits);
    out.push('Z');
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
fn civil_from_days(days: i64) -> (i64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month as u64, day as u64)
}

/// Writes the fields of one JSON object in the order given.
pub(crate) struct Object<'a> {
    out: &'a mut String,
    first: bool,
    nulls: bool,
}

impl<'a> Object<'a> {
    /// Opens the object.
    pub(crate) fn new(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, first: true, nulls: true }
    }

    /// Opens an object that leaves out what is null.
    pub(crate) fn sparse(out: &'a mut String) -> Self {
        Self { nulls: false, ..Self::new(out) }
    }

    /// Writes the key and hands out the line for the value, which must be JSON.
    pub(crate) fn value(&mut self, key: &str) -> &mut String {
        if !self.first {
            self.out.push(',');
        }
        self.first = false;
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\":");
        self.out
    }

    /// A string that may need escapes.
    pub(crate) fn text(&mut self, key: &str, text: &str) {
        push_json_str(self.value(key), text);
    }

    /// A string or null.
    pub(crate) fn optional(&mut self, key: &str, text: Option<&str>) {
        match text {
            Some(text) => self.text(key, text),
            None if self.nulls => self.value(key).push_str("null"),
            None => {}
        }
    }

    /// A whole number.
    pub(crate) fn number(&mut self, key: &str, value: u64) {
        push_u64(self.value(key), value);
    }

    /// A string that `write` appends and that needs no escapes.
    pub(crate) fn plain(&mut self, key: &str, write: impl FnOnce(&mut String)) {
        let out = self.value(key);
        out.push('"');
        write(out);
        out.push('"');
    }

    /// Closes the object.
    pub(crate) fn close(self) {
        self.out.push('}');
    }
}

/// Appends `text` as a JSON string.
pub(crate) fn push_json_str(out: &mut String, text: &str) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\t' => "\\t",
            0..0x20 => "\\ufffd",
            _ => continue,
        };
        out.push_str(&text[from..at]);
        out.push_str(escape);
        from = at + 1;
    }
    out.push_str(&text[from..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(write: impl FnOnce(&mut String), expected: &str) {
        let mut out = String::new();
        write(&mut out);
        assert_eq!(out, expected);
    }

    #[test]
    fn times() {
        check(|out| push_rfc3339(out, 0, 3), "1970-01-01T00:00:00.000Z");
        check(|out| push_rfc3339(out, 1_709_210_096_123_456_789, 9), "2024-02-29T12:34:56.123456789Z");
        check(|out| push_rfc3339(out, -1, 6), "1969-12-31T23:59:59.999999Z");
        check(|out| push_civil(out, 951_782_400_000_000_000, ' ', ',', 3), "2000-02-29 00:00:00,000");
        check(|out| push_rfc3339(out, 4_102_444_799_000_000_000, 0), "2099-12-31T23:59:59Z");
    }

    #[test]
    fn numbers_and_strings() {
        check(|out| push_uuid(out, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef), "01234567-89ab-cdef-0123-456789abcdef");
        check(|out| push_address(out, [10, 0, 255, 1], 8080), "10.0.255.1:8080");
        check(|out| push_padded(out, 12_345, 3), "12345");
        check(|out| push_json_str(out, "a\"b\\c\n\td\u{1}é"), r#""a\"b\\c\n\td\ufffdé""#);
    }
}
