//! What names in certificates stand for.
//!
//! That a certificate was issued by an authority we trust says whose it is, and nothing about what they may do: that is what
//! the operator's rules are for. The first that matches decides; where none does, a certificate is nobody's.

use std::collections::BTreeSet;
use std::fmt;

use logkeep_record::TenantId;

use crate::directory::Role;

const SPIFFE: &str = "spiffe://";
/// What begins a name, and what its parts are separated by.
const KINDS: [(&str, Option<char>); 3] = [(SPIFFE, Some('/')), ("DNS=", Some('.')), ("CN=", None)];
/// Characters of a pattern.
const LONGEST: usize = 2_048;

/// What a name in a certificate must look like: `spiffe://mesh.example/ns/*/sa/web`, `DNS=*.example.org`, `CN=web-*`, or `*`.
///
/// A `*` stands for any characters of one part: between slashes in a SPIFFE id, between dots in a DNS name. `/**` at the end
/// of a SPIFFE id stands for any parts, one at least. A trust domain is always written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern(String);

/// Why something is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// It is of no kind of name.
    #[error("a pattern begins with `spiffe://`, `CN=` or `DNS=`, or is `*`")]
    Kind,
    /// Any authority could speak for any trust domain.
    #[error("the trust domain of a SPIFFE id is written out: `spiffe://mesh.example/…`")]
    TrustDomain,
    /// It is empty or far too long.
    #[error("a pattern has a name, of 2,048 bytes at most")]
    Length,
}

