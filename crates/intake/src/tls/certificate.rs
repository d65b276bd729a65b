//! What a certificate says: until when it holds, and whose it is.
//!
//! Certificates are verified by rustls. What is read here of one in DER is a few fields (RFC 5280, 4.1), by a walk that takes nothing it
//! does not expect: a certificate that is written in any other way has no name. Nor has one whose name cannot be shown as it is: what rules
//! are about must be what people see.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::svid::SpiffeId;

/// Of a name; a certificate may have one of any length.
const CHARS: usize = 255;

/// Tags of DER (X.690, 8.1.2).
mod tag {
    pub(super) const BOOLEAN: u8 = 0x01;
    pub(super) const INTEGER: u8 = 0x02;
    pub(super) const BITS: u8 = 0x03;
    pub(super) const OCTETS: u8 = 0x04;
    pub(super) const OID: u8 = 0x06;
    pub(super) const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];
    pub(super) const UTC_TIME: u8 = 0x17;
    pub(super) const TIME: u8 = 0x18;
    pub(super) const SEQUENCE: u8 = 0x30;
    pub(super) const SET: u8 = 0x31;
    pub(super) const VERSION: u8 = 0xa0;
    pub(super) const EXTENSIONS: u8 = 0xa3;
    pub(super) const DNS_NAME: u8 = 0x82;
    pub(super) const URI: u8 = 0x86;
}
/// 2.5.4.3.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
/// 2.5.29.15, 2.5.29.17 and 2.5.29.19.
const KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x0f];
const ALTERNATIVE_NAMES: [u8; 3] = [0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 0x13];

/// What was read of a certificate.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Facts<'c> {
    /// From when it holds, in seconds since the Unix epoch.
    pub(super) valid_from_s: i64,
    /// Until when.
    pub(super) expires_s: i64,
    pub(super) common_name: Option<&'c str>,
    pub(super) dns_names: Vec<&'c str>,
    pub(super) uris: Vec<&'c str>,
    /// Whether it is that of an authority.
    pub(super) is_authority: bool,
    /// What its key may be used for, if it says so: the first eight bits (RFC 5280, 4.2.1.3), the first of them the highest.
    pub(super) key_usage: Option<u8>,
}

/// Elements of DER, one after the other.
#[derive(Clone, Copy)]
struct Der<'c>(&'c [u8]);

impl<'c> Der<'c> {
    /// The next element: its tag and what is in it.
    fn any(&mut self) -> Option<(u8, Self)> {
        let (&[tag, short], rest) = self.0.split_first_chunk()?;
        let (length, rest) = match short {
            0..=0x7f => (usize::from(short), rest),
            0x81..=0x84 => {
                let (long, rest) = rest.split_at_checked(usize::from(short - 0x80))?;
                (long.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, Self(content)))
    }

    /// What is in the next element, if it has this tag.
    fn next(&mut self, tag: u8) -> Option<Self> {
        let before = *self;
        match self.any()? {
            (found, content) if found == tag => Some(content),
            _ => {
                *self = before;
                None
            }
        }
    }

    fn text(self) -> Option<&'c str> {
        std::str::from_utf8(self.0).ok()
    }

    /// A point in time, in seconds since the Unix epoch (RFC 5280, 4.1.2.5).
    fn time(&mut self) -> Option<i64> {
        let (tag, content) = self.any()?;
        let digits = content.text()?.strip_suffix('Z').filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
        let (century, digits) = match (tag, digits.len()) {
            (tag::UTC_TIME, 12) if digits < "50" => (20, digits),
            (tag::UTC_TIME, 12) => (19, digits),
            (tag::TIME, 14) => (digits[..2].parse().ok()?, &digits[2..]),
            _ => return None,
        };
        let two = |place: usize| digits[place..place + 2].parse::<i8>().ok();
        let year = century * 100 + i16::from(two(0)?);
        let time = DateTime::new(year, two(2)?, two(4)?, two(6)?, two(8)?, two(10)?, 0).ok()?;
        Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
    }
}

impl<'c> Facts<'c> {
    pub(super) fn read(certificate: &'c [u8]) -> Option<Self> {
        let mut signed = Der(certificate).next(tag::SEQUENCE)?.next(tag::SEQUENCE)?;
        signed.next(tag::VERSION);
        signed.next(tag::INTEGER)?;
        signed.next(tag::SEQUENCE)?;
        signed.next(tag::SEQUENCE)?;
        let mut validity = signed.next(tag::SEQUENCE)?;
        let (valid_from_s, expires_s) = (validity.time()?, validity.time()?);
        let common_name = common_name(signed.next(tag::SEQUENCE)?);
        signed.next(tag::SEQUENCE)?;
        let (dns_names, uris, is_authority, key_usage) = (Vec::new(), Vec::new(), false, None);
        let mut facts = Self { valid_from_s, expires_s, common_name, dns_names, uris, is_authority, key_usage };
        while let Some((tag, content)) = signed.any() {
            if tag == tag::EXTENSIONS {
                facts.add_extensions(content)?;
            }
        }
        Some(facts)
    }

    fn add_extensions(&mut self, mut extensions: Der<'c>) -> Option<()> {
        let mut extensions = extensions.next(tag::SEQUENCE)?;
        while let Some(mut extension) = extensions.next(tag::SEQUENCE) {
            let oid = extension.next(tag::OID)?.0;
            let content = std::iter::from_fn(|| extension.any()).find(|(tag, _)| *tag == tag::OCTETS);
            let mut content = content?.1;
            if oid == ALTERNATIVE_NAMES {
                self.add_alternative_names(content.next(tag::SEQUENCE)?)?;
            } else if oid == BASIC_CONSTRAINTS {
                let is_authority = content.next(tag::SEQUENCE)?.next(tag::BOOLEAN);
                self.is_authority = is_authority.is_some_and(|value| value.0 != [0]);
            } else if oid == KEY_USAGE {
                // The first byte says how many bits at the end are unused.
                self.key_usage = Some(content.next(tag::BITS)?.0.get(1).copied().unwrap_or_default());
            }
        }
        Some(())
    }

