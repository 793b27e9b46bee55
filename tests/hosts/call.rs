//! One call of one stage, on any host: the same files in, the same files out.

use std::{fs, path::Path, process::Command};

use septet::{
    components::EMBEDDED,
    contract::{Artifact, Digest, Outcome, Stage},
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
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    folder: TempDir,
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
        let mut host = Command::new(oracles::python()?);
        host.arg(oracles::workspace().join("tests/hosts/python_host.py"));
        Some(self.foreign(&mut host))
    }

    /// In Node by jco; none where it can't be installed.
    pub(crate) fn in_node(&self) -> Option<Answer> {
        let mut host = Command::new("node");
        host.env("SEPTET_NODE_PACKAGES", oracles::node()?)
            .arg(oracles::workspace().join("tests/hosts/node_host.mjs"));
        Some(self.foreign(&mut host))
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

    fn foreign(&self, command: &mut Command) -> Answer {
        let folder = fresh();
        fs::create_dir_all(folder.path().join("case/blobs")).unwrap();
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let inputs: Vec<_> = self
            .inputs
            .iter()
            .map(|input| {
                let digest = Digest::of(&input.bytes);
                put(&format!("case/blobs/{digest}"), &input.bytes);
                Artifact {
                    name: input.name.clone(),
                    digest,
                    size: input.bytes.len() as u64,
                    media_type: input.media_type.clone(),
                }
            })
            .collect();
        let transforms: serde_json::Map<_, _> = self
            .transforms
            .iter()
            .map(|bytes| {
                let digest = Digest::of(bytes).to_string();
                let path = put(&format!("{digest}.wasm"), bytes);
                (digest, json!(path))
            })
            .collect();
        let call = json!({
            "component": put("stage.wasm", &self.component),
            "inputs": inputs,
            "parameters": self.parameters.to_string(),
            "seed": "0",
            "transforms": transforms,
            "infer": put("infer.wasm", component(Stage::Infer)),
            "aliases": [{"model": "model", "alias": "champion", "version": null}],
        });
        put("case/call.json", call.to_string().as_bytes());
        let out = folder.path().join("out");
        succeed(command.arg(folder.path().join("case")).arg(&out));
        Answer {
            outcome: read(&out.join("outcome.json")),
            folder,
        }
    }
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

pub(crate) fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

pub(crate) fn read<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    let text = fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}
