//! Whether a part's columns fit the schema, and what the schema becomes.

use std::collections::{BTreeMap, BTreeSet};

use septet_kit::{
    arrow::MAX_COLUMNS,
    schema::{FORMAT, Schema, SchemaColumn, SchemaKind},
    table::{Kind, RESERVED, Table},
};
use serde::Serialize;

/// Lines of the quarantine at most.
const MAX_LINES: usize = 10_000;

/// New columns that are proposed at most.
const MAX_NEW: usize = 1_000;

/// Bytes of a column's name at most.
const MAX_NAME: usize = 255;

/// Why a part is set apart: one line of the quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Misfit {
    /// The part, from 1.
    pub part: usize,
    /// The column.
    pub column: String,
    /// Why.
    pub rule: Rule,
    /// The kind that was found; empty for a column that is missing.
    pub raw: &'static str,
}

/// Why a part does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A column that is not optional is not there.
    MissingColumn,
    /// A column has another kind, which can't be converted without loss.
    RetypedColumn,
}

/// The schema in force, and what parts that do not fit would need.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    schema: Option<Schema>,
    needed: BTreeMap<String, Need>,
    new: Vec<(String, SchemaKind)>,
    misfits: Vec<Misfit>,
}

#[derive(Clone, Copy, Debug)]
enum Need {
    Optional,
    Kind(SchemaKind),
    Both(SchemaKind),
}

impl Rules {
    /// The rules of a pinned schema; without one, the first part makes it.
    pub fn new(pinned: Option<Schema>) -> Self {
        Self {
            schema: pinned.map(|schema| Schema {
                rows: None,
                columns: schema
                    .columns
                    .into_iter()
                    .map(|column| SchemaColumn {
                        nulls: None,
                        ..column
                    })
                    .collect(),
                ..schema
            }),
            ..Self::default()
        }
    }

    /// Whether a part's columns fit; if so, the schema widens to them, else it stays and the
    /// reasons are given.
    pub fn admit(&mut self, part: &Table, number: usize) -> Vec<Misfit> {
        let found = found(part);
        let Some(schema) = &mut self.schema else {
            let columns = found
                .into_iter()
                .map(|(name, kind)| SchemaColumn {
                    name: name.to_owned(),
                    kind,
                    optional: false,
                    nulls: None,
                })
                .collect();
            self.schema = Some(Schema {
                format: FORMAT,
                declared: false,
                columns,
                rows: None,
            });
            return Vec::new();
        };
        let known: BTreeSet<&str> = schema.columns.iter().map(|c| c.name.as_str()).collect();
        for (name, kind) in &found {
            if !known.contains(name) && !name.is_empty() && name.len() <= MAX_NAME {
                let room = self.new.len() < MAX_NEW;
                match self.new.iter_mut().find(|(new, _)| new == name) {
                    Some((_, known)) => *known = common(*known, *kind),
                    None if room => self.new.push(((*name).to_owned(), *kind)),
                    None => {}
                }
            }
        }
        let found: BTreeMap<&str, SchemaKind> = found.into_iter().collect();
        let mut misfits = Vec::new();
        for column in &schema.columns {
            let (rule, raw) = match found.get(column.name.as_str()) {
                None if column.optional => continue,
                None => (Rule::MissingColumn, ""),
                Some(kind) if widened(column.kind, *kind).is_some() => continue,
                Some(kind) => (Rule::RetypedColumn, kind.name()),
            };
            misfits.push(Misfit {
                part: number,
                column: column.name.clone(),
                rule,
                raw,
            });
        }
        if misfits.is_empty() {
            for column in &mut schema.columns {
                let kind = found.get(column.name.as_str());
                if let Some(kind) = kind.and_then(|kind| widened(column.kind, *kind)) {
                    column.kind = kind;
                }
            }
        }
        for misfit in &misfits {
            let kind = found.get(misfit.column.as_str()).copied();
            let before = self.needed.get(&misfit.column).copied();
            let need = match (before, kind) {
                (None | Some(Need::Optional), None) => Need::Optional,
                (None, Some(kind)) => Need::Kind(kind),
                (Some(Need::Kind(old)), Some(kind)) => Need::Kind(common(old, kind)),
                (Some(Need::Kind(old) | Need::Both(old)), None) => Need::Both(old),
                (Some(Need::Optional), Some(kind)) => Need::Both(kind),
                (Some(Need::Both(old)), Some(kind)) => Need::Both(common(old, kind)),
            };
            self.needed.insert(misfit.column.clone(), need);
        }
        let room = MAX_LINES.saturating_sub(self.misfits.len());
        self.misfits.extend(misfits.iter().take(room).cloned());
        misfits
    }

