//! Columns of one length.

use std::collections::BTreeSet;

use super::{Column, Field, ROW, Values};

/// Columns of one length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Length of each column.
    pub rows: usize,
    /// In order.
    pub columns: Vec<Column>,
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
