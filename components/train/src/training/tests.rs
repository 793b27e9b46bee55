use septet_kit::{
    bundle::TRAIN_ROW,
    preprocessing::{Encoding, Fitted, Folds, Input, Task},
    table::{Column, Kind, Values as Cells},
};
use serde_json::json;

use super::*;
use crate::{
    algorithm::{self, AUTO, Algorithm},
    plan::Parameters,
};

/// Two numeric features that are taken as they are; two classes.
pub(crate) fn preprocessing(task: Task) -> Preprocessing {
    let classification = task == Task::Classification;
    let names = ["a", "b"].map(str::to_owned);
    let fitted = |column: &String| Fitted {
        column: column.clone(),
        encoding: Encoding::Number {
            fill: 0.0,
            center: 0.0,
            scale: 1.0,
            indicator: false,
        },
    };
    let input = |name: &String| Input {
        name: name.clone(),
        kind: Kind::Floats,
        nullable: false,
    };
    Preprocessing {
        task,
        target: "y".to_owned(),
        classes: if classification {
            vec!["no".to_owned(), "yes".to_owned()]
        } else {
            vec![]
        },
        class_counts: if classification { vec![20, 20] } else { vec![] },
        target_mean: 0.5,
        positive: None,
        folds: Folds::Rows,
        weighted: false,
        inputs: names.iter().map(input).collect(),
        transforms: vec![],
        columns: names.iter().map(fitted).collect(),
        features: names.to_vec(),
    }
}

fn loaded() -> Loaded {
    let values = (0..80).map(|i| f64::from(i % 40) + f64::from(i % 2) * 0.25);
    Loaded {
        features: Matrix::new(40, 2, values.collect()).unwrap(),
        target: (0..40).map(|row| f64::from(row % 20 / 10)).collect(),
        units: (0..40).map(|row| f64::from(row % 38) / 40.0).collect(),
        weights: None,
    }
}

fn sample(plan: &Preprocessing) -> Table {
    let loaded = loaded();
    let columns = plan.inputs.iter().enumerate().map(|(index, input)| Column {
        name: input.name.clone(),
        values: Cells::Floats(loaded.features.column(index).split_off(38)),
        nulls: vec![],
    });
    let numbers = Column {
        name: TRAIN_ROW.to_owned(),
        values: Cells::Integers(vec![38, 39]),
        nulls: vec![],
    };
    Table {
        rows: 2,
        columns: columns.chain([numbers]).collect(),
    }
}

fn given(plan: Preprocessing) -> Given {
    Given {
        reference: Reference::default(),
        sample: sample(&plan),
        lineage: vec![],
        seed: 3,
        preprocessing: plan,
    }
}

fn parameters(json: serde_json::Value) -> Parameters {
    serde_json::from_value(json).unwrap()
}

#[test]
fn every_algorithm_makes_a_bundle_that_replays() {
    for task in [Task::Classification, Task::Regression] {
        let names = algorithm::fitting(task).map(Algorithm::name);
        for name in names.chain([AUTO]) {
            for kind in [Folds::Rows, Folds::Groups, Folds::Time] {
                for weighted in [false, name != "knn"] {
                    bundle(task, name, kind, weighted);
                }
            }
        }
    }
}

fn bundle(task: Task, algorithm: &str, kind: Folds, weighted: bool) {
    let mut shape = preprocessing(task);
    shape.folds = kind;
    shape.weighted = weighted;
    let parameters = parameters(json!({"algorithm": algorithm}));
    let plan = Plan::new(&parameters, &shape).unwrap();
    plan.fits(40, &shape).unwrap();
    let mut loaded = loaded();
    loaded.weights = weighted.then(|| (0..40).map(|i| 0.5 + f64::from(i % 3)).collect());
    let mut steps = vec![];
    let mut train = || {
        let given = given(shape.clone());
        plan.train(&loaded, given, &mut |done, total| steps.push((done, total)))
            .unwrap()
    };
    let trained = train();
    let bags = algorithm == "random-forest" && kind == Folds::Rows;
    let metric = match (task, bags) {
        (Task::Classification, true) => "oob_balanced_accuracy",
        (Task::Classification, false) => "cv_balanced_accuracy",
        (Task::Regression, true) => "oob_r2",
        (Task::Regression, false) => "cv_r2",
    };
    let known = trained.metrics.contains_key(metric);
    assert!(known, "{algorithm} {kind:?} {:?}", trained.metrics);
    let bytes = trained.bundle.encode().unwrap();
    assert_eq!(bytes, train().bundle.encode().unwrap(), "{algorithm}");
    assert!(steps.len() > 2);
    let Bundle { manifest, model } = Bundle::decode(&bytes).unwrap();
    assert_eq!(manifest.feature_reference.columns.len(), 2);
    let rows = manifest.recorded.table().unwrap();
    assert_eq!(rows.columns.len(), 2);
    let features = manifest.preprocessing.features(&rows).unwrap();
    manifest.recorded.replay(&model.predict(&features)).unwrap();
}

