//! Columns in memory: the kit's mirror of the contract's `tables`.
//!
//! It owns the shape of rows and its checks. It must not know files, bindings or models.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Reserved column: the line of the source on which the row began, from 1, the header included.
pub const ROW: &str = "septet:row";

/// Names of columns that begin so are ours.
pub const RESERVED: &str = "septet:";

/// The kind of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// 64-bit IEEE 754.
    Floats,
    /// 64-bit signed.
    Integers,
    /// True or false.
    Booleans,
    /// UTF-8.
    Texts,
    /// UTF-8, as codes into a dictionary.
    Categories,
    /// Microseconds since 1970-01-01T00:00:00 UTC.
    Timestamps,
}

/// One value a row; the slot of a null row holds any value.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// 64-bit IEEE 754.
    Floats(Vec<f64>),
    /// 64-bit signed.
    Integers(Vec<i64>),
    /// True or false.
    Booleans(Vec<bool>),
    /// UTF-8.
    Texts(Vec<String>),
    /// Each code is less than the dictionary's length.
    Categories {
        /// Distinct texts.
        dictionary: Vec<String>,
        /// One a row.
        codes: Vec<u32>,
    },
    /// Microseconds since 1970-01-01T00:00:00 UTC.
    Timestamps(Vec<i64>),
}

impl Values {
    /// Which case it is.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Floats(_) => Kind::Floats,
            Self::Integers(_) => Kind::Integers,
            Self::Booleans(_) => Kind::Booleans,
            Self::Texts(_) => Kind::Texts,
            Self::Categories { .. } => Kind::Categories,
            Self::Timestamps(_) => Kind::Timestamps,
        }
    }

    /// Rows.
    pub const fn len(&self) -> usize {
        match self {
            Self::Floats(values) => values.len(),
            Self::Integers(values) | Self::Timestamps(values) => values.len(),
            Self::Booleans(values) => values.len(),
            Self::Texts(values) => values.len(),
            Self::Categories { codes, .. } => codes.len(),
        }
    }

    /// Whether there are no rows.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A named column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Unique in its table; not empty.
    pub name: String,
    /// One a row.
    pub values: Values,
    /// Rows without a value, ascending from 0.
    pub nulls: Vec<u32>,
}

/// Columns of one length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Length of each column.
    pub rows: usize,
    /// In order.
    pub columns: Vec<Column>,
}

/// A column's name and kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// The column's name.
    pub name: String,
    /// The kind of its values.
    pub kind: Kind,
}

impl Kind {
    /// As it is written in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Floats => "floats",
            Self::Integers => "integers",
            Self::Booleans => "booleans",
            Self::Texts => "texts",
            Self::Categories => "categories",
            Self::Timestamps => "timestamps",
        }
    }

    /// No values of this kind.
    pub const fn empty(self) -> Values {
        match self {
            Self::Floats => Values::Floats(Vec::new()),
            Self::Integers => Values::Integers(Vec::new()),
            Self::Booleans => Values::Booleans(Vec::new()),
            Self::Texts => Values::Texts(Vec::new()),
            Self::Categories => Values::Categories {
                dictionary: Vec::new(),
                codes: Vec::new(),
            },
            Self::Timestamps => Values::Timestamps(Vec::new()),
        }
    }

    /// As many values of this kind as there are `rows`, for rows that are all null.
    pub fn blank(self, rows: usize) -> Values {
        match self {
            Self::Floats => Values::Floats(vec![0.0; rows]),
            Self::Integers => Values::Integers(vec![0; rows]),
            Self::Booleans => Values::Booleans(vec![false; rows]),
            Self::Texts => Values::Texts(vec![String::new(); rows]),
            Self::Categories => Values::Categories {
                dictionary: Vec::new(),
                codes: vec![0; rows],
            },
            Self::Timestamps => Values::Timestamps(vec![0; rows]),
        }
    }
}

impl Column {
    /// Whether the row has no value.
    pub fn is_null(&self, row: usize) -> bool {
        u32::try_from(row).is_ok_and(|row| self.nulls.binary_search(&row).is_ok())
    }

    /// For each row, whether it has no value.
    pub fn null_mask(&self) -> Vec<bool> {
        let mut mask = vec![false; self.values.len()];
        for &row in &self.nulls {
            if let Some(slot) = mask.get_mut(row as usize) {
                *slot = true;
            }
        }
        mask
    }

    /// The value in its one canonical spelling; none for a null: `1`, `true`, `0.5`, the text
    /// itself, `2026-01-31T12:00:00.000000Z`.
    pub fn label(&self, row: usize) -> Option<String> {
        if self.is_null(row) {
            return None;
        }
        match &self.values {
            Values::Floats(values) => values.get(row).map(|value| format!("{value:?}")),
            Values::Integers(values) => values.get(row).map(ToString::to_string),
            Values::Booleans(values) => values.get(row).map(ToString::to_string),
            Values::Timestamps(values) => values.get(row).map(|value| timestamp_label(*value)),
            Values::Texts(_) | Values::Categories { .. } => self.text(row).map(ToOwned::to_owned),
        }
    }

