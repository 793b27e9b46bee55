use std::collections::BTreeMap;

use septet_kit::{
    bundle::{FORMAT, Manifest, Recorded},
    drift::Reference,
    model::{Linear, Model},
    preprocessing::{Encoding, Fitted},
    table::ROW,
};

use super::*;

fn number(name: &str) -> Fitted {
    Fitted {
        column: name.to_owned(),
        encoding: Encoding::Number {
            fill: 1.0,
            center: 0.0,
            scale: 1.0,
            indicator: false,
        },
    }
}

fn plan(task: Task, transforms: &[&str]) -> Preprocessing {
    let classification = task == Task::Classification;
    let classes = ["no", "yes"].map(ToOwned::to_owned).to_vec();
    Preprocessing {
        task,
        target: "y".to_owned(),
        classes: if classification { classes } else { vec![] },
        class_counts: if classification { vec![1, 1] } else { vec![] },
        target_mean: 0.0,
        positive: None,
        folds: septet_kit::preprocessing::Folds::Rows,
        weighted: false,
        inputs: vec![Input {
            name: "x".to_owned(),
            kind: Kind::Floats,
            nullable: false,
        }],
        transforms: transforms.iter().map(ToString::to_string).collect(),
        columns: vec![number("x")],
        features: vec!["x".to_owned()],
    }
}

/// Predicts `2 x + 1`, or the logistic function of it.
pub(crate) fn bundle(task: Task, transforms: &[&str]) -> Bundle {
    let weights = Matrix::new(1, 1, vec![2.0]).unwrap();
    let linear = Linear::new(weights, vec![1.0]).unwrap();
    let model = match task {
        Task::Regression => Model::LinearRegressor(linear),
        Task::Classification => Model::LinearClassifier(linear),
    };
    let preprocessing = plan(task, transforms);
    let rows = preprocessing.check(&rows(&[0.5, -3.0])).unwrap();
    let predictions = model.predict(&preprocessing.features(&rows).unwrap());
    let manifest = Manifest {
        format: FORMAT,
        algorithm: "test".to_owned(),
        parameters: BTreeMap::new(),
        seed: 0,
        reference: Reference::default(),
        feature_reference: Reference::default(),
        threshold: None,
        metrics: septet_kit::metrics::Metrics::new(),
        prediction_reference: Reference::default(),
        lineage: vec![],
        recorded: Recorded::new(&rows, &predictions),
        preprocessing,
    };
    Bundle::new(manifest, model).unwrap()
}

