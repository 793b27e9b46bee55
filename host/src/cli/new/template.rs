//! The files of a project, embedded, and how they are filled.
//!
//! It owns which file belongs to which project. It must not touch the disk.

use septet::{
    contract::{BUNDLE_TYPE, Stage},
    pipeline::required_outputs,
};

use crate::cli::args::Language;

/// A file of a project before it is filled.
struct File {
    path: &'static str,
    text: &'static str,
}

/// Files below a folder of the host's package.
macro_rules! files {
    ($folder:literal: $($path:literal),+ $(,)?) => {
        &[$(File {
            path: $path,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $folder, "/", $path)),
        }),+]
    };
}

// The contract comes from where the host itself has it, so that no template can be behind it.
const TRANSFORM_WIT: &[File] = files!("../wit/deps/transform": "transform.wit");
const STAGE_WIT: &[File] = files!("../wit":
    "pipeline.wit", "deps/capability/capability.wit", "deps/transform/transform.wit",
);

const TRANSFORM_RUST: &[File] = files!("templates/transform/rust":
    "Cargo.lock", "Cargo.toml", "README.md", "gitignore", "src/component.rs", "src/lib.rs", "src/ratio.rs",
);
const TRANSFORM_PYTHON: &[File] = files!("templates/transform/python":
    "README.md", "app.py", "columns.py", "gitignore", "ratio.py", "requirements.txt", "test_ratio.py",
);
const TRANSFORM_JAVASCRIPT: &[File] = files!("templates/transform/javascript":
    "README.md", "app.js", "build.mjs", "columns.js", "gitignore", "package-lock.json", "package.json", "ratio.js",
    "ratio.test.js",
);
const STAGE_RUST: &[File] = files!("templates/stage/rust":
    "Cargo.lock", "Cargo.toml", "README.md", "gitignore", "src/component.rs", "src/lib.rs",
    "src/predictor.rs", "src/work.rs",
);
const STAGE_PYTHON: &[File] = files!("templates/stage/python":
    "README.md", "app.py", "gitignore", "predictor.py", "requirements.txt", "test_work.py", "work.py",
);
const STAGE_JAVASCRIPT: &[File] = files!("templates/stage/javascript":
    "README.md", "app.js", "build.mjs", "gitignore", "package-lock.json", "package.json", "predictor.js",
    "work.js", "work.test.js",
);

/// What a project is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Project<'a> {
    pub(super) name: &'a str,
    pub(super) language: Language,
    /// None for a transform.
    pub(super) stage: Option<Stage>,
}

impl Project<'_> {
    /// All files of the project: path below its folder, and content.
    pub(super) fn files(&self) -> Vec<(String, String)> {
        let (wit, own) = match (self.stage, self.language) {
            (None, Language::Rust) => (TRANSFORM_WIT, TRANSFORM_RUST),
            (None, Language::Python) => (TRANSFORM_WIT, TRANSFORM_PYTHON),
            (None, Language::JavaScript) => (TRANSFORM_WIT, TRANSFORM_JAVASCRIPT),
            (Some(_), Language::Rust) => (STAGE_WIT, STAGE_RUST),
            (Some(_), Language::Python) => (STAGE_WIT, STAGE_PYTHON),
            (Some(_), Language::JavaScript) => (STAGE_WIT, STAGE_JAVASCRIPT),
        };
        let wit = wit
            .iter()
            .map(|file| (format!("wit/{}", file.path), file.text.to_owned()));
        let own = own.iter().filter(|file| self.has(file)).map(|file| {
            // Among our own files it would hide the templates from git.
            let path = file.path.replace("gitignore", ".gitignore");
            (path, self.fill(file.text))
        });
        wit.chain(own).collect()
    }

    /// Only infer predicts on request.
    fn has(&self, file: &File) -> bool {
        self.stage == Some(Stage::Infer) || !file.path.contains("predictor.")
    }

    /// A line that begins with a stage's name in double braces is that stage's alone.
    fn fill(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        for mut line in text.lines() {
            let owner = Stage::ALL.into_iter().find_map(|stage| {
                let rest = line.strip_prefix(&format!("{{{{{stage}}}}}"))?;
                Some((stage, rest))
            });
            if let Some((stage, rest)) = owner {
                if self.stage != Some(stage) {
                    continue;
                }
                line = rest;
            }
            filled.push_str(&self.fill_line(line));
            filled.push('\n');
        }
        filled
    }

    fn fill_line(&self, line: &str) -> String {
        let line = line.replace("{{name}}", self.name);
        let Some(stage) = self.stage else {
            return line;
        };
        let names = |names: &[&str]| {
            let quoted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
            format!("[{}]", quoted.join(", "))
        };
        line.replace("{{stage}}", stage.name())
            .replace("{{inputs}}", &names(inputs(stage)))
            .replace("{{outputs}}", &names(outputs(stage)))
            .replace("{{media}}", media_type(stage))
            .replace("{{flags}}", &flags(stage))
    }
}

