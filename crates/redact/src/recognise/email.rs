//! E-mail addresses (RFC 5321, as far as people have them), also with `%40`, as they are in URLs.

use super::{Found, before, is_word, run};
use crate::kind::Kind;

/// What files are called, after their last dot, and units of systemd.
const NO_DOMAINS: &[&str] = &[
    "png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "css", "js", "mjs", "map", "html", "json", "xml", "yaml", "yml",
    "txt", "log", "md", "service", "socket", "timer", "mount", "target", "slice", "scope", "device", "swap",
];

/// Finds all of them in a text.
pub(crate) fn find(text: &[u8], found: &mut Vec<Found>) {
    for at in memchr::memchr_iter(b'@', text) {
        found.extend(check(text, at, at + 1));
    }
    for at in memchr::memmem::find_iter(text, b"%40") {
        found.extend(check(text, at, at + 3));
    }
}

/// The address with its `@` at this place.
fn check(text: &[u8], at: usize, after: usize) -> Option<Found> {
    const NAME: usize = 64;
    const DOMAIN: usize = 253;
    let is_name = |byte: u8| is_word(byte) || b"._%+-".contains(&byte);
    let name = text[at.saturating_sub(NAME)..at].iter().rev().take_while(|byte| is_name(**byte)).count();
    let dots = text[at - name..at].iter().take_while(|byte| b".-%".contains(byte)).count();
    let start = at - name + dots;
    // A longer one is none, and neither is who logs in somewhere: `ssh://git@host`, `scheme://user:password@host`.
    let is_user = match before(text, start) {
        Some(byte) if is_name(byte) && name == NAME => true,
        Some(b'/') => text[..start].ends_with(b"//"),
        Some(b':') => {
            let authority = &text[start.saturating_sub(NAME)..start];
            let blank =
                authority.iter().rposition(|byte| *byte <= b' ' || b"\"'".contains(byte)).map_or(0, |at| at + 1);
            memchr::memmem::find(&authority[blank..], b"://").is_some()
        }
        _ => false,
    };
    if start == at || is_user {
        return None;
    }
    let mut end = run(text, after, DOMAIN, |byte| is_word(byte) || byte == b'.' || byte == b'-');
    while end > after && b".-".contains(&text[end - 1]) {
        end -= 1;
    }
    let domain = &text[after..end];
    let dot = memchr::memrchr(b'.', domain)?;
    let top = &domain[dot + 1..];
    let is_top = top.len() >= 2 && top.iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80);
    let is_file = NO_DOMAINS.iter().any(|name| top.eq_ignore_ascii_case(name.as_bytes()));
    let has_empty = domain[..dot].split(|byte| *byte == b'.').any(<[u8]>::is_empty);
    // `git@host:path` names a repository.
    let is_path = text.get(end) == Some(&b':') && &text[start..at] == b"git";
    (is_top && !is_file && !has_empty && !is_path).then_some(Found { kind: Kind::Email, start, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("mail from bob.smith+tag@example.co.uk.", &["bob.smith+tag@example.co.uk"][..]),
            ("/reset?email=bob%40example.com&x=1", &["bob%40example.com"]),
            ("<a@b.io>, \"c@d.org\"", &["a@b.io", "c@d.org"]),
            ("to:bob@example.com mailto:eve@example.com", &["bob@example.com", "eve@example.com"]),
            ("müller@straße.de", &["müller@straße.de"]),
            ("user@localhost @scope/pkg@1.2.3 nginx@sha256:0123 logo@2x.png getty@tty1.service", &[]),
            ("git@github.com:org/repo ssh://git@example.com/x postgres://bob:pw@db.example.com/x", &[]),
            ("a@b..com @example.com a@.com", &[]),
        ] {
            let mut found = Vec::new();
            find(text.as_bytes(), &mut found);
            let found: Vec<_> = found.iter().map(|found| &text[found.start..found.end]).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
