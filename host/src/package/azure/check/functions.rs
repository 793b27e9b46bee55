//! The functions of an app: which there are, and what starts them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    apps::Said,
    reader::Reader,
    schema::{Schemas, errors},
};
use crate::{
    contract::Stage,
    package::azure::{files, table::App},
};

/// Paths that the Functions host keeps for itself.
const RESERVED: [&str; 2] = ["admin", "runtime"];

pub(super) fn check(
    reader: &mut Reader<'_>,
    folder: &str,
    app: &App,
    said: &Said,
    schemas: &Schemas,
) {
    let mut seen = BTreeSet::new();
    for name in reader.names(folder) {
        let file = format!("{folder}/{name}/function.json");
        if reader.metadata(&file).is_none() {
            continue;
        }
        let Some(function) = reader.json(&file) else {
            continue;
        };
        seen.insert(name.clone());
        for error in errors(&schemas.function, &function) {
            reader.note(&file, format!("{error}: correct it"));
        }
        let bindings = function.get("bindings").and_then(Value::as_array);
        for binding in bindings.into_iter().flatten() {
            binding_of(reader, &file, &name, app, binding);
        }
    }
    for function in files::functions(&app.stages, said.timers) {
        if !seen.contains(&function.name) {
            reader.note(
                format!("{folder}/{}/function.json", function.name),
                "it is missing, and what it would start never starts: write the package again",
            );
        }
    }
}

fn binding_of(reader: &mut Reader<'_>, file: &str, name: &str, app: &App, binding: &Value) {
    let text = |key: &str| binding.get(key).and_then(Value::as_str);
    match text("type") {
        Some("queueTrigger") => {
            let queue = text("queueName").unwrap_or_default();
            if queue != name {
                let what = format!(
                    "it takes messages of queue '{}': the function {name} takes those of {name}",
                    queue.escape_debug()
                );
                reader.note(file, what);
            }
            let stage: Option<Stage> = queue.parse().ok();
            if !stage.is_some_and(|stage| app.stages.contains(&stage)) {
                let what = format!(
                    "queue '{}' is not of this app's stages, and its identity may not read it: \
                     take the function away",
                    queue.escape_debug()
                );
                reader.note(file, what);
            }
        }
        Some("httpTrigger") => {
            let route = text("route").unwrap_or_default().trim_start_matches('/');
            let first = route.split('/').next().unwrap_or_default();
            if RESERVED.contains(&first) {
                let what = format!(
                    "route begins with '{first}', which the Functions host keeps \
                                    for itself: name another"
                );
                reader.note(file, what);
            }
            if text("authLevel") == Some("anonymous") {
                let what = "authLevel anonymous lets anybody in: set function";
                reader.note(file, what);
            }
        }
        _ => {}
    }
}