impl NamePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`BadPattern`] says what it must look like.
    pub fn new(text: &str) -> Result<Self, BadPattern> {
        if text != "*" {
            let (kind, _) = kind(text).ok_or(BadPattern::Kind)?;
            let name = &text[kind.len()..];
            if name.is_empty() || text.len() > LONGEST {
                return Err(BadPattern::Length);
            }
            let domain = name.split('/').next().unwrap_or_default();
            if kind == SPIFFE && (domain.is_empty() || domain.contains('*')) {
                return Err(BadPattern::TrustDomain);
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether a name looks like it.
    pub fn matches(&self, name: &str) -> bool {
        if self.0 == "*" {
            return true;
        }
        let Some((_, separator)) = kind(&self.0).filter(|found| kind(name) == Some(*found)) else { return false };
        let Some(separator) = separator else { return part_matches(&self.0, name) };
        let (mut wanted, mut found) = (self.0.split(separator).peekable(), name.split(separator));
        while let Some(part) = wanted.next() {
            let Some(given) = found.next() else { return false };
            if part == "**" && separator == '/' && wanted.peek().is_none() {
                return !given.is_empty();
            }
            if !part_matches(part, given) {
                return false;
            }
        }
        found.next().is_none()
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn kind(name: &str) -> Option<(&'static str, Option<char>)> {
    KINDS.into_iter().find(|(start, _)| name.starts_with(start))
}

/// Whether the pieces between the stars stand in the text in their order, the first at its start and the last at its end.
fn part_matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let (between, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for piece in between.split('*').filter(|piece| !piece.is_empty()) {
        let Some(at) = text.find(piece) else { return false };
        text = &text[at + piece.len()..];
    }
    text.ends_with(last)
}

/// What those may do whose certificate has such a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRule {
    /// What the name looks like.
    pub name: NamePattern,
    /// What they are.
    pub roles: BTreeSet<Role>,
    /// With whose data, at least one; the first where a request names none.
    pub tenants: Vec<TenantId>,
}

/// All rules, the first that matches first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateRules {
    written: Option<Vec<CertificateRule>>,
}

impl CertificateRules {
    /// The rules that somebody has written, even if there are none of them.
    pub fn new(rules: Vec<CertificateRule>) -> Self {
        Self { written: Some(rules) }
    }

    /// Those that were written.
    pub fn written(&self) -> Option<&[CertificateRule]> {
        self.written.as_deref()
    }

    /// What somebody who reads may do. Nothing where no rule says so.
    pub fn of_reader(&self, name: &str) -> Option<CertificateRule> {
        self.written.as_deref()?.iter().find(|rule| rule.name.matches(name)).cloned()
    }

    /// What somebody who sends may do. While no rules are written, whoever has a certificate of the authorities of a listener
    /// may send to it, for the default tenant, and nothing else.
    pub fn of_sender(&self, name: &str) -> Option<CertificateRule> {
        match &self.written {
            Some(_) => self.of_reader(name),
            None => Some(CertificateRule {
                name: NamePattern("*".to_owned()),
                roles: BTreeSet::from([Role::Collector]),
                tenants: vec![TenantId::default()],
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        let pattern = NamePattern::new(pattern).unwrap();
        for name in matching {
            assert!(pattern.matches(name), "{pattern} {name}");
        }
        for name in others {
            assert!(!pattern.matches(name), "{pattern} {name}");
        }
    }

    #[test]
    fn names() {
        check("*", &["CN=a", "spiffe://a/b"], &[]);
        check(
            "spiffe://mesh.example/ns/*/sa/web-*",
            &["spiffe://mesh.example/ns/shop/sa/web-1", "spiffe://mesh.example/ns/x/sa/web-"],
            &[
                "spiffe://mesh.example/ns/shop/more/sa/web-1",
                "spiffe://mesh.example/ns/shop/sa/web-1/x",
                "spiffe://mesh.example/ns/shop/sa",
                "spiffe://mesh.example.evil/ns/shop/sa/web-1",
                "CN=spiffe://mesh.example/ns/shop/sa/web-1",
            ],
        );
        check(
            "spiffe://mesh.example/ns/**",
            &["spiffe://mesh.example/ns/a", "spiffe://mesh.example/ns/a/b"],
            &["spiffe://mesh.example/ns", "spiffe://mesh.example/ns/", "spiffe://mesh.example/nsx/a"],
        );
        check(
            "DNS=*.example.org",
            &["DNS=a.example.org"],
            &["DNS=a.b.example.org", "DNS=example.org", "CN=a.example.org"],
        );
        check("CN=web-*", &["CN=web-1", "CN=web-1.x/y"], &["CN=xweb-1", "DNS=web-1"]);
        check("CN=a*b*c", &["CN=abc", "CN=a-b-b-c"], &["CN=ab", "CN=acb"]);
        check("CN=a*a", &["CN=aa", "CN=aba"], &["CN=a"]);
        check("CN=plain", &["CN=plain"], &["CN=plain2", "CN=plai"]);
    }

    #[test]
    fn what_is_no_pattern() {
        for (text, expected) in [
            ("", BadPattern::Kind),
            ("web-1", BadPattern::Kind),
            ("CN=", BadPattern::Length),
            ("spiffe://", BadPattern::Length),
            ("spiffe://*/ns/a", BadPattern::TrustDomain),
            ("spiffe://*.example/ns/a", BadPattern::TrustDomain),
            ("spiffe:///ns/a", BadPattern::TrustDomain),
            (&format!("CN={}", "x".repeat(LONGEST)), BadPattern::Length),
        ] {
            assert_eq!(NamePattern::new(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn without_rules_certificates_send_and_read_nothing() {
        let none = CertificateRules::default();
        assert_eq!(none.of_reader("CN=a"), None);
        let sender = none.of_sender("CN=a").unwrap();
        assert_eq!((sender.roles, sender.tenants), ([Role::Collector].into(), vec![TenantId::default()]));
        let empty = CertificateRules::new(Vec::new());
        assert_eq!((empty.of_sender("CN=a"), empty.of_reader("CN=a")), (None, None));
    }

    #[test]
    fn the_first_rule_decides() {
        let rule = |name: &str, role| CertificateRule {
            name: NamePattern::new(name).unwrap(),
            roles: [role].into(),
            tenants: vec![TenantId::default()],
        };
        let rules = CertificateRules::new(vec![rule("CN=ann", Role::Auditor), rule("CN=*", Role::Analyst)]);
        let role = |name: &str| rules.of_reader(name).map(|rule| rule.roles);
        assert_eq!(role("CN=ann"), Some([Role::Auditor].into()));
        assert_eq!(role("CN=bob"), Some([Role::Analyst].into()));
        assert_eq!(role("DNS=bob"), None);
    }
}
