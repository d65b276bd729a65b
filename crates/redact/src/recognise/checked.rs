//! Check digits.

/// Luhn's formula (ISO/IEC 7812-1, annex B).
pub(crate) fn luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u8| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| u32::from(if place % 2 == 1 { doubled(*digit) } else { *digit }))
        .sum();
    sum.is_multiple_of(10)
}

/// Whether an issuer of cards has numbers that begin so and are so long.
pub(crate) fn is_card(digits: &[u8]) -> bool {
    let first = |count: usize| digits[..count].iter().fold(0u32, |number, digit| number * 10 + u32::from(*digit));
    if digits.len() < 14 || digits.iter().all(|digit| *digit == digits[0]) {
        return false;
    }
    let length = match first(4) {
        // American Express.
        3400..=3499 | 3700..=3799 => 15..=15,
        // Diners Club.
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => 14..=16,
        // JCB.
        3528..=3589 => 16..=19,
        // Visa; its numbers of 13 and 19 digits are hardly issued, and ids of 19 digits are common.
        4000..=4999 => 16..=16,
        // Mastercard.
        5100..=5599 | 2221..=2720 => 16..=16,
        // Maestro.
        5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763 => 16..=19,
        // Discover.
        6011 | 6440..=6599 => 16..=19,
        // UnionPay.
        6200..=6299 | 8100..=8171 => 16..=19,
        _ => return false,
    };
    length.contains(&digits.len()) && luhn(digits)
}

/// Lengths of account numbers by country (SWIFT's registry of ISO 13616).
const IBANS: &[(&str, usize)] = &[
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BI", 27),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DJ", 27),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FK", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MN", 20),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NI", 28),
    ("NL", 18),
    ("NO", 15),
    ("OM", 23),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("RU", 33),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("SO", 23),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
];

/// How long an account number of this country is.
pub(crate) fn iban_length(country: &[u8]) -> Option<usize> {
    let found = IBANS.binary_search_by(|(name, _)| name.as_bytes().cmp(country)).ok()?;
    Some(IBANS[found].1)
}

/// ISO/IEC 7064, MOD 97-10, with the first four characters moved to the end.
pub(crate) fn is_iban(text: &[u8]) -> bool {
    let remainder = text[4..].iter().chain(&text[..4]).try_fold(0u32, |remainder, byte| match byte {
        b'0'..=b'9' => Some((remainder * 10 + u32::from(byte - b'0')) % 97),
        b'A'..=b'Z' => Some((remainder * 100 + u32::from(byte - b'A') + 10) % 97),
        _ => None,
    });
    remainder == Some(1)
}

/// A social security number (SSA, rules since 2011): no area of 000, 666 or above 899, no group or serial of zeros.
pub(crate) fn is_us_ssn(digits: &[u8]) -> bool {
    let number = |part: &[u8]| part.iter().fold(0u32, |number, digit| number * 10 + u32::from(*digit));
    let (area, group, serial) = (number(&digits[..3]), number(&digits[3..5]), number(&digits[5..]));
    // Two that were printed in advertisements.
    let is_known = matches!((area, group, serial), (78, 5, 1120) | (219, 9, 9999));
    area != 0 && area != 666 && area < 900 && group != 0 && serial != 0 && !is_known
}

