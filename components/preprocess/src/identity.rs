//! Digests of rows and values: what makes two of them equal.
//!
//! A value's bytes do not depend on the kind that its column has in a version of the data set:
//! the number 1 is equal as an integer, as a float and as a text, so that a schema that widens
//! moves no row to the other side. Only whole numbers from 2^53 on, in a column that widens to
//! floats, lose digits and so may become others: the split by rows refuses these.

use septet_kit::{
    split::RESOLUTION,
    table::{Column, Values, timestamp, timestamp_label},
};
use sha2::{Digest as _, Sha256};

/// Below this whole numbers have the same bytes as integers, floats and texts.
const EXACT: f64 = RESOLUTION as f64;

/// The first half of a sha-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest(u128);

impl Digest {
    fn of(bytes: &[u8]) -> Self {
        let first = Sha256::digest(bytes);
        Self(
            first
                .iter()
                .take(16)
                .fold(0, |number, byte| number << 8 | u128::from(*byte)),
        )
    }

    /// A whole number below [`RESOLUTION`], by which the side is found.
    pub const fn place(self) -> u64 {
        (self.0 >> 75) as u64
    }

    /// The place under a salt: the first half of the digest, mixed with the salt by the finalizer
    /// of `SplitMix64` (Steele, Lea, Flood, *Fast Splittable Pseudorandom Number Generators*, 2014).
    pub const fn salted(self, salt: u32) -> u64 {
        let mut mixed =
            ((self.0 >> 64) as u64).wrapping_add((salt as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) >> 11
    }

    /// A number from 0 to below 1 that says nothing of the place: it is of the other half.
    pub const fn unit(self) -> f64 {
        ((self.0 as u64) >> 11) as f64 / EXACT
    }
}

/// The digest of each of `rows` rows, of these columns in this order.
pub fn digests(columns: &[&Column], rows: usize) -> Vec<Digest> {
    let spelled: Vec<_> = columns.iter().map(|column| Spelled::of(column)).collect();
    let mut bytes = Vec::new();
    (0..rows)
        .map(|row| {
            bytes.clear();
            for column in &spelled {
                column.put(row, &mut bytes);
            }
            Digest::of(&bytes)
        })
        .collect()
}

/// How many of the digests come again.
pub fn repeated(digests: &[Digest]) -> usize {
    let mut sorted = digests.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    digests.len() - sorted.len()
}

/// A row's value, spelled so that equal values of all kinds have one spelling; none for a null.
pub fn label(column: &Column, row: usize) -> Option<String> {
    let number = |number: f64| match number {
        // The two zeros are one number.
        number if number.fract() == 0.0 => format!("{:.0}", number + 0.0),
        number => format!("{number:?}"),
    };
    match &column.values {
        Values::Floats(_) => column.number(row).map(number),
        Values::Texts(_) | Values::Categories { .. } => {
            column.text(row).map(|text| match Text::of(text) {
                Text::Number(value) => number(value),
                Text::Large(digits) => digits,
                Text::Boolean(value) => value.to_string(),
                Text::Moment(moment) => timestamp_label(moment),
                Text::Other => text.to_owned(),
            })
        }
        _ => column.label(row),
    }
}

/// What a text says.
enum Text {
    Number(f64),
    /// The digits of a number from 2^53 on.
    Large(String),
    Boolean(bool),
    /// Microseconds since 1970.
    Moment(i64),
    Other,
}

impl Text {
    /// As ingest reads it: without the space around it.
    fn of(text: &str) -> Self {
        let text = text.trim();
        let first = text.as_bytes().first();
        if first.is_some_and(|byte| byte.is_ascii_digit() || b"+-.".contains(byte))
            && let Ok(number) = text.parse::<f64>()
            && number.is_finite()
        {
            return match whole(text) {
                _ if number.abs() < EXACT => Self::Number(number),
                Some(digits) => Self::Large(digits),
                None => Self::Large(format!("{number:.0}")),
            };
        }
        if text.eq_ignore_ascii_case("true") {
            return Self::Boolean(true);
        }
        if text.eq_ignore_ascii_case("false") {
            return Self::Boolean(false);
        }
        timestamp(text).map_or(Self::Other, Self::Moment)
    }
}

/// The digits of a whole number that a text writes out, which a float may not hold.
fn whole(text: &str) -> Option<String> {
    let digits = text.trim_start_matches(['+', '-']);
    let sign = if text.starts_with('-') { "-" } else { "" };
    let only = digits.bytes().all(|byte| byte.is_ascii_digit());
    only.then(|| format!("{sign}{}", digits.trim_start_matches('0')))
}

/// A column whose values have their bytes at hand.
struct Spelled<'a> {
    values: &'a Values,
    nulls: Vec<bool>,
    dictionary: Vec<Vec<u8>>,
}

