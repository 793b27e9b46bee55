//! True labels and predictions, batch by batch, to metrics.
//!
//! It owns how a column of labels and a table of predictions are read. It must not know who
//! predicted.

use std::collections::BTreeMap;

use crate::{
    matrix::Matrix,
    metrics::{self, Metrics},
    preprocessing::{Preprocessing, Task},
    table::{Column, Table, Values},
};

/// Labels that the model does not know and that are told from each other; others share one.
const MAX_UNKNOWN: usize = 1_000;
/// Numbers that are kept: about 2 GiB, with room for sorting.
const MAX_NUMBERS: usize = 1 << 27;

/// Name of the predictions' first column; of classes' probabilities, the names begin with
/// [`PROBABILITY`].
pub const PREDICTION: &str = "prediction";
/// Before a class's label in the name of the column of its probability.
pub const PROBABILITY: &str = "probability_";

/// Collects labels and predictions.
#[derive(Clone, Debug)]
pub struct Scorer<'a> {
    preprocessing: &'a Preprocessing,
    known: BTreeMap<&'a str, usize>,
    unknown: BTreeMap<String, usize>,
    classes: Vec<usize>,
    values: Vec<f64>,
    predicted_classes: Vec<usize>,
    predicted: Vec<f64>,
    unlabelled: u64,
}

impl<'a> Scorer<'a> {
    /// For predictions of a model with this preprocessing.
    pub fn new(preprocessing: &'a Preprocessing) -> Self {
        let names = preprocessing.classes.iter().map(String::as_str);
        Self {
            preprocessing,
            known: names.zip(0..).collect(),
            unknown: BTreeMap::new(),
            classes: vec![],
            values: vec![],
            predicted_classes: vec![],
            predicted: vec![],
            unlabelled: 0,
        }
    }

    /// Rows that are scored.
    pub fn rows(&self) -> u64 {
        match self.preprocessing.task {
            Task::Classification => self.classes.len() as u64,
            Task::Regression => self.values.len() as u64,
        }
    }

    /// Rows that were left out because they have no label.
    pub const fn unlabelled(&self) -> u64 {
        self.unlabelled
    }