    /// The text of a row of texts or categories; none for a null or another kind.
    pub fn text(&self, row: usize) -> Option<&str> {
        if self.is_null(row) {
            return None;
        }
        match &self.values {
            Values::Texts(values) => values.get(row).map(String::as_str),
            Values::Categories { dictionary, codes } => codes
                .get(row)
                .and_then(|code| dictionary.get(*code as usize))
                .map(String::as_str),
            _ => None,
        }
    }

    /// The number of a row of floats, integers or timestamps; none for a null, a NaN or another
    /// kind.
    pub fn number(&self, row: usize) -> Option<f64> {
        if self.is_null(row) {
            return None;
        }
        let value = match &self.values {
            Values::Floats(values) => *values.get(row)?,
            Values::Integers(values) | Values::Timestamps(values) => *values.get(row)? as f64,
            _ => return None,
        };
        (!value.is_nan()).then_some(value)
    }

    /// Numbers of floats, integers or timestamps, with nulls and NaNs as none; none for another
    /// kind.
    pub fn numbers(&self) -> Option<Vec<Option<f64>>> {
        let mut numbers: Vec<Option<f64>> = match &self.values {
            Values::Floats(values) => values
                .iter()
                .map(|value| (!value.is_nan()).then_some(*value))
                .collect(),
            Values::Integers(values) | Values::Timestamps(values) => {
                values.iter().map(|value| Some(*value as f64)).collect()
            }
            _ => return None,
        };
        for &row in &self.nulls {
            if let Some(slot) = numbers.get_mut(row as usize) {
                *slot = None;
            }
        }
        Some(numbers)
    }

    /// Bytes of the values in memory, about.
    pub fn bytes(&self) -> usize {
        // A text has its own allocation beside the three words that point at it.
        const TEXT: usize = 32;
        let texts = |texts: &[String]| texts.iter().map(|text| text.len() + TEXT).sum::<usize>();
        let values = match &self.values {
            Values::Floats(values) => values.len() * 8,
            Values::Integers(values) | Values::Timestamps(values) => values.len() * 8,
            Values::Booleans(values) => values.len(),
            Values::Texts(values) => texts(values),
            Values::Categories { dictionary, codes } => texts(dictionary) + codes.len() * 4,
        };
        values + self.nulls.len() * 4
    }

    /// The rows `order`, in that order; a number past the end is left out.
    #[must_use]
    pub fn take(&self, order: &[u32]) -> Self {
        fn pick<T: Clone>(values: &[T], order: &[u32]) -> Vec<T> {
            order
                .iter()
                .filter_map(|row| values.get(*row as usize).cloned())
                .collect()
        }
        let values = match &self.values {
            Values::Floats(values) => Values::Floats(pick(values, order)),
            Values::Integers(values) => Values::Integers(pick(values, order)),
            Values::Booleans(values) => Values::Booleans(pick(values, order)),
            Values::Texts(values) => Values::Texts(pick(values, order)),
            Values::Categories { dictionary, codes } => Values::Categories {
                dictionary: dictionary.clone(),
                codes: pick(codes, order),
            },
            Values::Timestamps(values) => Values::Timestamps(pick(values, order)),
        };
        let rows = self.values.len();
        let kept = order.iter().filter(|row| (**row as usize) < rows);
        let nulls = (0..)
            .zip(kept)
            .filter(|(_, row)| self.nulls.binary_search(row).is_ok())
            .map(|(number, _)| number)
            .collect();
        Self {
            name: self.name.clone(),
            values,
            nulls,
        }
    }

    /// At most `length` rows from `start`.
    #[must_use]
    pub fn slice(&self, start: usize, length: usize) -> Self {
        fn cut<T: Clone>(values: &[T], start: usize, end: usize) -> Vec<T> {
            values.get(start..end).unwrap_or_default().to_vec()
        }
        let end = start.saturating_add(length).min(self.values.len());
        let start = start.min(end);
        let values = match &self.values {
            Values::Floats(values) => Values::Floats(cut(values, start, end)),
            Values::Integers(values) => Values::Integers(cut(values, start, end)),
            Values::Booleans(values) => Values::Booleans(cut(values, start, end)),
            Values::Texts(values) => Values::Texts(cut(values, start, end)),
            Values::Categories { dictionary, codes } => Values::Categories {
                dictionary: dictionary.clone(),
                codes: cut(codes, start, end),
            },
            Values::Timestamps(values) => Values::Timestamps(cut(values, start, end)),
        };
        let first = self.nulls.partition_point(|row| (*row as usize) < start);
        let nulls = self
            .nulls
            .iter()
            .skip(first)
            .take_while(|row| (**row as usize) < end)
            .map(|row| row - start as u32)
            .collect();
        Self {
            name: self.name.clone(),
            values,
            nulls,
        }
    }

