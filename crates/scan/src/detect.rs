//! Personal data that needs more than a pattern: a checksum, a known length, a known prefix.
//!
//! Each function takes folded text and returns byte ranges in it.

use std::ops::Range;

/// Fewer digits than this in a text cannot make any of the numbers below.
pub(crate) const MIN_DIGITS: u32 = 9;

/// Payment card numbers: plausible issuer, usual grouping, valid Luhn digit. `starts` are the
/// [`number_starts`] of the text.
pub(crate) fn credit_cards(text: &[u8], starts: &[usize]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for start in starts.iter().copied() {
        let (digits, groups, end) = number_at(text, start);
        if !continues(text, end) && usual_groups(&groups) && issued(&digits) && luhn(&digits) {
            found.push(start..end);
        }
    }
    found
}

/// US social security numbers `ddd-dd-dddd` in the ranges that were given out.
pub(crate) fn us_ssns(text: &[u8], starts: &[usize]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for start in starts.iter().copied() {
        let end = start + 11;
        let Some(part) = text.get(start..end) else { continue };
        let shape = part.iter().enumerate().all(|(at, byte)| match at {
            3 | 6 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
        let dashed =
            text.get(end) == Some(&b'-') && text.get(end + 1).is_some_and(u8::is_ascii_digit);
        if !shape || dashed || continues(text, end) {
            continue;
        }
        let (area, group, serial) = (&part[..3], &part[4..6], &part[7..]);
        if area != b"000"
            && area != b"666"
            && area[0] != b'9'
            && group != b"00"
            && serial != b"0000"
        {
            found.push(start..end);
        }
    }
    found
}

/// IBANs of known countries with the right length and check digits. `numbers` says where digits begin.
pub(crate) fn ibans(text: &[u8], numbers: &[u32]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for digits in numbers.iter().map(|at| *at as usize) {
        let Some(start) = digits.checked_sub(2) else { continue };
        let Some(window) = text.get(start..start + 4) else { continue };
        if !(window[0].is_ascii_uppercase()
            && window[1].is_ascii_uppercase()
            && window[3].is_ascii_digit())
            || start > 0 && text[start - 1].is_ascii_alphanumeric()
        {
            continue;
        }
        let Some(length) = iban_length(&window[..2]) else { continue };
        let mut account = Vec::with_capacity(length);
        let mut at = start;
        while account.len() < length {
            match text.get(at) {
                Some(b) if b.is_ascii_uppercase() || b.is_ascii_digit() => account.push(*b),
                Some(b' ' | b'-') if account.len() % 4 == 0 && at > start => {}
                _ => break,
            }
            at += 1;
        }
        if account.len() == length && !continues(text, at) && mod_97(&account) {
            found.push(start..at);
        }
    }
    found
}

/// E-mail addresses.
pub(crate) fn emails(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut floor = 0;
    for (at, _) in text.iter().enumerate().filter(|(_, byte)| **byte == b'@') {
        let local = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte);
        let domain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-".contains(byte);
        let before = text[floor..at].iter().rev().take(64).take_while(|b| local(b)).count();
        let after = text[at + 1..].iter().take(255).take_while(|b| domain(b)).count();
        let mut end = at + 1 + after;
        while end > at + 1 && !text[end - 1].is_ascii_alphanumeric() {
            end -= 1;
        }
        let host = &text[at + 1..end];
        let top = host.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
        if before > 0
            && host.contains(&b'.')
            && top.len() >= 2
            && top.iter().all(u8::is_ascii_alphabetic)
            && host.split(|byte| *byte == b'.').all(|label| !label.is_empty())
        {
            found.push(at - before..end);
            floor = end;
        }
    }
    found
}

/// Where digits start that no other word character precedes, of all `numbers`.
pub(crate) fn number_starts(text: &[u8], numbers: &[u32]) -> Vec<usize> {
    let before = |at: usize, by: usize| at.checked_sub(by).and_then(|at| text.get(at)).copied();
    let alone = |at: &usize| match before(*at, 1) {
        Some(b'-' | b'.' | b'_') => {
            !before(*at, 2).is_some_and(|byte| byte.is_ascii_alphanumeric())
        }
        before => !before.is_some_and(|byte| byte.is_ascii_alphanumeric()),
    };
    numbers.iter().map(|at| *at as usize).filter(alone).collect()
}

/// Whether a word goes on at `end`.
fn continues(text: &[u8], end: usize) -> bool {
    text.get(end).is_some_and(u8::is_ascii_alphanumeric)
}

/// Digits from `start`, with single spaces or hyphens between, the lengths of the groups, the end.
fn number_at(text: &[u8], start: usize) -> (Vec<u8>, Vec<usize>, usize) {
    let (mut digits, mut groups, mut at) = (Vec::new(), vec![0], start);
    while let Some(byte) = text.get(at) {
        if byte.is_ascii_digit() && digits.len() < 20 {
            digits.push(byte - b'0');
            if let Some(group) = groups.last_mut() {
                *group += 1;
            }
        } else if matches!(byte, b' ' | b'-')
            && text.get(at + 1).is_some_and(u8::is_ascii_digit)
            && groups.len() < 5
        {
            groups.push(0);
        } else {
            break;
        }
        at += 1;
    }
    // a number that follows after a space does not belong to a card that is complete already
    let mut end = at;
    while groups.len() > 1 && !usual_groups(&groups) {
        let last = groups.pop().unwrap_or(0);
        digits.truncate(digits.len() - last);
        end -= last + 1;
    }
    (digits, groups, end)
}

/// As people write them. In one piece only 15 and 16 digits: longer numbers are identifiers and
/// constants more often than cards.
fn usual_groups(groups: &[usize]) -> bool {
    matches!(groups, [15 | 16] | [4, 4, 4, 4] | [4, 4, 4, 4, 3] | [4, 6, 4 | 5])
}

fn issued(digits: &[u8]) -> bool {
    let prefix = digits.iter().take(4).fold(0u32, |acc, digit| acc * 10 + u32::from(*digit));
    match prefix {
        4000..=4999 => matches!(digits.len(), 16 | 19),
        5100..=5599 | 2221..=2720 => digits.len() == 16,
        3400..=3499 | 3700..=3799 => digits.len() == 15,
        3000..=3059 | 3600..=3699 | 3800..=3899 => digits.len() == 14,
        3528..=3589 => digits.len() == 16,
        6011 | 6440..=6599 | 6221..=6229 => (16..=19).contains(&digits.len()),
        _ => false,
    }
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let value = u32::from(*digit) << (at % 2);
            value / 10 + value % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

fn iban_length(country: &[u8]) -> Option<usize> {
    Some(match country {
        b"NO" => 15,
        b"BE" => 16,
        b"DK" | b"FI" | b"NL" => 18,
        b"SI" | b"MK" => 19,
        b"AT" | b"BA" | b"EE" | b"LT" | b"LU" | b"XK" => 20,
        b"CH" | b"HR" | b"LI" | b"LV" => 21,
        b"BG" | b"DE" | b"GB" | b"GE" | b"IE" | b"ME" | b"RS" => 22,
        b"AE" | b"GI" | b"IL" => 23,
        b"AD" | b"CZ" | b"ES" | b"MD" | b"PK" | b"RO" | b"SA" | b"SE" | b"SK" | b"TN" => 24,
        b"PT" => 25,
        b"IS" | b"TR" => 26,
        b"FR" | b"GR" | b"IT" | b"MC" | b"SM" => 27,
        b"AL" | b"AZ" | b"CY" | b"DO" | b"HU" | b"LB" | b"PL" => 28,
        b"BR" | b"EG" | b"PS" | b"QA" | b"UA" => 29,
        b"JO" | b"KW" | b"MU" => 30,
        b"MT" => 31,
        _ => return None,
    })
}

fn mod_97(account: &[u8]) -> bool {
    let moved = account.iter().skip(4).chain(account.iter().take(4));
    let rest = moved.fold(0u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    rest == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(find: impl Fn(&[u8]) -> Vec<Range<usize>>, text: &str, expect: &[&str]) {
        let found: Vec<&str> = find(text.as_bytes()).into_iter().map(|r| &text[r]).collect();
        assert_eq!(found, expect, "{text}");
    }

    fn numbers(text: &[u8]) -> Vec<u32> {
        crate::shape::Shape::of(text).numbers
    }

    #[test]
    fn cards() {
        let credit_cards = |text: &[u8]| credit_cards(text, &number_starts(text, &numbers(text)));
        check(credit_cards, "pay 4111 1111 1111 1111 now", &["4111 1111 1111 1111"]);
        check(credit_cards, "4111-1111-1111-1111 12", &["4111-1111-1111-1111"]);
        check(
            credit_cards,
            "x 4111111111111111, 378282246310005",
            &["4111111111111111", "378282246310005"],
        );
        check(credit_cards, "4111 1111 1111 1111 23 items", &["4111 1111 1111 1111"]);
        check(credit_cards, "4111111111111112 1700000000000000000 id4111111111111111", &[]);
        check(credit_cards, "sha 4111111111111111abc v1.4111111111111111", &[]);
    }

    #[test]
    fn social_security_numbers() {
        let us_ssns = |text: &[u8]| us_ssns(text, &number_starts(text, &numbers(text)));
        check(us_ssns, "ssn 219-09-9999.", &["219-09-9999"]);
        check(us_ssns, "000-12-3456 666-12-3456 912-12-3456 123-00-1234 1123-12-1234", &[]);
        check(us_ssns, "part 123-45-6789-01 tel 555-123-4567", &[]);
    }

    #[test]
    fn accounts() {
        let ibans = |text: &[u8]| ibans(text, &numbers(text));
        check(ibans, "to DE89 3704 0044 0532 0130 00 AND more", &["DE89 3704 0044 0532 0130 00"]);
        check(ibans, "GB82WEST12345698765432", &["GB82WEST12345698765432"]);
        check(ibans, "DE89370400440532013001 SKU AB12CDEF", &[]);
    }

    #[test]
    fn addresses() {
        check(emails, "a.b+c@mail.example.org, d@e", &["a.b+c@mail.example.org"]);
        check(emails, "pkg@1.2.3 user@host git@github.com:x", &["git@github.com"]);
    }
}
