//! The values of a column.

use super::Kind;

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

    /// Categories as texts; the slot of a null is then an empty text where its code says nothing.
    /// Other kinds stay as they are.
    pub fn spell_out(&mut self) {
        if let Self::Categories { dictionary, codes } = self {
            let texts = codes
                .iter()
                .map(|code| dictionary.get(*code as usize).cloned().unwrap_or_default())
                .collect();
            *self = Self::Texts(texts);
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