const NULL: u8 = 0;
const NUMBER: u8 = 1;
const BOOLEAN: u8 = 2;
const TEXT: u8 = 3;

impl<'a> Spelled<'a> {
    fn of(column: &'a Column) -> Self {
        let dictionary = match &column.values {
            Values::Categories { dictionary, .. } => dictionary
                .iter()
                .map(|text| {
                    let mut bytes = Vec::new();
                    put_text(text, &mut bytes);
                    bytes
                })
                .collect(),
            _ => Vec::new(),
        };
        Self {
            values: &column.values,
            nulls: column.null_mask(),
            dictionary,
        }
    }

    fn put(&self, row: usize, bytes: &mut Vec<u8>) {
        if self.nulls.get(row) != Some(&false) {
            bytes.push(NULL);
            return;
        }
        match self.values {
            Values::Floats(values) => match values.get(row) {
                Some(value) if !value.is_nan() => put_float(*value, bytes),
                _ => bytes.push(NULL),
            },
            Values::Integers(values) => {
                let value = values.get(row).copied().unwrap_or_default();
                if value.unsigned_abs() < RESOLUTION {
                    put_number(value as f64, bytes);
                } else {
                    put_other(value.to_string().as_bytes(), bytes);
                }
            }
            Values::Booleans(values) => {
                bytes.extend([BOOLEAN, u8::from(values.get(row) == Some(&true))]);
            }
            Values::Timestamps(values) => {
                let value = values.get(row).copied().unwrap_or_default();
                put_other(timestamp_label(value).as_bytes(), bytes);
            }
            Values::Texts(values) => {
                put_text(values.get(row).map_or("", String::as_str), bytes);
            }
            Values::Categories { codes, .. } => {
                let code = codes.get(row).map_or(usize::MAX, |code| *code as usize);
                match self.dictionary.get(code) {
                    Some(spelled) => bytes.extend(spelled),
                    None => bytes.push(NULL),
                }
            }
        }
    }
}

fn put_float(value: f64, bytes: &mut Vec<u8>) {
    if value.abs() >= EXACT && value.is_finite() {
        // As an integer of this size, or a text of it, is spelled.
        put_other(format!("{value:.0}").as_bytes(), bytes);
    } else {
        put_number(value, bytes);
    }
}

fn put_number(value: f64, bytes: &mut Vec<u8>) {
    bytes.push(NUMBER);
    // The two zeros are one number.
    bytes.extend((value + 0.0).to_bits().to_be_bytes());
}

fn put_text(text: &str, bytes: &mut Vec<u8>) {
    match Text::of(text) {
        Text::Number(number) => put_number(number, bytes),
        Text::Large(digits) => put_other(digits.as_bytes(), bytes),
        Text::Boolean(value) => bytes.extend([BOOLEAN, u8::from(value)]),
        Text::Moment(moment) => put_other(timestamp_label(moment).as_bytes(), bytes),
        Text::Other => put_other(text.as_bytes(), bytes),
    }
}

/// Bytes with their length before them.
fn put_other(value: &[u8], bytes: &mut Vec<u8>) {
    bytes.push(TEXT);
    bytes.extend((value.len() as u64).to_be_bytes());
    bytes.extend(value);
}

#[cfg(test)]
mod tests {
    use septet_kit::table::Kind;

    use super::*;

    fn column(values: Values, nulls: &[u32]) -> Column {
        Column {
            name: "x".to_owned(),
            values,
            nulls: nulls.to_vec(),
        }
    }

    fn of(values: Values, nulls: &[u32]) -> Vec<Digest> {
        let column = column(values, nulls);
        digests(&[&column], column.values.len())
    }

