//! An app as the host reads it: host.json and a function.json a function.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

/// An app.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) root: PathBuf,
    pub(crate) executable: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) working: PathBuf,
    pub(crate) timeout: Duration,
    pub(crate) queues: Queues,
    /// The trigger of each function.
    pub(crate) functions: BTreeMap<String, Value>,
}

/// `extensions.queues`.
#[derive(Clone, Debug)]
pub(crate) struct Queues {
    pub(crate) batch_size: usize,
    pub(crate) threshold: usize,
    pub(crate) max_dequeue_count: u32,
    pub(crate) visibility: Duration,
}

/// `hh:mm:ss`.
pub(crate) fn span(text: &str) -> Duration {
    let parts = text.split(':').map(|part| part.parse::<u64>().unwrap());
    Duration::from_secs(parts.fold(0, |all, part| 60 * all + part))
}

impl App {
    pub(crate) fn read(root: &Path) -> Self {
        let json =
            |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
        let host = json(&root.join("host.json"));
        assert_eq!(host["version"], "2.0");
        let custom = &host["customHandler"]["description"];
        let arguments = custom["arguments"].as_array().cloned().unwrap_or_default();
        let path = custom["defaultExecutablePath"].as_str().unwrap();
        let queues = &host["extensions"]["queues"];
        let number = |name: &str, default: u64| queues[name].as_u64().unwrap_or(default);
        let batch = number("batchSize", 16).min(32);
        let mut functions = BTreeMap::new();
        for entry in fs::read_dir(root).unwrap() {
            let folder = entry.unwrap().path();
            let file = folder.join("function.json");
            if !file.is_file() {
                continue;
            }
            let function = json(&file);
            let bindings = function["bindings"].as_array().unwrap();
            let is_trigger = |b: &&Value| b["type"].as_str().unwrap().ends_with("Trigger");
            let trigger = bindings.iter().find(is_trigger).unwrap().clone();
            let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
            functions.insert(name, trigger);
        }
        let working = custom["workingDirectory"].as_str().unwrap_or_default();
        Self {
            root: root.to_owned(),
            // Relative to the app; as it is where it is absolute.
            executable: root.join(path),
            arguments: arguments
                .iter()
                .map(|a| a.as_str().unwrap().to_owned())
                .collect(),
            working: root.join(working),
            timeout: span(host["functionTimeout"].as_str().unwrap_or("00:05:00")),
            queues: Queues {
                batch_size: usize::try_from(batch).unwrap(),
                threshold: usize::try_from(number("newBatchThreshold", batch / 2)).unwrap(),
                max_dequeue_count: u32::try_from(number("maxDequeueCount", 5)).unwrap(),
                visibility: span(queues["visibilityTimeout"].as_str().unwrap_or("00:00:00")),
            },
            functions,
        }
    }

    /// The binding's name and the rest of a function's trigger.
    pub(crate) fn trigger(&self, function: &str) -> &Value {
        &self.functions[function]
    }
}