#[test]
fn a_threshold_is_chosen_or_given() {
    let mut shape = preprocessing(Task::Classification);
    shape.positive = Some("yes".to_owned());
    for algorithm in ["logistic-regression", "random-forest", AUTO] {
        let threshold = |json| {
            let plan = Plan::new(&parameters(json), &shape).unwrap();
            let trained = plan.train(&loaded(), given(shape.clone()), &mut |_, _| {});
            let manifest = trained.unwrap().bundle.manifest;
            assert!(manifest.metrics.contains_key("train_f1"));
            manifest.threshold.unwrap()
        };
        let chosen = threshold(json!({"algorithm": algorithm, "metric": "f1"}));
        assert!(chosen > 0.0 && chosen < 1.0);
        let fixed = json!({"algorithm": algorithm, "threshold": 0.3, "metric": "f1"});
        assert!((threshold(fixed) - 0.3).abs() < 1e-12);
    }
}

/// Refuses to learn from fewer than all rows.
struct Whole;

impl Algorithm for Whole {
    fn name(&self) -> &'static str {
        "whole"
    }

    fn tasks(&self) -> &'static [Task] {
        &[Task::Classification]
    }

    fn settings(&self, _: Task) -> Vec<crate::settings::Setting> {
        vec![]
    }

    fn memory(&self, _: u64, _: u64, _: u64, _: &crate::settings::Settings) -> u64 {
        0
    }

    fn learn(
        &self,
        rows: Rows<'_>,
        _: &crate::settings::Settings,
        seed: u64,
        progress: &mut Progress<'_>,
    ) -> Result<algorithm::Learned, String> {
        if rows.features.rows < 40 {
            return Err("rows are missing".to_owned());
        }
        let bayes = algorithm::choose(Some("gaussian-nb"), Task::Classification)?;
        let known = bayes.settings(Task::Classification);
        let settings = crate::settings::Settings::check("x", &known, &[].into())?;
        bayes.learn(rows, &settings, seed, progress)
    }
}

#[test]
fn a_fold_that_fails_does_not_fail_the_training() {
    let mut shape = preprocessing(Task::Classification);
    shape.positive = Some("yes".to_owned());
    let mut plan = Plan::new(&Parameters::default(), &shape).unwrap();
    let whole = Candidate::new(&Whole, Task::Classification, &[].into()).unwrap();
    plan.choice = Choice::One(whole);
    let mut last = (0, None);
    let trained = plan
        .train(&loaded(), given(shape), &mut |done, total| {
            last = (done, total);
        })
        .unwrap();
    let notes = trained.notes.join("; ");
    assert!(notes.contains("a fold failed: rows are missing"), "{notes}");
    assert!(notes.contains("the threshold is ½"), "{notes}");
    assert_eq!(trained.bundle.manifest.threshold, Some(0.5));
    assert!(!trained.metrics.contains_key("cv_balanced_accuracy"));
    assert!(trained.metrics.contains_key("train_balanced_accuracy"));
    assert_eq!(Some(last.0), last.1);
}

#[test]
fn auto_names_what_it_compared() {
    let mut shape = preprocessing(Task::Classification);
    shape.weighted = true;
    let plan = Plan::new(&parameters(json!({"algorithm": "auto"})), &shape).unwrap();
    let mut loaded = loaded();
    loaded.weights = Some(vec![1.0; 40]);
    let trained = plan.train(&loaded, given(shape), &mut |_, _| {}).unwrap();
    let notes = trained.notes.join("; ");
    for part in [
        "gaussian-nb balanced_accuracy 0.",
        " ± 0.",
        "knn was left out",
        "auto chose",
    ] {
        assert!(notes.contains(part), "{notes}");
    }
    assert!(notes.contains(&trained.bundle.manifest.algorithm));
}

#[test]
fn rows_of_a_transform_are_taken_from_the_train_table() {
    let mut plan = preprocessing(Task::Regression);
    let direct = Plan::new(&Parameters::default(), &plan).unwrap();
    let recorded = |plan: Preprocessing| {
        let trained = direct.train(&loaded(), given(plan), &mut |_, _| {});
        trained.map(|trained| trained.bundle.manifest.recorded)
    };
    let without = recorded(plan.clone()).unwrap();
    plan.transforms.push("ab".repeat(32));
    assert_eq!(recorded(plan.clone()).unwrap(), without);
    let mut given = given(plan);
    given.sample.remove(TRAIN_ROW);
    let error = direct.train(&loaded(), given, &mut |_, _| {}).unwrap_err();
    assert!(error.contains(TRAIN_ROW), "{error}");
}