pub(crate) fn rows(values: &[f64]) -> Table {
    let lines = (2..).take(values.len()).collect();
    Table {
        rows: values.len(),
        columns: vec![
            column(ROW.to_owned(), Values::Integers(lines)),
            column("x".to_owned(), Values::Floats(values.to_vec())),
        ],
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it stands for a transform")]
pub(crate) fn same(_: &str, table: Table) -> Result<Table, String> {
    Ok(table)
}

pub(crate) fn load(task: Task, transforms: &[&str]) -> Predictor {
    let bytes = bundle(task, transforms).encode().unwrap();
    Predictor::load(&bytes, None, same, &mut |_| {}).unwrap()
}

#[test]
fn a_value_is_predicted() {
    let predictor = load(Task::Regression, &[]);
    let table = predictor
        .predict(&rows(&[1.0, 2.0]), same, &mut |_| {})
        .unwrap();
    assert_eq!(table.fields(), predictor.outputs());
    assert_eq!(table.columns[0].values, Values::Floats(vec![3.0, 5.0]));
    assert_eq!(
        predictor
            .predict(&rows(&[]), same, &mut |_| {})
            .unwrap()
            .rows,
        0
    );
}

#[test]
fn a_costly_model_reports_within_a_batch() {
    use septet_kit::model::{Forest, Node};

    let mut bundle = bundle(Task::Regression, &[]);
    let trees = 1 << 16;
    let leaves = vec![Node::leaf(0.5); trees as usize];
    bundle.model = Model::ForestRegressor(Forest::new(1, (0..trees).collect(), leaves).unwrap());
    let recorded = rows(&[0.5, -3.0]);
    let plan = &bundle.manifest.preprocessing;
    let recorded = plan.check(&recorded).unwrap();
    let predictions = bundle.model.predict(&plan.features(&recorded).unwrap());
    bundle.manifest.recorded = Recorded::new(&recorded, &predictions);
    let mut steps = vec![];
    let bytes = bundle.encode().unwrap();
    let predictor = Predictor::load(&bytes, None, same, &mut |row| steps.push(row)).unwrap();
    let answer = predictor
        .answer(&rows(&[1.0; 5]), same, &mut |row| steps.push(row))
        .unwrap();
    assert_eq!(steps, [2, 2, 4, 5]);
    assert_eq!(
        answer.predictions.columns[0].values,
        Values::Floats(vec![0.5; 5])
    );
}

#[test]
fn a_class_is_predicted_with_probabilities() {
    let predictor = load(Task::Classification, &[]);
    let table = predictor
        .predict(&rows(&[1.0, -2.0]), same, &mut |_| {})
        .unwrap();
    assert_eq!(table.fields(), predictor.outputs());
    assert_eq!(table.columns[0].label(0).unwrap(), "yes");
    assert_eq!(table.columns[0].label(1).unwrap(), "no");
    assert_eq!(table.columns[1].name, "probability_no");
    let sum = table.columns[1].number(0).unwrap() + table.columns[2].number(0).unwrap();
    assert!((sum - 1.0).abs() < 1e-12);
}

#[test]
fn the_threshold_decides_between_two_classes() {
    let label = |positive: &str, threshold: f64, x: f64| {
        let mut bundle = bundle(Task::Classification, &[]);
        bundle.manifest.preprocessing.positive = Some(positive.to_owned());
        bundle.manifest.threshold = Some(threshold);
        let predictor =
            Predictor::load(&bundle.encode().unwrap(), None, same, &mut |_| {}).unwrap();
        let table = predictor.predict(&rows(&[x]), same, &mut |_| {}).unwrap();
        table.columns[0].label(0).unwrap()
    };
    // At 0 the probability of "yes" is 0.73, at -0.5 it is 0.5.
    assert_eq!(label("yes", 0.8, 0.0), "no");
    assert_eq!(label("yes", 0.7, 0.0), "yes");
    assert_eq!(label("yes", 0.5, -0.5), "yes");
    assert_eq!(label("no", 0.2, 0.0), "no");
    assert_eq!(label("no", 0.3, 0.0), "yes");
}

#[test]
fn a_row_that_fails_does_not_spoil_others() {
    let predictor = load(Task::Classification, &[]);
    let answer = predictor
        .answer(&rows(&[1.0, f64::INFINITY, -2.0]), same, &mut |_| {})
        .unwrap();
    assert_eq!(answer.errors.len(), 1);
    assert!(answer.errors[&1].contains("'x' is infinite"));
    answer.predictions.validate().unwrap();
    let labels = |at: usize| {
        let column = &answer.predictions.columns[at];
        (0..3).map(|row| column.label(row)).collect::<Vec<_>>()
    };
    assert_eq!(
        labels(0),
        [Some("yes".to_owned()), None, Some("no".to_owned())]
    );
    assert!(labels(1)[1].is_none() && labels(2)[1].is_none());
    let told = predictor.predict(&rows(&[1.0, f64::INFINITY]), same, &mut |_| {});
    assert!(
        told.unwrap_err()
            .starts_with("row 3: column 'x' is infinite")
    );
    let blank = predictor.blank(2);
    assert_eq!(blank.fields(), predictor.outputs());
    assert_eq!(blank.columns[2].nulls, [0, 1]);
}

#[test]
fn transforms_are_applied_and_checked_on_load() {
    let bytes = bundle(Task::Regression, &["digest"]).encode().unwrap();
    let predictor = Predictor::load(&bytes, None, same, &mut |_| {}).unwrap();
    let mut asked = Vec::new();
    predictor
        .predict(
            &rows(&[1.0]),
            |digest, table| {
                asked.push(digest.to_owned());
                let names: Vec<_> = table.columns.iter().map(|c| c.name.clone()).collect();
                assert_eq!(names, ["x"]);
                Ok(table)
            },
            &mut |_| {},
        )
        .unwrap();
    assert_eq!(asked, ["digest"]);
    let gone = Predictor::load(
        &bytes,
        None,
        |_, _| Err("there is no transform".to_owned()),
        &mut |_| {},
    );
    assert!(gone.unwrap_err().contains("there is no transform"));
    let other = Predictor::load(
        &bytes,
        None,
        |_, mut table| {
            if let Values::Floats(values) = &mut table.columns[0].values {
                for value in values {
                    *value += 1.0;
                }
            }
            Ok(table)
        },
        &mut |_| {},
    );
    assert!(other.unwrap_err().contains("recorded row 0"));
}

#[test]
fn a_damaged_bundle_is_told() {
    let bytes = bundle(Task::Regression, &[]).encode().unwrap();
    assert!(Predictor::load(&bytes[..bytes.len() - 1], None, same, &mut |_| {}).is_err());
    assert!(
        Predictor::load(b"PK", None, same, &mut |_| {})
            .unwrap_err()
            .contains("bundle")
    );
}

#[test]
fn what_can_not_be_predicted_is_told() {
    let predictor = load(Task::Regression, &[]);
    let mut table = rows(&[1.0]);
    table.columns[1].values = Values::Texts(vec!["many".to_owned()]);
    assert_eq!(
        predictor.predict(&table, same, &mut |_| {}).unwrap_err(),
        "column 'x' has texts where the model was trained on floats: row 2 has 'many'"
    );
    table.remove("x");
    let reason = predictor.predict(&table, same, &mut |_| {}).unwrap_err();
    assert!(reason.contains("'x' (floats) is missing"));
    let reason = predictor
        .predict(&rows(&[0.0, f64::MAX]), same, &mut |_| {})
        .unwrap_err();
    assert!(
        reason.starts_with("row 3: the prediction is not finite"),
        "{reason}"
    );
}
