//! Columns in memory: the kit's mirror of the contract's `tables`.
//!
//! It owns the shape of rows and its checks. It must not know files, bindings or models.

use serde::{Deserialize, Serialize};

/// Reserved column: the line of the source on which the row began, from 1, the header included.
pub const ROW: &str = "septet:row";

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

impl Table {
    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}
