//! Keys and tokens that can be told by how they begin, as their issuers made them for scanners to find.

use std::ops::Range;

use super::{Found, before, run};
use crate::kind::Kind;

/// What a token consists of after its beginning.
#[derive(Clone, Copy)]
enum Chars {
    /// `A`–`Z` and `2`–`7`.
    Base32,
    /// Letters and digits.
    Alnum,
    /// And `_`.
    Word,
    /// And `-`.
    Url,
    /// Letters, digits, `+`, `/` and `=`.
    Base64,
    /// And `.`, between parts.
    Dotted,
}

impl Chars {
    fn has(self, byte: u8) -> bool {
        let more: &[u8] = match self {
            Self::Base32 => return matches!(byte, b'A'..=b'Z' | b'2'..=b'7'),
            Self::Alnum => b"",
            Self::Word => b"_",
            Self::Url => b"_-",
            Self::Base64 => b"+/=",
            Self::Dotted => b"_-.",
        };
        byte.is_ascii_alphanumeric() || more.contains(&byte)
    }
}

/// One form of token.
pub(crate) struct Token {
    /// What to look for.
    pub(crate) anchor: &'static str,
    /// Bytes one of which stands before it; empty if the anchor is the beginning.
    lead: &'static [u8],
    pub(crate) kind: Kind,
    chars: Chars,
    /// How many characters follow, at least and at most.
    min: usize,
    max: usize,
}

const fn token(anchor: &'static str, kind: Kind, chars: Chars, min: usize, max: usize) -> Token {
    Token { anchor, lead: b"", kind, chars, min, max }
}

const LONG: usize = 512;

/// All forms. None begins with another.
pub(crate) const TOKENS: &[Token] = &[
    token("AKIA", Kind::AwsKey, Chars::Base32, 16, 16),
    token("ASIA", Kind::AwsKey, Chars::Base32, 16, 16),
    token("ghp_", Kind::GithubToken, Chars::Alnum, 36, 255),
    token("gho_", Kind::GithubToken, Chars::Alnum, 36, 255),
    token("ghu_", Kind::GithubToken, Chars::Alnum, 36, 255),
    token("ghs_", Kind::GithubToken, Chars::Dotted, 36, LONG),
    token("ghr_", Kind::GithubToken, Chars::Alnum, 36, 255),
    token("github_pat_", Kind::GithubToken, Chars::Word, 60, 255),
    token("glpat-", Kind::GitlabToken, Chars::Dotted, 20, 300),
    token("gldt-", Kind::GitlabToken, Chars::Dotted, 20, 300),
    token("glrt-", Kind::GitlabToken, Chars::Dotted, 20, 300),
    token("glcbt-", Kind::GitlabToken, Chars::Dotted, 20, 300),
    token("glptt-", Kind::GitlabToken, Chars::Dotted, 20, 300),
    token("xoxb-", Kind::SlackToken, Chars::Url, 24, 255),
    token("xoxp-", Kind::SlackToken, Chars::Url, 24, 255),
    token("xoxa-", Kind::SlackToken, Chars::Url, 24, 255),
    token("xoxr-", Kind::SlackToken, Chars::Url, 24, 255),
    token("xoxs-", Kind::SlackToken, Chars::Url, 24, 255),
    token("xapp-", Kind::SlackToken, Chars::Url, 24, 255),
    token("hooks.slack.com/services/", Kind::SlackToken, Chars::Base64, 30, 100),
    Token { anchor: "k_live_", lead: b"sr", kind: Kind::StripeKey, chars: Chars::Alnum, min: 16, max: 255 },
    Token { anchor: "k_test_", lead: b"sr", kind: Kind::StripeKey, chars: Chars::Alnum, min: 16, max: 255 },
    token("whsec_", Kind::StripeKey, Chars::Base64, 24, 128),
    token("AIza", Kind::GoogleKey, Chars::Url, 35, 35),
    token("ya29.", Kind::GoogleKey, Chars::Dotted, 20, LONG),
    token("GOCSPX-", Kind::GoogleKey, Chars::Url, 28, 28),
    token("npm_", Kind::NpmToken, Chars::Alnum, 36, 36),
    token("pypi-AgE", Kind::PypiToken, Chars::Url, 50, LONG),
    token("AccountKey=", Kind::AzureKey, Chars::Base64, 40, 100),
    token("SharedAccessKey=", Kind::AzureKey, Chars::Base64, 40, 100),
    token("SG.", Kind::ApiKey, Chars::Dotted, 60, 70),
    token("sk-ant-", Kind::ApiKey, Chars::Url, 32, 255),
    token("sk-proj-", Kind::ApiKey, Chars::Url, 32, 255),
    token("hf_", Kind::ApiKey, Chars::Alnum, 34, 37),
    token("dop_v1_", Kind::ApiKey, Chars::Alnum, 64, 64),
    token("shpat_", Kind::ApiKey, Chars::Alnum, 32, 32),
    token("hvs.", Kind::ApiKey, Chars::Url, 24, 255),
    token("dckr_pat_", Kind::ApiKey, Chars::Url, 27, 36),
];

impl Token {
    /// The token that begins with the anchor at this place.
    pub(crate) fn check(&self, text: &[u8], anchor: Range<usize>) -> Option<Found> {
        let start = match self.lead {
            b"" => anchor.start,
            lead => anchor.start.checked_sub(1).filter(|at| lead.contains(&text[*at]))?,
        };
        let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        // A webhook is found by its host, and settings by their name, whatever is before.
        let is_address = matches!(self.chars, Chars::Base64);
        if !is_address && before(text, start).is_some_and(is_inside) {
            return None;
        }
        let end = run(text, anchor.end, self.max, |byte| self.chars.has(byte));
        let rest = &text[anchor.end..end];
        if rest.len() < self.min || text.get(end).is_some_and(|next| self.chars.has(*next)) && self.max < LONG {
            return None;
        }
        let is_random = rest.iter().any(u8::is_ascii_digit) || rest.iter().any(u8::is_ascii_uppercase);
        let is_placeholder = rest.windows(6).any(|six| six.iter().all(|byte| *byte == six[0]));
        // A sentence may end with a token.
        let dots = rest.iter().rev().take_while(|byte| **byte == b'.').count();
        (is_random && !is_placeholder).then_some(Found { kind: self.kind, start, end: end - dots })
    }
}
