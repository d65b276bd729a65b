//! Values that are called like secrets: `password=…`, `"client_secret": "…"`, `Authorization: …`.
//!
//! Text that people wrote calls many things so (`password: must not be empty`), and forms of logs write names and values
//! in many ways. So a value counts by how firmly its name means a secret, how it is joined to it, and what it looks like.

use std::ops::Range;

use super::{ELSEWHERE, END, FIELD, Found, before, run};
use crate::hash::DIGITS as HASH_DIGITS;
use crate::kind::Kind;

/// What names of secrets contain, in the cases in which names are written.
pub(crate) const STEMS: &[&str] = &[
    "assw", "ASSW", "assphr", "pwd=", "pwd\"", "pwd:", "pwd\x1f", "Pwd=", "PWD=", "PWD\x1f", "ecret", "ECRET", "oken",
    "OKEN", "zation", "ZATION", "okie", "OKIE", "pikey", "piKey", "pi_key", "pi-key", "pi-Key", "PI_KEY",
];

/// Longer names are none of ours.
const NAME_BYTES: usize = 64;

/// How firmly a name means a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    Secret,
    /// It may also name a thing: a secret of Kubernetes, a token of a parser, the working directory.
    Perhaps,
    AwsSecret,
    Credentials,
    Cookies,
}

/// What a name means, without regard to case, `-` and `_`.
fn means(name: &[u8]) -> Option<Means> {
    const SECRETS: &[&str] = &[
        "password",
        "passwd",
        "passphrase",
        "secretkey",
        "clientsecret",
        "appsecret",
        "apisecret",
        "sharedsecret",
        "signingsecret",
        "webhooksecret",
        "consumersecret",
        "jwtsecret",
        "apikey",
        "accesstoken",
        "refreshtoken",
        "idtoken",
        "authtoken",
        "sessiontoken",
        "securitytoken",
        "bearertoken",
        "apitoken",
        "csrftoken",
        "xsrftoken",
        "privatetoken",
        "oauthtoken",
        "vaulttoken",
        "registrationtoken",
    ];
    let mut folded = [0u8; NAME_BYTES];
    let mut length = 0;
    for byte in name.iter().filter(|byte| !b"-_".contains(byte)) {
        folded[length] = byte.to_ascii_lowercase();
        length += 1;
    }
    let name = &folded[..length];
    let ends = |with: &str| name.ends_with(with.as_bytes());
    if ends("secretaccesskey") {
        return Some(Means::AwsSecret);
    }
    if SECRETS.iter().any(|secret| ends(secret)) {
        return Some(Means::Secret);
    }
    match name {
        _ if ends("authorization") => Some(Means::Credentials),
        b"cookie" | b"cookies" | b"setcookie" | b"httpcookie" => Some(Means::Cookies),
        b"token" | b"secret" | b"pwd" => Some(Means::Perhaps),
        _ if ends("secret") || ends("pwd") => Some(Means::Perhaps),
        _ => None,
    }
}

/// What stands between a name and its value.
struct Joint {
    /// Where the value begins.
    value: usize,
    /// The quote that it begins with, and the backslashes before that.
    quote: Option<(u8, usize)>,
    /// In square brackets.
    is_list: bool,
    /// As people write: `password: value`.
    is_prose: bool,
}

/// The value whose name has the stem at this place.
pub(crate) fn check(text: &[u8], stem: Range<usize>) -> Option<Found> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let head = text[stem.start.saturating_sub(NAME_BYTES)..stem.start].iter().rev();
    let start = stem.start - head.take_while(|byte| is_name(**byte)).count();
    // Some stems end with what stands behind the name.
    let stem_end = stem.start + text[stem.clone()].iter().take_while(|byte| is_name(**byte)).count();
    let end = run(text, stem_end, NAME_BYTES, is_name);
    if end - start > NAME_BYTES {
        return None;
    }
    // One of our markers is called after what was there.
    if before(text, start) == Some(b'[') && is_marker(&text[start - 1..]) {
        return None;
    }
    let means = means(&text[start..end])?;
    let joint = joint(text, start, end)?;
    let found = value(text, &joint, means);
    let content = &text[found.clone()];
    let is_secret = match means {
        _ if content == [ELSEWHERE] => true,
        _ if is_placeholder(content) => false,
        Means::Perhaps => looks_random(content),
        _ if joint.is_prose => !is_prose(content),
        _ => true,
    };
    let kind = match means {
        Means::Credentials => Kind::Authorization,
        Means::AwsSecret if content.len() == 40 => Kind::AwsKey,
        _ => Kind::Secret,
    };
    is_secret.then_some(Found { kind, start: found.start, end: found.end })
}