/// A tax id of Germany: of its first ten digits one comes twice or three times and all others once or not at all, and
/// the eleventh is the check digit of ISO/IEC 7064, MOD 11,10 (Bundeszentralamt für Steuern).
pub(crate) fn is_de_tax_id(digits: &[u8]) -> bool {
    let mut counts = [0; 10];
    digits[..10].iter().for_each(|digit| counts[usize::from(*digit)] += 1);
    let repeated: Vec<_> = counts.iter().filter(|count| **count > 1).collect();
    if digits[0] == 0 || repeated.len() != 1 || *repeated[0] > 3 {
        return false;
    }
    let product = digits[..10].iter().fold(10u32, |product, digit| {
        let sum = (u32::from(*digit) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == u32::from(digits[10])
}

/// The letter of a DNI of Spain, or of a NIE with 0, 1 or 2 for its first letter (Ministerio del Interior).
pub(crate) fn is_es_dni(number: u32, letter: u8) -> bool {
    b"TRWAGMYFPDXBNJZSQVHLCKE"[(number % 23) as usize] == letter
}

/// A fiscal code of Italy, all letters in upper case (D.M. 23 December 1976). Digits may be letters where two people
/// would have the same.
pub(crate) fn is_it_fiscal_code(text: &[u8]) -> bool {
    const ODD: [u8; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let is_digit = |byte: u8| byte.is_ascii_digit() || b"LMNPQRSTUV".contains(&byte);
    let is_right = |(place, byte): (usize, &u8)| match place {
        0..=5 | 11 | 15 => byte.is_ascii_uppercase(),
        8 => b"ABCDEHLMPRST".contains(byte),
        _ => is_digit(*byte),
    };
    if text.len() != 16 || !text.iter().enumerate().all(is_right) {
        return false;
    }
    let sum: u32 = text[..15]
        .iter()
        .enumerate()
        .map(|(place, byte)| {
            let value = if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' };
            u32::from(if place % 2 == 0 { ODD[usize::from(value)] } else { value })
        })
        .sum();
    (sum % 26) as u8 + b'A' == text[15]
}

/// A social security number of France: sex, year, month, place of birth, order, and 97 less the remainder by 97 (INSEE).
pub(crate) fn is_fr_nir(digits: &[u8]) -> bool {
    let number = |part: &[u8]| part.iter().fold(0u64, |number, digit| number * 10 + u64::from(*digit));
    let month = number(&digits[3..5]);
    let is_month = matches!(month, 1..=12 | 20 | 30..=42 | 50..=99);
    matches!(digits[0], 1 | 2 | 7 | 8)
        && is_month
        && number(&digits[10..13]) > 0
        && 97 - number(&digits[..13]) % 97 == number(&digits[13..])
}

/// A personal number of Poland: a date with the century in its month, and a weighted sum (Dz.U. 2010 nr 217 poz. 1427).
pub(crate) fn is_pl_pesel(digits: &[u8]) -> bool {
    const WEIGHTS: [u32; 11] = [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1];
    let (month, day) = (digits[2] * 10 + digits[3], digits[4] * 10 + digits[5]);
    let days = match month % 20 {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    (1..=days).contains(&day) && sum.is_multiple_of(10)
}

/// A taxpayer number of Brazil: two check digits by eleven (Receita Federal).
pub(crate) fn is_br_cpf(digits: &[u8]) -> bool {
    let check = |count: usize| {
        let weights = (2..=count as u32 + 1).rev();
        let sum: u32 = digits[..count].iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight).sum();
        (sum * 10 % 11 % 10) as u8
    };
    !digits.iter().all(|digit| *digit == digits[0]) && check(9) == digits[9] && check(10) == digits[10]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().filter(u8::is_ascii_digit).map(|byte| byte - b'0').collect()
    }

    /// Each is right, and with any one digit changed it is wrong.
    fn check(is: fn(&[u8]) -> bool, examples: &[&str]) {
        for example in examples {
            let right = digits(example);
            assert!(is(&right), "{example}");
            for place in 0..right.len() {
                let mut wrong = right.clone();
                wrong[place] = (wrong[place] + 1) % 10;
                assert!(!is(&wrong), "{example} changed at {place}");
            }
        }
    }

    #[test]
    fn numbers_in_print() {
        let cards = ["4111 1111 1111 1111", "5555 5555 5555 4444", "3782 822463 10005", "6011 1111 1111 1117"];
        check(is_card, &cards);
        check(is_card, &["3056 930902 5904", "3530 1113 3330 0000", "2223 0031 2200 3222"]);
        check(is_de_tax_id, &["86 095 742 719", "47 036 892 816"]);
        check(is_fr_nir, &["2 55 08 14 168 025 38"]);
        check(is_pl_pesel, &["44051401359", "02070803628"]);
        check(is_br_cpf, &["111.444.777-35", "529.982.247-25"]);
        for (number, letter) in [(12_345_678, b'Z'), (1_234_567, b'L')] {
            assert!(is_es_dni(number, letter) && !is_es_dni(number + 1, letter));
        }
        assert!(is_it_fiscal_code(b"RSSMRA85T10A562S") && !is_it_fiscal_code(b"RSSMRA85T10A562T"));
        assert!(is_us_ssn(&digits("536-90-4399")));
        for wrong in ["000-12-3456", "666-12-3456", "900-12-3456", "123-00-4567", "123-45-0000", "078-05-1120"] {
            assert!(!is_us_ssn(&digits(wrong)), "{wrong}");
        }
        for account in
            ["GB82WEST12345698765432", "DE89370400440532013000", "NO9386011117947", "FR1420041010050500013M02606"]
        {
            assert!(is_iban(account.as_bytes()), "{account}");
            assert_eq!(iban_length(&account.as_bytes()[..2]), Some(account.len()));
        }
        assert!(!is_iban(b"GB82WEST12345698765431"));
        assert!(IBANS.is_sorted());
    }
}
