//! A bundle, loaded once and asked often. This is the one prediction path of the whole pipeline.

use std::collections::BTreeMap;

use septet_kit::{
    bundle::Bundle,
    matrix::Matrix,
    preprocessing::{Input, Preprocessing, Task},
    table::{Column, Field, Kind, Table, Values},
    transform,
};

/// The name of the predicted label or value.
pub const PREDICTION: &str = "prediction";

/// A model that is ready to predict.
#[derive(Debug)]
pub struct Predictor {
    bundle: Bundle,
    /// Of two classes: the positive one, and the probability from which on it is predicted.
    threshold: Option<(usize, f64)>,
}

/// What a model says of a batch of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// One row each, null where there is an error.
    pub predictions: Table,
    /// What the model was given.
    pub features: Matrix,
    /// Why a row, from 0, has no prediction: one line.
    pub errors: BTreeMap<usize, String>,
}

impl Predictor {
    /// Decodes a bundle and replays its recorded rows through the transforms, features and model
    /// of today. `call` passes a batch through a transform, `report` is told how many rows are
    /// replayed so far.
    pub fn load(
        bytes: &[u8],
        call: impl FnMut(&str, Table) -> Result<Table, String>,
        report: &mut dyn FnMut(usize),
    ) -> Result<Self, String> {
        let bundle = Bundle::decode(bytes)?;
        let plan = &bundle.manifest.preprocessing;
        let positive = plan.positive.as_ref();
        let positive = positive.and_then(|label| plan.classes.iter().position(|c| c == label));
        let predictor = Self {
            threshold: positive.zip(bundle.manifest.threshold),
            bundle,
        };
        let recorded = &predictor.bundle.manifest.recorded;
        recorded
            .table()
            .and_then(|rows| predictor.scores(&rows, call, report))
            .and_then(|scores| recorded.replay(&scores))
            .map_err(|reason| {
                format!("the model does not predict its recorded rows as it did: {reason}")
            })?;
        Ok(predictor)
    }

    /// Columns that [`Self::predict`] needs; others are ignored.
    pub fn inputs(&self) -> &[Input] {
        &self.preprocessing().inputs
    }

    /// Columns that [`Self::predict`] gives.
    pub fn outputs(&self) -> Vec<Field> {
        let floats = |name: String| Field {
            name,
            kind: Kind::Floats,
        };
        match self.preprocessing().task {
            Task::Regression => vec![floats(PREDICTION.to_owned())],
            Task::Classification => {
                let prediction = Field {
                    name: PREDICTION.to_owned(),
                    kind: Kind::Categories,
                };
                std::iter::once(prediction)
                    .chain(
                        self.preprocessing()
                            .classes
                            .iter()
                            .map(probability)
                            .map(floats),
                    )
                    .collect()
            }
        }
    }

    /// Names of the features that the model is given.
    pub fn features(&self) -> &[String] {
        &self.preprocessing().features
    }

    /// One row of predictions for each row of `table`. A row that can't be predicted is an error
    /// that names it. `report` is told how many rows are predicted so far.
    pub fn predict(
        &self,
        table: &Table,
        call: impl FnMut(&str, Table) -> Result<Table, String>,
        report: &mut dyn FnMut(usize),
    ) -> Result<Table, String> {
        let answer = self.answer(table, call, report)?;
        match answer.errors.first_key_value() {
            None => Ok(answer.predictions),
            Some((row, reason)) => Err(format!("row {}: {reason}", table.line(*row))),
        }
    }

    /// What the model says of each row of `table`, or why it can't. Only a column that is missing
    /// or of another kind, and a transform that refuses, are errors. `report` is told how many rows
    /// are predicted so far: a costly model would be silent for too long over a batch.
    pub fn answer(
        &self,
        table: &Table,
        call: impl FnMut(&str, Table) -> Result<Table, String>,
        report: &mut dyn FnMut(usize),
    ) -> Result<Answer, String> {
        let (features, refused) = self
            .preprocessing()
            .features_checked(&self.rows(table, call)?)?;
        let mut errors: BTreeMap<usize, String> = refused.into_iter().collect();
        let mut scores = self.bundle.model.predict_in_steps(&features, report);
        for row in 0..table.rows {
            let scores = scores.row_mut(row);
            if !scores.iter().all(|score| score.is_finite()) {
                errors.entry(row).or_insert_with(|| {
                    "the prediction is not finite: a value is far out of the range that the model \
                     was trained on"
                        .to_owned()
                });
            }
            if errors.contains_key(&row) {
                scores.fill(0.0);
            }
        }
        let columns = match self.preprocessing().task {
            Task::Regression => vec![column(PREDICTION.to_owned(), Values::Floats(scores.values))],
            Task::Classification => self.labelled(&scores),
        };
        let mut predictions = Table {
            rows: table.rows,
            columns,
        };
        for column in &mut predictions.columns {
            column.nulls = errors.keys().map(|row| *row as u32).collect();
        }
        Ok(Answer {
            predictions,
            features,
            errors,
        })
    }

