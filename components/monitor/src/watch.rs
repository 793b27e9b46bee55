//! Counts rows, predictions and labels, and says what drifted.
//!
//! Only columns that the model needs are compared: one that it does not use may be missing or
//! change as it likes. One that it needs and that is missing, or of another kind, is an error, as
//! it is for infer. All is counted batch by batch; only labels, where there are any, are kept.

use septet_kit::{
    bundle::Manifest,
    drift::{ColumnDrift, Counter, Limits, Reference, adjust},
    preprocessing::Preprocessing,
    scoring::{PREDICTION, PROBABILITY, Scorer},
    show::shown,
    table::{Column, Table},
};
use serde::Deserialize;

use crate::{
    kept::Kept,
    report::{FORMAT, Performance, Report},
};

/// Characters of a name that a sentence shows.
const SHOWN: usize = 60;

/// The stage's parameters.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Population stability index above which a column drifted; see [`septet_kit::drift`].
    #[serde(default = "threshold")]
    pub threshold: f64,
    /// Of fewer rows nothing is called drifted.
    #[serde(default = "min_rows")]
    pub min_rows: u64,
    /// Column of the new rows that holds the truth.
    #[serde(default)]
    pub labels: Option<String>,
}

const fn threshold() -> f64 {
    0.2
}

const fn min_rows() -> u64 {
    100
}

/// What is compared, batch by batch.
pub struct Window<T, P, F> {
    /// The new rows.
    pub tables: T,
    /// What was predicted for them, in the same order.
    pub predictions: P,
    /// What the model was given for those that have a prediction, in the same order.
    pub features: Option<F>,
}

/// Compares a window with what `manifest` says of the training. `progress` hears how many rows
/// were read.
pub fn watch<T, P, F>(
    parameters: &Parameters,
    manifest: &Manifest,
    window: Window<T, P, F>,
    progress: &mut dyn FnMut(u64),
) -> Result<Report, String>
where
    T: Iterator<Item = Result<Table, String>>,
    P: Iterator<Item = Result<Table, String>>,
    F: Iterator<Item = Result<Table, String>>,
{
    let limits = Limits {
        threshold: parameters.threshold,
        min_rows: parameters.min_rows,
    };
    if !(limits.threshold.is_finite() && limits.threshold > 0.0) {
        return Err("the threshold must be a number above 0; 0.2 is usual".to_owned());
    }
    let plan = &manifest.preprocessing;
    let reference = raw(manifest);
    let mut counter = Counter::new(&reference);
    let mut kept = Kept::default();
    for table in window.tables {
        let table = table?;
        counter.add(&plan.check(&table)?)?;
        kept.add(table, parameters.labels.as_deref())?;
        progress(counter.rows());
    }
    let rows = counter.rows();
    if rows == 0 {
        return Err("there are no rows to compare".to_owned());
    }
    let answered = answered(manifest);
    let mut answers = Counter::new(&answered);
    let mut scorer = Scorer::new(plan);
    for batch in window.predictions {
        let (batch, labels) = kept.answered(batch?)?;
        answers.add(&batch)?;
        if let Some(labels) = labels {
            scorer.add(&labels, &batch)?;
        }
        progress(rows + answers.rows());
    }
    kept.end()?;
    let derived = derived(manifest, &reference);
    let features = match window.features {
        Some(features) => derive(&derived, features, &limits, answers.rows(), &mut |done| {
            progress(rows + answers.rows() + done);
        })?,
        None => Vec::new(),
    };
    let mut answers = answers.compare(&limits).into_iter();
    let (mut prediction, mut probability) = (None, None);
    for drift in &mut answers {
        if drift.name == PREDICTION {
            prediction = Some(drift);
        } else {
            probability = Some(drift);
        }
    }
    let mut report = Report {
        format: FORMAT,
        rows,
        failed: kept.failed,
        quarantined: kept.quarantined,
        min_rows: limits.min_rows,
        too_small: rows < limits.min_rows,
        drifted: false,
        columns: counter.compare(&limits),
        features,
        prediction,
        probability,
        quality: counter.quality(limits.min_rows),
        performance: performance(kept.labels(), &scorer, plan)?,
    };
    let columns = report.columns.iter_mut().chain(&mut report.features);
    adjust(
        columns
            .chain(&mut report.prediction)
            .chain(&mut report.probability),
    );
    let mut deciding = report.columns.iter().chain(&report.prediction);
    report.drifted = deciding.any(|column| column.drifted);
    Ok(report)
}

