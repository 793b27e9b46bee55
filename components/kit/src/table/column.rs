//! A named column.

use std::collections::BTreeMap;

use super::{Kind, Values};

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

    /// Adds the rows of a column of the same kind. Texts and categories mix, and become texts.
    /// Another kind is an error.
    pub fn append(&mut self, mut other: Self) -> Result<(), String> {
        let before = self.values.len();
        match (self.values.kind(), other.values.kind()) {
            (Kind::Categories, Kind::Texts) => self.values.spell_out(),
            (Kind::Texts, Kind::Categories) => other.values.spell_out(),
            _ => {}
        }
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
    fn texts_and_categories_mix() {
        let texts = |texts: &[&str]| Column {
            name: "c".to_owned(),
            values: Values::Texts(texts.iter().map(ToString::to_string).collect()),
            nulls: vec![],
        };
        let mut column = categories(&["a", "b"], &[1, 9], &[1]);
        column.append(texts(&["x"])).unwrap();
        column.append(categories(&["z"], &[0, 0], &[0])).unwrap();
        let labels: Vec<_> = (0..5).map(|row| column.text(row)).collect();
        assert_eq!(labels, [Some("b"), None, Some("x"), None, Some("z")]);
        assert_eq!(column.values.kind(), Kind::Texts);
        let numbers = Column {
            values: Values::Integers(vec![1]),
            ..texts(&[])
        };
        assert!(column.append(numbers).unwrap_err().contains("integers"));
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
}