    /// Predictions of `rows` rows that have none.
    pub fn blank(&self, rows: usize) -> Table {
        let scores = Matrix::zeros(rows, self.preprocessing().classes.len());
        let mut columns = match self.preprocessing().task {
            Task::Regression => vec![column(
                PREDICTION.to_owned(),
                Values::Floats(vec![0.0; rows]),
            )],
            Task::Classification => self.labelled(&scores),
        };
        for column in &mut columns {
            column.nulls = (0..rows as u32).collect();
        }
        Table { rows, columns }
    }

    fn preprocessing(&self) -> &Preprocessing {
        &self.bundle.manifest.preprocessing
    }

    /// What the model says of raw rows.
    fn scores(
        &self,
        table: &Table,
        call: impl FnMut(&str, Table) -> Result<Table, String>,
        report: &mut dyn FnMut(usize),
    ) -> Result<Matrix, String> {
        let features = self.preprocessing().features(&self.rows(table, call)?)?;
        Ok(self.bundle.model.predict_in_steps(&features, report))
    }

    /// Raw rows, checked and passed through the transforms.
    fn rows(
        &self,
        table: &Table,
        call: impl FnMut(&str, Table) -> Result<Table, String>,
    ) -> Result<Table, String> {
        let preprocessing = self.preprocessing();
        let rows = preprocessing.check(table)?;
        transform::apply(rows, &preprocessing.transforms, &preprocessing.target, call)
    }

    /// The class of each row, and all probabilities.
    fn labelled(&self, scores: &Matrix) -> Vec<Column> {
        let classes = &self.preprocessing().classes;
        let prediction = Values::Categories {
            dictionary: classes.clone(),
            codes: (0..scores.rows)
                .map(|row| self.class(scores.row(row)))
                .collect(),
        };
        std::iter::once(column(PREDICTION.to_owned(), prediction))
            .chain(
                classes.iter().enumerate().map(|(at, class)| {
                    column(probability(class), Values::Floats(scores.column(at)))
                }),
            )
            .collect()
    }

    /// Where the model has a threshold: the positive class where its probability is at or above
    /// it, else the other one. Elsewhere the likeliest class, the first of equally likely ones.
    fn class(&self, probabilities: &[f64]) -> u32 {
        if let Some((positive, threshold)) = self.threshold {
            let reached = probabilities.get(positive).is_some_and(|p| *p >= threshold);
            return (if reached {
                positive
            } else {
                1 - positive.min(1)
            }) as u32;
        }
        let mut best = (0, f64::NEG_INFINITY);
        for (class, probability) in (0_u32..).zip(probabilities) {
            if *probability > best.1 {
                best = (class, *probability);
            }
        }
        best.0
    }
}

fn probability(class: &String) -> String {
    format!("probability_{class}")
}

fn column(name: String, values: Values) -> Column {
    Column {
        name,
        values,
        nulls: Vec::new(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
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
        Predictor::load(&bytes, same, &mut |_| {}).unwrap()
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
        bundle.model =
            Model::ForestRegressor(Forest::new(1, (0..trees).collect(), leaves).unwrap());
        let recorded = rows(&[0.5, -3.0]);
        let plan = &bundle.manifest.preprocessing;
        let recorded = plan.check(&recorded).unwrap();
        let predictions = bundle.model.predict(&plan.features(&recorded).unwrap());
        bundle.manifest.recorded = Recorded::new(&recorded, &predictions);
        let mut steps = vec![];
        let bytes = bundle.encode().unwrap();
        let predictor = Predictor::load(&bytes, same, &mut |row| steps.push(row)).unwrap();
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
            let predictor = Predictor::load(&bundle.encode().unwrap(), same, &mut |_| {}).unwrap();
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
        let predictor = Predictor::load(&bytes, same, &mut |_| {}).unwrap();
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
            |_, _| Err("there is no transform".to_owned()),
            &mut |_| {},
        );
        assert!(gone.unwrap_err().contains("there is no transform"));
        let other = Predictor::load(
            &bytes,
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
        assert!(Predictor::load(&bytes[..bytes.len() - 1], same, &mut |_| {}).is_err());
        assert!(
            Predictor::load(b"PK", same, &mut |_| {})
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
}