/// The reference of the raw columns that the model needs.
fn raw(manifest: &Manifest) -> Reference {
    let inputs = manifest.preprocessing.inputs.iter();
    let inputs: Vec<&str> = inputs.map(|input| input.name.as_str()).collect();
    manifest.reference.only(&inputs)
}

/// The reference of the predictions and, where it was kept, of the positive class's probability.
fn answered(manifest: &Manifest) -> Reference {
    let positive = manifest.preprocessing.positive.as_ref();
    let probability = positive.map(|class| format!("{PROBABILITY}{class}"));
    let names = [PREDICTION].into_iter().chain(probability.as_deref());
    manifest
        .prediction_reference
        .only(&names.collect::<Vec<_>>())
}

/// The reference of the features that say something else than the raw columns do. Without
/// transforms, a feature that has a raw column's name is that column, filled and scaled: its index
/// would be told twice.
fn derived(manifest: &Manifest, raw: &Reference) -> Reference {
    let plan = &manifest.preprocessing;
    let compared = |name: &str| raw.columns.iter().any(|column| column.name == name);
    let features = plan.features.iter().map(String::as_str);
    let features = features.filter(|name| !plan.transforms.is_empty() || !compared(name));
    manifest
        .feature_reference
        .only(&features.collect::<Vec<_>>())
}

