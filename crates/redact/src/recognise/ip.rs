//! Addresses of IPv4 and IPv6.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Found, before, follows, is_word, run};
use crate::kind::Kind;

fn found(start: usize, end: usize) -> Found {
    Found { kind: Kind::Ip, start, end }
}

/// Four numbers with dots that begin here. Versions look the same: those after a product and a slash, or after the word,
/// are none. Neither are addresses of nobody, such as 127.0.0.1.
pub(crate) fn v4(text: &[u8], start: usize) -> Option<Found> {
    const LONGEST: usize = 15;
    let is_product = before(text, start) == Some(b'/') && before(text, start - 1).is_some_and(is_word);
    if before(text, start).is_some_and(|byte| b".-_".contains(&byte)) || is_product {
        return None;
    }
    let mut end = run(text, start, LONGEST + 1, |byte| byte.is_ascii_digit() || byte == b'.');
    while before(text, end) == Some(b'.') {
        end -= 1;
    }
    let address: Ipv4Addr = std::str::from_utf8(&text[start..end]).ok()?.parse().ok()?;
    let is_someone = !address.is_loopback() && !address.is_unspecified() && !address.is_broadcast();
    let ends = !text.get(end).is_some_and(|next| is_word(*next) || b"_".contains(next));
    (is_someone && ends && !follows(text, start, &["version"])).then_some(found(start, end))
}

/// An address of IPv6 whose first group is the word from `start` to `end`, or follows two colons.
pub(crate) fn v6(text: &[u8], start: usize, end: usize) -> Option<Found> {
    const LONGEST: usize = 45;
    let is_hex = |byte: u8| byte.is_ascii_hexdigit();
    if text.get(end) != Some(&b':') && before(text, start) != Some(b':') || !text[start..end].iter().all(|b| is_hex(*b))
    {
        return None;
    }
    let begin = if text[..start].ends_with(b"::") { start - 2 } else { start };
    if before(text, begin).is_some_and(|byte| is_word(byte) || b":._-".contains(&byte)) {
        return None;
    }
    let mut last = run(text, begin, LONGEST + 1, |byte| is_hex(byte) || byte == b':' || byte == b'.');
    if text.get(last).is_some_and(|next| is_word(*next) || *next == b'_') {
        return None;
    }
    while before(text, last) == Some(b'.') || text[begin..last].ends_with(b":") && !text[begin..last].ends_with(b"::") {
        last -= 1;
    }
    let shown = &text[begin..last];
    let address: Ipv6Addr = std::str::from_utf8(shown).ok()?.parse().ok()?;
    // `ab::cd` is an address, and a name in half of all programming languages.
    let is_address = shown.iter().any(u8::is_ascii_digit);
    (is_address && !address.is_loopback() && !address.is_unspecified()).then_some(found(begin, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recognise::numbers;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("from 10.1.2.3:80 to 192.168.0.1.", &["10.1.2.3", "192.168.0.1"][..]),
            ("http://10.0.0.7/x 10.0.0.0/8", &["10.0.0.7", "10.0.0.0"]),
            ("[2001:db8::1]:443 fe80::1 ::ffff:10.0.0.1", &["2001:db8::1", "fe80::1", "::ffff:10.0.0.1"]),
            ("2001:db8:0:0:0:0:0:7", &["2001:db8:0:0:0:0:0:7"]),
            ("Chrome/120.0.6099.109 127.0.0.1 0.0.0.0 ::1 version 1.2.3.4", &[]),
            ("10:00:00 aa:bb:cc:dd:ee:ff std::ab::cd 1.2.3 1.2.3.4.5 999.1.1.1 v1.2.3.4", &[]),
        ] {
            let mut found = Vec::new();
            numbers::find(text.as_bytes(), [Kind::Ip].into_iter().collect(), &mut found);
            let found: Vec<_> = found.iter().map(|found| &text[found.start..found.end]).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
