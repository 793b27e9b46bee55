//! A stage's parameters, put together from flags and settings.

use anyhow::{bail, ensure};
use serde_json::{Map, Value};

/// How deep a dotted name may go.
const DEEPEST: usize = 8;

/// A JSON object of those parameters that are set.
#[derive(Debug, Default)]
pub(crate) struct Parameters(Map<String, Value>);

impl Parameters {
    /// Nothing is set.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Sets a parameter where there is a value.
    pub(crate) fn set(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
    }

    /// Sets an object of parameters where it is not empty.
    pub(crate) fn set_all<'a>(
        &mut self,
        name: &str,
        values: impl IntoIterator<Item = (&'a String, &'a Value)>,
    ) {
        let values = values.into_iter().map(|(k, v)| (k.clone(), v.clone()));
        let values: Map<String, Value> = values.collect();
        self.set(name, (!values.is_empty()).then_some(values));
    }

    /// Sets a parameter within objects: `numbers.scale`. A column's name may have dots of its own:
    /// it is all between `columns.` and the last dot.
    pub(crate) fn set_within(&mut self, name: &str, value: Value) -> anyhow::Result<()> {
        let path: Vec<&str> = match name.strip_prefix("columns.") {
            Some(rest) => match rest.rsplit_once('.') {
                Some((column, setting)) => vec!["columns", column, setting],
                None => bail!("{name} names a column but no setting: say {name}.impute, for one"),
            },
            None => name.split('.').collect(),
        };
        ensure!(
            path.len() <= DEEPEST && path.iter().all(|part| !part.is_empty()),
            "'{name}' is no name of a setting, as numbers.scale is"
        );
        let Some((last, parents)) = path.split_last() else {
            return Ok(());
        };
        let mut object = &mut self.0;
        for parent in parents {
            let inner = object
                .entry((*parent).to_owned())
                .or_insert_with(|| Value::Object(Map::new()));
            let Some(inner) = inner.as_object_mut() else {
                bail!("'{name}' can't be set: {parent} is a value already");
            };
            object = inner;
        }
        object.insert((*last).to_owned(), value);
        Ok(())
    }
}

impl From<Parameters> for Value {
    fn from(parameters: Parameters) -> Self {
        Self::Object(parameters.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dotted_names_are_objects() {
        let mut parameters = Parameters::new();
        parameters.set("target", Some("y"));
        parameters.set("key", None::<String>);
        for (name, value) in [
            ("numbers.scale", json!("robust")),
            ("columns.a.b.impute", json!("median")),
            ("columns.a.b.scale", json!("none")),
            ("flat", json!(3)),
        ] {
            parameters.set_within(name, value).unwrap();
        }
        for bad in ["", "a..b", "columns.age", "target.x", "a.b.c.d.e.f.g.h.i"] {
            assert!(parameters.set_within(bad, json!(1)).is_err(), "{bad}");
        }
        assert_eq!(
            Value::from(parameters),
            json!({
                "target": "y", "flat": 3, "numbers": {"scale": "robust"},
                "columns": {"a.b": {"impute": "median", "scale": "none"}},
            })
        );
    }
}
