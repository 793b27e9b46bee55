//! Flags as a table of options: what is typed as `--param k=v` at the command line stands as
//! `param = { k = "v" }` in septet.toml and in a request.
//!
//! Options may come from far away: their number and size are bounded before any is looked at.

use std::fmt::Display;

use anyhow::ensure;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};
use serde_json::{Map, Value};

/// The most options, and the most values of one.
const MAX_COUNT: usize = 1000;

/// The most bytes that all options of a run may have, written as JSON.
const MAX_BYTES: usize = 64 << 10;

/// The options as the flags of a command; one that there is not is named.
pub(crate) fn read<T: DeserializeOwned>(options: Map<String, Value>) -> anyhow::Result<T> {
    ensure!(
        options.len() <= MAX_COUNT,
        "these are {} options: a run takes at most {MAX_COUNT}",
        options.len()
    );
    let size = serde_json::to_vec(&options)?.len();
    ensure!(
        size <= MAX_BYTES,
        "the options have {size} bytes; at most {MAX_BYTES} are read"
    );
    serde_path_to_error::deserialize(Value::Object(options)).map_err(|error| {
        let place = error.path().to_string();
        let inner = error.into_inner().to_string().replace('\n', " ");
        if inner.starts_with("unknown field") {
            // The name stands in the message.
            let inner = inner.replacen("unknown field", "unknown option", 1);
            anyhow::anyhow!("{inner}")
        } else {
            anyhow::anyhow!("the option {place}: {inner}")
        }
    })
}

/// One text or a list of texts.
pub(super) fn many<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: From<String>,
{
    let texts = match Value::deserialize(deserializer)? {
        Value::Array(list) => list.into_iter().map(text).collect::<Result<Vec<_>, _>>(),
        one => text(one).map(|text| vec![text]),
    };
    let texts = texts.map_err(D::Error::custom)?;
    bounded::<D::Error>(texts.len())?;
    Ok(texts.into_iter().map(T::from).collect())
}

/// `k=v` texts, or an object of values.
pub(super) fn pairs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    written(deserializer, 1)
}

/// `k=v` texts with dotted names, or objects within an object, as `numbers = { scale = "robust" }`.
pub(super) fn settings<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<String>, D::Error> {
    written(deserializer, 2)
}

fn written<'de, D: Deserializer<'de>>(
    deserializer: D,
    depth: usize,
) -> Result<Vec<String>, D::Error> {
    let mut pairs = Vec::new();
    match Value::deserialize(deserializer)? {
        Value::Object(object) => flatten("", object, depth, &mut pairs),
        Value::Array(list) => {
            for one in list {
                pairs.push(text(one).map_err(D::Error::custom)?);
            }
        }
        other => pairs.push(text(other).map_err(D::Error::custom)?),
    }
    bounded::<D::Error>(pairs.len())?;
    Ok(pairs)
}

/// Writes values as the flag takes them. Only so many objects within each other are names, what is
/// deeper is a value; settings of columns have the column's name in between.
fn flatten(before: &str, object: Map<String, Value>, depth: usize, pairs: &mut Vec<String>) {
    for (name, value) in object {
        let deeper = depth + usize::from(before.is_empty() && depth > 1 && name == "columns");
        let name = format!("{before}{name}");
        match value {
            Value::Object(inner) if deeper > 1 => {
                flatten(&format!("{name}."), inner, deeper - 1, pairs);
            }
            // As JSON, so that the text "3" does not become the number.
            value => pairs.push(format!("{name}={value}")),
        }
    }
}

fn text(value: Value) -> Result<String, impl Display> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(format!("{other} is no text")),
    }
}

fn bounded<E: Error>(count: usize) -> Result<(), E> {
    if count > MAX_COUNT {
        return Err(E::custom(format!(
            "these are {count} values; at most {MAX_COUNT} are read"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Monitor, Predict, Run, Split};
    use super::*;

    fn run(options: Value) -> Result<Run, String> {
        let Value::Object(options) = options else {
            panic!("{options} is no object")
        };
        read(options).map_err(|error| error.to_string())
    }

    #[test]
    fn options_are_the_flags() {
        let run = run(json!({
            "target": "y", "split": "group", "group": "g", "seed": 3, "promote": true,
            "param": {"n_estimators": 20, "name": "3"}, "drop": "note",
            "test": ["t.csv"], "class_weight": "balanced", "test_share": 0.5,
            "preprocess": {
                "numbers": {"scale": "robust"}, "columns": {"a.b": {"impute": "median"}},
                "flat": [1],
            },
        }))
        .unwrap();
        assert_eq!(run.target.as_deref(), Some("y"));
        assert_eq!((run.split, run.seed), (Some(Split::Group), Some(3)));
        assert_eq!(run.parameters, ["n_estimators=20", "name=\"3\""]);
        let preprocess = [
            "columns.a.b.impute=\"median\"",
            "flat=[1]",
            "numbers.scale=\"robust\"",
        ];
        assert_eq!(run.preprocess, preprocess);
        assert_eq!((run.drop.len(), run.test.len()), (1, 1));
    }

    #[test]
    fn lists_of_pairs_are_as_typed() {
        let run = run(json!({"param": ["a=1", "b=x"], "preprocess": "numbers.scale=none"}));
        let run = run.unwrap();
        assert_eq!(run.parameters, ["a=1", "b=x"]);
        assert_eq!(run.preprocess, ["numbers.scale=none"]);
    }

    #[test]
    fn what_is_no_option_is_named() {
        for (options, named) in [
            (json!({"targte": "y"}), "unknown option `targte`"),
            (json!({"data": ["/etc/passwd"]}), "unknown option `data`"),
            (json!({"name": "m"}), "unknown option `name`"),
            (json!({"detach": true}), "unknown option `detach`"),
            (json!({"seed": "x"}), "the option seed: "),
            (json!({"split": "dice"}), "the option split: "),
            (json!({"drop": [3]}), "the option drop: 3 is no text"),
            (json!({"drop": vec!["x"; 1001]}), "at most 1000"),
            (json!({"target": "y".repeat(65 << 10)}), "at most 65536"),
        ] {
            let told = run(options).unwrap_err();
            assert!(told.contains(named), "{told}");
            assert_eq!(told.lines().count(), 1);
        }
        let options = |name: &str| Map::from_iter([(name.to_owned(), json!("x"))]);
        for hidden in ["data", "model", "output"] {
            assert!(read::<Predict>(options(hidden)).is_err(), "{hidden}");
        }
        assert!(read::<Monitor>(options("model")).is_err());
        assert!(read::<Monitor>(options("labels")).is_ok());
    }
}
