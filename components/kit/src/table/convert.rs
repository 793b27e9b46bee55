//! Values of one kind as another.

use super::{Column, Kind, Values};

/// Up to 2^53 every whole number is exactly one float.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Column {
    /// Whether no row has a value.
    pub fn is_blank(&self) -> bool {
        self.nulls.len() == self.values.len()
    }

    /// The values as `kind`, where that loses nothing a reader would miss: integers to floats,
    /// whole floats to integers, texts and categories to each other, every kind to texts and
    /// categories in its canonical spelling, and a column without any value to every kind.
    /// An error is the first row whose value stands in the way; none where it is the kind.
    pub fn convert(&self, kind: Kind) -> Result<Values, Option<usize>> {
        let rows = self.values.len();
        if self.is_blank() {
            return Ok(kind.blank(rows));
        }
        match (kind, &self.values) {
            (kind, values) if values.kind() == kind => Ok(values.clone()),
            (Kind::Floats, Values::Integers(values)) => Ok(Values::Floats(
                values.iter().map(|value| *value as f64).collect(),
            )),
            (Kind::Integers, Values::Floats(values)) => self.whole(values),
            (Kind::Texts, Values::Categories { dictionary, codes }) => Ok(Values::Texts(
                codes
                    .iter()
                    .map(|code| dictionary.get(*code as usize).cloned().unwrap_or_default())
                    .collect(),
            )),
            (Kind::Texts, _) => Ok(Values::Texts(self.spelled())),
            (Kind::Categories, Values::Texts(values)) => Ok(self.dictionary_of(values)),
            (Kind::Categories, _) => Ok(self.dictionary_of(&self.spelled())),
            _ => Err(None),
        }
    }

    fn spelled(&self) -> Vec<String> {
        (0..self.values.len())
            .map(|row| self.label(row).unwrap_or_default())
            .collect()
    }

    /// Floats that are all whole numbers, as integers.
    fn whole(&self, values: &[f64]) -> Result<Values, Option<usize>> {
        let mut integers = Vec::with_capacity(values.len());
        for (row, (value, null)) in values.iter().zip(self.null_mask()).enumerate() {
            if null {
                integers.push(0);
            } else if value.fract() == 0.0 && value.abs() <= EXACT {
                integers.push(*value as i64);
            } else {
                return Err(Some(row));
            }
        }
        Ok(Values::Integers(integers))
    }

    fn dictionary_of(&self, values: &[String]) -> Values {
        let mut dictionary: Vec<&String> = values
            .iter()
            .zip(self.null_mask())
            .filter(|(_, null)| !null)
            .map(|(text, _)| text)
            .collect();
        dictionary.sort_unstable();
        dictionary.dedup();
        let codes = values
            .iter()
            .map(|text| dictionary.binary_search(&text).map_or(0, |at| at as u32))
            .collect();
        Values::Categories {
            dictionary: dictionary.into_iter().cloned().collect(),
            codes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_become_each_other() {
        let column = |values: Values, nulls: &[u32]| Column {
            name: "x".to_owned(),
            values,
            nulls: nulls.to_vec(),
        };
        let texts = |texts: &[&str]| Values::Texts(texts.iter().map(ToString::to_string).collect());
        let floats = column(Values::Floats(vec![1.0, 2.5]), &[1]);
        assert_eq!(
            floats.convert(Kind::Integers),
            Ok(Values::Integers(vec![1, 0]))
        );
        assert_eq!(floats.convert(Kind::Texts), Ok(texts(&["1.0", ""])));
        assert_eq!(floats.convert(Kind::Booleans), Err(None));
        let half = column(Values::Floats(vec![1.0, 2.5]), &[]);
        assert_eq!(half.convert(Kind::Integers), Err(Some(1)));
        let times = column(Values::Timestamps(vec![0]), &[]);
        assert_eq!(
            times.convert(Kind::Categories),
            Ok(Values::Categories {
                dictionary: vec!["1970-01-01T00:00:00.000000Z".to_owned()],
                codes: vec![0]
            })
        );
        let blank = column(Values::Booleans(vec![true]), &[0]);
        assert_eq!(blank.convert(Kind::Floats), Ok(Values::Floats(vec![0.0])));
    }

    #[test]
    fn a_null_slot_may_hold_any_code() {
        let column = Column {
            name: "c".to_owned(),
            values: Values::Categories {
                dictionary: vec!["a".to_owned()],
                codes: vec![0, 9],
            },
            nulls: vec![1],
        };
        let texts = Values::Texts(vec!["a".to_owned(), String::new()]);
        assert_eq!(column.convert(Kind::Texts), Ok(texts));
    }
}
