//! Cards, accounts and people by their numbers.
//!
//! A log is full of numbers, and one in ten passes a check of one digit. So a number counts only with all that its issuer
//! promises: length, beginning, grouping and check digits; and where that is not enough, with a word before it that
//! says what it is.

use super::checked::{
    iban_length, is_br_cpf, is_card, is_de_tax_id, is_es_dni, is_fr_nir, is_iban, is_it_fiscal_code, is_pl_pesel,
    is_us_ssn,
};
use super::{FIELD, Found, before, follows, ip, is_word};
use crate::kind::{Kind, KindSet};

/// What is told by numbers.
pub(crate) const KINDS: &[Kind] = &[
    Kind::Card,
    Kind::Iban,
    Kind::UsSsn,
    Kind::DeTaxId,
    Kind::EsDni,
    Kind::ItFiscalCode,
    Kind::FrNir,
    Kind::PlPesel,
    Kind::BrCpf,
    Kind::Ip,
];

const GROUPS: usize = 8;
const DIGITS: usize = 19;

/// Finds all of them in a text.
pub(crate) fn find(text: &[u8], wanted: KindSet, found: &mut Vec<Found>) {
    let mut at = 0;
    while at < text.len() {
        if !is_word(text[at]) {
            at += 1;
            continue;
        }
        let start = at;
        let mut digits = 0;
        while at < text.len() && is_word(text[at]) {
            digits += usize::from(text[at].is_ascii_digit());
            at += 1;
        }
        let word = Word { text, start, end: at, digits };
        if let Some(one) = word.check(wanted) {
            at = at.max(one.end);
            found.push(one);
        }
    }
}

/// Letters and digits without a break.
struct Word<'t> {
    text: &'t [u8],
    start: usize,
    end: usize,
    digits: usize,
}

impl Word<'_> {
    fn check(&self, wanted: KindSet) -> Option<Found> {
        let length = self.end - self.start;
        if wanted.has(Kind::Ip) && length <= 4 {
            let address = if self.digits == length { ip::v4(self.text, self.start) } else { None };
            if let Some(one) = address.or_else(|| ip::v6(self.text, self.start, self.end)) {
                return Some(one);
            }
        }
        if self.digits == 0 {
            return None;
        }
        if self.digits == length {
            return self.numbers(wanted);
        }
        let word = &self.text[self.start..self.end];
        let all = |kind| Some(Found { kind, start: self.start, end: self.end });
        match length {
            9 if wanted.has(Kind::EsDni) && is_dni(word) => all(Kind::EsDni),
            16 if wanted.has(Kind::ItFiscalCode) && is_it_fiscal_code(&word.to_ascii_uppercase()) => {
                all(Kind::ItFiscalCode)
            }
            4 | 15.. if wanted.has(Kind::Iban) => self.iban(),
            _ => None,
        }
    }

    fn iban(&self) -> Option<Found> {
        const LONGEST: usize = 34;
        let country = self.text.get(self.start..self.start + 2)?;
        let length = iban_length(country)?;
        let (mut account, mut at) = ([0u8; LONGEST], self.start);
        let mut count = 0;
        while count < length {
            let byte = *self.text.get(at)?;
            let is_gap = byte == b' ' && count.is_multiple_of(4) && self.text[at - 1] != b' ';
            if !is_gap {
                *account.get_mut(count)? = byte;
                count += 1;
            }
            at += 1;
        }
        let ends = !self.text.get(at).is_some_and(|next| is_word(*next));
        (ends && is_iban(&account[..length])).then_some(Found { kind: Kind::Iban, start: self.start, end: at })
    }

    /// A number, perhaps in groups.
    fn numbers(&self, wanted: KindSet) -> Option<Found> {
        // The rest of something longer, or a fraction.
        let is_joined = match before(self.text, self.start) {
            Some(b'+') => true,
            Some(b'-' | b'.') => before(self.text, self.start - 1).is_some_and(is_word),
            _ => false,
        };
        if is_joined {
            return None;
        }
        let groups = Groups::at(self.text, self.start);
        if groups.count > 0
            && wanted.has(Kind::EsDni)
            && let Some(one) = self.hyphenated_dni(groups.ends[0])
        {
            return Some(one);
        }
        (1..=groups.count).rev().find_map(|count| groups.check(self.text, self.start, count, wanted))
    }

    fn hyphenated_dni(&self, end: usize) -> Option<Found> {
        let digits = &self.text[self.start..end];
        let [b'-', letter] = self.text.get(end..end + 2)? else { return None };
        let ends = !self.text.get(end + 2).is_some_and(|next| is_word(*next));
        (digits.len() == 8 && ends && is_es_dni(number(digits), *letter)).then_some(Found {
            kind: Kind::EsDni,
            start: self.start,
            end: end + 2,
        })
    }
}

fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}

/// Eight digits and their letter, or X, Y or Z, seven digits and their letter.
fn is_dni(word: &[u8]) -> bool {
    let (body, letter) = (&word[..8], word[8]);
    let first = match body[0] {
        b'X' => 0,
        b'Y' => 1,
        b'Z' => 2,
        digit => digit.wrapping_sub(b'0'),
    };
    first <= 9
        && body[1..].iter().all(u8::is_ascii_digit)
        && is_es_dni(u32::from(first) * 10_000_000 + number(&body[1..]), letter)
}

/// Groups of digits, each but the last followed by one character.
#[derive(Default)]
struct Groups {
    digits: [u8; DIGITS],
    lengths: [usize; GROUPS],
    ends: [usize; GROUPS],
    /// After each group.
    separators: [u8; GROUPS],
    count: usize,
}

