//! The options that a client may give a run: flags of the command line, but none that names a file
//! of this machine.

use serde_json::{Map, Value};

use super::refusal::Refusal;
use crate::{
    capability::clean,
    pipeline::{RunKind, TransformRef},
};

/// The longest value of an option, in bytes, and the most values of one.
const MAX_VALUE: usize = 4096;
const MAX_VALUES: usize = 1000;

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Number,
    Flag,
    /// May be given many times.
    Texts,
    /// Names of transforms in the store, and never files; may be given many times.
    Transforms,
}

/// Every option that is taken, and by which kinds of run. It is a list of what is allowed, so that
/// a flag that takes a path is not open to the network because nobody thought of it here.
const fn known(kind: RunKind) -> &'static [(&'static str, Form)] {
    match kind {
        RunKind::Train => &[
            ("algorithm", Form::Text),
            ("class_weight", Form::Text),
            ("drop", Form::Texts),
            ("group", Form::Text),
            ("key", Form::Text),
            ("metric", Form::Text),
            ("param", Form::Texts),
            ("policy", Form::Text),
            ("positive", Form::Text),
            ("preprocess", Form::Texts),
            ("promote", Form::Flag),
            ("seed", Form::Number),
            ("slice", Form::Text),
            ("split", Form::Text),
            ("target", Form::Text),
            ("task", Form::Text),
            ("test_share", Form::Number),
            ("threshold", Form::Number),
            ("time", Form::Text),
            ("transform", Form::Transforms),
            ("weight", Form::Text),
            ("window", Form::Text),
        ],
        RunKind::Predict => &[("format", Form::Text)],
        RunKind::Monitor => &[
            ("labels", Form::Text),
            ("min_rows", Form::Number),
            ("threshold", Form::Number),
        ],
    }
}

/// The kind of a run as it is written.
pub(super) fn kind(text: &str) -> Result<RunKind, Refusal> {
    [RunKind::Train, RunKind::Predict, RunKind::Monitor]
        .into_iter()
        .find(|kind| kind.name() == text)
        .ok_or_else(|| {
            let shown = clean(text, 80);
            Refusal::bad(format!(
                "there is no kind '{shown}': it is train, predict or monitor"
            ))
        })
}

/// Options as they came in JSON, if all of them are known and of their form.
pub(super) fn checked(kind: RunKind, options: &Map<String, Value>) -> Result<(), Refusal> {
    for (name, value) in options {
        let form = form(kind, name)?;
        let text = |value: &Value| value.as_str().is_some_and(|text| text.len() <= MAX_VALUE);
        let (fits, what) = match form {
            Form::Text => (text(value), "a text"),
            Form::Number => (value.is_number(), "a number"),
            Form::Flag => (value.is_boolean(), "true or false"),
            Form::Texts => {
                let list = value.as_array().filter(|list| list.len() <= MAX_VALUES);
                (
                    list.is_some_and(|list| list.iter().all(text)),
                    "a list of texts",
                )
            }
            Form::Transforms => {
                let list = value.as_array().filter(|list| list.len() <= MAX_VALUES);
                let is_name = |value: &Value| {
                    let text = value.as_str();
                    text.is_some_and(|text| text.parse::<TransformRef>().is_ok())
                };
                (
                    list.is_some_and(|list| list.iter().all(is_name)),
                    "a list of names of transforms",
                )
            }
        };
        if !fits {
            return Err(Refusal::bad(format!("the option '{name}' takes {what}")));
        }
    }
    Ok(())
}

/// Options as they came in a query.
pub(super) fn queried(
    kind: RunKind,
    pairs: Vec<(String, String)>,
) -> Result<Map<String, Value>, Refusal> {
    let mut options = Map::new();
    for (name, text) in pairs {
        let value = match form(kind, &name)? {
            Form::Text => Value::from(text),
            // What is none stays a text, and is refused with its name.
            Form::Number | Form::Flag => {
                serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text))
            }
            Form::Texts | Form::Transforms => {
                let list = options.entry(name);
                if let Value::Array(list) = list.or_insert_with(|| Value::Array(Vec::new())) {
                    list.push(Value::from(text));
                }
                continue;
            }
        };
        if options.insert(name.clone(), value).is_some() {
            return Err(Refusal::bad(format!("the option '{name}' comes twice")));
        }
    }
    checked(kind, &options)?;
    Ok(options)
}

fn form(kind: RunKind, name: &str) -> Result<Form, Refusal> {
    let known = known(kind);
    let found = known.iter().find(|(known, _)| *known == name);
    found.map(|(_, form)| *form).ok_or_else(|| {
        let (kind, shown) = (kind.name(), clean(name, 80));
        let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        Refusal::bad(format!(
            "a {kind} run over HTTP has no option '{shown}'; it has {names}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn query(pairs: &[(&str, &str)]) -> Result<Map<String, Value>, Refusal> {
        let pairs = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        queried(RunKind::Train, pairs.collect())
    }

    #[test]
    fn a_query_has_texts_numbers_flags_and_lists() {
        let options = query(&[
            ("target", "1"),
            ("seed", "7"),
            ("promote", "true"),
            ("drop", "a"),
            ("drop", "b"),
        ]);
        let expected = json!({"target": "1", "seed": 7, "promote": true, "drop": ["a", "b"]});
        assert_eq!(Value::Object(options.unwrap()), expected);
        assert!(query(&[("seed", "many")]).is_err());
        assert!(query(&[("target", "a"), ("target", "b")]).is_err());
    }

    #[test]
    fn no_option_names_a_file() {
        for name in ["schema", "test", "transforms", "output", "config", "store"] {
            for of in [RunKind::Train, RunKind::Predict, RunKind::Monitor] {
                assert!(form(of, name).is_err(), "{name}");
            }
        }
        assert!(kind("trian").is_err());
        assert_eq!(kind("monitor").unwrap(), RunKind::Monitor);
    }
}
