//! Addresses and identifiers of a fixed form. Each function says where the thing ends that begins at a place.

use super::class::{is_word, run};

/// `10.0.0.1`, and a port or a length of the network after it.
pub(crate) fn ip_v4(text: &[u8], at: usize) -> Option<usize> {
    let mut end = octet(text, at)?;
    for _ in 0..3 {
        end = text.get(end).filter(|byte| **byte == b'.').and_then(|_| octet(text, end + 1))?;
    }
    let goes_on = text.get(end) == Some(&b'.') && text.get(end + 1).is_some_and(u8::is_ascii_digit);
    if goes_on || text.get(end).is_some_and(|next| is_word(*next)) {
        return None;
    }
    Some(port(text, end))
}

fn octet(text: &[u8], at: usize) -> Option<usize> {
    let end = run(text, at, |byte| byte.is_ascii_digit());
    (at + 1..=at + 3).contains(&end).then_some(end)
}

/// A port after a colon, a length after a slash, or nothing.
fn port(text: &[u8], at: usize) -> usize {
    if !matches!(text.get(at), Some(b':' | b'/')) {
        return at;
    }
    let end = run(text, at + 1, |byte| byte.is_ascii_digit());
    let is_one = (at + 2..=at + 6).contains(&end) && text.get(end).is_none_or(|next| !is_word(*next));
    if is_one { end } else { at }
}

/// `fe80::1`: groups of up to four digits with colons between them, eight or with one gap.
pub(crate) fn ip_v6(text: &[u8], at: usize) -> Option<usize> {
    let (mut end, mut groups, mut gap) = (at, 0, false);
    loop {
        let group = run(text, end, |byte| byte.is_ascii_hexdigit());
        if group > end + 4 || groups == 9 {
            return None;
        }
        groups += usize::from(group > end);
        end = group;
        if text.get(end) != Some(&b':') {
            break;
        }
        match text.get(end + 1) {
            Some(b':') if !gap => {
                gap = true;
                end += 2;
            }
            Some(next) if next.is_ascii_hexdigit() => end += 1,
            _ => break,
        }
    }
    let whole = groups == 8 || (gap && (2..8).contains(&groups));
    (whole && text.get(end).is_none_or(|next| !is_word(*next))).then_some(end)
}

/// `00:1a:2b:3c:4d:5e`.
pub(crate) fn mac(text: &[u8], at: usize) -> Option<usize> {
    let between = *text.get(at + 2).filter(|byte| matches!(byte, b':' | b'-'))?;
    let all = text.get(at..at + 17)?;
    let fits = |(place, byte): (usize, &u8)| if place % 3 == 2 { *byte == between } else { byte.is_ascii_hexdigit() };
    let over = text.get(at + 17).is_none_or(|next| !is_word(*next) && *next != between);
    (over && all.iter().enumerate().all(fits)).then_some(at + 17)
}

/// `01234567-89ab-cdef-0123-456789abcdef`.
pub(crate) fn uuid(text: &[u8], at: usize) -> Option<usize> {
    let all = text.get(at..at + 36)?;
    let fits = |(place, byte): (usize, &u8)| match place {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    let over = text.get(at + 36).is_none_or(|next| !is_word(*next));
    (over && all.iter().enumerate().all(fits)).then_some(at + 36)
}

/// The domain of an address of mail, from behind the `@`.
pub(crate) fn mail_domain(text: &[u8], at: usize) -> Option<usize> {
    let end = run(text, at, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    let domain = &text[at..end];
    let domain = domain.strip_suffix(b".").unwrap_or(domain);
    let dot = memchr::memrchr(b'.', domain)?;
    let top = &domain[dot + 1..];
    (dot > 0 && top.len() > 1 && top.iter().all(u8::is_ascii_alphabetic)).then_some(at + domain.len())
}