    /// Labels that the model does not know.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        self.unknown.keys().map(String::as_str)
    }

    /// The metric by which models of this ML task are compared.
    pub const fn primary(&self) -> &'static str {
        match self.preprocessing.task {
            Task::Classification => "accuracy",
            Task::Regression => "r2",
        }
    }

    /// Adds rows: their labels and, in the same order, a predictor's answer.
    pub fn add(&mut self, labels: &Column, predictions: &Table) -> Result<(), String> {
        if labels.values.len() != predictions.rows {
            return Err(format!(
                "{} rows have labels but {} have predictions",
                labels.values.len(),
                predictions.rows
            ));
        }
        let answer = column(predictions, PREDICTION)?;
        match self.preprocessing.task {
            Task::Classification => self.add_classes(labels, predictions, answer)?,
            Task::Regression => self.add_values(labels, answer)?,
        }
        let kept = self.predicted.len().saturating_add(self.values.len());
        if kept > MAX_NUMBERS {
            return Err(format!(
                "{} rows are too many to score at once: take fewer",
                self.rows()
            ));
        }
        Ok(())
    }

    fn add_classes(
        &mut self,
        labels: &Column,
        predictions: &Table,
        answer: &Column,
    ) -> Result<(), String> {
        let probabilities = self.preprocessing.classes.iter().map(|class| {
            let column = column(predictions, &format!("{PROBABILITY}{class}"))?;
            floats(column)
        });
        let probabilities = probabilities.collect::<Result<Vec<_>, _>>()?;
        for row in 0..predictions.rows {
            let Some(label) = labels.label(row) else {
                self.unlabelled += 1;
                continue;
            };
            let predicted = answer
                .text(row)
                .and_then(|text| self.known.get(text))
                .ok_or("the predictor answered with a class that is not the model's")?;
            self.predicted_classes.push(*predicted);
            self.predicted
                .extend(probabilities.iter().filter_map(|column| column.get(row)));
            let class = self.class(label);
            self.classes.push(class);
        }
        Ok(())
    }

    /// The label's index: of an unknown one, after all that are known.
    fn class(&mut self, label: String) -> usize {
        if let Some(class) = self.known.get(label.as_str()) {
            return *class;
        }
        let next = self.known.len() + self.unknown.len().min(MAX_UNKNOWN);
        if self.unknown.len() < MAX_UNKNOWN {
            *self.unknown.entry(label).or_insert(next)
        } else {
            self.unknown.get(&label).copied().unwrap_or(next)
        }
    }

    fn add_values(&mut self, labels: &Column, answer: &Column) -> Result<(), String> {
        let answers = floats(answer)?;
        let numbers = match &labels.values {
            Values::Timestamps(_) => None,
            _ => labels.numbers(),
        };
        // A column without any value has no kind of its own.
        let blank = labels.nulls.len() == labels.values.len();
        let numbers = numbers
            .or_else(|| blank.then(|| vec![None; labels.values.len()]))
            .ok_or_else(|| {
                format!(
                    "column '{}' has {} where the model predicts numbers",
                    labels.name,
                    labels.values.kind().name()
                )
            })?;
        for (number, answer) in numbers.into_iter().zip(answers) {
            match number.filter(|number| number.is_finite()) {
                Some(number) => {
                    self.values.push(number);
                    self.predicted.push(*answer);
                }
                None => self.unlabelled += 1,
            }
        }
        Ok(())
    }

    /// Metrics of the predictions; empty without rows.
    pub fn metrics(&self) -> Metrics {
        match self.preprocessing.task {
            Task::Classification => {
                let columns = self.known.len();
                let probabilities = Matrix {
                    rows: self.classes.len(),
                    columns,
                    values: self.predicted.clone(),
                };
                metrics::classification(&self.classes, &self.predicted_classes, &probabilities)
            }
            Task::Regression => metrics::regression(&self.values, &self.predicted),
        }
    }

    /// Metrics, on the same rows, of always answering with the train rows' most frequent class and
    /// the classes' shares, or their mean: scikit-learn's `DummyClassifier(strategy="prior")` and
    /// `DummyRegressor`.
    pub fn baseline(&self) -> Metrics {
        let rows = self.rows() as usize;
        match self.preprocessing.task {
            Task::Classification => {
                let counts = &self.preprocessing.class_counts;
                let total = counts
                    .iter()
                    .map(|count| *count as f64)
                    .sum::<f64>()
                    .max(1.0);
                let shares: Vec<f64> = counts.iter().map(|count| *count as f64 / total).collect();
                let probabilities = Matrix {
                    rows,
                    columns: shares.len(),
                    values: shares.repeat(rows),
                };
                let majority = vec![majority(self.preprocessing); rows];
                metrics::classification(&self.classes, &majority, &probabilities)
            }
            Task::Regression => {
                metrics::regression(&self.values, &vec![self.preprocessing.target_mean; rows])
            }
        }
    }
}

/// Index of the train rows' most frequent class; of two, the first.
pub fn majority(preprocessing: &Preprocessing) -> usize {
    let counts = preprocessing.class_counts.iter().enumerate();
    counts
        .rev()
        .max_by_key(|(_, count)| **count)
        .map_or(0, |(class, _)| class)
}

fn column<'t>(predictions: &'t Table, name: &str) -> Result<&'t Column, String> {
    predictions
        .column(name)
        .filter(|column| column.nulls.is_empty())
        .ok_or_else(|| format!("the predictor gave no full column '{name}'"))
}

