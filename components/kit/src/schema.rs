//! The schema of a data set: what ingest finds in a part, what a model name is pinned to, and what
//! a user declares. One JSON for all three.
//!
//! It owns the JSON and its bounds. It must not know how kinds are found or what is done with a
//! part that does not fit.

use serde::{Deserialize, Serialize};

use crate::{arrow::MAX_COLUMNS, show::shown, table::RESERVED};

/// Version of the JSON.
pub const FORMAT: u32 = 1;

/// Bytes of a schema's JSON at most.
pub const MAX_BYTES: u64 = 4 << 20;

/// Names and kinds of columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// [`FORMAT`].
    pub format: u32,
    /// Whether a user declared it: then ingest reads values as these kinds, and finds none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub declared: bool,
    /// In the order of the source.
    pub columns: Vec<SchemaColumn>,
    /// Rows of the part; none for a schema that is pinned or declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaColumn {
    /// The column's name.
    pub name: String,
    /// What its values are.
    pub kind: SchemaKind,
    /// Whether a part may lack it: it is null there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// Rows of the part without a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nulls: Option<u64>,
}

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SchemaKind {
    /// Whole numbers of 64 bits.
    Integer,
    /// Finite numbers.
    Float,
    /// True or false.
    Boolean,
    /// Texts of which there are few.
    Category,
    /// Other texts.
    Text,
    /// Times, in microseconds since 1970 UTC.
    Timestamp,
    /// Nothing: no row has a value.
    Null,
}

impl SchemaKind {
    /// As in the JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Float => "float",
            Self::Boolean => "boolean",
            Self::Category => "category",
            Self::Text => "text",
            Self::Timestamp => "timestamp",
            Self::Null => "null",
        }
    }
}

impl Schema {
    /// Reads and checks a schema. An error is one line.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let schema: Self = serde_json::from_slice(json)
            .map_err(|error| format!("the schema can't be read: {error}"))?;
        schema.check()?;
        Ok(schema)
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&SchemaColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!(
                "the schema is of format {}, but this component reads format {FORMAT}",
                self.format
            ));
        }
        if self.columns.is_empty() || self.columns.len() >= MAX_COLUMNS {
            return Err(format!(
                "the schema has {} columns: it must have 1 to {}",
                self.columns.len(),
                MAX_COLUMNS - 1
            ));
        }
        let mut names: Vec<&str> = self.columns.iter().map(|c| c.name.as_str()).collect();
        names.sort_unstable();
        let twice = names.windows(2).find_map(|pair| match pair {
            [left, right] if left == right => Some(*left),
            _ => None,
        });
        if let Some(name) = twice {
            return Err(format!("the schema has '{}' twice", shown(name, 80)));
        }
        let wrong = |name: &&str| name.is_empty() || name.len() > 255 || name.starts_with(RESERVED);
        if let Some(name) = names.into_iter().find(wrong) {
            return Err(format!(
                "the schema has a column '{}': a name has 1 to 255 bytes and does not begin with \
                 '{RESERVED}'",
                shown(name, 80)
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_read_and_checked() {
        let parse = |json: &str| Schema::parse(json.as_bytes());
        let schema = parse(
            r#"{"format":1,"declared":true,"columns":[{"name":"a","kind":"integer"},{"name":"b","kind":"text","optional":true}]}"#,
        )
        .unwrap();
        assert!(schema.declared && schema.column("b").unwrap().optional);
        assert_eq!(schema.column("a").unwrap().kind.name(), "integer");
        let told = |json: &str| parse(json).unwrap_err();
        assert!(told("{").contains("can't be read"));
        assert!(told(r#"{"format":2,"columns":[]}"#).contains("format 2"));
        assert!(told(r#"{"format":1,"columns":[]}"#).contains("0 columns"));
        let a = r#"{"name":"a","kind":"null"}"#;
        assert!(told(&format!(r#"{{"format":1,"columns":[{a},{a}]}}"#)).contains("'a' twice"));
        assert!(
            told(r#"{"format":1,"columns":[{"name":"septet:x","kind":"null"}]}"#)
                .contains("begin with")
        );
    }
}
