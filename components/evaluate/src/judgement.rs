//! From bundle, test rows and champion to an evaluation.

use std::collections::BTreeSet;

use septet_kit::{
    bundle::Manifest,
    evaluation::{Champion, Evaluation, FORMAT},
    preprocessing::{Preprocessing, Task},
    scoring::{Scorer, majority},
    show::shown,
    table::{RESERVED, Table},
};
use serde::Deserialize;

use crate::{
    batches::pieces,
    gate::{Rival, judge},
};

/// Characters of a column's or class's name that a sentence shows.
const SHOWN: usize = 60;

/// The stage's parameters.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// The model's name.
    pub model: String,
    /// Whose version is the champion.
    #[serde(default = "champion")]
    pub alias: String,
    /// By how much the primary metric may be below the champion's.
    #[serde(default = "margin")]
    pub margin: f64,
}

fn champion() -> String {
    "champion".to_owned()
}

const fn margin() -> f64 {
    0.005
}

/// Why there is no evaluation, or no predictions of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The model does not take the rows, or gives what can't be scored; or a parameter is wrong.
    Rejected(String),
    /// Something else went wrong with the model: it trapped, met a limit or is not there.
    Failed(String),
    /// The test rows can't be read; this is never a model's doing.
    Rows(String),
}

/// The version that the alias points at.
#[derive(Clone, Debug)]
pub struct Current {
    /// Its number.
    pub version: u32,
    /// Its bundle's address.
    pub bundle: String,
    /// Of that bundle.
    pub manifest: Manifest,
}

/// Test rows, in batches.
pub type Batches = Box<dyn Iterator<Item = Result<Table, String>>>;

/// What evaluating needs of the outside.
pub struct Outside<'a> {
    /// The test rows, from the first one.
    pub test: &'a mut dyn FnMut() -> Result<Batches, String>,
    /// Predictions by the model with this bundle.
    pub predict: &'a mut dyn FnMut(&str, Table) -> Result<Table, Refusal>,
    /// Hears how many predictions were made.
    pub progress: &'a mut dyn FnMut(u64),
}

/// The evaluation of the candidate, and sentences for the reader of the report.
pub fn evaluate(
    parameters: &Parameters,
    bundle: &str,
    candidate: &Manifest,
    current: Option<&Current>,
    outside: &mut Outside<'_>,
) -> Result<(Evaluation, Vec<String>), Refusal> {
    if !(parameters.margin.is_finite() && parameters.margin >= 0.0) {
        return Err(Refusal::Rejected(
            "the margin must be a number from 0 on".to_owned(),
        ));
    }
    let plan = &candidate.preprocessing;
    let mut done = 0;
    let scorer =
        score(bundle, plan, &plan.target, &mut done, outside).map_err(|refusal| match refusal {
            Refusal::Rejected(reason) => {
                Refusal::Rejected(format!("the candidate can't predict: {reason}"))
            }
            other => other,
        })?;
    let (metrics, baseline) = (scorer.metrics(), scorer.baseline());
    let (rows, primary) = (scorer.rows(), scorer.primary());
    let notes = notes(&scorer, &plan.target);
    drop(scorer);
    let rival = match current {
        None => Rival::None,
        Some(current) if current.bundle == bundle => Rival::Same {
            version: current.version,
        },
        Some(current) => meet(current, plan, &mut done, outside)?,
    };
    let trivial = trivial(plan);
    let margin = parameters.margin;
    let gate = judge(primary, rows, &metrics, &baseline, &trivial, &rival, margin);
    let champion = current.map(|current| Champion {
        version: current.version,
        bundle: current.bundle.clone(),
        metrics: match rival {
            Rival::Scored { metrics, .. } => metrics,
            Rival::Same { .. } => metrics.clone(),
            Rival::None | Rival::Apart { .. } => septet_kit::metrics::Metrics::new(),
        },
    });
    let evaluation = Evaluation {
        format: FORMAT,
        rows,
        primary: primary.to_owned(),
        metrics,
        baseline,
        champion,
        gate,
    };
    Ok((evaluation, notes))
}

/// The champion's score on the same rows, or why there is none. What goes wrong with the champion
/// is no error, so that a new candidate always gets a verdict.
fn meet(
    current: &Current,
    candidate: &Preprocessing,
    done: &mut u64,
    outside: &mut Outside<'_>,
) -> Result<Rival, Refusal> {
    let plan = &current.manifest.preprocessing;
    let version = current.version;
    let apart = |reason| Ok(Rival::Apart { version, reason });
    if plan.target != candidate.target {
        return apart(format!(
            "it predicts '{}', not '{}'",
            shown(&plan.target, SHOWN),
            shown(&candidate.target, SHOWN)
        ));
    }
    if plan.task != candidate.task {
        return apart(format!(
            "it does {}, not {}",
            plan.task.name(),
            candidate.task.name()
        ));
    }
    match score(&current.bundle, plan, &candidate.target, done, outside) {
        Ok(scorer) => Ok(Rival::Scored {
            version,
            metrics: scorer.metrics(),
        }),
        Err(Refusal::Rejected(reason) | Refusal::Failed(reason)) => {
            apart(format!("it can't predict the test rows: {reason}"))
        }
        Err(Refusal::Rows(reason)) => Err(Refusal::Rows(reason)),
    }
}