    fn add_alternative_names(&mut self, mut names: Der<'c>) -> Option<()> {
        while let Some((tag, name)) = names.any() {
            match tag {
                tag::DNS_NAME => self.dns_names.push(name.text()?),
                tag::URI => self.uris.push(name.text()?),
                _ => {}
            }
        }
        Some(())
    }

    fn identity(&self) -> Option<String> {
        match SpiffeId::of(self) {
            Ok(Some(id)) => return Some(id.as_str().to_owned()),
            Ok(None) => {}
            // It has been refused by now: no other of its names takes the place of what it claims to be.
            Err(_) => return None,
        }
        let subject = self.common_name.map(|name| ("CN", name));
        let named = subject.or_else(|| self.dns_names.first().map(|name| ("DNS", *name)));
        named.filter(|(_, name)| can_be_shown(name)).map(|(kind, name)| format!("{kind}={name}"))
    }
}

fn common_name(mut subject: Der<'_>) -> Option<&str> {
    while let Some(mut names) = subject.next(tag::SET) {
        while let Some(mut name) = names.next(tag::SEQUENCE) {
            if name.next(tag::OID).is_some_and(|oid| oid.0 == COMMON_NAME) {
                return name.any().filter(|(tag, _)| tag::TEXTS.contains(tag))?.1.text();
            }
        }
    }
    None
}

fn can_be_shown(name: &str) -> bool {
    !name.is_empty() && name.trim() == name && !name.chars().any(char::is_control) && name.chars().count() <= CHARS
}

/// What the first certificate of a file in PEM says: the common name of its subject, and when it expires in seconds since the Unix
/// epoch.
pub fn certificate_facts(pem: &[u8]) -> Option<(Option<String>, i64)> {
    let certificate = CertificateDer::from_pem_slice(pem).ok()?;
    let facts = Facts::read(&certificate)?;
    Some((facts.common_name.map(str::to_owned), facts.expires_s))
}

/// Who a certificate that was verified is for: its SPIFFE id, else the common name of its subject,
/// else its first DNS name, each but the first with what it is, so that none can pass for another. `None` if it has no name.
pub(crate) fn identity(certificate: &CertificateDer<'_>) -> Option<String> {
    Facts::read(certificate)?.identity()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

    use super::*;

    fn check(common_name: &str, dns: &[&str], uris: &[&str], expected: Option<&str>) {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        if !common_name.is_empty() {
            params.distinguished_name.push(DnType::CommonName, common_name);
        }
        let names = dns.iter().map(|name| SanType::DnsName((*name).try_into().unwrap()));
        params.subject_alt_names =
            names.chain(uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap()))).collect();
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_eq!(identity(certificate.der()).as_deref(), expected);
    }

    #[test]
    fn names() {
        check(
            "web-1",
            &["web-1.example"],
            &["spiffe://mesh.example/ns/shop/sa/web"],
            Some("spiffe://mesh.example/ns/shop/sa/web"),
        );
        check("web-1", &["web-1.example"], &["https://web-1.example"], Some("CN=web-1"));
        // What claims to be a SPIFFE identity and is none is nothing else either.
        check("web-1", &["web-1.example"], &["spiffe://a/b", "spiffe://a/c"], None);
        check("web-1", &[], &["spiffe://a/b", "https://web-1.example"], None);
        // Nor is a common name that looks like one.
        check("spiffe://mesh.example/admin", &[], &[], Some("CN=spiffe://mesh.example/admin"));
        // What cannot be shown as it is could pass for what it looks like.
        for name in ["a\u{1b}[2J", " admin", &"x".repeat(256)] {
            check(name, &[], &[], None);
        }
        check("", &[], &[], None);
    }

    #[test]
    fn what_is_no_certificate_has_no_name() {
        assert_eq!(identity(&CertificateDer::from(vec![0x30, 0x03, 1, 2, 3])), None);
        assert_eq!(Facts::read(&[]), None);
    }

    #[test]
    fn times_of_both_kinds() {
        let check = |tag: u8, text: &str, expected: Option<i64>| {
            let bytes = [&[tag, text.len() as u8], text.as_bytes()].concat();
            assert_eq!(Der(&bytes).time(), expected, "{text}");
        };
        check(tag::UTC_TIME, "200201000000Z", Some(1_580_515_200));
        check(tag::UTC_TIME, "991231235959Z", Some(946_684_799));
        check(tag::TIME, "20500101000000Z", Some(2_524_608_000));
        for text in ["200230000000Z", "2002010000Z", "20020100000aZ", "200201000000", "+00201000000Z", "20020100000éZ"]
        {
            check(tag::UTC_TIME, text, None);
        }
        check(tag::TIME, "200201000000Z", None);
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(place in 0_usize..400, byte: u8, length in 0_usize..400) {
            let mut params = CertificateParams::new(["a.example".to_owned()]).unwrap();
            params.subject_alt_names.push(SanType::URI("spiffe://a/b".try_into().unwrap()));
            let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            let mut bytes = made.der().to_vec();
            if let Some(at) = bytes.get_mut(place) {
                *at = byte;
            }
            bytes.truncate(length.max(place));
            drop(Facts::read(&bytes).map(|facts| facts.identity()));
        }
    }
}