/// Inputs without which the stage can do nothing, as the pipeline names them.
const fn inputs(stage: Stage) -> &'static [&'static str] {
    match stage {
        Stage::Ingest => &["source"],
        Stage::Preprocess => &["table"],
        Stage::Train => &["train", "preprocessing", "reference", "sample"],
        Stage::Evaluate => &["bundle", "test"],
        Stage::Deploy => &["bundle", "evaluation"],
        Stage::Infer => &["bundle", "table"],
        Stage::Monitor => &["bundle", "table", "predictions"],
    }
}

/// What the pipeline asks of the stage. Of deploy it asks for a proposal only; a card is told of it.
fn outputs(stage: Stage) -> &'static [&'static str] {
    match required_outputs(stage) {
        [] => &["card"],
        names => names,
    }
}

/// How the outputs are written. A bundle must say that it is one: only then it is asked for
/// predictions.
const fn media_type(stage: Stage) -> &'static str {
    match stage {
        Stage::Train => BUNDLE_TYPE,
        _ => "application/json",
    }
}

/// What `septet invoke` must be given.
fn flags(stage: Stage) -> String {
    let inputs = inputs(stage).iter();
    let mut flags: Vec<_> = inputs.map(|name| format!("--input {name}=FILE")).collect();
    if stage == Stage::Deploy {
        flags.push("--param model=NAME".to_owned());
    }
    flags.join(" ")
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use clap::ValueEnum as _;

    use super::*;

    fn all() -> impl Iterator<Item = Project<'static>> {
        let stages = std::iter::once(None).chain(Stage::ALL.into_iter().map(Some));
        stages.flat_map(|stage| {
            Language::value_variants()
                .iter()
                .map(move |language| Project {
                    name: "my-project",
                    language: *language,
                    stage,
                })
        })
    }

    #[test]
    fn every_project_is_filled() {
        for project in all() {
            let files = project.files();
            for wanted in [".gitignore", "README.md"] {
                assert!(files.iter().any(|(path, _)| path == wanted), "{project:?}");
            }
            let predicts = files.iter().any(|(path, _)| path.contains("predictor"));
            assert_eq!(predicts, project.stage == Some(Stage::Infer), "{project:?}");
            for (path, text) in files {
                assert!(!text.contains("{{"), "{project:?}: {path} is not filled");
                assert!(text.ends_with('\n'), "{project:?}: {path}");
            }
        }
    }

    #[test]
    fn every_file_of_the_templates_is_written() {
        fn walk(folder: &Path, found: &mut BTreeSet<String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                } else {
                    found.insert(fs::read_to_string(path).unwrap());
                }
            }
        }
        let mut there = BTreeSet::new();
        walk(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"),
            &mut there,
        );
        let embedded = [
            TRANSFORM_RUST,
            TRANSFORM_PYTHON,
            TRANSFORM_JAVASCRIPT,
            STAGE_RUST,
            STAGE_PYTHON,
            STAGE_JAVASCRIPT,
        ];
        let embedded = embedded.iter().flat_map(|files| files.iter());
        let embedded: BTreeSet<_> = embedded.map(|file| file.text.to_owned()).collect();
        assert_eq!(there, embedded);
    }

    #[test]
    fn a_stage_has_its_own_lines_only() {
        let project = |stage| Project {
            name: "x",
            language: Language::Python,
            stage: Some(stage),
        };
        let text = "all {{stage}}\n{{deploy}}  deploy\n{{infer}}\n";
        assert_eq!(project(Stage::Deploy).fill(text), "all deploy\n  deploy\n");
        assert_eq!(project(Stage::Infer).fill(text), "all infer\n\n");
        assert_eq!(
            project(Stage::Monitor).fill("{{inputs}} {{outputs}}"),
            "[\"bundle\", \"table\", \"predictions\"] [\"drift\"]\n"
        );
    }
}