    /// Adds the rows of a column of the same kind, but for texts and categories, which mix.
    /// Another kind is an error.
    pub fn append(&mut self, other: Self) -> Result<(), String> {
        let before = self.values.len();
        match (&mut self.values, other.values) {
            (Values::Floats(to), Values::Floats(from)) => to.extend(from),
            (Values::Integers(to), Values::Integers(from))
            | (Values::Timestamps(to), Values::Timestamps(from)) => to.extend(from),
            (Values::Booleans(to), Values::Booleans(from)) => to.extend(from),
            (Values::Texts(to), Values::Texts(from)) => to.extend(from),
            (
                Values::Categories { dictionary, codes },
                Values::Categories {
                    dictionary: other_dictionary,
                    codes: other_codes,
                },
            ) => {
                if *dictionary == other_dictionary {
                    codes.extend(other_codes);
                } else {
                    let mut known: BTreeMap<String, u32> =
                        dictionary.iter().cloned().zip(0..).collect();
                    let mut new_codes = Vec::with_capacity(other_dictionary.len());
                    for text in other_dictionary {
                        let next = dictionary.len() as u32;
                        new_codes.push(*known.entry(text).or_insert_with_key(|text| {
                            dictionary.push(text.clone());
                            next
                        }));
                    }
                    // A null's slot may hold any code; it gets 0.
                    codes.extend(
                        other_codes
                            .iter()
                            .map(|code| new_codes.get(*code as usize).copied().unwrap_or(0)),
                    );
                }
            }
            (to, from) => {
                return Err(format!(
                    "column '{}' has {} where it has {} elsewhere",
                    self.name,
                    from.kind().name(),
                    to.kind().name()
                ));
            }
        }
        self.nulls.extend(
            other
                .nulls
                .iter()
                .map(|row| row.saturating_add(before as u32)),
        );
        Ok(())
    }
}

impl Table {
    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Bytes of the values in memory, about.
    pub fn bytes(&self) -> usize {
        self.columns.iter().map(Column::bytes).sum()
    }

    /// No rows of these columns.
    pub fn empty(fields: &[Field]) -> Self {
        Self {
            rows: 0,
            columns: fields
                .iter()
                .map(|field| Column {
                    name: field.name.clone(),
                    values: field.kind.empty(),
                    nulls: Vec::new(),
                })
                .collect(),
        }
    }

    /// Names and kinds of the columns.
    pub fn fields(&self) -> Vec<Field> {
        self.columns
            .iter()
            .map(|column| Field {
                name: column.name.clone(),
                kind: column.values.kind(),
            })
            .collect()
    }

    /// Takes a column out.
    pub fn remove(&mut self, name: &str) -> Option<Column> {
        let at = self.columns.iter().position(|column| column.name == name)?;
        Some(self.columns.remove(at))
    }

    /// The line of the source on which the row began, where the table knows it, else the row's
    /// number from 1.
    pub fn line(&self, row: usize) -> i64 {
        match self.column(ROW).map(|column| &column.values) {
            Some(Values::Integers(lines)) => lines.get(row).copied(),
            _ => None,
        }
        .unwrap_or(row as i64 + 1)
    }

    /// At most `length` rows from `start`.
    #[must_use]
    pub fn slice(&self, start: usize, length: usize) -> Self {
        let end = start.saturating_add(length).min(self.rows);
        Self {
            rows: end.saturating_sub(start),
            columns: self
                .columns
                .iter()
                .map(|column| column.slice(start, length))
                .collect(),
        }
    }

    /// The rows `order`, in that order; a number past the end is left out.
    #[must_use]
    pub fn take(&self, order: &[u32]) -> Self {
        Self {
            rows: order
                .iter()
                .filter(|row| (**row as usize) < self.rows)
                .count(),
            columns: self
                .columns
                .iter()
                .map(|column| column.take(order))
                .collect(),
        }
    }

    /// Adds the rows of a table with the same columns in the same order.
    pub fn append(&mut self, other: Self) -> Result<(), String> {
        if self.rows.saturating_add(other.rows) > u32::MAX as usize {
            return Err(format!("a table holds at most {} rows", u32::MAX));
        }
        let same = self.columns.len() == other.columns.len()
            && self
                .columns
                .iter()
                .zip(&other.columns)
                .all(|(to, from)| to.name == from.name);
        if !same {
            return Err("the columns differ from those before".to_owned());
        }
        for (to, from) in self.columns.iter_mut().zip(other.columns) {
            to.append(from)?;
        }
        self.rows += other.rows;
        Ok(())
    }

