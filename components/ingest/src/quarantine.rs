//! Rows that do not fit: why, and how they are kept.

use septet_kit::show::shown;
use serde::Serialize;

/// Characters of a value that are kept.
const RAW: usize = 200;

/// Why a row does not fit: the `rule` of a line of the quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// More or fewer fields than the header has.
    WrongFieldCount,
    /// Bytes that are no UTF-8.
    NotUtf8,
    /// A NUL byte.
    NulByte,
    /// A field over the bound.
    TooLong,
    /// A value that is no number in a column of numbers.
    NotANumber,
    /// An infinity in a column of numbers.
    NotFinite,
    /// A value that is neither true nor false in a column of booleans.
    NotABoolean,
    /// A value that is no ISO 8601 date or time in a column of timestamps.
    NotATimestamp,
    /// A text that was not among those of a category when they were looked for.
    NotACategory,
    /// A value in a column that is declared to have none.
    NotNull,
    /// A line that is no JSON object.
    NotAnObject,
    /// A list or an object where a value belongs.
    Nested,
    /// A key that comes twice in an object.
    DuplicateKey,
    /// A key that can't be a column's name.
    BadKey,
}

impl Rule {
    /// As it is told to a user.
    pub const fn told(self) -> &'static str {
        match self {
            Self::WrongFieldCount => "wrong number of fields",
            Self::NotUtf8 => "not UTF-8",
            Self::NulByte => "a NUL byte",
            Self::TooLong => "too long",
            Self::NotANumber => "not a number",
            Self::NotFinite => "not a finite number",
            Self::NotABoolean => "not true or false",
            Self::NotATimestamp => "not an ISO 8601 date or time",
            Self::NotACategory => "not one of the column's categories",
            Self::NotNull => "a value where none is declared",
            Self::NotAnObject => "not a JSON object on one line",
            Self::Nested => "a nested value",
            Self::DuplicateKey => "a key that comes twice",
            Self::BadKey => "a key that can't be a column's name",
        }
    }
}

/// A row that does not fit: one line of the quarantine's JSON Lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BadRow {
    /// The line of the source on which the row began; of Parquet the row's number from 1.
    pub row: i64,
    /// The offending column; none where it is the whole row.
    pub column: Option<String>,
    /// Why.
    pub rule: Rule,
    /// The beginning of the value, or of the row's fields.
    pub raw: String,
}

impl BadRow {
    /// A row whose `fields` break `rule`, in `column` where it is one. Of `fields`, only the
    /// beginning is looked at.
    pub fn new<'a>(
        row: i64,
        column: Option<&str>,
        rule: Rule,
        fields: impl Iterator<Item = &'a [u8]>,
        delimiter: u8,
    ) -> Self {
        let mut bytes = Vec::new();
        for (number, field) in fields.enumerate() {
            if number > 0 {
                bytes.push(delimiter);
            }
            bytes.extend(field.iter().take(RAW * 4));
            if bytes.len() >= RAW * 4 {
                break;
            }
        }
        Self {
            row,
            column: column.map(ToOwned::to_owned),
            rule,
            raw: String::from_utf8_lossy(&bytes).chars().take(RAW).collect(),
        }
    }

    /// `row 7, column 'age': not a number ('abc')`
    pub fn told(&self) -> String {
        let column = self
            .column
            .as_ref()
            .map(|column| format!(", column '{}'", shown(column, 80)))
            .unwrap_or_default();
        format!(
            "row {}{column}: {} ('{}')",
            self.row,
            self.rule.told(),
            shown(&self.raw, 40)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded() {
        let long = vec![b'\xff'; 1 << 20];
        let fields = [b"a".as_slice(), &long];
        let bad = BadRow::new(3, None, Rule::TooLong, fields.into_iter(), b',');
        assert_eq!(bad.raw.chars().count(), RAW);
        assert!(bad.raw.starts_with("a,"));
        assert!(bad.told().len() < 200);
    }

    #[test]
    fn a_bad_row_is_told_and_kept() {
        let value = [b"a\"b".as_slice()];
        let bad = BadRow::new(7, Some("age"), Rule::NotANumber, value.into_iter(), b',');
        assert_eq!(bad.told(), "row 7, column 'age': not a number ('a\"b')");
        assert_eq!(
            serde_json::to_string(&bad).unwrap(),
            r#"{"row":7,"column":"age","rule":"not-a-number","raw":"a\"b"}"#
        );
    }
}
