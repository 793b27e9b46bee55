//! Counts rows, predictions and labels, and says what drifted.
//!
//! Only columns that the model needs are compared: one that it does not use may be missing or
//! change as it likes. One that it needs and that is missing, or of another kind, is an error, as
//! it is for infer. All is counted batch by batch; only labels, where there are any, are kept.

use septet_kit::{
    bundle::Manifest,
    drift::Counter,
    preprocessing::Preprocessing,
    scoring::{PREDICTION, Scorer},
    show::shown,
    table::{Column, LINE, ROW, Table, Values},
};
use serde::Deserialize;

use crate::report::{FORMAT, Performance, Report};

/// Characters of a name that a sentence shows.
const SHOWN: usize = 60;

/// The stage's parameters.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Population stability index above which a column drifted; see [`septet_kit::drift`].
    #[serde(default = "threshold")]
    pub threshold: f64,
    /// Column of the new rows that holds the truth.
    #[serde(default)]
    pub labels: Option<String>,
}

const fn threshold() -> f64 {
    0.2
}

/// Compares the rows of `tables` and the `predictions` that were made for them, in the same order,
/// with what `manifest` says of the training. `progress` hears how many rows were read.
pub fn watch(
    parameters: &Parameters,
    manifest: &Manifest,
    tables: impl Iterator<Item = Result<Table, String>>,
    predictions: impl Iterator<Item = Result<Table, String>>,
    progress: &mut dyn FnMut(u64),
) -> Result<Report, String> {
    let threshold = parameters.threshold;
    if !(threshold.is_finite() && threshold > 0.0) {
        return Err("the threshold must be a number above 0; 0.2 is usual".to_owned());
    }
    let plan = &manifest.preprocessing;
    let inputs: Vec<&str> = plan
        .inputs
        .iter()
        .map(|input| input.name.as_str())
        .collect();
    let reference = manifest.reference.only(&inputs);
    let mut counter = Counter::new(&reference);
    let mut kept = Kept::default();
    for table in tables {
        let table = table?;
        counter.add(&plan.check(&table)?)?;
        kept.add(table, parameters.labels.as_deref())?;
        progress(counter.rows());
    }
    if counter.rows() == 0 {
        return Err("there are no rows to compare".to_owned());
    }
    let answered = manifest.prediction_reference.only(&[PREDICTION]);
    let mut answers = Counter::new(&answered);
    let mut scorer = Scorer::new(plan);
    for batch in predictions {
        let batch = batch?;
        let from = answers.rows() as usize;
        kept.fits(from, &batch)?;
        answers.add(&batch)?;
        if let Some(labels) = &kept.labels {
            scorer.add(&labels.slice(from, batch.rows), &batch)?;
        }
        progress(counter.rows() + answers.rows());
    }
    if answers.rows() != counter.rows() {
        return Err(format!(
            "there are {} rows but {} predictions: they must be of the same rows",
            counter.rows(),
            answers.rows()
        ));
    }
    let columns = counter.compare(threshold);
    let prediction = answers.compare(threshold).into_iter().next();
    Ok(Report {
        format: FORMAT,
        rows: counter.rows(),
        drifted: columns
            .iter()
            .chain(&prediction)
            .any(|column| column.drifted),
        columns,
        prediction,
        performance: performance(kept.labels.as_ref(), &scorer, plan)?,
    })
}

/// The figures, where there are labels.
fn performance(
    labels: Option<&Column>,
    scorer: &Scorer<'_>,
    plan: &Preprocessing,
) -> Result<Option<Performance>, String> {
    let Some(labels) = labels else {
        return Ok(None);
    };
    // A wrong column would otherwise be taken for a model that is always wrong.
    let unknown = scorer.unknown().next();
    let metrics = scorer.metrics();
    if let Some(label) = unknown.filter(|_| metrics.get("recall_macro") == Some(&0.0)) {
        return Err(format!(
            "column '{}' does not look like labels of '{}': it has '{}', which is none of its \
             classes",
            shown(&labels.name, SHOWN),
            shown(&plan.target, SHOWN),
            shown(label, SHOWN)
        ));
    }
    Ok(Some(Performance {
        rows: scorer.rows(),
        unlabelled: scorer.unlabelled(),
        metrics,
    }))
}

