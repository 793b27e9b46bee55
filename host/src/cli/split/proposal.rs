//! A septet.toml to begin with: an external command for each stage that a script has, and the settings that would do
//! the same without it.

use std::{fmt::Write as _, path::Path};

use septet::contract::Stage;
use serde_json::Value;

use super::{
    analysis::Import,
    native::{Native, Setting},
    text::Placed,
};

/// What a stage is given, and what it must give.
const fn exchanged(stage: Stage) -> &'static str {
    match stage {
        Stage::Ingest => "is given `source`, gives `table`",
        Stage::Preprocess => "is given `table`, gives `train` and `test`",
        Stage::Train => "is given `train`, gives `bundle` (application/onnx, never a pickle)",
        Stage::Evaluate => {
            "is given `bundle`, `test` and maybe `champion`, gives `evaluation` (JSON)"
        }
        Stage::Deploy => "is given `bundle` and `evaluation`, proposes the version",
        Stage::Infer => "is given `bundle` and `table`, gives `predictions`",
        Stage::Monitor => "is given `bundle`, `table` and `predictions`, gives `drift` (JSON)",
    }
}

/// A stage that the script does not have and that must be external all the same, and why.
fn needed(stage: Stage, external: &[Stage]) -> Option<&'static str> {
    let is = |stage| external.contains(&stage);
    match stage {
        Stage::Train if is(Stage::Preprocess) => {
            Some("Septet's own train takes what Septet's own preprocess gives")
        }
        Stage::Evaluate if is(Stage::Preprocess) || is(Stage::Infer) => {
            Some("Septet's own evaluate takes what Septet's own preprocess and infer give")
        }
        Stage::Deploy if is(Stage::Evaluate) => Some(
            "Septet's own deploy reads what Septet's own evaluate gives; call.propose() is all that it takes",
        ),
        _ => None,
    }
}

/// The stages that are external at first, each with its reason where the script does not have it.
pub(super) fn externals(placed: &[Placed<'_>]) -> Vec<(Stage, Option<&'static str>)> {
    let mut stages: Vec<Stage> = placed.iter().map(|placed| placed.stage).collect();
    let mut all = Vec::new();
    // In the stages' order, so that one that is needed may need the next.
    for stage in Stage::ALL {
        if stages.contains(&stage) {
            all.push((stage, None));
        } else if let Some(why) = needed(stage, &stages) {
            stages.push(stage);
            all.push((stage, Some(why)));
        }
    }
    all
}

/// The settings. `folder` is the script's, as seen from the settings' own.
pub(super) fn settings(
    script: &str,
    folder: &str,
    placed: &[Placed<'_>],
    native: &Native,
    modules: &[String],
) -> String {
    let name = plain(script);
    let mut text = format!(
        "# Proposed by `septet split {name}`: each stage is a command of its own at first. Write the files that are named\n\
         # here (docs/python.md), then take away one `external` at a time: what stands below it does the same.\n"
    );
    run(&mut text, native);
    let externals = externals(placed);
    for stage in Stage::ALL {
        let external = externals.iter().find(|(other, _)| *other == stage);
        let own: Vec<_> = native
            .settings
            .iter()
            .filter(|setting| setting.stage == stage)
            .collect();
        if external.is_none() && own.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n[{stage}]");
        if let Some((_, why)) = external {
            let lines = placed.iter().find(|placed| placed.stage == stage);
            let of = match (lines, why) {
                (Some(placed), _) => format!("{} of {name}", placed.lines()),
                (None, why) => format!("the script has none, but {}", why.unwrap_or_default()),
            };
            let _ = writeln!(text, "# {stage}.py: {of}. It {}.", exchanged(stage));
            command(&mut text, stage, script, folder, modules);
        }
        tables(&mut text, stage, &own);
    }
    text
}

fn command(text: &mut String, stage: Stage, script: &str, folder: &str, modules: &[String]) {
    let file = format!("{folder}{stage}.py");
    let files: Vec<_> = [file.clone(), format!("{folder}{script}")]
        .into_iter()
        .chain(modules.iter().map(|module| format!("{folder}{module}")))
        .map(Value::from)
        .collect();
    let command = Value::from(vec!["python3".to_owned(), file]);
    let _ = writeln!(
        text,
        "external = {{ command = {}, files = {} }}",
        literal(&command),
        literal(&Value::Array(files))
    );
}

/// The settings of a stage: keys of the section itself come before its tables.
fn tables(text: &mut String, stage: Stage, settings: &[&Setting]) {
    let mut tables: Vec<&[String]> = settings
        .iter()
        .filter_map(|setting| setting.path.split_last())
        .map(|(_, table)| table)
        .collect();
    tables.sort();
    tables.dedup();
    for table in tables {
        if !table.is_empty() {
            let names: Vec<_> = table.iter().map(|name| key(name)).collect();
            let _ = writeln!(text, "\n[{stage}.{}]", names.join("."));
        }
        for setting in settings {
            if let Some((name, above)) = setting.path.split_last()
                && above == table
            {
                let because = plain(&setting.because);
                let value = literal(&setting.value);
                let _ = writeln!(text, "{} = {value}  # {because}", key(name));
            }
        }
    }
}

/// The text without what would end a comment.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn run(text: &mut String, native: &Native) {
    if native.target.is_none() && native.task.is_none() && native.seed.is_none() {
        return;
    }
    text.push_str("\n[run]\n");
    if let Some(target) = &native.target {
        let _ = writeln!(text, "target = {}", literal(&Value::from(target.as_str())));
    }
    if let Some(task) = native.task {
        let _ = writeln!(text, "task = \"{task}\"");
    }
    if let Some(seed) = native.seed {
        let _ = writeln!(text, "seed = {seed}");
    }
}

/// A key, in quotes where it must be.
fn key(name: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    if !name.is_empty() && name.bytes().all(bare) {
        name.to_owned()
    } else {
        literal(&Value::from(name))
    }
}

/// The value as TOML has it, on one line.
fn literal(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        // JSON's strings are TOML's, but for DEL; so are its numbers.
        Value::String(text) => Value::from(text.as_str())
            .to_string()
            .replace('\u{7f}', "\\u007f"),
        other => other.to_string(),
    }
}

/// Modules that lie beside the script: they go where it goes.
pub(super) fn beside(script: &Path, imports: &[Import]) -> Vec<String> {
    let folder = script.parent().unwrap_or(Path::new(""));
    let plain =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    let names = imports.iter().map(|import| import.module.as_str());
    names
        .filter(|name| plain(name))
        .filter_map(|name| {
            let file = format!("{name}.py");
            if folder.join(&file).is_file() {
                Some(file)
            } else {
                folder
                    .join(name)
                    .join("__init__.py")
                    .is_file()
                    .then(|| format!("{name}/*.py"))
            }
        })
        .collect()
}
