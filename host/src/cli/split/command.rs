//! The command: reads, asks, prints, and writes the proposed settings.

use std::{
    fs,
    io::{ErrorKind, Write as _},
    path::Path,
};

use anyhow::{Context as _, bail};
use septet::contract::Stage;
use serde_json::json;

use super::{
    analysis::{Analysis, analyse, read},
    native::Native,
    proposal::{beside, settings},
    text::{Placed, page, placed},
};
use crate::cli::{args::SplitScript, output};

/// Says what a script does, and proposes settings.
pub(crate) fn split(words: &SplitScript, json: bool) -> anyhow::Result<()> {
    let shown = words.script.display().to_string();
    let notebook = words
        .script
        .extension()
        .is_some_and(|ending| ending == "ipynb");
    if notebook {
        bail!("{shown} is a notebook: export it first (jupyter nbconvert --to script {shown})");
    }
    if let Some(out) = &words.out
        && out.exists()
    {
        bail!(
            "{} is already there: name another file with --out",
            out.display()
        );
    }
    let source = read(&words.script)?;
    let found = analyse(&words.python, &source, &shown)?;
    let placed = placed(&found);
    let native = Native::of(&found);
    let folder = folder(&words.script, words.out.as_deref());
    let name = words
        .script
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let modules = beside(&words.script, &found.imports);
    let proposed = settings(&name, &folder, &placed, &native, &modules);
    if let Some(out) = &words.out {
        write(out, &proposed)?;
    }
    if json {
        return output::json(&object(words, &found, &placed, &native, &proposed));
    }
    let page = page(&shown, &found, &placed, &native);
    match &words.out {
        Some(out) => output::text_line(&format!("{page}\n\n{} is written", out.display())),
        None => output::text_line(&format!(
            "{page}\n\nProposed settings (--out septet.toml writes them):\n\n{}",
            proposed.trim_end()
        )),
    }
}

/// The script's folder, as seen from the folder of the settings; with its slash, where it is another.
fn folder(script: &Path, out: Option<&Path>) -> String {
    let folder = script.parent().unwrap_or(Path::new(""));
    let settings = out.and_then(Path::parent).unwrap_or(Path::new(""));
    let below = folder.strip_prefix(settings).unwrap_or(folder);
    match below.to_string_lossy() {
        path if path.is_empty() || path == "." => String::new(),
        path => format!("{}/", path.trim_end_matches('/')),
    }
}

fn write(out: &Path, text: &str) -> anyhow::Result<()> {
    let shown = out.display();
    let opened = match fs::File::create_new(out) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{shown} is already there: name another file with --out")
        }
        opened => opened,
    };
    opened
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("{shown} can't be written"))
}

fn object(
    words: &SplitScript,
    found: &Analysis,
    placed: &[Placed<'_>],
    native: &Native,
    proposed: &str,
) -> serde_json::Value {
    let stages = placed.iter().map(
        |placed| json!({ "stage": placed.stage, "lines": placed.ranges, "steps": placed.events }),
    );
    let missing = Stage::ALL
        .into_iter()
        .filter(|stage| placed.iter().all(|placed| placed.stage != *stage));
    json!({
        "script": words.script,
        "lines": found.lines,
        "stages": stages.collect::<Vec<_>>(),
        "missing": missing.collect::<Vec<_>>(),
        "flows": found.flows,
        "files": found.files,
        "columns": found.columns,
        "target": native.target,
        "task": native.task,
        "native": native.settings,
        "no_counterpart": native.without,
        "unplaced": found.unplaced,
        "aside": found.aside,
        "settings": proposed,
        "written": words.out,
    })
}
