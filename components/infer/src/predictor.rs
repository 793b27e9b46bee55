//! A bundle, loaded once and asked often. This is the one prediction path of the whole pipeline.

use std::{collections::BTreeMap, fmt, ops::Range};

use septet_kit::{
    bundle::Bundle,
    matrix::Matrix,
    model::{Model, Onnx},
    preprocessing::{Input, Preprocessing, Task},
    table::{Column, Field, Kind, Table, Values},
    transform,
};

/// The name of the predicted label or value.
pub const PREDICTION: &str = "prediction";

/// Predicts with a model that is another library's.
pub trait Engine {
    /// Scores of rows: as [`Model::predict`] gives them, one row each. `rows` are the raw columns that
    /// serving needs, checked and passed through the transforms; `features` are made of them, and have no
    /// columns where the model takes the raw ones.
    fn scores(&self, rows: &Table, features: &Matrix) -> Result<Scores, String>;
}

/// What an engine says of rows.
#[derive(Debug)]
pub struct Scores {
    /// A row each; any numbers where a row is refused.
    pub values: Matrix,
    /// Why a row, from 0, can't be predicted: one line.
    pub refused: BTreeMap<usize, String>,
}

/// Makes the engine of a model.
pub type Open = fn(&Onnx, &Preprocessing) -> Result<Box<dyn Engine>, String>;

/// A model that is ready to predict.
pub struct Predictor {
    bundle: Bundle,
    /// What predicts in the place of the bundle's own model.
    engine: Option<Box<dyn Engine>>,
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

impl fmt::Debug for Predictor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Predictor")
            .field("bundle", &self.bundle)
            .finish_non_exhaustive()
    }
}

impl Predictor {
    /// Decodes a bundle and replays its recorded rows through the transforms, features and model
    /// of today. `open` makes the engine of an ONNX model, where this component has one; `call` passes a
    /// batch through a transform, `report` is told how many rows are replayed so far.
    pub fn load(
        bytes: &[u8],
        open: Option<Open>,
        call: impl FnMut(&str, Table) -> Result<Table, String>,
        report: &mut dyn FnMut(usize),
    ) -> Result<Self, String> {
        let predictor = Self::unplayed(Bundle::decode(bytes)?, open)?;
        let recorded = &predictor.bundle.manifest.recorded;
        // A model that came without its rows has none, and no columns of them either.
        if recorded.is_empty() {
            return Ok(predictor);
        }
        recorded
            .table()
            .and_then(|rows| predictor.scores(&rows, call, report))
            .and_then(|scores| recorded.replay(&scores))
            .map_err(|reason| {
                format!("the model does not predict its recorded rows as it did: {reason}")
            })?;
        Ok(predictor)
    }

    /// The predictor of a bundle whose recorded rows are not replayed, because they are still to be made.
    pub fn unplayed(bundle: Bundle, open: Option<Open>) -> Result<Self, String> {
        let plan = &bundle.manifest.preprocessing;
        let positive = plan.positive.as_ref();
        let positive = positive.and_then(|label| plan.classes.iter().position(|c| c == label));
        let engine = match (&bundle.model, open) {
            (Model::Onnx(onnx), Some(open)) => Some(open(onnx, plan)?),
            (Model::Onnx(_), None) => {
                return Err(
                    "the model is ONNX, which this component of infer does not read: the one that does \
                     is registered with the model's version"
                        .to_owned(),
                );
            }
            _ => None,
        };
        Ok(Self {
            threshold: positive.zip(bundle.manifest.threshold),
            bundle,
            engine,
        })
    }

    /// What the model is made of.
    pub const fn bundle(&self) -> &Bundle {
        &self.bundle
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
        let rows = self.rows(table, call)?;
        let (features, refused) = self.preprocessing().features_checked(&rows)?;
        let mut errors: BTreeMap<usize, String> = refused.into_iter().collect();
        let scored = self.score(&rows, &features, report)?;
        for (row, reason) in scored.refused {
            errors.entry(row).or_insert(reason);
        }
        let mut scores = scored.values;
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
        let rows = self.rows(table, call)?;
        let features = self.preprocessing().features(&rows)?;
        let scored = self.score(&rows, &features, report)?;
        match scored.refused.first_key_value() {
            None => Ok(scored.values),
            Some((row, reason)) => Err(format!("{reason} in row {}", rows.line(*row))),
        }
    }

    /// What the model, or its engine, says of rows.
    fn score(
        &self,
        rows: &Table,
        features: &Matrix,
        report: &mut dyn FnMut(usize),
    ) -> Result<Scores, String> {
        let model = &self.bundle.model;
        let outputs = model.classes().unwrap_or(1);
        let mut refused = BTreeMap::new();
        let mut predict = |range: Range<usize>, part: &Matrix| match &self.engine {
            None => Ok(model.predict(part)),
            Some(engine) => {
                let numbers: Vec<u32> = range.clone().map(|row| row as u32).collect();
                let scores = engine.scores(&rows.take(&numbers), part)?;
                if (scores.values.rows, scores.values.columns) != (part.rows, outputs) {
                    return Err("the model does not give one prediction a row".to_owned());
                }
                let moved = scores.refused.into_iter();
                refused.extend(moved.map(|(row, reason)| (range.start + row, reason)));
                Ok(scores.values)
            }
        };
        let values = model.in_steps(features, &mut predict, report)?;
        Ok(Scores { values, refused })
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
pub(crate) mod tests;
