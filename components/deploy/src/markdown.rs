//! The model card for people, in Markdown.
//!
//! What comes from data or parameters is escaped: it can't become a heading, a link, HTML or a
//! further cell.

use std::fmt::Write;

use septet_kit::{
    bundle::Manifest,
    evaluation::{Difference, Evaluation},
    metrics::Interval,
    preprocessing::Task,
    show::shown,
};

use crate::{
    decision::{Decision, Parameters},
    warnings::warnings,
};

/// Characters of a text.
const MAX_TEXT: usize = 300;
/// Entries of a list or table.
const MAX_ENTRIES: usize = 100;

/// The card.
pub fn card(
    parameters: &Parameters,
    bundle: &str,
    manifest: &Manifest,
    evaluation: &Evaluation,
    decision: &Decision,
) -> String {
    let mut page = Page::default();
    page.line(&format!("# Model card: {}", escaped(&parameters.model)));
    about(&mut page, parameters, bundle, manifest, decision);
    page.section("Limits and warnings");
    let warnings = warnings(parameters, manifest, evaluation);
    page.list(warnings.iter().map(String::as_str));
    page.list(
        [
            "The figures hold for rows like the test rows; watch new rows for drift.",
            "An interval says how far chance in the test rows moves a figure. It does not cover \
             data that is collected in another way.",
        ]
        .into_iter(),
    );
    data(&mut page, parameters, manifest, evaluation);
    training(&mut page, manifest);
    figures(&mut page, evaluation);
    page.section("Gate");
    let verdict = evaluation.gate.verdict.name();
    page.line(&format!("Verdict: **{verdict}**."));
    page.blank();
    page.list(evaluation.gate.reasons.iter().map(String::as_str));
    slices(&mut page, evaluation);
    page.section("Lineage");
    let digests = manifest
        .lineage
        .iter()
        .map(|input| vec![escaped(&input.name), escaped(&input.digest)]);
    let own = std::iter::once(vec!["bundle".to_owned(), escaped(bundle)]);
    page.table(&["artifact", "sha-256"], own.chain(digests));
    page.text
}

fn about(
    page: &mut Page,
    parameters: &Parameters,
    bundle: &str,
    manifest: &Manifest,
    decision: &Decision,
) {
    let plan = &manifest.preprocessing;
    let target = escaped(&plan.target);
    page.blank();
    page.line(&match plan.task {
        Task::Classification => format!(
            "It tells which of {} classes of **{target}** a row has, with a probability for each.",
            plan.classes.len()
        ),
        Task::Regression => format!("It tells the number **{target}** of a row."),
    });
    page.blank();
    let (moves, reason) = match decision {
        Decision::Move { reason, .. } => ("is proposed to move here", reason),
        Decision::Stay { reason } => ("stays", reason),
    };
    let short: String = bundle.chars().take(12).collect();
    let alias = escaped(&parameters.alias);
    let reason = escaped(reason);
    page.list_raw([
        format!("Bundle: {}", escaped(&short)),
        format!("Alias {alias} {moves}: {reason}"),
    ]);
}

fn data(page: &mut Page, parameters: &Parameters, manifest: &Manifest, evaluation: &Evaluation) {
    let plan = &manifest.preprocessing;
    page.section("Data");
    let mut facts = vec![
        format!(
            "Rows: {} for training, {} for testing",
            manifest.reference.rows, evaluation.rows
        ),
        format!(
            "Columns: {}, which become {} features",
            plan.inputs.len(),
            plan.features.len()
        ),
    ];
    if let Some(uses) = parameters.test_uses {
        facts.push(format!(
            "Versions evaluated on this test set, this one included: {uses}"
        ));
    }
    if plan.weighted {
        facts.push("Train rows have weights; test rows count once each".to_owned());
    }
    page.list_raw(facts);
    page.blank();
    let inputs = plan.inputs.iter().map(|input| {
        let nullable = if input.nullable { "yes" } else { "no" };
        vec![
            escaped(&input.name),
            input.kind.name().to_owned(),
            nullable.to_owned(),
        ]
    });
    page.table(&["column", "kind", "may be missing"], inputs);
    let classes = plan.classes.iter().zip(&plan.class_counts);
    page.table(
        &["class", "train rows"],
        classes.map(|(class, rows)| vec![escaped(class), rows.to_string()]),
    );
}

fn training(page: &mut Page, manifest: &Manifest) {
    page.section("Training");
    let mut facts = vec![
        format!("Algorithm: {}", escaped(&manifest.algorithm)),
        format!("Seed: {}", manifest.seed),
    ];
    if let (Some(positive), Some(threshold)) =
        (&manifest.preprocessing.positive, manifest.threshold)
    {
        facts.push(format!(
            "{} is predicted from a probability of {threshold:.4} on, chosen on train rows",
            escaped(positive)
        ));
    }
    page.list_raw(facts);
    page.blank();
    let parameters = manifest.parameters.iter();
    page.table(
        &["parameter", "value"],
        parameters.map(|(name, value)| vec![escaped(name), escaped(&value.to_string())]),
    );
    let metrics = manifest.metrics.iter();
    page.table(
        &["figure of the training", "value"],
        metrics.map(|(name, value)| vec![escaped(name), number(*value)]),
    );
}