fn joint(text: &[u8], name_start: usize, name_end: usize) -> Option<Joint> {
    const SPACES: usize = 2;
    const LAYERS: usize = 15;
    let is_space = |byte: u8| byte == b' ' || byte == b'\t';
    let slashes = |at: usize| run(text, at, LAYERS, |byte| byte == b'\\');
    let quote_at = |at: usize| {
        let quote = slashes(at);
        text.get(quote).filter(|byte| b"\"'".contains(byte)).map(|byte| (*byte, quote - at, quote + 1))
    };
    let (mut at, is_quoted) = match quote_at(name_end) {
        // A text that ends with the name: `invalid "password"`.
        Some((quote, _, after)) => {
            let opened = before(text, name_start) == Some(quote);
            (after, opened)
        }
        None => (name_end, false),
    };
    at = run(text, at, SPACES, is_space);
    let separator = *text.get(at).filter(|byte| [b'=', b':', FIELD].contains(byte))?;
    at += 1;
    if text.get(at).is_some_and(|next| separator == b'=' && *next == b'>' || separator == b':' && *next == b'=') {
        at += 1;
    }
    let value = run(text, at, SPACES, is_space);
    let is_prose = separator == b':' && !is_quoted && value > at;
    let is_list = text.get(value) == Some(&b'[') && separator != FIELD && !is_marker(&text[value..]);
    let value = if is_list { run(text, value + 1, SPACES, is_space) } else { value };
    if text.get(value) == Some(&b'{') && separator != FIELD {
        return None;
    }
    match quote_at(value) {
        Some((quote, slashes, after)) if separator != FIELD => {
            Some(Joint { value: after, quote: Some((quote, slashes)), is_list, is_prose: false })
        }
        _ => Some(Joint { value, quote: None, is_list, is_prose }),
    }
}

fn value(text: &[u8], joint: &Joint, means: Means) -> Range<usize> {
    let start = joint.value;
    if before(text, start) == Some(FIELD) {
        return start..run(text, start, usize::MAX, |byte| byte != END);
    }
    if let Some((quote, slashes)) = joint.quote {
        let mut end = quoted_end(text, start, quote, slashes);
        while joint.is_list
            && let Some(next) = next_in_list(text, end, quote, slashes)
        {
            end = quoted_end(text, next, quote, slashes);
        }
        return start..end;
    }
    let ends_line = |byte: u8| b"\n\r\"'".contains(&byte) || byte == END;
    if joint.is_list {
        return start..run(text, start, usize::MAX, |byte| byte != b']' && !ends_line(byte));
    }
    let ends = |byte: u8| byte <= b' ' || b",;&\"'<>)}]\\".contains(&byte);
    match means {
        Means::Cookies => start..run(text, start, usize::MAX, |byte| !ends_line(byte)),
        Means::Credentials => {
            let scheme = run(text, start, 16, |byte| byte.is_ascii_alphabetic());
            let credentials = if text.get(scheme) == Some(&b' ') { scheme + 1 } else { start };
            start..run(text, credentials, usize::MAX, |byte| !ends(byte))
        }
        _ => start..run(text, start, usize::MAX, |byte| !ends(byte)),
    }
}

/// Where a text in quotes ends: at a quote with no more backslashes than the first had.
fn quoted_end(text: &[u8], start: usize, quote: u8, slashes: usize) -> usize {
    let mut from = start;
    while let Some(at) = memchr::memchr2(quote, END, &text[from..]) {
        let at = from + at;
        let before = text[start..at].iter().rev().take_while(|byte| **byte == b'\\').take(slashes + 2).count();
        // With none before the first quote, an even number of them escape each other.
        let closes = if slashes == 0 { is_even_run(&text[start..at]) } else { before <= slashes };
        if closes || text[at] == END {
            return at - if slashes == 0 { 0 } else { before.min(slashes) };
        }
        from = at + 1;
    }
    text.len()
}

fn is_even_run(text: &[u8]) -> bool {
    text.iter().rev().take_while(|byte| **byte == b'\\').count().is_multiple_of(2)
}

/// After the quote at `end`, the beginning of the next text of a list.
fn next_in_list(text: &[u8], end: usize, quote: u8, slashes: usize) -> Option<usize> {
    let is_space = |byte: u8| byte == b' ';
    let comma = run(text, end + slashes + 1, 2, is_space);
    if text.get(comma) != Some(&b',') {
        return None;
    }
    let next = run(text, comma + 1, 2, is_space);
    let at = run(text, next, slashes, |byte| byte == b'\\');
    (at - next == slashes && text.get(at) == Some(&quote)).then_some(at + 1)
}

/// What stands where a secret was, or is to be.
pub(crate) fn is_placeholder(value: &[u8]) -> bool {
    const WORDS: &[&str] =
        &["null", "nil", "none", "true", "false", "undefined", "empty", "hidden", "masked", "filtered", "redacted"];
    let value = value.trim_ascii();
    value.len() < 2
        || value.iter().all(|byte| b"*.xX-_#?".contains(byte) || *byte >= 0x80)
        || WORDS.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()))
        || [&b"<"[..], b"${", b"{{", b"$(", b"%", b"***"].iter().any(|start| value.starts_with(start))
        || is_marker(value)
}