/// Scores a model on the test rows. It is asked with its own inputs and the reserved columns, by
/// which it tells of rows, and never sees the target.
fn score<'p>(
    bundle: &str,
    plan: &'p Preprocessing,
    target: &str,
    done: &mut u64,
    outside: &mut Outside<'_>,
) -> Result<Scorer<'p>, Refusal> {
    let mut scorer = Scorer::new(plan);
    let inputs: BTreeSet<&str> = plan
        .inputs
        .iter()
        .map(|input| input.name.as_str())
        .collect();
    for table in (outside.test)().map_err(Refusal::Rows)? {
        let mut table = table.map_err(Refusal::Rows)?;
        table.columns.retain(|column| {
            let name = column.name.as_str();
            name == target || name.starts_with(RESERVED) || inputs.contains(name)
        });
        for mut piece in pieces(&table, plan.classes.len()) {
            let labels = piece.remove(target).ok_or_else(|| {
                Refusal::Rows(format!(
                    "the test rows have no column '{}'",
                    shown(target, SHOWN)
                ))
            })?;
            let rows = piece.rows as u64;
            let predictions = (outside.predict)(bundle, piece)?;
            scorer
                .add(&labels, &predictions)
                .map_err(Refusal::Rejected)?;
            *done += rows;
            (outside.progress)(*done);
        }
    }
    Ok(scorer)
}

/// What the baseline does, as a clause.
fn trivial(plan: &Preprocessing) -> String {
    match plan.task {
        Task::Classification => {
            let class = plan.classes.get(majority(plan)).map_or("", String::as_str);
            format!("always predicting '{}'", shown(class, SHOWN))
        }
        Task::Regression => "always predicting the train rows' mean".to_owned(),
    }
}