    /// Checks all that the contract says of a table: names unique and not empty, equal lengths,
    /// nulls ascending and in range, codes in range.
    pub fn validate(&self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        for column in &self.columns {
            let name = &column.name;
            if name.is_empty() {
                return Err("a column has no name".to_owned());
            }
            if !names.insert(name) {
                return Err(format!("column '{name}' comes twice"));
            }
            if column.values.len() != self.rows {
                return Err(format!(
                    "column '{name}' has {} rows where the table has {}",
                    column.values.len(),
                    self.rows
                ));
            }
            if !column.nulls.is_sorted_by(|a, b| a < b) {
                return Err(format!("the nulls of column '{name}' do not ascend"));
            }
            if column
                .nulls
                .last()
                .is_some_and(|row| *row as usize >= self.rows)
            {
                return Err(format!("column '{name}' has a null past its last row"));
            }
            if let Values::Categories { dictionary, codes } = &column.values {
                let bad = codes
                    .iter()
                    .zip(column.null_mask())
                    .any(|(code, null)| !null && *code as usize >= dictionary.len());
                if bad {
                    return Err(format!(
                        "column '{name}' has a code past the end of its dictionary"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Microseconds since 1970 as ISO 8601, by the days-to-civil formula of Howard Hinnant
/// (<https://howardhinnant.github.io/date_algorithms.html>), which holds for every 64-bit input.
fn timestamp_label(microseconds: i64) -> String {
    const DAY: i64 = 86_400_000_000;
    let (days, rest) = (microseconds.div_euclid(DAY), microseconds.rem_euclid(DAY));
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{fraction:06}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn categories(dictionary: &[&str], codes: &[u32], nulls: &[u32]) -> Column {
        Column {
            name: "c".to_owned(),
            values: Values::Categories {
                dictionary: dictionary.iter().map(ToString::to_string).collect(),
                codes: codes.to_vec(),
            },
            nulls: nulls.to_vec(),
        }
    }

    #[test]
    fn dictionaries_are_merged() {
        let mut column = categories(&["a", "b"], &[0, 1, 9], &[2]);
        column
            .append(categories(&["c", "b"], &[0, 1, 7], &[2]))
            .unwrap();
        let labels: Vec<_> = (0..6).map(|row| column.label(row)).collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            labels,
            [text("a"), text("b"), None, text("c"), text("b"), None]
        );
    }

    #[test]
    fn rows_are_cut_and_taken_with_their_nulls() {
        let column = Column {
            name: "n".to_owned(),
            values: Values::Integers((0..6).collect()),
            nulls: vec![1, 4],
        };
        let cut = column.slice(1, 4);
        assert_eq!(cut.values, Values::Integers(vec![1, 2, 3, 4]));
        assert_eq!(cut.nulls, [0, 3]);
        let taken = column.take(&[4, 0, 99, 1]);
        assert_eq!(taken.values, Values::Integers(vec![4, 0, 1]));
        assert_eq!(taken.nulls, [0, 2]);
        assert!(column.slice(9, 2).values.is_empty());
    }

    #[test]
    fn labels_have_one_spelling() {
        let label = |values| {
            Column {
                name: "x".to_owned(),
                values,
                nulls: vec![],
            }
            .label(0)
            .unwrap()
        };
        assert_eq!(label(Values::Floats(vec![1.0])), "1.0");
        assert_eq!(label(Values::Floats(vec![0.1])), "0.1");
        assert_eq!(label(Values::Integers(vec![-1])), "-1");
        assert_eq!(label(Values::Booleans(vec![true])), "true");
        assert_eq!(
            label(Values::Timestamps(vec![951_782_400_000_001])),
            "2000-02-29T00:00:00.000001Z"
        );
        assert_eq!(
            label(Values::Timestamps(vec![-1])),
            "1969-12-31T23:59:59.999999Z"
        );
    }

    #[test]
    fn a_broken_table_is_told() {
        let table = |column: Column| Table {
            rows: 2,
            columns: vec![column],
        };
        assert!(table(categories(&["a"], &[0, 5], &[1])).validate().is_ok());
        let told = |column| table(column).validate().unwrap_err();
        assert!(told(categories(&["a"], &[0, 5], &[])).contains("dictionary"));
        assert!(told(categories(&["a"], &[0], &[])).contains("1 rows"));
        assert!(told(categories(&["a"], &[0, 0], &[1, 0])).contains("ascend"));
        assert!(told(categories(&["a"], &[0, 0], &[2])).contains("past its last row"));
        let twice = Table {
            rows: 0,
            columns: vec![categories(&[], &[], &[]), categories(&[], &[], &[])],
        };
        assert!(twice.validate().unwrap_err().contains("comes twice"));
    }
}
