//! What is told of a dataset's parts: components number them, people know their files.

use std::{collections::BTreeMap, path::Path};

use septet::{
    contract::Stage,
    pipeline::{Pipeline, RunRequest, RunState, Source, StageRow},
};
use serde::Deserialize;

/// Largest list of what was set apart that is read, in bytes.
const MAX_LIST: u64 = 1 << 20;

/// A stage's notes, with the names of the parts that they number and of the model.
pub(crate) fn notes(row: &StageRow, request: &RunRequest) -> Vec<String> {
    let several = request.sources.len() > 1;
    let named = |note: &String| match row.stage {
        _ if !several => note.clone(),
        // Ingest sees one part and does not know which.
        Stage::Ingest => match request.sources.get(row.unit as usize) {
            Some(source) => format!("{}: {note}", file_name(source)),
            None => note.clone(),
        },
        _ => named(note, request),
    };
    // A component does not know the name of the model, in what it advises.
    let advice = format!("schema accept {}", request.name);
    let known = |note: String| note.replace("schema accept NAME", &advice);
    row.notes.iter().map(named).map(known).collect()
}

/// Puts the file's name behind each `part N`; test parts are counted by themselves.
fn named(note: &str, request: &RunRequest) -> String {
    const WORD: &str = "part ";
    let (data, tests) = request.parts();
    let mut text = String::with_capacity(note.len());
    let mut rest = note;
    while let Some(at) = rest.find(WORD) {
        let (before, after) = rest.split_at(at + WORD.len());
        text.push_str(before);
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = after.split_at(digits);
        text.push_str(number);
        let head = before.trim_end_matches(WORD);
        let parts = if head.ends_with("test ") { tests } else { data };
        let whole = head.is_empty() || head.ends_with([' ', '(', '\'']);
        let number = number.parse::<usize>().ok().filter(|_| whole);
        let part = number.and_then(|number| parts.get(number.checked_sub(1)?));
        if let Some(part) = part {
            text.push_str(" (");
            text.push_str(&file_name(part));
            text.push(')');
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

fn file_name(source: &Source) -> String {
    let name = Path::new(&source.label).file_name();
    name.map_or_else(
        || source.label.clone(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// What preprocess says of a part that does not fit the schema.
#[derive(Deserialize)]
struct Misfit {
    part: usize,
    column: Option<String>,
    rule: String,
    raw: Option<String>,
}

/// The parts that preprocess set apart, a line each. It is only told, so that what can't be read
/// is left out.
pub(crate) async fn set_apart(pipeline: &Pipeline, state: &RunState) -> Vec<String> {
    let Some(list) = state.output(Stage::Preprocess, "quarantine") else {
        return Vec::new();
    };
    let bytes = pipeline.store().blobs.get(&list.digest, MAX_LIST).await;
    let bytes = bytes.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let mut parts: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for misfit in text
        .lines()
        .filter_map(|line| serde_json::from_str::<Misfit>(line).ok())
    {
        let column = misfit.column.unwrap_or_default();
        let why = match (misfit.rule.as_str(), misfit.raw) {
            ("missing-column", _) => format!("column '{column}' is missing"),
            ("retyped-column", Some(kind)) => format!("column '{column}' is {kind}"),
            (rule, _) => format!("column '{column}': {rule}"),
        };
        parts.entry(misfit.part).or_default().push(why);
    }
    let sources = &state.request.sources;
    let line = |(part, why): (usize, Vec<String>)| {
        let source = part.checked_sub(1).and_then(|part| sources.get(part));
        let name = source.map(file_name).unwrap_or_default();
        format!("part {part} ({name}): {}", why.join(", "))
    };
    parts.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use septet::{
        contract::{Artifact, Digest},
        pipeline::{Pinned, RunKind},
    };

    use super::*;

    fn request(labels: &[&str], tests: u32) -> RunRequest {
        let source = |label: &&str| Source {
            label: (*label).to_owned(),
            artifact: Artifact {
                name: "source".to_owned(),
                digest: Digest::of(label.as_bytes()),
                size: 1,
                media_type: "text/csv".to_owned(),
            },
        };
        RunRequest {
            kind: RunKind::Train,
            name: "m".to_owned(),
            sources: labels.iter().map(source).collect(),
            parameters: BTreeMap::new(),
            seed: 0,
            components: BTreeMap::new(),
            model: None,
            transforms: vec![],
            created: String::new(),
            tests,
            declared: None,
            pinned: Pinned::default(),
            trace: None,
        }
    }

    #[test]
    fn parts_are_named() {
        let request = request(&["days/day01.csv", "days/day02.csv", "t.csv"], 1);
        let told = |note: &str| named(note, &request);
        assert_eq!(
            told("part 2 is set apart"),
            "part 2 (day02.csv) is set apart"
        );
        assert_eq!(
            told("part 1: a; test part 1: b"),
            "part 1 (day01.csv): a; test part 1 (t.csv): b"
        );
        for same in ["part 3", "part x", "depart 1", "a part ", "", "part 0"] {
            assert_eq!(told(same), same);
        }
    }
}
