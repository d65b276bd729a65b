//! Times as sources write them most: RFC 3339, UTC, `Z`.

const DAY_SECONDS: i64 = 86_400;

/// Appends `2026-11-20T10:00:00.123Z` with `digits` digits of the fraction (none: no point); false if that would not be
/// the whole of `time_ns`, or the year has not four digits.
pub(super) fn write(time_ns: i64, digits: u8, out: &mut String) -> bool {
    let (seconds, nanos) = (time_ns.div_euclid(1_000_000_000), time_ns.rem_euclid(1_000_000_000));
    let unit = 10_i64.pow(9 - u32::from(digits.min(9)));
    if nanos % unit != 0 {
        return false;
    }
    let (days, second) = (seconds.div_euclid(DAY_SECONDS), seconds.rem_euclid(DAY_SECONDS));
    let (year, month, day) = civil(days);
    let mut text = *b"0000-00-00T00:00:00.";
    put(&mut text[0..4], year);
    put(&mut text[5..7], month);
    put(&mut text[8..10], day);
    put(&mut text[11..13], second / 3600);
    put(&mut text[14..16], second / 60 % 60);
    put(&mut text[17..19], second % 60);
    let mut fraction = [0; 9];
    put(&mut fraction[..digits.into()], nanos / unit);
    let head = if digits == 0 { &text[..19] } else { &text[..] };
    let digits = &fraction[..digits.into()];
    out.extend(head.iter().chain(digits).chain(b"Z").map(|byte| char::from(*byte)));
    true
}

fn put(digits: &mut [u8], mut number: i64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Year, month and day of a number of days since 1970-01-01, in the proleptic Gregorian calendar. Counts in eras of 400
/// years that begin on the first of March, so that the leap day is the last of its year.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let check = |ns: i64, digits: u8, expected: Option<&str>| {
            let mut out = String::new();
            assert_eq!(write(ns, digits, &mut out).then_some(&*out), expected, "{ns}");
        };
        check(0, 0, Some("1970-01-01T00:00:00Z"));
        check(1_795_132_804_877_581_781, 9, Some("2026-11-20T00:00:04.877581781Z"));
        check(1_795_132_804_877_000_000, 3, Some("2026-11-20T00:00:04.877Z"));
        check(1_795_132_804_877_000_000, 9, Some("2026-11-20T00:00:04.877000000Z"));
        check(1_795_132_804_877_581_781, 3, None);
        check(951_782_399_000_000_000, 0, Some("2000-02-28T23:59:59Z"));
        check(951_782_400_000_000_000, 0, Some("2000-02-29T00:00:00Z"));
        check(-1, 9, Some("1969-12-31T23:59:59.999999999Z"));
        check(i64::MIN, 9, Some("1677-09-21T00:12:43.145224192Z"));
        check(i64::MAX, 9, Some("2262-04-11T23:47:16.854775807Z"));
    }
}
