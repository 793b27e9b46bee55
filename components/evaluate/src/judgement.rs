//! From bundle, test rows and champion to an evaluation.

use septet_kit::{
    bundle::Manifest,
    evaluation::{Evaluation, FORMAT},
    preprocessing::{Preprocessing, Task},
    scoring::majority,
    show::shown,
};

use crate::{
    gate::{Shown, judge},
    groups::Groups,
    measure::Measured,
    notes,
    outside::{Current, Outside, Refusal},
    parameters::Parameters,
    rival::{champion, meet, rival},
    rows::{Beside, SHOWN, score},
    slices::slices,
    units::{Together, noun},
};

/// The evaluation of the candidate, and sentences for the reader of the report. The resamples are
/// drawn from `seed`.
pub fn evaluate(
    parameters: &Parameters,
    seed: u64,
    bundle: &str,
    candidate: &Manifest,
    current: Option<&Current>,
    outside: &mut Outside<'_>,
) -> Result<(Evaluation, Vec<String>), Refusal> {
    let plan = &candidate.preprocessing;
    let metric = parameters.check(plan).map_err(Refusal::Rejected)?;
    let mut done = 0;
    let mut beside = Beside {
        together: Together::new(plan.folds),
        groups: parameters.slice.as_deref().map(Groups::new),
    };
    let scorer = score(
        bundle,
        plan,
        &plan.target,
        Some(&mut beside),
        &mut done,
        outside,
    )
    .map_err(|refusal| match refusal {
        Refusal::Rejected(reason) => {
            Refusal::Rejected(format!("the candidate can't be evaluated: {reason}"))
        }
        other => other,
    })?;
    let rows = scorer.rows();
    let details = scorer.details();
    (outside.progress)(done);
    let prepared = scorer.prepared();
    let baseline = scorer.trivial();
    let constant = scorer.constant();
    let mut notes = notes::of_rows(&scorer, &plan.target);
    let positive = scorer.positive().and_then(|at| plan.classes.get(at));
    let mut progress = || (outside.progress)(done);
    let resamples = parameters.resamples as usize;
    let Beside { together, groups } = beside;
    let slices = groups.map(|groups| {
        slices(
            groups,
            &together,
            &scorer,
            metric,
            resamples,
            seed,
            &mut progress,
        )
    });
    let units = together.units();
    // What is measured from here on is in `prepared`; there may be a champion to make room for.
    drop((scorer, together));
    let met = match current {
        Some(current) if current.bundle != bundle => {
            Some(meet(current, plan, rows, &mut done, outside)?)
        }
        _ => None,
    };
    let mut models = vec![&prepared, &baseline];
    if let Some(Ok(champion)) = &met {
        models.push(champion);
    }
    let mut progress = || (outside.progress)(done);
    let measured = Measured::new(&models, &units, resamples, seed, &mut progress);
    notes.extend(measured.note(noun(plan.folds)));
    notes.extend(notes::of_metrics(&measured.metrics(0), plan));
    let rival = rival(current, bundle, met.as_ref(), &measured, metric);
    let gate = judge(
        &Shown {
            metric,
            rows,
            units: units.len() as u64,
            noun: noun(plan.folds),
            constant,
            score: measured.score(0, metric),
            interval: measured.interval(0, metric),
            least: measured.score(1, metric),
            difference: measured.difference(0, 1, metric),
            trivial: trivial(plan),
        },
        &rival,
        parameters.margin,
        parameters.policy,
    );
    if let Some(slices) = &slices {
        notes.extend(notes::of_slices(slices, metric, &measured, rows));
    }
    let evaluation = Evaluation {
        format: FORMAT,
        rows,
        units: units.len() as u64,
        primary: metric.to_owned(),
        positive: positive.map(|class| shown(class, 200)),
        metrics: measured.metrics(0),
        resamples: measured.resamples() as u32,
        intervals: measured.intervals(0),
        baseline: measured.metrics(1),
        baseline_differences: measured.differences(0, 1),
        champion: current.map(|current| champion(current, &rival, &measured)),
        details,
        slices,
        gate,
    };
    Ok((evaluation, notes))
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

#[cfg(test)]
pub(crate) mod tests {
    use septet_kit::{
        bundle::Recorded,
        drift::Reference,
        evaluation::Verdict,
        preprocessing::Input,
        table::{Column, Kind, Table, Values},
    };

    use super::*;
    use crate::outside::Batches;

    pub(crate) fn manifest(target: &str) -> Manifest {
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

    /// Forty test rows in two batches; the truth is "x is 1".
    pub(crate) fn batches() -> Batches {
        let batch = |x: [i64; 2]| {
            let x = x.repeat(10);
            let labels: Vec<&str> = x
                .iter()
                .map(|x| if *x == 1 { "yes" } else { "no" })
                .collect();
            Ok(Table {
                rows: 20,
                columns: vec![
                    column("y", texts(&labels)),
                    column("unused", texts(&labels)),
                    column("x", Values::Integers(x)),
                ],
            })
        };
        Box::new([batch([0, 1]), batch([1, 0])].into_iter())
    }

    /// "good" is always right, "bad" always says yes, "gone" takes no such rows.
    pub(crate) fn predict(bundle: &str, batch: &Table) -> Result<Table, Refusal> {
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
        told(r#"{"model":"m"}"#, candidate, current).map(|(evaluation, notes)| {
            assert!(notes.is_empty(), "{notes:?}");
            evaluation
        })
    }

    fn told(
        parameters: &str,
        candidate: &str,
        current: Option<(&str, Manifest)>,
    ) -> Result<(Evaluation, Vec<String>), Refusal> {
        let parameters: Parameters = serde_json::from_str(parameters).unwrap();
        let current = current.map(|(bundle, manifest)| Current {
            version: 4,
            bundle: bundle.to_owned(),
            manifest: if bundle == "broken" {
                Err("it is of format 1".to_owned())
            } else {
                Ok(manifest)
            },
        });
        let mut seen = 0;
        let mut outside = Outside {
            test: &mut || Ok(batches()),
            predict: &mut |bundle, batch| predict(bundle, &batch),
            progress: &mut |done| seen = done,
        };
        let manifest = manifest("y");
        let evaluated = evaluate(
            &parameters,
            1,
            candidate,
            &manifest,
            current.as_ref(),
            &mut outside,
        )?;
        assert!(seen >= 40);
        Ok(evaluated)
    }

    #[test]
    fn a_good_first_model_passes() {
        let evaluation = run("good", None).unwrap();
        assert_eq!(evaluation.gate.verdict, Verdict::Pass);
        assert_eq!(evaluation.rows, 40);
        assert!((evaluation.metrics["accuracy"] - 1.0).abs() < 1e-12);
        assert!((evaluation.baseline["accuracy"] - 0.5).abs() < 1e-12);
        assert!(evaluation.gate.reasons[1].contains("always predicting 'no'"));
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
        assert!(evaluation.gate.reasons[2].contains("itself"));
    }

    #[test]
    fn a_champion_that_can_not_be_compared_is_a_reason() {
        for (bundle, target, reason) in [
            ("gone", "y", "column 'z' is missing"),
            ("away", "y", "away"),
            ("broken", "y", "it can't be read: it is of format 1"),
            ("bad", "z", "it predicts 'z', not 'y'"),
        ] {
            let evaluation = run("good", Some((bundle, manifest(target)))).unwrap();
            assert_eq!(evaluation.gate.verdict, Verdict::Fail);
            assert!(evaluation.gate.reasons[2].contains(reason));
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
            manifest: Ok(manifest("y")),
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
            1,
            "good",
            &candidate,
            Some(&current),
            &mut outside,
        );
        assert_eq!(refusal.unwrap_err(), Refusal::Rows("cut off".to_owned()));
    }

    #[test]
    fn slices_are_told_and_a_missing_column_is_an_error() {
        let json = r#"{"model":"m","slice":"unused","metric":"accuracy","resamples":200}"#;
        let (evaluation, notes) = told(json, "bad", None).unwrap();
        let slices = evaluation.slices.unwrap();
        let rows: Vec<(&str, u64)> = slices
            .slices
            .iter()
            .map(|slice| (slice.value.as_str(), slice.rows))
            .collect();
        assert_eq!(rows, [("no", 20), ("yes", 20)]);
        assert!(slices.slices[0].metrics["accuracy"].abs() < 1e-12);
        assert_eq!(slices.slices[0].intervals.len(), 1);
        assert_eq!(
            notes,
            [
                "accuracy is clearly worse where 'unused' is 'no': 0.0000 (0.0000 to 0.0000) on \
                 20 rows, against 0.5000 on all 40"
            ]
            .map(|note| note.replace("0.5000", &format!("{:.4}", evaluation.metrics["accuracy"])))
        );
        let json = r#"{"model":"m","slice":"nowhere"}"#;
        let refusal = told(json, "good", None).unwrap_err();
        assert_eq!(
            refusal,
            Refusal::Rows(
                "there is no column 'nowhere' to slice the test \
                 rows by: they have y, unused, x"
                    .to_owned()
            )
        );
    }

    #[test]
    fn equal_calls_give_equal_bytes() {
        let json = r#"{"model":"m","slice":"unused"}"#;
        let run = || {
            let (evaluation, _) = told(json, "good", Some(("bad", manifest("y")))).unwrap();
            serde_json::to_string(&evaluation).unwrap()
        };
        assert_eq!(run(), run());
    }

    #[test]
    fn nothing_is_decided_without_resamples_or_policy() {
        for json in [
            r#"{"model":"m","resamples":0}"#,
            r#"{"model":"m","policy":"none"}"#,
        ] {
            let (evaluation, _) = told(json, "good", None).unwrap();
            assert_eq!(evaluation.gate.verdict, Verdict::NoPolicy);
        }
    }

    #[test]
    fn no_rows_are_no_verdict() {
        let parameters: Parameters = serde_json::from_str(r#"{"model":"m"}"#).unwrap();
        let mut outside = Outside {
            test: &mut || Ok(Box::new(std::iter::empty())),
            predict: &mut |bundle, batch| predict(bundle, &batch),
            progress: &mut |_| {},
        };
        let candidate = manifest("y");
        let evaluated = evaluate(&parameters, 1, "good", &candidate, None, &mut outside);
        let (evaluation, notes) = evaluated.unwrap();
        assert_eq!(evaluation.gate.verdict, Verdict::NoPolicy);
        assert!(notes.is_empty() && evaluation.metrics.is_empty());
        serde_json::to_string(&evaluation).unwrap();
    }
}
