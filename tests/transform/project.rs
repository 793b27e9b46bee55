//! A project of `septet new`, set up and built by the commands of its own README.
//!
//! The tools of each language are installed once under `target/oracles`, from the templates' own
//! pins, and linked into every project. What was tested and built once from the very same files is
//! taken from there, because two of the compilers need many seconds.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use septet::contract::Digest;
use serde_json::Value;

use crate::{
    hosts::oracles::{installed, target, venv, workspace},
    support::{
        guests,
        septet::{Ran, Workplace, binary},
    },
};

/// A folder with a project in it.
pub(crate) struct Project {
    pub(crate) here: Workplace,
    pub(crate) name: String,
    /// The commands of its README.
    commands: Vec<String>,
}

impl Project {
    /// What `septet new` writes in this language, with its tools; none where they can't be installed.
    pub(crate) fn new(what: &[&str], language: &str, name: &str) -> Option<Self> {
        let (tools, place) = tools(language)?;
        let here = Workplace::new();
        let arguments = [&["new"], what, &["--lang", language, name, "--json"]].concat();
        let told: Value = here.septet(&arguments).json();
        assert_eq!(told["written"], name);
        symlink(tools, here.path(name).join(place)).unwrap();
        let commands = told["next"].as_array().unwrap().iter();
        let commands = commands.map(|line| line.as_str().unwrap().to_owned());
        Some(Self {
            commands: commands.collect(),
            here,
            name: name.to_owned(),
        })
    }

    /// The project's folder.
    pub(crate) fn folder(&self) -> PathBuf {
        self.here.path(&self.name)
    }

    /// The commands with which it is used once it is built.
    pub(crate) fn uses(&self) -> impl Iterator<Item = &str> {
        let own = |line: &&str| line.starts_with("septet ");
        self.commands.iter().map(String::as_str).filter(own)
    }

    /// Its own test, then its component.
    pub(crate) fn build(&self) -> Vec<u8> {
        let component = self.folder().join(self.component());
        let key = digest(&self.folder());
        let kept = target()
            .join("oracles/templates")
            .join(format!("{key}.wasm"));
        if kept.exists() {
            fs::create_dir_all(component.parent().unwrap()).unwrap();
            fs::copy(&kept, &component).unwrap();
            return fs::read(kept).unwrap();
        }
        // What sets the tools up was done once for all projects.
        let done = [
            "rustup ",
            "python3 -m venv",
            ".venv/bin/pip ",
            "npm ci",
            "septet ",
        ];
        for line in &self.commands {
            if !done.iter().any(|start| line.starts_with(start)) {
                self.run(line).ok();
            }
        }
        let bytes = fs::read(&component).unwrap();
        fs::create_dir_all(kept.parent().unwrap()).unwrap();
        fs::write(&kept, &bytes).unwrap();
        bytes
    }

    /// Where the README says that the component is.
    pub(crate) fn component(&self) -> &str {
        let check = self.uses().find(|line| line.contains(" check "));
        let mut words = check.unwrap().split(' ');
        let is_wasm = |word: &&str| Path::new(word).extension().is_some_and(|e| e == "wasm");
        words.find(is_wasm).unwrap()
    }

    /// A line of the README, in the project's folder.
    pub(crate) fn run(&self, line: &str) -> Ran {
        let mut shell = guests::clean("sh");
        shell.arg("-c").arg(line);
        self.command(&mut shell)
    }

    fn command(&self, shell: &mut Command) -> Ran {
        let mut path = OsString::from(binary().parent().unwrap());
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        let output = shell
            .current_dir(self.folder())
            .env("PATH", path)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env(
                "SEPTET_CACHE",
                Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"),
            )
            .env("NO_COLOR", "1")
            .output();
        output.unwrap().into()
    }
}

/// The installed tools of a language, and where in a project they stand.
fn tools(language: &str) -> Option<(PathBuf, &'static str)> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    static JAVASCRIPT: OnceLock<Option<PathBuf>> = OnceLock::new();
    const TEMPLATES: &str = "../host/templates/transform";
    match language {
        "rust" => {
            let target = target().join("oracles/templates-rust");
            fs::create_dir_all(&target).unwrap();
            Some((target, "target"))
        }
        "python" => {
            let source = format!("{TEMPLATES}/python");
            let install = || installed("templates-python", &source, &["requirements.txt"], venv);
            let folder = PYTHON.get_or_init(install).clone()?;
            Some((folder, ".venv"))
        }
        _ => {
            let source = format!("{TEMPLATES}/javascript");
            let pins = ["package.json", "package-lock.json"];
            let install = || installed("templates-javascript", &source, &pins, npm_ci);
            let folder = JAVASCRIPT.get_or_init(install).clone()?;
            Some((folder.join("node_modules"), "node_modules"))
        }
    }
}

/// As the README says it.
fn npm_ci(folder: &Path) -> Result<(), String> {
    for file in ["package.json", "package-lock.json"] {
        let path = folder.join(file);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("{{name}}", "templates")).unwrap();
    }
    let output = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(folder)
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// What a project is made of, with the compilers that it is built by.
fn digest(folder: &Path) -> Digest {
    fn walk(folder: &Path, text: &mut Vec<u8>) {
        let mut paths: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort();
        for path in paths {
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                walk(&path, text);
            } else {
                text.extend(path.file_name().unwrap().as_encoded_bytes());
                text.extend(fs::read(&path).unwrap());
            }
        }
    }
    let toolchain = fs::read(workspace().join("rust-toolchain.toml")).unwrap();
    let mut text = toolchain;
    walk(folder, &mut text);
    Digest::of(&text)
}