fn figures(page: &mut Page, evaluation: &Evaluation) {
    page.section("Evaluation");
    let champion = evaluation.champion.as_ref();
    page.line(&format!(
        "On {} test rows; in brackets the 95 % intervals of {} resamples. The primary metric is \
         {}.",
        evaluation.rows,
        evaluation.resamples,
        escaped(&evaluation.primary)
    ));
    if let Some(positive) = &evaluation.positive {
        page.line(&format!("The positive class is {}.", escaped(positive)));
    }
    if let Some(champion) = champion {
        let short: String = champion.bundle.chars().take(12).collect();
        page.line(&format!(
            "The champion is version {}, {}.",
            champion.version,
            escaped(&short)
        ));
    }
    page.blank();
    let cell = |value: Option<&f64>, interval: Option<&Interval>| match (value, interval) {
        (Some(value), Some(interval)) => format!(
            "{} ({} to {})",
            number(*value),
            number(interval.low),
            number(interval.high)
        ),
        (Some(value), None) => number(*value),
        (None, _) => "–".to_owned(),
    };
    let against = |difference: Option<&Difference>| {
        difference.map_or_else(
            || "–".to_owned(),
            |d| {
                format!(
                    "{} ({} to {})",
                    number(d.value),
                    number(d.low),
                    number(d.high)
                )
            },
        )
    };
    let rows = evaluation.metrics.iter().map(|(name, value)| {
        let mut row = vec![
            escaped(name),
            cell(Some(value), evaluation.intervals.get(name)),
            cell(evaluation.baseline.get(name), None),
        ];
        if let Some(champion) = champion {
            row.push(cell(
                champion.metrics.get(name),
                champion.intervals.get(name),
            ));
            row.push(against(champion.differences.get(name)));
        }
        row
    });
    let header = [
        "metric",
        "this version",
        "trivial baseline",
        "champion",
        "this less champion",
    ];
    let columns = if champion.is_some() { 5 } else { 3 };
    page.table(header.get(..columns).unwrap_or_default(), rows);
    let classes = evaluation.details.classes.iter().map(|class| {
        vec![
            escaped(&class.class),
            class.rows.to_string(),
            number(class.precision),
            number(class.recall),
            number(class.f1),
        ]
    });
    page.table(
        &["class", "test rows", "precision", "recall", "f1"],
        classes,
    );
}

fn slices(page: &mut Page, evaluation: &Evaluation) {
    let Some(slices) = &evaluation.slices else {
        return;
    };
    page.section("Slices");
    let primary = &evaluation.primary;
    page.line(&format!(
        "The test rows by {}, and the {} of each part.",
        escaped(&slices.column),
        escaped(primary)
    ));
    page.blank();
    let rows = slices.slices.iter().map(|slice| {
        let value = slice.metrics.get(primary).copied().map(number);
        let interval = slice.intervals.get(primary);
        vec![
            escaped(&slice.value),
            slice.rows.to_string(),
            value.unwrap_or_else(|| "–".to_owned()),
            interval.map_or_else(
                || "–".to_owned(),
                |interval| format!("{} to {}", number(interval.low), number(interval.high)),
            ),
        ]
    });
    page.table(&["value", "test rows", "figure", "95 % interval"], rows);
}

/// A figure for a reader: four places, or an exponent where these would tell nothing.
fn number(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e9).contains(&size) {
        format!("{value:.3e}")
    } else {
        format!("{value:.4}")
    }
}

/// A text as it reads, on one line and bounded; nothing in it is Markdown or HTML.
fn escaped(text: &str) -> String {
    let shown = shown(text, MAX_TEXT);
    let mut escaped = String::new();
    let mut before = ' ';
    let mut rest = shown.chars().peekable();
    while let Some(character) = rest.next() {
        let special = match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | '@' | '#' => true,
            // An address is a link even without brackets: `http://…`, `www.…`.
            ':' => rest.peek() == Some(&'/'),
            '.' => before.eq_ignore_ascii_case(&'w'),
            _ => false,
        };
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            // These change the direction of what follows or are not seen at all.
            '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' => escaped.extend(character.escape_unicode()),
            _ => {
                if special {
                    escaped.push('\\');
                }
                escaped.push(character);
            }
        }
        before = character;
    }
    escaped
}

