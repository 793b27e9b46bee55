//! Texts to values: what a spelling stands for.

use crate::quarantine::Rule;

/// Bytes of a value at most.
pub const MAX_VALUE: usize = 1 << 20;

/// What a format says of a value before its text is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// There is none.
    Null,
    /// Nothing: the text alone tells, as in CSV.
    Bare,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A text, also where it looks like a number.
    Text,
}

/// A value as a source has it.
#[derive(Clone, Copy, Debug)]
pub struct Cell<'a> {
    /// What the format says of it.
    pub class: Class,
    /// Its text.
    pub bytes: &'a [u8],
}

impl Cell<'_> {
    /// No value.
    pub const NULL: Self = Self {
        class: Class::Null,
        bytes: &[],
    };
}

impl<'a> Cell<'a> {
    /// The text, or why it has none.
    pub fn text(self) -> Result<&'a str, Rule> {
        if self.bytes.len() > MAX_VALUE {
            return Err(Rule::TooLong);
        }
        let text = std::str::from_utf8(self.bytes).map_err(|_| Rule::NotUtf8)?;
        if text.as_bytes().contains(&0) {
            return Err(Rule::NulByte);
        }
        Ok(text)
    }

    /// The text of a value that is there and is one.
    pub fn value(self) -> Option<&'a str> {
        if self.class == Class::Null {
            return None;
        }
        let text = self.text().ok()?;
        (self.class != Class::Bare || !is_null(text.trim())).then_some(text)
    }
}

/// Whether a bare text, without space around it, stands for no value.
pub fn is_null(text: &str) -> bool {
    text.len() <= 4
        && matches!(
            text,
            "" | "NA" | "N/A" | "NaN" | "nan" | "null" | "NULL" | "None" | "?"
        )
}

/// A whole number that 64 bits hold.
pub fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// A finite number.
pub fn float(text: &str) -> Result<f64, Rule> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(Rule::NotFinite),
        Err(_) => Err(Rule::NotANumber),
    }
}

/// `true` or `false`, in lower, upper or title case.
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// What a text would be as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// A whole number of 64 bits.
    Integer,
    /// Another finite number.
    Float,
    /// An infinity, or a NaN in a spelling that does not stand for no value.
    NotFinite,
    /// A whole number but for zeros before it, such as a ZIP code: digits that are no quantity.
    Code,
    /// None.
    No,
}

/// Which number a text is, without making one of it where its form is enough to tell.
pub fn number(text: &str) -> Number {
    let bytes = text.as_bytes();
    let unsigned = if let [b'+' | b'-', rest @ ..] = bytes {
        rest
    } else {
        bytes
    };
    match unsigned.first() {
        Some(b'0'..=b'9' | b'.') => {}
        Some(b'i' | b'I' | b'n' | b'N') if unsigned.len() <= 8 => return parsed(text),
        _ => return Number::No,
    }
    let whole = leading_digits(unsigned);
    match unsigned.get(whole) {
        None if unsigned.first() == Some(&b'0') && whole > 1 => Number::Code,
        // 64 bits hold every number of 18 digits.
        None if whole <= 18 => Number::Integer,
        Some(b'.') => {
            let rest = unsigned.get(whole + 1..).unwrap_or_default();
            let fraction = leading_digits(rest);
            // Every number of that many digits is finite.
            if fraction == rest.len() && whole + fraction > 0 && unsigned.len() < 300 {
                Number::Float
            } else {
                parsed(text)
            }
        }
        None | Some(b'e' | b'E') => parsed(text),
        Some(_) => Number::No,
    }
}

fn leading_digits(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count()
}

fn parsed(text: &str) -> Number {
    if integer(text).is_some() {
        return Number::Integer;
    }
    match float(text) {
        Ok(_) => Number::Float,
        Err(Rule::NotFinite) => Number::NotFinite,
        Err(_) => Number::No,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_form_tells_the_number() {
        for (text, expected) in [
            ("0", Number::Integer),
            ("-12", Number::Integer),
            ("+3", Number::Integer),
            ("9223372036854775807", Number::Integer),
            ("9223372036854775808", Number::Float),
            ("1.", Number::Float),
            (".5", Number::Float),
            ("-0.25", Number::Float),
            ("1e-3", Number::Float),
            ("1.5E3", Number::Float),
            ("1e999", Number::NotFinite),
            ("-inf", Number::NotFinite),
            ("Infinity", Number::NotFinite),
            ("007", Number::Code),
            ("00", Number::Code),
            ("-01", Number::Code),
            ("00.5", Number::Float),
            (".", Number::No),
            ("-", Number::No),
            ("", Number::No),
            ("1,5", Number::No),
            ("1.2.3", Number::No),
            ("12:30", Number::No),
            ("2024-01-31", Number::No),
            ("Nina", Number::No),
            ("0x1f", Number::No),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }

    #[test]
    fn infinities_never_fit() {
        assert_eq!(float("-inf"), Err(Rule::NotFinite));
        assert_eq!(float("1e999"), Err(Rule::NotFinite));
        assert_eq!(float("1,5"), Err(Rule::NotANumber));
        assert_eq!(float(".5"), Ok(0.5));
    }

    proptest! {
        #[test]
        fn what_is_told_of_a_number_is_what_it_parses_to(text in "[-+]?[0-9.eEinf]{0,24}") {
            match number(&text) {
                Number::Integer => prop_assert!(integer(&text).is_some()),
                Number::Float => prop_assert!(integer(&text).is_none() && float(&text).is_ok()),
                Number::Code => prop_assert!(float(&text).is_ok()),
                Number::NotFinite => prop_assert_eq!(float(&text), Err(Rule::NotFinite)),
                Number::No => prop_assert_eq!(float(&text), Err(Rule::NotANumber)),
            }
        }
    }
}