impl Groups {
    fn at(text: &[u8], mut at: usize) -> Self {
        let mut groups = Self::default();
        let mut total = 0;
        while groups.count < GROUPS {
            let from = at;
            while let Some(digit) = text.get(at).filter(|byte| byte.is_ascii_digit()) {
                if total == DIGITS {
                    break;
                }
                groups.digits[total] = digit - b'0';
                total += 1;
                at += 1;
            }
            // A letter in it, or too many digits: this is no group.
            if at == from || text.get(at).is_some_and(|next| is_word(*next)) {
                break;
            }
            let place = groups.count;
            groups.lengths[place] = at - from;
            groups.ends[place] = at;
            groups.separators[place] = text.get(at).copied().unwrap_or(FIELD);
            groups.count += 1;
            if !b" -.".contains(&groups.separators[place]) {
                break;
            }
            at += 1;
        }
        groups
    }

    /// What the first `count` groups are.
    fn check(&self, text: &[u8], start: usize, count: usize, wanted: KindSet) -> Option<Found> {
        let lengths = &self.lengths[..count];
        let total: usize = lengths.iter().sum();
        let (digits, end) = (&self.digits[..total], self.ends[count - 1]);
        let is_going_on = |next: &u8| b"-.".contains(&self.separators[count - 1]) && is_word(*next);
        if text.get(end + 1).is_some_and(is_going_on) {
            return None;
        }
        let joined = |separator: u8| self.separators[..count - 1].iter().all(|one| *one == separator);
        let says = |words: &[&str]| follows(text, start, words);
        let is = |kind: Kind, is: bool| (is && wanted.has(kind)).then_some(Found { kind, start, end });
        match lengths {
            [14..=19] => is(Kind::Card, is_card(digits)).or_else(|| is(Kind::FrNir, total == 15 && is_fr_nir(digits))),
            [4, 4, 4, 4] | [4, 4, 4, 4, 3] | [4, 6, 5] | [4, 6, 4] => {
                is(Kind::Card, (joined(b' ') || joined(b'-')) && is_card(digits))
            }
            [3, 2, 4] => is(Kind::UsSsn, joined(b'-') && is_us_ssn(digits)),
            [9] => is(Kind::UsSsn, is_us_ssn(digits) && says(&["ssn", "social security", "social_security"])),
            [2, 3, 3, 3] => is(Kind::DeTaxId, joined(b' ') && is_de_tax_id(digits)),
            [3, 3, 3, 2] => is(Kind::BrCpf, self.separators[..3] == *b"..-" && is_br_cpf(digits)),
            [13, 2] | [1, 2, 2, 2, 3, 3, 2] => is(Kind::FrNir, joined(b' ') && is_fr_nir(digits)),
            [11] => {
                const TAX: &[&str] = &["tax", "steuer", "idnr", "tin"];
                let tax_id = || is(Kind::DeTaxId, is_de_tax_id(digits) && says(TAX));
                let pesel = || is(Kind::PlPesel, is_pl_pesel(digits) && says(&["pesel"]));
                let cpf = || is(Kind::BrCpf, is_br_cpf(digits) && says(&["cpf"]));
                pesel().or_else(cpf).or_else(tax_id)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let mut found = Vec::new();
        find(text.as_bytes(), KINDS.iter().copied().collect(), &mut found);
        let shown: Vec<_> =
            found.iter().map(|found| format!("{} {}", found.kind.name(), &text[found.start..found.end])).collect();
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn numbers_in_texts() {
        check("paid with 4111 1111 1111 1111, thanks", &["card 4111 1111 1111 1111"]);
        check(r#"{"pan":"4111-1111-1111-1111"}"#, &["card 4111-1111-1111-1111"]);
        check("on 21 4111111111111111 123", &["card 4111111111111111"]);
        check("amex 3782 822463 10005.", &["card 3782 822463 10005"]);
        check("to GB82 WEST 1234 5698 7654 32 now", &["iban GB82 WEST 1234 5698 7654 32"]);
        check("to DE89370400440532013000.", &["iban DE89370400440532013000"]);
        check("ssn 536-90-4399", &["us_ssn 536-90-4399"]);
        check("Steuer-ID: 86095742719", &["de_tax_id 86095742719"]);
        check("id 86 095 742 719", &["de_tax_id 86 095 742 719"]);
        check(
            "dni 12345678Z, 12345678-Z and X1234567L",
            &["es_dni 12345678Z", "es_dni 12345678-Z", "es_dni X1234567L"],
        );
        check("cf rssmra85t10a562s", &["it_fiscal_code rssmra85t10a562s"]);
        check(
            "nir 2 55 08 14 168 025 38, 255081416802538",
            &["fr_nir 2 55 08 14 168 025 38", "fr_nir 255081416802538"],
        );
        check(r#""pesel":"44051401359""#, &["pl_pesel 44051401359"]);
        check("cpf=11144477735 111.444.777-35", &["br_cpf 11144477735", "br_cpf 111.444.777-35"]);
    }

    #[test]
    fn numbers_that_mean_nothing() {
        for text in [
            "order 4111111111111112",
            "0.4111111111111111",
            "4111111111111111.5",
            "1234-4111-1111-1111-1111",
            "+41111111111111111",
            "trace 4111111111111111a",
            "a4111111111111111",
            "2026-11-21 10:00:00.123456789",
            "86095742719 44051401359 11144477735",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "123e4567-e89b-12d3-a456-426614174000",
            "41111111111111111111111111111111",
            "536-90-4399-1",
        ] {
            check(text, &[]);
        }
    }
}