    /// The schema in force; none before any part.
    pub const fn schema(&self) -> Option<&Schema> {
        self.schema.as_ref()
    }

    /// Why parts were set apart, the first ten thousand reasons.
    pub fn misfits(&self) -> &[Misfit] {
        &self.misfits
    }

    /// Columns that the schema does not have.
    pub fn new_columns(&self) -> impl ExactSizeIterator<Item = &str> {
        self.new.iter().map(|(name, _)| name.as_str())
    }

    /// The schema with what the parts need that do not fit, and with the new columns; none where
    /// that is the one in force.
    pub fn proposed(&self) -> Option<Schema> {
        let mut proposed = self.schema.clone()?;
        for column in &mut proposed.columns {
            let (optional, kind) = match self.needed.get(&column.name) {
                None => continue,
                Some(Need::Optional) => (true, None),
                Some(Need::Kind(kind)) => (false, Some(*kind)),
                Some(Need::Both(kind)) => (true, Some(*kind)),
            };
            column.optional |= optional;
            if let Some(kind) = kind {
                column.kind = common(column.kind, kind);
            }
        }
        let room = (MAX_COLUMNS - 1).saturating_sub(proposed.columns.len());
        let new = self.new.iter().take(room).map(|(name, kind)| SchemaColumn {
            name: name.clone(),
            kind: *kind,
            optional: true,
            nulls: None,
        });
        proposed.columns.extend(new);
        (Some(&proposed) != self.schema.as_ref()).then_some(proposed)
    }
}

/// Names and kinds of a part's columns but the reserved ones.
fn found(part: &Table) -> Vec<(&str, SchemaKind)> {
    part.columns
        .iter()
        .filter(|column| !column.name.starts_with(RESERVED))
        .map(|column| {
            let kind = if column.is_blank() {
                SchemaKind::Null
            } else {
                match column.values.kind() {
                    Kind::Floats => SchemaKind::Float,
                    Kind::Integers => SchemaKind::Integer,
                    Kind::Booleans => SchemaKind::Boolean,
                    Kind::Texts => SchemaKind::Text,
                    Kind::Categories => SchemaKind::Category,
                    Kind::Timestamps => SchemaKind::Timestamp,
                }
            };
            (column.name.as_str(), kind)
        })
        .collect()
}

/// What a column of kind `pinned` becomes by values of kind `found`; none where they do not fit.
const fn widened(pinned: SchemaKind, found: SchemaKind) -> Option<SchemaKind> {
    use SchemaKind::{Boolean, Category, Float, Integer, Null, Text, Timestamp};
    match (pinned, found) {
        (pinned, Null) => Some(pinned),
        (Null, found) => Some(found),
        (Text, _) | (Category, Text) => Some(Text),
        (Category, _) => Some(Category),
        (Integer, Integer) => Some(Integer),
        (Integer | Float, Float) | (Float, Integer) => Some(Float),
        (Boolean, Boolean) => Some(Boolean),
        (Timestamp, Timestamp) => Some(Timestamp),
        _ => None,
    }
}

/// The kind that both fit.
fn common(left: SchemaKind, right: SchemaKind) -> SchemaKind {
    widened(left, right)
        .or_else(|| widened(right, left))
        .unwrap_or(SchemaKind::Text)
}

#[cfg(test)]
mod tests {
    use septet_kit::table::{Column, ROW, Values};

    use super::*;

    const ALL: [SchemaKind; 7] = [
        SchemaKind::Integer,
        SchemaKind::Float,
        SchemaKind::Boolean,
        SchemaKind::Category,
        SchemaKind::Text,
        SchemaKind::Timestamp,
        SchemaKind::Null,
    ];

    fn table(columns: &[(&str, SchemaKind)]) -> Table {
        let values = |kind| match kind {
            SchemaKind::Integer => Values::Integers(vec![1]),
            SchemaKind::Float => Values::Floats(vec![0.5]),
            SchemaKind::Boolean => Values::Booleans(vec![true]),
            SchemaKind::Category => Values::Categories {
                dictionary: vec!["a".to_owned()],
                codes: vec![0],
            },
            SchemaKind::Text | SchemaKind::Null => Values::Texts(vec!["a".to_owned()]),
            SchemaKind::Timestamp => Values::Timestamps(vec![1]),
        };
        let columns = columns.iter().chain([&(ROW, SchemaKind::Integer)]);
        Table {
            rows: 1,
            columns: columns
                .map(|(name, kind)| Column {
                    name: (*name).to_owned(),
                    values: values(*kind),
                    nulls: if *kind == SchemaKind::Null {
                        vec![0]
                    } else {
                        vec![]
                    },
                })
                .collect(),
        }
    }

