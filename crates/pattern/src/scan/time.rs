//! Dates and times of day. Each function says where the thing ends that begins at a place.

use super::class::{is_word, run};

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
const DAYS: [&[u8; 3]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];

/// What begins with a digit.
pub(crate) fn numeric(text: &[u8], at: usize) -> Option<usize> {
    let digits = run(text, at, |byte| byte.is_ascii_digit()) - at;
    let next = *text.get(at + digits)?;
    let end = match (digits, next) {
        (4, b'-' | b'/') => date(text, at, next)?,
        (1 | 2, b':') => of_day(text, at)?,
        (1 | 2, b'/') => access_log(text, at)?,
        (1 | 2, b' ' | b'-') => day_month(text, at + digits, next)?,
        _ => return None,
    };
    is_over(text, end).then_some(end)
}

/// What begins with the name of a month or a day: `Jan  2 03:04:05`, `Tue Jan  2 03:04:05 2024`.
pub(crate) fn named(text: &[u8], at: usize) -> Option<usize> {
    let name = name(text, at)?;
    if DAYS.contains(&name) {
        let from = if text.get(at + 3) == Some(&b',') { at + 4 } else { at + 3 };
        return month_day(text, blanks(text, from)?);
    }
    month_day(text, at)
}

fn month_day(text: &[u8], at: usize) -> Option<usize> {
    if !MONTHS.contains(&name(text, at)?) {
        return None;
    }
    let day = blanks(text, at + 3)?;
    let after = digits(text, day, 1, 2)?;
    let end = of_day(text, blanks(text, after)?)?;
    let end =
        blanks(text, end).and_then(|year| digits(text, year, 4, 4)).filter(|end| is_over(text, *end)).unwrap_or(end);
    is_over(text, end).then_some(end)
}

/// `2024-01-02`, and the time of day after `T` or a blank if there is one.
fn date(text: &[u8], at: usize, between: u8) -> Option<usize> {
    let month = digits(text, at + 5, 2, 2).filter(|end| text.get(*end) == Some(&between))?;
    let end = digits(text, month + 1, 2, 2)?;
    let with_time = match text.get(end) {
        Some(b'T' | b't' | b' ' | b'-') => of_day(text, end + 1),
        _ => None,
    };
    Some(with_time.map_or(end, |end| zone(text, end)))
}

/// `03:04`, `03:04:05`, and a fraction after a point or a comma.
fn of_day(text: &[u8], at: usize) -> Option<usize> {
    let hours = digits(text, at, 1, 2).filter(|end| text.get(*end) == Some(&b':'))?;
    let minutes = sixty(text, hours + 1)?;
    let Some(seconds) = after(text, minutes, b":").and_then(|at| sixty(text, at)) else {
        return (text.get(minutes) != Some(&b':')).then_some(minutes);
    };
    let fraction = after(text, seconds, b".,:").and_then(|at| digits(text, at, 1, 9));
    Some(fraction.filter(|end| is_over(text, *end) || text[*end].is_ascii_alphabetic()).unwrap_or(seconds))
}

/// ` Jan 2024 03:04:05` behind a day, or with `-` between.
fn day_month(text: &[u8], at: usize, between: u8) -> Option<usize> {
    name(text, at + 1).filter(|name| MONTHS.contains(name))?;
    let year = after(text, at + 4, &[between]).and_then(|at| digits(text, at, 4, 4))?;
    Some(after(text, year, b" ").and_then(|at| of_day(text, at)).map_or(year, |end| zone(text, end)))
}

/// `02/Jan/2024:03:04:05 +0000`.
fn access_log(text: &[u8], at: usize) -> Option<usize> {
    let day = digits(text, at, 1, 2)?;
    let month = name(text, day + 1).filter(|name| MONTHS.contains(name)).map(|_| day + 4)?;
    let year = after(text, month, b"/").and_then(|at| digits(text, at, 4, 4))?;
    let end = after(text, year, b": ").and_then(|at| of_day(text, at))?;
    Some(zone(text, end))
}

/// `Z`, `+01:00`, ` +0100`, ` UTC`; none of them is as well.
fn zone(text: &[u8], at: usize) -> usize {
    let from = if text.get(at) == Some(&b' ') { at + 1 } else { at };
    let end = match text.get(from) {
        Some(b'Z' | b'z') if from == at => Some(at + 1),
        Some(b'+' | b'-') => digits(text, from + 1, 2, 4).map(|end| {
            let minutes = after(text, end, b":").and_then(|at| digits(text, at, 2, 2));
            minutes.unwrap_or(end)
        }),
        Some(b'U' | b'G') => name(text, from).filter(|zone| [b"UTC", b"GMT"].contains(zone)).map(|_| from + 3),
        _ => None,
    };
    end.filter(|end| is_over(text, *end)).unwrap_or(at)
}

fn sixty(text: &[u8], at: usize) -> Option<usize> {
    text.get(at).filter(|tens| (b'0'..b'7').contains(tens))?;
    digits(text, at, 2, 2)
}

/// Where between `least` and `most` digits end, and no more follow.
fn digits(text: &[u8], at: usize, least: usize, most: usize) -> Option<usize> {
    let end = run(text, at, |byte| byte.is_ascii_digit());
    (at + least..=at + most).contains(&end).then_some(end)
}

fn after(text: &[u8], at: usize, one_of: &[u8]) -> Option<usize> {
    text.get(at).filter(|byte| one_of.contains(byte)).map(|_| at + 1)
}

/// The end of one blank or two.
fn blanks(text: &[u8], at: usize) -> Option<usize> {
    after(text, at, b" ").map(|at| after(text, at, b" ").unwrap_or(at))
}

fn name(text: &[u8], at: usize) -> Option<&[u8; 3]> {
    text.get(at..at + 3)?.try_into().ok()
}

/// Whether what ends here goes on as a word.
fn is_over(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(|next| !is_word(*next))
}