fn floats(column: &Column) -> Result<&Vec<f64>, String> {
    match &column.values {
        Values::Floats(floats) if floats.iter().all(|float| float.is_finite()) => Ok(floats),
        _ => Err(format!(
            "the predictor's column '{}' is not all finite numbers",
            column.name
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preprocessing(classes: &[&str], counts: &[u64]) -> Preprocessing {
        Preprocessing {
            task: if classes.is_empty() {
                Task::Regression
            } else {
                Task::Classification
            },
            target: "y".to_owned(),
            classes: classes.iter().map(ToString::to_string).collect(),
            class_counts: counts.to_vec(),
            target_mean: 2.0,
            positive: None,
            folds: crate::preprocessing::Folds::Rows,
            weighted: false,
            inputs: vec![],
            transforms: vec![],
            columns: vec![],
            features: vec![],
        }
    }

    fn column(name: &str, values: Values, nulls: &[u32]) -> Column {
        Column {
            name: name.to_owned(),
            values,
            nulls: nulls.to_vec(),
        }
    }

    fn texts(texts: &[&str]) -> Values {
        Values::Texts(texts.iter().map(ToString::to_string).collect())
    }

    fn answer(predicted: &[&str], second: &[f64]) -> Table {
        let first = second.iter().map(|p| 1.0 - p).collect();
        Table {
            rows: predicted.len(),
            columns: vec![
                column(PREDICTION, texts(predicted), &[]),
                column("probability_no", Values::Floats(first), &[]),
                column("probability_yes", Values::Floats(second.to_vec()), &[]),
            ],
        }
    }

    #[test]
    fn classes_are_scored_over_batches() {
        let plan = preprocessing(&["no", "yes"], &[1, 3]);
        let mut scorer = Scorer::new(&plan);
        let batch = column("y", texts(&["no", "yes", ""]), &[2]);
        scorer
            .add(&batch, &answer(&["no", "no", "no"], &[0.1, 0.4, 0.5]))
            .unwrap();
        let batch = column("y", texts(&["maybe", "yes"]), &[]);
        scorer
            .add(&batch, &answer(&["yes", "yes"], &[0.9, 0.6]))
            .unwrap();
        assert_eq!((scorer.rows(), scorer.unlabelled()), (4, 1));
        assert_eq!(scorer.unknown().collect::<Vec<_>>(), ["maybe"]);
        assert!((scorer.metrics()["accuracy"] - 0.5).abs() < 1e-12);
        // Always "yes".
        assert!((scorer.baseline()["accuracy"] - 0.5).abs() < 1e-12);
        assert_eq!(scorer.primary(), "accuracy");
    }

    #[test]
    fn numbers_are_scored_and_their_baseline_is_the_mean() {
        let plan = preprocessing(&[], &[]);
        let mut scorer = Scorer::new(&plan);
        let labels = column("y", Values::Integers(vec![1, 2, 9, 3]), &[2]);
        let predicted = Values::Floats(vec![1.0, 2.0, 0.0, 3.0]);
        let predictions = Table {
            rows: 4,
            columns: vec![column(PREDICTION, predicted, &[])],
        };
        scorer.add(&labels, &predictions).unwrap();
        assert!((scorer.metrics()["r2"] - 1.0).abs() < 1e-12);
        assert!(scorer.baseline()["r2"].abs() < 1e-12);
        let labels = column("y", texts(&["a", "b", "c", "d"]), &[]);
        let told = scorer.add(&labels, &predictions).unwrap_err();
        assert_eq!(
            told,
            "column 'y' has texts where the model predicts numbers"
        );
    }

    #[test]
    fn answers_that_do_not_fit_are_told() {
        let plan = preprocessing(&["no", "yes"], &[1, 1]);
        let mut scorer = Scorer::new(&plan);
        let labels = column("y", texts(&["no"]), &[]);
        let mut told = |answer: &Table| scorer.add(&labels, answer).unwrap_err();
        assert!(told(&answer(&["no", "no"], &[0.0, 0.0])).contains("2 have predictions"));
        assert!(told(&answer(&["other"], &[0.5])).contains("not the model's"));
        assert!(told(&answer(&["no"], &[f64::NAN])).contains("finite"));
        let mut short = answer(&["no"], &[0.5]);
        short.remove("probability_yes");
        assert!(told(&short).contains("'probability_yes'"));
    }

    #[test]
    fn labels_that_are_never_the_same_are_bounded() {
        let plan = preprocessing(&["no", "yes"], &[1, 1]);
        let mut scorer = Scorer::new(&plan);
        let numbers = Values::Integers((0..3000).collect());
        let predicted = vec!["no"; 3000];
        scorer
            .add(
                &column("y", numbers, &[]),
                &answer(&predicted, &vec![0.5; 3000]),
            )
            .unwrap();
        assert_eq!(scorer.unknown().count(), MAX_UNKNOWN);
        assert!(scorer.metrics()["accuracy"].abs() < 1e-12);
    }
}