    fn texts(texts: &[&str]) -> Values {
        Values::Texts(texts.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_kind_that_changes_moves_no_value() {
        let integers = vec![0, -7, 42, 1 << 52, i64::MAX, (1 << 53) + 1];
        let first = of(Values::Integers(integers.clone()), &[]);
        let spelled = ["0", "-7", "42", "4503599627370496"].map(str::to_owned);
        let all: Vec<String> = spelled
            .into_iter()
            .chain(integers[4..].iter().map(ToString::to_string))
            .collect();
        assert_eq!(of(Values::Texts(all), &[]), first);
        let floats = Values::Floats(vec![-0.0, -7.0, 42.0, 4_503_599_627_370_496.0]);
        assert_eq!(of(floats.clone(), &[]), first[..4]);
        for kind in [Kind::Texts, Kind::Categories] {
            let column = column(floats.clone(), &[]);
            let as_texts = column.convert(kind).unwrap();
            assert_eq!(of(as_texts, &[]), first[..4]);
        }
        let booleans = of(Values::Booleans(vec![true, false]), &[]);
        assert_eq!(of(texts(&["True", "false"]), &[]), booleans);
        let moments = column(Values::Timestamps(vec![5, -5]), &[]);
        let spelled = moments.convert(Kind::Texts).unwrap();
        assert_eq!(of(spelled, &[]), of(moments.values.clone(), &[]));
        let minute = of(Values::Timestamps(vec![60_000_000]), &[]);
        for text in ["1970-01-01 00:01", " 1970-01-01T01:01:00+01:00 "] {
            assert_eq!(of(texts(&[text]), &[]), minute, "{text}");
        }
        let large = of(Values::Floats(vec![1e18, -1e18, 1e20]), &[]);
        let spelled = ["1000000000000000000", "-1e18", "100000000000000000000"];
        assert_eq!(of(texts(&spelled), &[]), large);
        assert_eq!(of(texts(&["1e18", "-01e18", "1.0E20"]), &[]), large);
        assert_eq!(of(Values::Integers(vec![10_i64.pow(18)]), &[]), large[..1]);
        let padded = of(texts(&[" 42", "42\t", " true "]), &[]);
        assert_eq!(padded, of(texts(&["42", "42", "true"]), &[]));
    }

    #[test]
    fn different_values_differ() {
        let all = texts(&[
            "",
            "a",
            "0",
            "0.5",
            "true",
            "9007199254740993",
            "9007199254740994",
        ]);
        assert_eq!(repeated(&of(all, &[])), 0);
        assert_ne!(of(texts(&[""]), &[]), of(texts(&[""]), &[0]));
        let nan = of(Values::Floats(vec![f64::NAN, 1.0]), &[1]);
        assert_eq!(nan[0], nan[1]);
        assert_eq!(repeated(&nan), 1);
        // No column runs over into the next.
        let (ab, c) = (column(texts(&["ab"]), &[]), column(texts(&["c"]), &[]));
        let (a, bc) = (column(texts(&["a"]), &[]), column(texts(&["bc"]), &[]));
        assert_ne!(digests(&[&ab, &c], 1), digests(&[&a, &bc], 1));
    }

    #[test]
    fn labels_have_one_spelling() {
        let label = |values| label(&column(values, &[]), 0).unwrap();
        assert_eq!(label(Values::Floats(vec![1.0])), "1");
        assert_eq!(label(Values::Floats(vec![-0.0])), "0");
        assert_eq!(label(Values::Floats(vec![0.5])), "0.5");
        assert_eq!(label(Values::Floats(vec![1e18])), "1000000000000000000");
        assert_eq!(label(texts(&["1e18"])), "1000000000000000000");
        assert_eq!(label(texts(&["01.0"])), "1");
        assert_eq!(label(texts(&[" TRUE"])), "true");
        let moment = label(Values::Timestamps(vec![0]));
        assert_eq!(label(texts(&["1970-01-01 "])), moment);
        assert_eq!(label(texts(&["yes"])), "yes");
    }

    #[test]
    fn places_and_units_are_in_their_range_and_apart() {
        let all = of(Values::Integers((0..4_000).collect()), &[]);
        assert!(all.iter().all(|digest| digest.place() < RESOLUTION));
        let below = |of: &dyn Fn(&Digest) -> f64| all.iter().filter(|d| of(d) < 0.25).count();
        let share = |number: u64| number as f64 / EXACT;
        for count in [
            below(&|digest| share(digest.place())),
            below(&|digest| share(digest.salted(3))),
            below(&|digest| digest.unit()),
        ] {
            assert!((900..1_100).contains(&count), "{count}");
        }
        let low: Vec<_> = all.iter().filter(|d| d.place() < RESOLUTION / 5).collect();
        let mean = low.iter().map(|d| d.unit()).sum::<f64>() / low.len() as f64;
        assert!((mean - 0.5).abs() < 0.05, "{mean}");
    }
}
