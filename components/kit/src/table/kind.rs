//! The kind of a column's values.

use serde::{Deserialize, Serialize};

use super::Values;

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