fn derive(
    reference: &Reference,
    features: impl Iterator<Item = Result<Table, String>>,
    limits: &Limits,
    rows: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<Vec<ColumnDrift>, String> {
    let mut counter = Counter::new(reference);
    for batch in features {
        counter.add(&batch?)?;
        progress(counter.rows());
    }
    if counter.rows() != rows {
        return Err(format!(
            "there are {rows} predictions but features of {} rows: they must be of the same rows",
            counter.rows()
        ));
    }
    Ok(counter.compare(limits))
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

#[cfg(test)]
mod tests {
    use septet_kit::{
        bundle::Recorded,
        drift::Test,
        preprocessing::{Input, Task},
        table::{ERROR, Kind, LINE, QUARANTINED, ROW, Values},
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

    type Batches = std::vec::IntoIter<Result<Table, String>>;

    fn given(tables: Vec<Table>) -> Batches {
        tables.into_iter().map(Ok).collect::<Vec<_>>().into_iter()
    }

    fn compare(
        json: &str,
        manifest: &Manifest,
        tables: Vec<Table>,
        answers: Vec<Table>,
        features: Option<Vec<Table>>,
    ) -> Result<Report, String> {
        let window = Window {
            tables: given(tables),
            predictions: given(answers),
            features: features.map(given),
        };
        let parameters: Parameters = serde_json::from_str(json).unwrap();
        watch(&parameters, manifest, window, &mut |_| {})
    }

    fn run(json: &str, tables: Vec<Table>, answers: Vec<Table>) -> Result<Report, String> {
        compare(json, &manifest(), tables, answers, None)
    }

    /// The same predictions, but those of some rows failed.
    fn with_errors(mut answers: Table, errors: &[(u32, &str)]) -> Table {
        let mut texts = vec![String::new(); answers.rows];
        for (row, error) in errors {
            texts[*row as usize] = (*error).to_owned();
            for column in answers.columns.iter_mut().skip(1) {
                column.nulls.push(*row);
            }
        }
        let failed: Vec<u32> = errors.iter().map(|(row, _)| *row).collect();
        let mut error = column(ERROR, Values::Texts(texts));
        error.nulls = (0..answers.rows as u32)
            .filter(|row| !failed.contains(row))
            .collect();
        answers.columns.push(error);
        answers
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

    #[test]
    fn a_window_that_is_too_small_is_told() {
        let report = run("{}", vec![rows(2, 99, 90.0)], vec![answers(2, 99)]).unwrap();
        assert!(report.too_small && !report.drifted, "{report:?}");
        assert!(report.columns[0].psi > report.columns[0].threshold);
        assert!(report.quality[0].worse.is_empty());
        let json = r#"{"min_rows":99}"#;
        let report = run(json, vec![rows(2, 99, 90.0)], vec![answers(2, 99)]).unwrap();
        assert!(!report.too_small && report.drifted && report.columns[0].drifted);
        assert_eq!(report.worse_columns().count(), 1);
    }

    #[test]
    fn rows_without_a_prediction_are_left_out() {
        let quarantined = format!("{QUARANTINED}column 'x': not a number ('?')");
        // Line 3 failed; lines 4 and 5 are ingest's, which also starts the next part at line 2.
        let mut second = rows(6, 200, 0.0);
        second.append(rows(2, 100, 0.0)).unwrap();
        let mut of_second = answers(6, 200);
        of_second.append(answers(2, 100)).unwrap();
        let first = with_errors(
            answers(2, 4),
            &[(1, "not finite"), (2, &quarantined), (3, &quarantined)],
        );
        let report = run(
            r#"{"labels":"y"}"#,
            vec![rows(2, 2, 0.0), second],
            vec![first, with_errors(of_second, &[])],
        )
        .unwrap();
        assert_eq!(
            (report.rows, report.failed, report.quarantined),
            (302, 1, 2)
        );
        let performance = report.performance.unwrap();
        assert_eq!((performance.rows, report.drifted), (301, false));
        assert!((performance.metrics["accuracy"] - 1.0).abs() < 1e-12);
        assert!((report.columns[0].p_value.unwrap() - 1.0).abs() < 0.1);
        assert_eq!(report.prediction.unwrap().test, Test::ChiSquare);
    }

    #[test]
    fn features_and_the_probability_are_compared_and_do_not_decide() {
        let features = |count: i64, shift: f64| {
            let hot = (0..count).map(|row| (row % 3) as f64 + shift);
            table(vec![
                column("x", Values::Floats(vec![0.0; count as usize])),
                column("t_a", Values::Floats(hot.collect())),
            ])
        };
        let mut manifest = manifest();
        manifest.feature_reference = Reference::fit(&features(500, 0.0), &[]);
        manifest.preprocessing.features = vec!["x".to_owned(), "t_a".to_owned()];
        manifest.preprocessing.positive = Some("yes".to_owned());
        let given = || (vec![rows(2, 300, 0.0)], vec![answers(2, 300)]);
        let run = |manifest: &Manifest, features| {
            let (tables, answers) = given();
            compare("{}", manifest, tables, answers, features)
        };
        let report = run(&manifest, Some(vec![features(300, 5.0)])).unwrap();
        let names: Vec<&str> = report.features.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["t_a"]);
        assert!(report.features[0].drifted && !report.drifted);
        assert_eq!(report.probability.as_ref().unwrap().name, "probability_yes");
        let all = report.columns.iter().chain(&report.features);
        assert!(
            all.chain(&report.probability)
                .all(|c| c.p_adjusted.is_some())
        );
        // With a transform, a feature need not be the raw column of its name.
        manifest.preprocessing.transforms = vec!["0".repeat(64)];
        let report = run(&manifest, Some(vec![features(300, 0.0)])).unwrap();
        assert_eq!(report.features.len(), 2);
        let told = run(&manifest, Some(vec![features(299, 0.0)])).unwrap_err();
        assert!(told.contains("features of 299 rows"), "{told}");
        assert!(run(&manifest, None).unwrap().features.is_empty());
    }
}
