//! Personal data: numbers with their check digits, and addresses.

use super::{ALNUM, DIGITS, LOWER, Sort, UPPER, of};
use crate::Rng;

const NONE: &[&str] = &[];

pub(super) const SORTS: &[Sort] = &[
    Sort { name: "card", makes: &[card, grouped_card], lines: NONE },
    Sort { name: "iban", makes: &[iban, grouped_iban], lines: NONE },
    Sort { name: "us_ssn", makes: &[ssn], lines: NONE },
    Sort {
        name: "de_tax_id",
        makes: &[de_tax_id],
        lines: &[r#"{"event":"kyc","tax_id":"{}"}"#, "Steuer-ID {} geprüft", "user=7 steuerid={} ok"],
    },
    Sort { name: "es_dni", makes: &[dni, nie], lines: NONE },
    Sort { name: "it_fiscal_code", makes: &[fiscal_code], lines: NONE },
    Sort { name: "fr_nir", makes: &[nir], lines: NONE },
    Sort { name: "pl_pesel", makes: &[pesel], lines: &[r#"{"pesel":"{}","ok":true}"#, "PESEL: {} zweryfikowany"] },
    Sort { name: "br_cpf", makes: &[cpf], lines: NONE },
    Sort { name: "email", makes: &[email], lines: NONE },
    Sort { name: "ip", makes: &[ipv4, ipv6], lines: NONE },
];

fn number(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

/// The digit that makes the number right.
fn completed(start: &str, is_right: impl Fn(&str) -> bool) -> String {
    let tries = (0..10).map(|digit| format!("{start}{digit}"));
    tries.into_iter().find(|text| is_right(text)).unwrap_or_else(|| start.to_owned())
}

/// By adding the digits of the doubled digits.
fn luhn(text: &str) -> bool {
    let is_doubled = |place: usize| (text.len() - place) % 2 == 0;
    let value = |(place, char): (usize, char)| {
        let digit = char.to_digit(10).unwrap_or(0);
        let shown = if is_doubled(place) { digit * 2 } else { digit };
        shown / 10 + shown % 10
    };
    text.chars().enumerate().map(value).sum::<u32>() % 10 == 0
}

fn card(rng: &mut Rng) -> String {
    let (start, length) =
        *rng.pick(&[("4", 16), ("51", 16), ("2221", 16), ("37", 15), ("6011", 16), ("36", 14), ("3530", 16)]);
    let body = format!("{start}{}", of(rng, DIGITS, length - 1 - start.len()));
    completed(&body, luhn)
}

fn grouped_card(rng: &mut Rng) -> String {
    let body = format!("4{}", of(rng, DIGITS, 14));
    let card = completed(&body, luhn);
    let separator = *rng.pick(&[" ", "-"]);
    [&card[..4], &card[4..8], &card[8..12], &card[12..]].join(separator)
}

fn iban(rng: &mut Rng) -> String {
    let (country, digits) = *rng.pick(&[("DE", 18), ("ES", 20), ("AT", 16), ("BE", 12), ("PL", 24)]);
    let account = of(rng, DIGITS, digits);
    let as_number: String = country.chars().map(|char| (char as u32 - 55).to_string()).collect();
    // The remainder by 97 of a number too long for any type, piece by piece.
    let whole = format!("{account}{as_number}00");
    let remainder = whole
        .as_bytes()
        .chunks(7)
        .fold(0, |rest, piece| number(&format!("{rest}{}", String::from_utf8_lossy(piece))) % 97);
    format!("{country}{:02}{account}", 98 - remainder)
}

fn grouped_iban(rng: &mut Rng) -> String {
    let iban = iban(rng);
    let groups: Vec<_> = iban.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
    groups.join(" ")
}

fn ssn(rng: &mut Rng) -> String {
    format!("{:03}-{:02}-{:04}", rng.between(1, 600), rng.between(1, 100), rng.between(1, 10_000))
}

/// One digit comes twice, one not at all.
fn de_tax_id(rng: &mut Rng) -> String {
    let mut digits: Vec<u64> = (0..10).collect();
    let (from, to) = (rng.below(10) as usize, rng.below(9) as usize);
    digits[from] = digits[if to < from { to } else { to + 1 }];
    loop {
        for place in (1..10).rev() {
            digits.swap(place, rng.below(place as u64 + 1) as usize);
        }
        if digits[0] != 0 {
            break;
        }
    }
    let start: String = digits.iter().map(u64::to_string).collect();
    completed(&start, |text| {
        let mut rest = 10;
        for digit in text[..10].bytes().map(|byte| u32::from(byte - b'0')) {
            rest = (rest + digit - 1) % 10 + 1;
            rest = rest * 2 % 11;
        }
        (rest + number(&text[10..]) as u32) % 10 == 1
    })
}

fn dni_letter(number: u64) -> char {
    char::from(b"TRWAGMYFPDXBNJZSQVHLCKE"[(number % 23) as usize])
}

fn dni(rng: &mut Rng) -> String {
    let number = rng.between(10_000_000, 100_000_000);
    format!("{number}{}", dni_letter(number))
}

fn nie(rng: &mut Rng) -> String {
    let (number, first) = (rng.below(10_000_000), rng.below(3));
    format!("{}{number:07}{}", ["X", "Y", "Z"][first as usize], dni_letter(first * 10_000_000 + number))
}

fn fiscal_code(rng: &mut Rng) -> String {
    /// The order of letters by their values in odd places; digits are the first ten letters.
    const ODD: &str = "BAKPLCQDREVOSFTGUHMINJWZYX";
    let name = of(rng, UPPER, 6);
    let day = rng.between(1, 29) + 40 * rng.below(2);
    let month = char::from(*rng.pick(b"ABCDEHLMPRST"));
    let start =
        format!("{name}{:02}{month}{day:02}{}{:03}", rng.below(100), of(rng, b"ABCDEFGHIL", 1), rng.between(1, 999));
    let value = |(place, char): (usize, char)| {
        let letter = char.to_digit(10).map_or(char, |digit| char::from(b'A' + digit as u8));
        if place % 2 == 0 { ODD.find(letter).unwrap_or(0) } else { letter as usize - 'A' as usize }
    };
    let sum: usize = start.chars().enumerate().map(value).sum();
    format!("{start}{}", char::from(b'A' + (sum % 26) as u8))
}

fn nir(rng: &mut Rng) -> String {
    let start = format!(
        "{}{:02}{:02}{:02}{:03}{:03}",
        rng.between(1, 3),
        rng.below(100),
        rng.between(1, 13),
        rng.between(1, 96),
        rng.between(1, 900),
        rng.between(1, 999)
    );
    format!("{start}{:02}", 97 - number(&start) % 97)
}

fn pesel(rng: &mut Rng) -> String {
    let start =
        format!("{:02}{:02}{:02}{:04}", rng.below(100), rng.between(1, 13), rng.between(1, 29), rng.below(10_000));
    completed(&start, |text| {
        let weighted = text[..10].bytes().zip([9u32, 7, 3, 1].into_iter().cycle());
        weighted.map(|(byte, weight)| u32::from(byte - b'0') * weight).sum::<u32>() % 10 == number(&text[10..]) as u32
    })
}

fn cpf(rng: &mut Rng) -> String {
    let check = |text: &str| {
        let weighted = text.bytes().rev().zip(2..).map(|(byte, weight)| u32::from(byte - b'0') * weight);
        let rest = weighted.sum::<u32>() % 11;
        if rest < 2 { 0 } else { 11 - rest }
    };
    let start = of(rng, DIGITS, 9);
    let one = format!("{start}{}", check(&start));
    let both = format!("{one}{}", check(&one));
    format!("{}.{}.{}-{}", &both[..3], &both[3..6], &both[6..9], &both[9..])
}

fn email(rng: &mut Rng) -> String {
    let host = *rng.pick(&["example.com", "mail.example.co.uk", "example.org", "uni-example.de"]);
    match rng.below(3) {
        0 => format!("{}.{}@{host}", of(rng, LOWER, 4), of(rng, LOWER, 7)),
        1 => format!("{}+{}@{host}", of(rng, ALNUM, 6), of(rng, LOWER, 3)),
        _ => format!("{}%40{host}", of(rng, LOWER, 6)),
    }
}

fn ipv4(rng: &mut Rng) -> String {
    format!("{}.{}.{}.{}", rng.between(11, 126), rng.below(256), rng.below(256), rng.between(1, 255))
}

fn ipv6(rng: &mut Rng) -> String {
    match rng.below(2) {
        0 => format!("2001:db8:{:x}::{:x}", rng.below(65_536), rng.between(1, 65_536)),
        _ => {
            let groups: Vec<_> = (0..6).map(|_| format!("{:x}", rng.below(65_536))).collect();
            format!("2001:db8:{}", groups.join(":"))
        }
    }
}
