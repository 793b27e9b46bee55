//! `examples/monolith`: a script that becomes seven components, a stage a step.
//!
//! It owns that every step runs and predicts what the script does. What external stages may do wrong is
//! for `external`.

mod refused;
mod steps;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::{
    hosts::oracles::{installed, venv, workspace},
    support::septet::{Ran, Workplace},
};

/// The folder of the example.
fn example() -> PathBuf {
    workspace().join("examples/monolith")
}

/// The environment that has what the example asks for; none where Python's registry is out of reach.
fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    PYTHON
        .get_or_init(|| {
            let source = "../examples/monolith";
            let folder = installed("monolith", source, &["requirements.txt"], venv)?;
            Some(folder.join("bin"))
        })
        .as_deref()
}

/// The command, with the example's Python before any other.
fn septet(workplace: &Workplace, python: &Path, step: &str, words: &[&str]) -> Ran {
    let settings = example().join(step).join("septet.toml");
    let mut all = vec!["--config", settings.to_str().unwrap()];
    all.extend(words);
    let mut command = workplace.command(&all);
    on_path(&mut command, python);
    command.output().unwrap().into()
}

fn on_path(command: &mut Command, python: &Path) {
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .env("PATH", format!("{}:{path}", python.display()))
        .env("PYTHONDONTWRITEBYTECODE", "1");
}