/// What a reader should know of the rows.
fn notes(scorer: &Scorer<'_>, target: &str) -> Vec<String> {
    let mut notes = vec![];
    let target = shown(target, SHOWN);
    if scorer.unlabelled() > 0 {
        notes.push(format!(
            "{} test rows have no '{target}' and were left out",
            scorer.unlabelled()
        ));
    }
    let unknown: Vec<String> = scorer
        .unknown()
        .take(3)
        .map(|class| shown(class, SHOWN))
        .collect();
    if !unknown.is_empty() {
        notes.push(format!(
            "the test rows have classes of '{target}' that no train row has ('{}'): they count as \
             wrong",
            unknown.join("', '")
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use septet_kit::{
        bundle::Recorded,
        drift::Reference,
        evaluation::Verdict,
        preprocessing::Input,
        table::{Column, Kind, Values},
    };

    use super::*;

    fn manifest(target: &str) -> Manifest {
        Manifest {
            format: 1,
            algorithm: "x".to_owned(),
            parameters: [].into(),
            seed: 0,
            preprocessing: Preprocessing {
                task: Task::Classification,
                target: target.to_owned(),
                classes: vec!["no".to_owned(), "yes".to_owned()],
                class_counts: vec![3, 1],
                target_mean: 0.0,
                positive: None,
                folds: septet_kit::preprocessing::Folds::Rows,
                weighted: false,
                inputs: vec![Input {
                    name: "x".to_owned(),
                    kind: Kind::Integers,
                    nullable: false,
                }],
                transforms: vec![],
                columns: vec![],
                features: vec![],
            },
            reference: Reference::default(),
            feature_reference: Reference::default(),
            threshold: None,
            metrics: septet_kit::metrics::Metrics::new(),
            prediction_reference: Reference::default(),
            lineage: vec![],
            recorded: Recorded::default(),
        }
    }

    fn column(name: &str, values: Values) -> Column {
        Column {
            name: name.to_owned(),
            values,
            nulls: vec![],
        }
    }

    fn texts(texts: &[&str]) -> Values {
        Values::Texts(texts.iter().map(ToString::to_string).collect())
    }

    /// Four test rows in two batches; the truth is "x is 1".
    fn batches() -> Batches {
        let batch = |x: [i64; 2]| {
            let labels = x.map(|x| if x == 1 { "yes" } else { "no" });
            Ok(Table {
                rows: 2,
                columns: vec![
                    column("x", Values::Integers(x.to_vec())),
                    column("y", texts(&labels)),
                    column("unused", texts(&labels)),
                ],
            })
        };
        Box::new([batch([0, 1]), batch([1, 0])].into_iter())
    }

    /// "good" is always right, "bad" always says yes, "gone" takes no such rows.
    fn predict(bundle: &str, batch: &Table) -> Result<Table, Refusal> {
        assert!(batch.column("y").is_none(), "the target went out");
        assert!(batch.column("unused").is_none(), "more than the inputs");
        let Values::Integers(x) = &batch.column("x").unwrap().values else {
            panic!()
        };
        let yes: Vec<f64> = match bundle {
            "good" => x.iter().map(|x| *x as f64).collect(),
            "bad" => vec![1.0; x.len()],
            "gone" => return Err(Refusal::Rejected("column 'z' is missing".to_owned())),
            _ => return Err(Refusal::Failed("away".to_owned())),
        };
        let labels: Vec<_> = yes
            .iter()
            .map(|p| if *p > 0.5 { "yes" } else { "no" })
            .collect();
        let no = yes.iter().map(|p| 1.0 - p).collect();
        Ok(Table {
            rows: x.len(),
            columns: vec![
                column("prediction", texts(&labels)),
                column("probability_no", Values::Floats(no)),
                column("probability_yes", Values::Floats(yes)),
            ],
        })
    }

    fn run(candidate: &str, current: Option<(&str, Manifest)>) -> Result<Evaluation, Refusal> {
        let parameters: Parameters = serde_json::from_str(r#"{"model":"m"}"#).unwrap();
        let current = current.map(|(bundle, manifest)| Current {
            version: 4,
            bundle: bundle.to_owned(),
            manifest,
        });
        let mut seen = 0;
        let mut outside = Outside {
            test: &mut || Ok(batches()),
            predict: &mut |bundle, batch| predict(bundle, &batch),
            progress: &mut |done| seen = done,
        };
        let manifest = manifest("y");
        let (evaluation, notes) = evaluate(
            &parameters,
            candidate,
            &manifest,
            current.as_ref(),
            &mut outside,
        )?;
        assert!(notes.is_empty());
        assert!(seen >= 4);
        Ok(evaluation)
    }

    #[test]
    fn a_good_first_model_passes() {
        let evaluation = run("good", None).unwrap();
        assert_eq!(evaluation.gate.verdict, Verdict::Pass);
        assert_eq!(evaluation.rows, 4);
        assert!((evaluation.metrics["accuracy"] - 1.0).abs() < 1e-12);
        assert!((evaluation.baseline["accuracy"] - 0.5).abs() < 1e-12);
        assert!(evaluation.gate.reasons[0].contains("always predicting 'no'"));
        assert!(evaluation.champion.is_none());
    }

    #[test]
    fn the_champion_is_scored_on_the_same_rows() {
        let evaluation = run("bad", Some(("good", manifest("y")))).unwrap();
        assert_eq!(evaluation.gate.verdict, Verdict::Fail);
        let champion = evaluation.champion.unwrap();
        assert!((champion.metrics["accuracy"] - 1.0).abs() < 1e-12);
        assert_eq!(champion.version, 4);
        let evaluation = run("good", Some(("bad", manifest("y")))).unwrap();
        assert_eq!(evaluation.gate.verdict, Verdict::Pass);
        let evaluation = run("good", Some(("good", manifest("y")))).unwrap();
        assert!(evaluation.gate.reasons[1].contains("itself"));
    }

    #[test]
    fn a_champion_that_can_not_be_compared_is_a_reason() {
        for (bundle, target, reason) in [
            ("gone", "y", "column 'z' is missing"),
            ("away", "y", "away"),
            ("bad", "z", "it predicts 'z', not 'y'"),
        ] {
            let evaluation = run("good", Some((bundle, manifest(target)))).unwrap();
            assert_eq!(evaluation.gate.verdict, Verdict::Fail);
            assert!(evaluation.gate.reasons[1].contains(reason));
            assert!(evaluation.champion.unwrap().metrics.is_empty());
        }
    }

    #[test]
    fn what_is_no_verdict_is_an_error() {
        assert_eq!(
            run("away", None).unwrap_err(),
            Refusal::Failed("away".to_owned())
        );
        assert!(matches!(
            run("gone", None).unwrap_err(),
            Refusal::Rejected(reason) if reason.starts_with("the candidate")
        ));
    }

    #[test]
    fn test_rows_that_can_not_be_read_are_no_reason_against_the_champion() {
        let parameters: Parameters = serde_json::from_str(r#"{"model":"m"}"#).unwrap();
        let current = Current {
            version: 4,
            bundle: "bad".to_owned(),
            manifest: manifest("y"),
        };
        let mut opened = 0;
        let mut outside = Outside {
            test: &mut || {
                opened += 1;
                if opened == 1 {
                    Ok(batches())
                } else {
                    Err("cut off".to_owned())
                }
            },
            predict: &mut |bundle, batch| predict(bundle, &batch),
            progress: &mut |_| {},
        };
        let candidate = manifest("y");
        let refusal = evaluate(
            &parameters,
            "good",
            &candidate,
            Some(&current),
            &mut outside,
        );
        assert_eq!(refusal.unwrap_err(), Refusal::Rows("cut off".to_owned()));
    }
}
