//! What a transform says of itself, and whether it keeps it.

use std::collections::BTreeMap;

use septet_core::{
    limits::{Exceeded, Limits},
    text::clean,
};
use septet_guest::bindings::septet::transform::tables::{Column, Field, Kind, Table};

use crate::rows::{kind, kind_name};

/// What a transform promises.
pub(crate) struct Promise {
    name: String,
    needs: Vec<Field>,
    adds: Vec<Field>,
    removes: Vec<String>,
}

impl Promise {
    /// A promise within the limits of a batch; an error is the limit that it is over.
    pub(crate) fn of(
        (name, version): (String, &str),
        needs: Vec<Field>,
        adds: Vec<Field>,
        removes: Vec<String>,
        limits: &Limits,
    ) -> Result<Self, String> {
        let told = |limit: Exceeded| limit.to_string();
        let columns = needs.len().max(adds.len()).max(removes.len()) as u64;
        Exceeded::check("batch_columns", limits.batch_columns, columns).map_err(told)?;
        let fields = needs.iter().chain(&adds).map(|field| field.name.as_str());
        let names = fields.chain(removes.iter().map(String::as_str));
        for name in names.chain([name.as_str(), version]) {
            Exceeded::check("name_bytes", limits.name_bytes, name.len() as u64).map_err(told)?;
        }
        Ok(Self {
            name: clean(&name, 80),
            needs,
            adds,
            removes,
        })
    }

    /// A batch without a column that the transform needs is not passed to it.
    pub(crate) fn check_needs(&self, batch: &Table) -> Result<(), String> {
        let name = &self.name;
        for field in &self.needs {
            let mut columns = batch.columns.iter();
            let column = columns.find(|column| column.name == field.name);
            let (wanted, needed) = (clean(&field.name, 80), kind_name(field.kind));
            match column.map(|column| kind(&column.values)) {
                Some(found) if found == field.kind => {}
                Some(found) => {
                    return Err(format!(
                        "transform '{name}' needs column '{wanted}' as {needed}, not as {}",
                        kind_name(found)
                    ));
                }
                None => {
                    return Err(format!(
                        "transform '{name}' needs column '{wanted}' ({needed}), which is not there"
                    ));
                }
            }
        }
        Ok(())
    }

    /// The columns that the transform has promised for this batch.
    pub(crate) fn expected(&self, batch: &Table) -> BTreeMap<String, Kind> {
        let kept = batch.columns.iter();
        let mut expected: BTreeMap<String, Kind> = kept
            .filter(|column| !self.removes.contains(&column.name))
            .map(|column| (column.name.clone(), kind(&column.values)))
            .collect();
        for field in &self.adds {
            expected.insert(field.name.clone(), field.kind);
        }
        expected
    }

    /// Whether it gave what it promised.
    pub(crate) fn check_given(
        &self,
        given: &Table,
        rows: u32,
        expected: &BTreeMap<String, Kind>,
    ) -> Result<(), String> {
        Self::problem(given, rows, expected).map_or(Ok(()), |problem| {
            Err(format!("transform '{}' {problem}", self.name))
        })
    }

    fn problem(given: &Table, rows: u32, expected: &BTreeMap<String, Kind>) -> Option<String> {
        if given.rows != rows {
            return Some(format!(
                "gave {} rows for {rows}; it must keep them",
                given.rows
            ));
        }
        for Column { name, values, .. } in &given.columns {
            let shown = clean(name, 80);
            match expected.get(name) {
                None => {
                    return Some(format!("gave column '{shown}', which it does not declare"));
                }
                Some(wanted) if *wanted != kind(values) => {
                    return Some(format!(
                        "gave column '{shown}' as {}, where {} is declared",
                        kind_name(kind(values)),
                        kind_name(*wanted)
                    ));
                }
                Some(_) => {}
            }
        }
        // Names are unique, so equal counts mean that none is missing.
        if given.columns.len() < expected.len() {
            let lacks = |name: &&String| given.columns.iter().all(|column| column.name != **name);
            let missing = expected.keys().find(lacks).map(String::as_str);
            let shown = clean(missing.unwrap_or_default(), 80);
            return Some(format!("took column '{shown}' away without declaring it"));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use septet_guest::bindings::septet::transform::tables::Values;

    use super::*;

    fn field(name: &str, kind: Kind) -> Field {
        Field {
            name: name.to_owned(),
            kind,
        }
    }

    fn promise() -> Promise {
        Promise::of(
            ("ratio".to_owned(), "1"),
            vec![field("a", Kind::Floats)],
            vec![field("b", Kind::Integers)],
            vec!["c".to_owned()],
            &Limits::default(),
        )
        .unwrap()
    }

    fn table(columns: &[(&str, Values)]) -> Table {
        let columns = columns.iter().map(|(name, values)| Column {
            name: (*name).to_owned(),
            values: values.clone(),
            nulls: Vec::new(),
        });
        Table {
            rows: 1,
            columns: columns.collect(),
        }
    }

    #[test]
    fn what_is_needed_and_promised_is_checked() {
        let promise = promise();
        let one = || Values::Floats(vec![1.0]);
        let b = || ("b", Values::Integers(vec![1]));
        let batch = table(&[("a", one()), ("c", one())]);
        promise.check_needs(&batch).unwrap();
        assert!(promise.check_needs(&table(&[b()])).is_err());
        let expected = promise.expected(&batch);
        let given = |columns: &[(&str, Values)], rows| {
            let given = promise.check_given(&table(columns), rows, &expected);
            given.err().unwrap_or_default()
        };
        assert_eq!(given(&[("a", one()), b()], 1), "");
        assert!(given(&[("a", one()), b()], 2).contains("rows"));
        assert!(given(&[("a", one())], 1).contains("took column 'b' away"));
        assert!(given(&[("a", one()), ("b", one())], 1).contains("as floats, where integers"));
        assert!(given(&[("a", one()), b(), ("c", one())], 1).contains("does not declare"));
    }
}
