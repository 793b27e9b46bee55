//! What was found in a script, for people.

use septet::contract::Stage;

use super::{
    analysis::{Analysis, Event},
    native::Native,
    proposal::externals,
};
use crate::cli::output;

/// What a line of the list of stages names at most.
const SHOWN: usize = 3;

/// The lines of a stage.
pub(super) struct Placed<'a> {
    pub(super) stage: Stage,
    pub(super) events: Vec<&'a Event>,
    pub(super) ranges: Vec<(u64, u64)>,
}

impl Placed<'_> {
    /// The lines, in words.
    pub(super) fn lines(&self) -> String {
        lines(&self.ranges)
    }
}

/// `line 3`, or `lines 3-5, 7`.
fn lines(of: &[(u64, u64)]) -> String {
    let one = matches!(of, [(first, last)] if first == last);
    format!("{} {}", if one { "line" } else { "lines" }, ranges(of))
}

fn ranges(ranges: &[(u64, u64)]) -> String {
    let word = |(first, last): &(u64, u64)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    };
    ranges.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// The stages that were found, in their order. A function that does the work of one stage alone is its own as a whole.
pub(super) fn placed(found: &Analysis) -> Vec<Placed<'_>> {
    let whole = |event: &Event| {
        let within = event.within.as_ref().filter(|within| within.alone)?;
        Some((within.line, within.end))
    };
    let of = |stage| {
        let events: Vec<_> = found
            .events
            .iter()
            .filter(|event| event.stage == stage)
            .collect();
        let mut lines: Vec<(u64, u64)> = events
            .iter()
            .map(|event| whole(event).unwrap_or((event.line, event.end)))
            .collect();
        lines.sort_unstable();
        let ranges = merged(lines);
        Placed {
            stage,
            events,
            ranges,
        }
    };
    Stage::ALL
        .into_iter()
        .map(of)
        .filter(|placed| !placed.events.is_empty())
        .collect()
}

/// The whole page, without the proposed settings.
pub(super) fn page(
    shown: &str,
    found: &Analysis,
    placed: &[Placed<'_>],
    native: &Native,
) -> String {
    let mut parts = vec![format!(
        "{shown}: {} lines, {} of the seven stages",
        found.lines,
        placed.len()
    )];
    let rows = placed.iter().map(|placed| {
        let lines = ranges(&placed.ranges);
        vec![placed.stage.to_string(), lines, told(placed)]
    });
    if !placed.is_empty() {
        parts.push(output::table(
            &["stage", "lines", "what they do"],
            &[],
            rows.collect(),
        ));
    }
    let mine: Vec<_> = placed.iter().map(|placed| placed.stage).collect();
    let needed = externals(placed);
    let missing = Stage::ALL.into_iter().filter(|stage| !mine.contains(stage));
    let missing: Vec<_> = missing
        .map(|stage| {
            let external = needed.iter().any(|(other, _)| *other == stage);
            let how = if external { "external" } else { "Septet's own" };
            format!("{stage} ({how} at first)")
        })
        .collect();
    if !missing.is_empty() {
        parts.push(format!("Not in it: {}", missing.join(", ")));
    }
    let flows = found.flows.iter().map(|flow| {
        vec![
            flow.from.to_string(),
            flow.to.to_string(),
            short(&flow.names, 8),
        ]
    });
    section(&mut parts, &["from", "to", "what flows"], flows.collect());
    let files = found.files.iter().map(|file| {
        vec![
            file.mode.clone(),
            file.name.clone(),
            format!("{}, line {}", file.stage, file.line),
        ]
    });
    section(&mut parts, &["file", "", "where"], files.collect());
    if !found.columns.is_empty() {
        let names: Vec<_> = found
            .columns
            .iter()
            .map(|column| column.name.clone())
            .collect();
        parts.push(format!("Columns named: {}", short(&names, 20)));
    }
    if let Some(target) = &native.target {
        let task = native.task.map(|task| format!(", a {task}"));
        parts.push(format!("Target: {target}{}", task.unwrap_or_default()));
    }
    let settings = native.settings.iter().map(|setting| {
        let path = setting.path.join(".");
        vec![
            format!("{}.{path}", setting.stage),
            setting.value.to_string(),
            setting.because.clone(),
        ]
    });
    section(
        &mut parts,
        &["Septet's own setting", "value", "for"],
        settings.collect(),
    );
    let without = grouped(native);
    section(&mut parts, &["no counterpart", "why"], without);
    let lost = found.unplaced.iter().map(|lost| {
        vec![
            format!("line {}", lost.line),
            lost.text.clone(),
            lost.why.clone(),
        ]
    });
    section(&mut parts, &["not placed", "", "why"], lost.collect());
    if !found.aside.is_empty() {
        parts.push(format!(
            "Left aside, for it is no Python: {}",
            lines(&joined(&found.aside))
        ));
    }
    parts.join("\n\n")
}

fn section(parts: &mut Vec<String>, header: &[&str], rows: Vec<Vec<String>>) {
    if !rows.is_empty() {
        parts.push(output::table(header, &[], rows));
    }
}

/// What the statements do; those that differ only in by what are told together.
fn told(placed: &Placed<'_>) -> String {
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for event in &placed.events {
        let (verb, by) = event.what.split_once(" by ").unwrap_or((&event.what, ""));
        let known = groups.iter().position(|(other, _)| *other == verb);
        let at = known.unwrap_or(groups.len());
        if known.is_none() {
            groups.push((verb, Vec::new()));
        }
        if let Some((_, all)) = groups.get_mut(at)
            && !by.is_empty()
            && !all.iter().any(|other| other == by)
        {
            all.push(by.to_owned());
        }
    }
    let word = |(verb, by): &(&str, Vec<String>)| {
        if by.is_empty() {
            (*verb).to_owned()
        } else {
            format!("{verb} by {}", short(by, SHOWN))
        }
    };
    groups.iter().map(word).collect::<Vec<_>>().join("; ")
}

fn short(names: &[String], most: usize) -> String {
    let (first, more) = names.split_at(names.len().min(most));
    let rest = if more.is_empty() {
        String::new()
    } else {
        format!(" and {} more", more.len())
    };
    format!("{}{rest}", first.join(", "))
}

/// What has no counterpart; what is said of several lines is said once.
fn grouped(native: &Native) -> Vec<Vec<String>> {
    let mut rows: Vec<(Vec<u64>, &str)> = Vec::new();
    for without in &native.without {
        match rows.iter_mut().find(|(_, why)| *why == without.why) {
            Some((lines, _)) => lines.push(without.line),
            None => rows.push((vec![without.line], &without.why)),
        }
    }
    let row = |(of, why): (Vec<u64>, &str)| vec![lines(&joined(&of)), why.to_owned()];
    rows.into_iter().map(row).collect()
}

fn joined(lines: &[u64]) -> Vec<(u64, u64)> {
    merged(lines.iter().map(|line| (*line, *line)).collect())
}

/// Sorted ranges of lines, those that touch as one.
fn merged(lines: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for (first, last) in lines {
        match ranges.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => {
                before.1 = before.1.max(last);
            }
            _ => ranges.push((first, last)),
        }
    }
    ranges
}