/// Markdown, line by line.
#[derive(Debug, Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{line}");
    }

    fn blank(&mut self) {
        self.line("");
    }

    fn section(&mut self, name: &str) {
        if !self.text.ends_with("\n\n") {
            self.blank();
        }
        self.line(&format!("## {name}"));
        self.blank();
    }

    /// Texts that are escaped here.
    fn list<'t>(&mut self, entries: impl Iterator<Item = &'t str>) {
        self.list_raw(entries.map(escaped));
    }

    /// Entries that are Markdown.
    fn list_raw(&mut self, entries: impl IntoIterator<Item = String>) {
        for entry in entries.into_iter().take(MAX_ENTRIES) {
            self.line(&format!("- {entry}"));
        }
    }

    /// Cells that are Markdown; nothing without rows.
    fn table(&mut self, header: &[&str], rows: impl Iterator<Item = Vec<String>>) {
        let mut rows = rows.peekable();
        if rows.peek().is_none() {
            return;
        }
        self.line(&format!("| {} |", header.join(" | ")));
        self.line(&format!("|{}", "---|".repeat(header.len())));
        for row in rows.by_ref().take(MAX_ENTRIES) {
            self.line(&format!("| {} |", row.join(" | ")));
        }
        let more = rows.count();
        self.blank();
        if more > 0 {
            self.line(&format!("And {more} more."));
            self.blank();
        }
    }
}

#[cfg(test)]
mod tests {
    use septet_kit::evaluation::Verdict;
    use serde_json::json;

    use super::*;
    use crate::{card::tests::manifest, decision::tests::evaluation};

    fn written(manifest: &Manifest, evaluation: &Evaluation) -> String {
        let parameters = serde_json::from_str(r#"{"model":"m","test_uses":20}"#).unwrap();
        let decision = Decision::Stay {
            reason: "champion stays".to_owned(),
        };
        card(&parameters, "new", manifest, evaluation, &decision)
    }

    #[test]
    fn a_card_tells_what_a_reader_looks_for() {
        let page = written(&manifest(), &evaluation(Verdict::Pass, Some("old")));
        for told in [
            "# Model card: m\n",
            "It tells which of 2 classes of **y** a row has",
            "- 20 versions were evaluated on this test set",
            "- Versions evaluated on this test set, this one included: 20",
            "| yes | 4 |",
            "- Algorithm: ridge",
            "- yes is predicted from a probability of 0.4000 on",
            "| alpha | 1.0 |",
            "| cv\\_accuracy | 0.8800 |",
            "| metric | this version | trivial baseline | champion | this less champion |",
            "| accuracy | 0.9000 (0.8000 to 0.9500) | 0.8000 | 0.8000 | 0.1000 (0.0500 to 0.1500) |",
            "| yes | 600 | 0.9100 | 0.9000 | 0.9050 |",
            "Verdict: **pass**.",
            "- because",
            "| north | 12 | 0.5000 | 0.8000 to 0.9500 |",
            "| train | ab |",
        ] {
            assert!(page.contains(told), "{told}\n{page}");
        }
        assert!(!page.contains("\n\n\n"), "{page}");
        let first = written(&manifest(), &evaluation(Verdict::Pass, None));
        assert!(first.contains("| metric | this version | trivial baseline |\n"));
    }

    #[test]
    fn nothing_of_a_user_is_markup() {
        let evil = "<script>\n# x [a](http://b.c) | `d` www.e.f ![g](h) &lt; @i \u{202e}";
        let mut manifest = manifest();
        manifest.preprocessing.target = evil.to_owned();
        manifest.preprocessing.classes[1] = evil.to_owned();
        manifest.preprocessing.positive = Some(evil.to_owned());
        manifest.algorithm = evil.to_owned();
        manifest.parameters.insert(evil.to_owned(), json!(evil));
        manifest.lineage[0].name = evil.to_owned();
        let mut evaluation = evaluation(Verdict::Fail, Some(evil));
        evaluation.gate.reasons.push(evil.to_owned());
        evaluation.positive = Some(evil.to_owned());
        let slices = evaluation.slices.as_mut().unwrap();
        slices.column = evil.to_owned();
        slices.slices[0].value = evil.to_owned();
        evaluation.details.classes[0].class = evil.to_owned();
        let page = written(&manifest, &evaluation);
        for bad in [
            "<script", " [a", "\n# x", "http:", "www.e", " `d`", "@i\n", "\u{202e}",
        ] {
            assert!(!page.contains(bad), "{bad}\n{page}");
            assert!(!page.replace("\\]", "").contains("]("), "{page}");
        }
        let cells = page
            .lines()
            .filter(|line| line.starts_with("| ") && line.contains("script"));
        for line in cells {
            let open = line.replace("\\|", "");
            assert!([3, 4, 5, 6].contains(&open.matches('|').count()), "{line}");
        }
    }

    #[test]
    fn a_card_is_bounded() {
        let mut manifest = manifest();
        let long = "ä".repeat(1 << 16);
        manifest.preprocessing.classes = vec![long.clone(); 5_000];
        manifest.preprocessing.class_counts = vec![1; 5_000];
        manifest.parameters.insert(long.clone(), json!(long));
        let mut evaluation = evaluation(Verdict::Pass, None);
        evaluation.gate.reasons = vec![long; 1_000];
        let page = written(&manifest, &evaluation);
        assert!(page.len() < 300_000, "{}", page.len());
        assert!(page.contains("And 4900 more."));
    }
}