/// What is kept of the rows until their predictions come.
#[derive(Default)]
struct Kept {
    labels: Option<Column>,
    /// The source's lines, where all tables tell them.
    lines: Vec<i64>,
    rows: usize,
}

impl Kept {
    fn add(&mut self, mut table: Table, labels: Option<&str>) -> Result<(), String> {
        if let Some(Values::Integers(lines)) = table.remove(ROW).map(|column| column.values)
            && self.lines.len() == self.rows
        {
            self.lines.extend(lines);
        }
        self.rows = self.rows.saturating_add(table.rows);
        let Some(name) = labels else { return Ok(()) };
        let column = table.remove(name).ok_or_else(|| {
            let names: Vec<String> = table
                .columns
                .iter()
                .take(20)
                .map(|c| shown(&c.name, SHOWN))
                .collect();
            format!(
                "the rows have no column '{}' of labels: they have {}",
                shown(name, SHOWN),
                names.join(", ")
            )
        })?;
        match &mut self.labels {
            Some(labels) => labels.append(column),
            empty => {
                *empty = Some(column);
                Ok(())
            }
        }
    }

    /// Whether predictions from the row `from` on are of the rows that were read.
    fn fits(&self, from: usize, batch: &Table) -> Result<(), String> {
        let end = from.saturating_add(batch.rows);
        if end > self.rows {
            return Err(format!(
                "there are {} rows but more predictions: they must be of the same rows",
                self.rows
            ));
        }
        let lines = self.lines.get(from..end);
        let told = batch.column(LINE).map(|column| &column.values);
        if let (Some(lines), Some(Values::Integers(told))) = (lines, told)
            && lines != told
        {
            return Err("the predictions are of other rows: their lines differ".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use septet_kit::{
        bundle::Recorded,
        drift::Reference,
        preprocessing::{Input, Task},
        table::Kind,
    };

    use super::*;

    fn column(name: &str, values: Values) -> Column {
        Column {
            name: name.to_owned(),
            values,
            nulls: vec![],
        }
    }

    fn table(columns: Vec<Column>) -> Table {
        Table {
            rows: columns[0].values.len(),
            columns,
        }
    }

    /// `count` rows from line `first`, x around `shift`, with labels that are always right.
    fn rows(first: i64, count: i64, shift: f64) -> Table {
        let lines: Vec<i64> = (first..first + count).collect();
        let x = lines.iter().map(|line| ((line * 37) % 101) as f64 + shift);
        let y = lines.iter().map(|line| label(*line));
        table(vec![
            column(ROW, Values::Integers(lines.clone())),
            column("unused", Values::Integers(vec![0; lines.len()])),
            column("x", Values::Floats(x.collect())),
            column("y", Values::Texts(y.collect())),
        ])
    }

    fn label(line: i64) -> String {
        if line % 2 == 0 { "no" } else { "yes" }.to_owned()
    }

    fn answers(first: i64, count: i64) -> Table {
        let lines: Vec<i64> = (first..first + count).collect();
        let yes: Vec<f64> = lines.iter().map(|line| (line % 2) as f64).collect();
        table(vec![
            column(LINE, Values::Integers(lines.clone())),
            column(
                PREDICTION,
                Values::Texts(lines.iter().map(|line| label(*line)).collect()),
            ),
            column(
                "probability_no",
                Values::Floats(yes.iter().map(|p| 1.0 - p).collect()),
            ),
            column("probability_yes", Values::Floats(yes)),
        ])
    }

    fn manifest() -> Manifest {
        Manifest {
            format: 1,
            algorithm: "x".to_owned(),
            parameters: [].into(),
            seed: 0,
            preprocessing: Preprocessing {
                task: Task::Classification,
                target: "y".to_owned(),
                classes: vec!["no".to_owned(), "yes".to_owned()],
                class_counts: vec![1, 1],
                target_mean: 0.0,
                positive: None,
                folds: septet_kit::preprocessing::Folds::Rows,
                weighted: false,
                inputs: vec![Input {
                    name: "x".to_owned(),
                    kind: Kind::Floats,
                    nullable: false,
                }],
                transforms: vec![],
                columns: vec![],
                features: vec![],
            },
            reference: Reference::fit(&rows(2, 500, 0.0), &[]),
            feature_reference: Reference::default(),
            threshold: None,
            metrics: septet_kit::metrics::Metrics::new(),
            prediction_reference: Reference::fit(&answers(2, 500), &[]),
            lineage: vec![],
            recorded: Recorded::default(),
        }
    }

    fn run(json: &str, tables: Vec<Table>, answers: Vec<Table>) -> Result<Report, String> {
        let parameters: Parameters = serde_json::from_str(json).unwrap();
        watch(
            &parameters,
            &manifest(),
            tables.into_iter().map(Ok),
            answers.into_iter().map(Ok),
            &mut |_| {},
        )
    }

    #[test]
    fn rows_like_those_of_the_training_do_not_drift() {
        let report = run(
            r#"{"labels":"y"}"#,
            vec![rows(2, 200, 0.0), rows(2, 101, 0.0)],
            vec![answers(2, 150), answers(152, 50), answers(2, 101)],
        )
        .unwrap();
        assert_eq!((report.rows, report.drifted), (301, false));
        assert_eq!(report.columns.len(), 1);
        let performance = report.performance.unwrap();
        assert_eq!((performance.rows, performance.unlabelled), (301, 0));
        assert!((performance.metrics["accuracy"] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_shift_drifts() {
        let report = run("{}", vec![rows(2, 300, 60.0)], vec![answers(2, 300)]).unwrap();
        assert!(report.drifted && report.columns[0].drifted);
        assert!(!report.prediction_drifted() && report.performance.is_none());
        let lax = run(
            r#"{"threshold":50}"#,
            vec![rows(2, 300, 60.0)],
            vec![answers(2, 300)],
        );
        assert!(!lax.unwrap().drifted);
    }

    #[test]
    fn a_column_that_is_not_used_may_be_missing_but_not_another() {
        let mut without = rows(2, 50, 0.0);
        without.remove("unused");
        run("{}", vec![without.clone()], vec![answers(2, 50)]).unwrap();
        without.remove("x");
        let told = run("{}", vec![without], vec![answers(2, 50)]).unwrap_err();
        assert!(told.contains("'x'"), "{told}");
    }

    #[test]
    fn predictions_must_be_of_the_rows() {
        let told = |answers| run("{}", vec![rows(2, 50, 0.0)], answers).unwrap_err();
        assert!(told(vec![answers(2, 49)]).contains("50 rows but 49"));
        assert!(told(vec![answers(2, 51)]).contains("more predictions"));
        assert!(told(vec![answers(3, 50)]).contains("other rows"));
        assert!(run("{}", vec![], vec![]).unwrap_err().contains("no rows"));
    }

    #[test]
    fn labels_that_are_none_are_told() {
        let told = |labels: &str| {
            let json = format!(r#"{{"labels":"{labels}"}}"#);
            run(&json, vec![rows(2, 50, 0.0)], vec![answers(2, 50)]).unwrap_err()
        };
        assert!(told("z").contains("no column 'z'"));
        assert!(told("unused").contains("does not look like labels"));
        let json = r#"{"threshold":0}"#;
        assert!(run(json, vec![rows(2, 9, 0.0)], vec![answers(2, 9)]).is_err());
    }
}
