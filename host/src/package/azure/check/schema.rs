//! JSON schemas: our own of what an app may hold, and published ones where a folder names them.
//!
//! The own schemas are narrower than the published: they say what Septet's handler relies on. The
//! published ones say what the platform takes; they are read from the user's folder and never from
//! the network.

use std::{fs, path::Path};

use anyhow::{Context as _, ensure};
use jsonschema::Validator;
use serde_json::Value;

const HOST: &str = include_str!("../schema/host.json");
const FUNCTION: &str = include_str!("../schema/function.json");

/// Largest schema that is read.
const MOST_BYTES: u64 = 4 << 20;

/// The schemas that a package's files are held to.
pub(super) struct Schemas {
    pub(super) host: Vec<Validator>,
    pub(super) function: Vec<Validator>,
}

impl Schemas {
    /// The own schemas, and those in `folder`.
    pub(super) fn read(folder: Option<&Path>) -> anyhow::Result<Self> {
        let own =
            |text: &str| -> anyhow::Result<Validator> { compile(&serde_json::from_str(text)?) };
        let mut schemas = Self {
            host: vec![own(HOST)?],
            function: vec![own(FUNCTION)?],
        };
        if let Some(folder) = folder {
            schemas.host.push(published(&folder.join("host.json"))?);
            schemas
                .function
                .push(published(&folder.join("function.json"))?);
        }
        Ok(schemas)
    }
}

fn published(path: &Path) -> anyhow::Result<Validator> {
    let read = || -> anyhow::Result<Validator> {
        let size = fs::metadata(path)?.len();
        ensure!(size <= MOST_BYTES, "it has more than {MOST_BYTES} bytes");
        compile(&serde_json::from_slice(&fs::read(path)?)?)
    };
    read().with_context(|| format!("the schema {} can't be used", path.display()))
}

/// References within the schema are followed; those to other places are refused, so that a check
/// never asks a network for anything.
fn compile(schema: &Value) -> anyhow::Result<Validator> {
    jsonschema::validator_for(schema).map_err(|error| anyhow::anyhow!("{error}"))
}

/// What of `value` the schemas do not take: each but once, and a handful at most.
pub(super) fn errors(schemas: &[Validator], value: &Value) -> Vec<String> {
    let errors = schemas.iter().flat_map(|schema| schema.iter_errors(value));
    let lines = errors.map(|error| {
        let mut text = error.to_string();
        if text.len() > 200 {
            let end = (0..=200).rev().find(|end| text.is_char_boundary(*end));
            text.truncate(end.unwrap_or_default());
            text.push('…');
        }
        match error.instance_path().to_string() {
            path if path.is_empty() => text,
            path => format!("{path}: {text}"),
        }
    });
    lines.take(5).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{contract::Stage, package::azure::files};

    #[test]
    fn what_is_generated_is_taken() {
        let schemas = Schemas::read(None).unwrap();
        for stages in [&[Stage::Train][..], &[Stage::Ingest], &Stage::ALL] {
            let host = files::host(stages, Duration::from_mins(65));
            assert_eq!(errors(&schemas.host, &host), Vec::<String>::new());
            for function in files::functions(stages, true) {
                let found = errors(&schemas.function, &function.file);
                assert_eq!(found, Vec::<String>::new(), "{}", function.name);
            }
        }
    }

    #[test]
    fn what_the_handler_can_not_do_is_not_taken() {
        let schemas = Schemas::read(None).unwrap();
        let host = files::host(&[Stage::Train], Duration::from_mins(5));
        for (pointer, value) in [
            ("/version", Value::from("1.0")),
            ("/functionTimeout", Value::from("10 minutes")),
            ("/extensions/queues/batchSize", Value::from(64)),
            ("/extensions/queues/messageEncoding", Value::from("none")),
            (
                "/customHandler/enableForwardingHttpRequest",
                Value::from(false),
            ),
            (
                "/customHandler/description/arguments",
                serde_json::json!(["serve"]),
            ),
        ] {
            let mut bad = host.clone();
            *bad.pointer_mut(pointer).unwrap() = value;
            assert_eq!(errors(&schemas.host, &bad).len(), 1, "{pointer}");
        }
        let [function] = &files::functions(&[Stage::Train], false)[..] else {
            panic!("train has one function")
        };
        let mut bad = function.file.clone();
        let binding = bad.pointer_mut("/bindings/0").unwrap();
        binding["dataType"] = Value::from("string");
        assert!(!errors(&schemas.function, &bad).is_empty());
    }
}