    fn pinned(columns: &[(&str, SchemaKind)]) -> Rules {
        let mut first = Rules::new(None);
        assert!(first.admit(&table(columns), 1).is_empty());
        Rules::new(first.schema)
    }

    fn kind(rules: &Rules, name: &str) -> SchemaKind {
        rules.schema().unwrap().column(name).unwrap().kind
    }

    #[test]
    fn kinds_widen_or_do_not_fit() {
        use SchemaKind::{Boolean, Category, Float, Integer, Null, Text, Timestamp};
        let becomes = |from: SchemaKind, found: SchemaKind| {
            let mut rules = pinned(&[("a", from)]);
            let misfits = rules.admit(&table(&[("a", found)]), 2);
            misfits.is_empty().then(|| kind(&rules, "a"))
        };
        for any in ALL {
            assert_eq!(becomes(any, any), Some(any));
            assert_eq!(becomes(any, Null), Some(any));
            assert_eq!(becomes(Null, any), Some(any));
            assert_eq!(becomes(Text, any), Some(Text));
            let text = if any == Text { Text } else { Category };
            assert_eq!(becomes(Category, any), Some(text));
        }
        assert_eq!(becomes(Integer, Float), Some(Float));
        assert_eq!(becomes(Float, Integer), Some(Float));
        for (from, found) in [
            (Integer, Text),
            (Float, Category),
            (Integer, Boolean),
            (Boolean, Integer),
            (Boolean, Text),
            (Timestamp, Integer),
            (Timestamp, Text),
            (Float, Timestamp),
        ] {
            assert_eq!(becomes(from, found), None, "{from:?} {found:?}");
        }
    }

    #[test]
    fn a_missing_column_sets_the_part_apart_unless_it_is_optional() {
        use SchemaKind::Integer;
        let mut rules = pinned(&[("a", Integer), ("b", Integer)]);
        let misfits = rules.admit(&table(&[("a", SchemaKind::Float)]), 3);
        assert_eq!(
            serde_json::to_string(&misfits).unwrap(),
            r#"[{"part":3,"column":"b","rule":"missing-column","raw":""}]"#
        );
        // What does not fit widens nothing.
        assert_eq!(kind(&rules, "a"), Integer);
        let proposed = rules.proposed().unwrap();
        assert!(proposed.column("b").unwrap().optional);
        let mut rules = Rules::new(Some(proposed));
        assert!(rules.admit(&table(&[("a", Integer)]), 1).is_empty());
        assert!(rules.proposed().is_none());
    }

    #[test]
    fn a_retyped_column_is_proposed_in_the_common_kind() {
        use SchemaKind::{Boolean, Integer, Text, Timestamp};
        let mut rules = pinned(&[("a", Integer), ("b", Timestamp)]);
        let apart = rules.admit(&table(&[("a", Boolean), ("b", Timestamp)]), 1);
        assert_eq!(
            serde_json::to_string(&apart).unwrap(),
            r#"[{"part":1,"column":"a","rule":"retyped-column","raw":"boolean"}]"#
        );
        rules.admit(&table(&[("b", Integer)]), 2);
        assert_eq!(rules.misfits().len(), 3);
        let proposed = rules.proposed().unwrap();
        let a = proposed.column("a").unwrap();
        assert_eq!((a.kind, a.optional), (Text, true));
        let b = proposed.column("b").unwrap();
        assert_eq!((b.kind, b.optional), (Text, false));
        // What was set apart fits the schema that was proposed.
        let mut rules = Rules::new(Some(proposed));
        for part in [
            table(&[("a", Boolean), ("b", Timestamp)]),
            table(&[("b", Integer)]),
        ] {
            assert!(rules.admit(&part, 1).is_empty());
        }
    }

    #[test]
    fn a_new_column_is_ignored_and_proposed_as_optional() {
        use SchemaKind::{Float, Integer};
        let mut rules = pinned(&[("a", Integer)]);
        for (number, kind) in [(1, Integer), (2, Float)] {
            let part = table(&[("a", Integer), ("new", kind)]);
            assert!(rules.admit(&part, number).is_empty());
        }
        assert_eq!(rules.new_columns().collect::<Vec<_>>(), ["new"]);
        assert!(rules.schema().unwrap().column("new").is_none());
        let proposed = rules.proposed().unwrap();
        let new = proposed.column("new").unwrap();
        assert_eq!((new.kind, new.optional), (Float, true));
    }
}
