//! One call of one stage, on any host: the same files in, the same files out.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use septet::{
    components::EMBEDDED,
    contract::{Digest, Outcome, Stage},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::oracles;

/// The default component of a stage.
pub(crate) fn component(stage: Stage) -> &'static [u8] {
    EMBEDDED
        .iter()
        .find(|(embedded, _)| *embedded == stage)
        .unwrap()
        .1
}

/// An input: its name, media type and bytes.
#[derive(Clone)]
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) media_type: String,
    pub(crate) bytes: Vec<u8>,
}

/// What a host is asked.
pub(crate) struct Call {
    pub(crate) stage: Stage,
    /// The stage's component, embedded or composed.
    pub(crate) component: Vec<u8>,
    pub(crate) inputs: Vec<Input>,
    /// A JSON object.
    pub(crate) parameters: Value,
    /// Components that the capability `transforms` may run.
    pub(crate) transforms: Vec<Vec<u8>>,
}

/// What a host answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    /// Messages that the stage sent, as the example shows them.
    pub(crate) messages: Value,
    /// Changes to the registry that it proposed.
    pub(crate) proposals: Value,
    folder: Arc<TempDir>,
}

impl Answer {
    /// An output's bytes, checked against its digest.
    pub(crate) fn output(&self, name: &str) -> Input {
        let artifact = self
            .outcome
            .outputs
            .iter()
            .find(|output| output.name == name)
            .unwrap();
        let digest = artifact.digest.to_string();
        let bytes = fs::read(self.folder.path().join("out/blobs").join(digest)).unwrap();
        assert_eq!(Digest::of(&bytes), artifact.digest);
        Input {
            name: name.to_owned(),
            media_type: artifact.media_type.clone(),
            bytes,
        }
    }
}

impl Call {
    /// A call of a stage's default component.
    pub(crate) fn new(stage: Stage, inputs: &[Input], parameters: Value) -> Self {
        Self {
            stage,
            component: component(stage).to_vec(),
            inputs: inputs.to_vec(),
            parameters,
            transforms: Vec::new(),
        }
    }

    /// In wasmtime-py; none where it can't be installed.
    pub(crate) fn in_python(&self) -> Option<Answer> {
        Some(self.foreign(&python()?))
    }

    /// In Node by jco; none where it can't be installed.
    pub(crate) fn in_node(&self) -> Option<Answer> {
        Some(self.foreign(&node()?))
    }

    /// In our own host, by the command line.
    pub(crate) fn in_septet(&self) -> Outcome {
        let folder = fresh();
        let mut host = Command::new(env!("CARGO_BIN_EXE_septet"));
        host.args(["invoke", self.stage.name()])
            .env("SEPTET_CACHE", oracles::target().join("tmp/cache"));
        let put = |name: String, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        for (number, input) in self.inputs.iter().enumerate() {
            let path = put(
                format!("{number}.{}", ending(&input.media_type)),
                &input.bytes,
            );
            host.arg("--input")
                .arg(format!("{}={}", input.name, path.display()));
        }
        for (name, value) in self.parameters.as_object().unwrap() {
            host.arg("--param").arg(format!("{name}={value}"));
        }
        for (number, transform) in self.transforms.iter().enumerate() {
            let path = put(format!("transform{number}.wasm"), transform);
            host.arg("--transform").arg(path);
        }
        if self.component != component(self.stage) {
            let path = put("stage.wasm".to_owned(), &self.component);
            host.arg("--component").arg(path);
        }
        let out = folder.path().join("out");
        succeed(host.arg("--out").arg(&out));
        let outcome: Outcome = read(&out.join("outcome.json"));
        for output in &outcome.outputs {
            let file = format!("{}.{}", output.name, ending(&output.media_type));
            let bytes = fs::read(out.join(file)).unwrap();
            assert_eq!(Digest::of(&bytes), output.digest, "{}", output.name);
        }
        outcome
    }

    fn foreign(&self, program: &[PathBuf]) -> Answer {
        let folder = fresh();
        let put = |name: String, bytes: &[u8]| {
            fs::write(folder.path().join(&name), bytes).unwrap();
            name
        };
        let mut inputs = serde_json::Map::new();
        for (number, input) in self.inputs.iter().enumerate() {
            let name = format!("{number}.{}", ending(&input.media_type));
            inputs.insert(input.name.clone(), json!(put(name, &input.bytes)));
        }
        let transforms = self.transforms.iter().enumerate();
        let transforms: Vec<_> = transforms
            .map(|(number, bytes)| put(format!("transform{number}.wasm"), bytes))
            .collect();
        let calls = json!([{
            "stage": self.stage,
            "component": put("stage.wasm".to_owned(), &self.component),
            "inputs": inputs,
            "parameters": self.parameters,
            "transforms": transforms,
        }]);
        let mut answers = made(program, &calls, folder);
        answers.remove(0)
    }
}

/// The example in Python, ready for its arguments.
pub(crate) fn python() -> Option<[PathBuf; 2]> {
    let run = oracles::workspace().join("examples/python-host/run.py");
    Some([oracles::python_host()?.to_owned(), run])
}

/// The example in Node, ready for its arguments.
pub(crate) fn node() -> Option<[PathBuf; 2]> {
    Some(["node".into(), oracles::node()?.join("run.mjs")])
}

/// What a foreign host answered to each of the calls. Paths in them are meant from `folder`.
pub(crate) fn made(program: &[PathBuf], calls: &Value, folder: TempDir) -> Vec<Answer> {
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("stages")).unwrap();
    for (stage, bytes) in EMBEDDED {
        fs::write(path("stages").join(format!("{stage}.wasm")), bytes).unwrap();
    }
    fs::write(path("calls.json"), calls.to_string()).unwrap();
    let mut command = Command::new(&program[0]);
    // Nothing of a test is left beside what it runs.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
        .args(&program[1..])
        .args([path("stages"), path("calls.json"), path("out")]);
    let said = succeed(&mut command);
    let folder = Arc::new(folder);
    said.lines()
        .map(|line| {
            let mut said: Value = serde_json::from_str(line).unwrap();
            Answer {
                outcome: serde_json::from_value(said["outcome"].take()).unwrap(),
                messages: said["messages"].take(),
                proposals: said["proposals"].take(),
                folder: Arc::clone(&folder),
            }
        })
        .collect()
}

/// A folder that is gone with the value.
pub(crate) fn fresh() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// How our command line names a file of this media type.
fn ending(media_type: &str) -> &'static str {
    match media_type {
        "application/json" => "json",
        "application/vnd.apache.arrow.file" => "arrow",
        "application/vnd.septet.model-bundle" => "septet",
        "application/x-ndjson" => "jsonl",
        "text/csv" => "csv",
        "text/markdown" => "md",
        other => panic!("{other} is no media type of an artifact"),
    }
}

/// What a command wrote to standard output, which must have succeeded.
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn read<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    let text = fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}