/// One of ours, perhaps without its end, or somebody else's.
fn is_marker(value: &[u8]) -> bool {
    let Some(inside) = value.strip_prefix(b"[") else { return false };
    let name = run(inside, 0, NAME_BYTES, |byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    let redacted = inside.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"redacted"));
    let hash = inside.get(name + 1..name + 1 + HASH_DIGITS);
    let is_hash = hash.is_some_and(|hash| hash.iter().all(u8::is_ascii_hexdigit));
    redacted || name > 0 && inside.get(name) == Some(&b':') && is_hash
}

/// Words, as in a message about a secret: letters, with capitals at the beginning or throughout.
fn is_prose(value: &[u8]) -> bool {
    let is_mixed = value.windows(2).any(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase());
    !is_mixed && value.iter().all(|byte| byte.is_ascii_alphabetic() || b".,!?()'".contains(byte) || *byte >= 0x80)
}

/// Nothing that people would call a thing.
fn looks_random(value: &[u8]) -> bool {
    const SHORTEST: usize = 8;
    let is_path = value.starts_with(b"/") || value.starts_with(b"~") || value.get(1) == Some(&b':');
    let has = |is: fn(&u8) -> bool| value.iter().any(is);
    let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
        || has(u8::is_ascii_uppercase) && value[1..].iter().any(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    value.len() >= SHORTEST && is_mixed && !is_path && !value.contains(&b' ') && !is_name(value)
}

/// A name as Kubernetes has them: lower case in parts, of which no part is a jumble of digits and letters.
fn is_name(value: &[u8]) -> bool {
    let is_part = |part: &[u8]| {
        let digits = part.iter().filter(|byte| byte.is_ascii_digit()).count();
        digits == part.len() || digits == 0 || digits <= 2 && part.len() <= 12
    };
    value.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-./".contains(byte))
        && value.iter().any(|byte| b"-./".contains(byte))
        && value.split(|byte| b"-./".contains(byte)).all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let stems = aho_corasick::AhoCorasick::new(STEMS).unwrap();
        let checked = stems.find_iter(text).filter_map(|stem| check(text.as_bytes(), stem.range()));
        checked.map(|found| &text[found.start..found.end]).collect()
    }

    #[test]
    fn ways_to_write_a_secret() {
        for (text, expected) in [
            ("user=bob password=hunter2 ok", "hunter2"),
            ("DB_PASSWORD=hunter2", "hunter2"),
            (r#"{"password":"hun\"ter2","a":1}"#, r#"hun\"ter2"#),
            (r#"{\"password\":\"hunter2\",\"a\":1}"#, "hunter2"),
            (r#"{"log":"{\\\"password\\\": \\\"hun ter2\\\"}"}"#, "hun ter2"),
            (r#"{"password": 123456}"#, "123456"),
            ("{User:bob Password:hunter2}", "hunter2"),
            ("password: hunter2", "hunter2"),
            ("'apiKey' => 'abc123'", "abc123"),
            ("x-api-key: 0123456789", "0123456789"),
            ("/login?access_token=abc&x=1", "abc"),
            ("Server=db;User Id=sa;Password=p$w;Timeout=3", "p$w"),
            ("Authorization: Bearer abc.def", "Bearer abc.def"),
            ("Authorization: Basic dTpw more", "Basic dTpw"),
            ("curl -H 'Cookie: a=b; c=d' x", "a=b; c=d"),
            (r#"{"Set-Cookie":["a=b; Path=/","c=d"],"x":1}"#, r#"a=b; Path=/","c=d"#),
            ("map[Authorization:[Bearer abcdef] X:[y]]", "Bearer abcdef"),
            ("password\x1fhun ter2\x1e", "hun ter2"),
            ("Authorization\":[\"Bearer abcdef", "Bearer abcdef"),
            ("token=a1b2c3d4e5f6", "a1b2c3d4e5f6"),
            ("MYSQL_PWD=s3cretpassw0rd", "s3cretpassw0rd"),
            (
                r#"aws_secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY""#,
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            ),
        ] {
            assert_eq!(found(text), [expected], "{text}");
        }
    }

    #[test]
    fn what_is_only_about_secrets() {
        for text in [
            "invalid password: user not found",
            "password must not be empty",
            "password=***",
            "password=",
            r#"{"password":null}"#,
            r#"{"password":"[redacted:secret]"}"#,
            "password=[redacted:secret]",
            "password=[secret:0123456789abcdef]",
            "nextPageToken=CAESEwoR",
            "prompt_tokens: 1234",
            "unexpected token: }",
            "PWD=/home/bob/work1",
            r#"{"secret":"cert-manager/webhook-ca"}"#,
            r#"{"volumes":[{"secret":{"secretName":"db"}}]}"#,
            r#"secret="istio-system/istio-ca-secret-2""#,
            "authorization_policy=allow",
            "the cookie banner",
            "password_changed=yes",
            "broken: no",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
