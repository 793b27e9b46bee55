//! Labels and predictions, collected.

use std::collections::BTreeMap;

use super::Prepared;
use crate::{
    metrics::{Classes, MAX_UNKNOWN, Metrics, Numbers, Tally},
    preprocessing::{Preprocessing, Task},
    table::{Column, Table, Values},
};

/// Predicted numbers that are kept: 256 MiB. With what ranks and draws them, and a champion,
/// evaluating stays below a 32-bit component's 4 GiB.
const MAX_NUMBERS: usize = 1 << 25;

/// Name of the predictions' first column; of classes' probabilities, the names begin with
/// [`PROBABILITY`].
pub const PREDICTION: &str = "prediction";
/// Before a class's label in the name of the column of its probability.
pub const PROBABILITY: &str = "probability_";

/// Collects labels and predictions.
#[derive(Clone, Debug)]
pub struct Scorer<'a> {
    pub(super) preprocessing: &'a Preprocessing,
    known: BTreeMap<&'a str, u32>,
    unknown: BTreeMap<String, u32>,
    pub(super) classes: Vec<u32>,
    pub(super) values: Vec<f64>,
    pub(super) predicted_classes: Vec<u32>,
    /// Row after row: a probability for each class, or one number.
    pub(super) predicted: Vec<f64>,
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
            Task::Classification => "balanced_accuracy",
            Task::Regression => "r2",
        }
    }

    /// Of two classes, the one that is looked for: the preprocessing's, else the second one, as in
    /// scikit-learn.
    pub fn positive(&self) -> Option<usize> {
        let classes = &self.preprocessing.classes;
        let named = self.preprocessing.positive.as_ref();
        (classes.len() == 2).then(|| {
            named
                .and_then(|name| classes.iter().position(|class| class == name))
                .unwrap_or(1)
        })
    }

    /// Adds rows: their labels and, in the same order, a predictor's answer. Gives the rows that
    /// have a label and are scored.
    pub fn add(&mut self, labels: &Column, predictions: &Table) -> Result<Vec<u32>, String> {
        if labels.values.len() != predictions.rows {
            return Err(format!(
                "{} rows have labels but {} have predictions",
                labels.values.len(),
                predictions.rows
            ));
        }
        let answer = column(predictions, PREDICTION)?;
        let scored = match self.preprocessing.task {
            Task::Classification => self.add_classes(labels, predictions, answer)?,
            Task::Regression => self.add_values(labels, answer)?,
        };
        let kept = self.predicted.len().saturating_add(self.values.len());
        if kept > MAX_NUMBERS {
            return Err(format!(
                "{} rows are too many to score at once: take fewer",
                self.rows()
            ));
        }
        Ok(scored)
    }

    fn add_classes(
        &mut self,
        labels: &Column,
        predictions: &Table,
        answer: &Column,
    ) -> Result<Vec<u32>, String> {
        let probabilities = self.preprocessing.classes.iter().map(|class| {
            let column = column(predictions, &format!("{PROBABILITY}{class}"))?;
            floats(column)
        });
        let probabilities = probabilities.collect::<Result<Vec<_>, _>>()?;
        let mut scored = vec![];
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
            scored.push(row as u32);
        }
        Ok(scored)
    }

    /// The label's index: of an unknown one, after all that are known.
    fn class(&mut self, label: String) -> u32 {
        if let Some(class) = self.known.get(label.as_str()) {
            return *class;
        }
        let next = (self.known.len() + self.unknown.len().min(MAX_UNKNOWN)) as u32;
        if self.unknown.len() < MAX_UNKNOWN {
            *self.unknown.entry(label).or_insert(next)
        } else {
            self.unknown.get(&label).copied().unwrap_or(next)
        }
    }

    fn add_values(&mut self, labels: &Column, answer: &Column) -> Result<Vec<u32>, String> {
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
        let mut scored = vec![];
        for ((number, answer), row) in numbers.into_iter().zip(answers).zip(0..) {
            match number.filter(|number| number.is_finite()) {
                Some(number) => {
                    self.values.push(number);
                    self.predicted.push(*answer);
                    scored.push(row);
                }
                None => self.unlabelled += 1,
            }
        }
        Ok(scored)
    }

    /// Metrics of the predictions; empty without rows.
    pub fn metrics(&self) -> Metrics {
        self.prepared().metrics()
    }

    /// The rows, to be measured.
    pub fn prepared(&self) -> Prepared {
        match self.preprocessing.task {
            Task::Classification => Prepared::Classes(Classes::new(
                self.classes.clone(),
                self.predicted_classes.clone(),
                &self.predicted,
                self.known.len(),
                self.positive(),
            )),
            Task::Regression => {
                Prepared::Numbers(Numbers::new(self.values.clone(), self.predicted.clone()))
            }
        }
    }

    /// Some of the rows that were scored, by their number from 0; a number past the end is left
    /// out.
    pub fn part(&self, rows: &[u32]) -> Prepared {
        fn pick<T: Copy>(values: &[T], rows: &[u32]) -> Vec<T> {
            let picked = rows.iter().map(|row| values.get(*row as usize).copied());
            picked.flatten().collect()
        }
        match self.preprocessing.task {
            Task::Classification => {
                let width = self.known.len();
                let probabilities: Vec<f64> = rows
                    .iter()
                    .filter_map(|row| {
                        let start = (*row as usize).saturating_mul(width);
                        self.predicted.get(start..start.saturating_add(width))
                    })
                    .flatten()
                    .copied()
                    .collect();
                Prepared::Classes(Classes::new(
                    pick(&self.classes, rows),
                    pick(&self.predicted_classes, rows),
                    &probabilities,
                    width,
                    self.positive(),
                ))
            }
            Task::Regression => Prepared::Numbers(Numbers::new(
                pick(&self.values, rows),
                pick(&self.predicted, rows),
            )),
        }
    }

    /// How often each class is true and predicted; nothing for regression.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::new(self.known.len() + MAX_UNKNOWN + 1);
        for (truth, predicted) in self.classes.iter().zip(&self.predicted_classes) {
            tally.add(*truth, *predicted, 1);
        }
        tally
    }

    /// The model's classes; none for regression.
    pub fn classes(&self) -> &[String] {
        &self.preprocessing.classes
    }

    /// Whether the rows have at most one class or number: then no metric tells a model from
    /// another.
    pub fn constant(&self) -> bool {
        let classes = self
            .classes
            .iter()
            .all(|class| self.classes.first() == Some(class));
        let values = self
            .values
            .iter()
            .all(|value| self.values.first() == Some(value));
        classes && values
    }

    /// Rows whose true number is 0: there an error has no share of the truth.
    pub fn zeros(&self) -> u64 {
        self.values.iter().filter(|value| **value == 0.0).count() as u64
    }

    /// Metrics of the [baseline](Self::trivial).
    pub fn baseline(&self) -> Metrics {
        self.trivial().metrics()
    }

    /// The same rows, always answered with the train rows' most frequent class and the classes'
    /// shares, or their mean: scikit-learn's `DummyClassifier(strategy="prior")` and
    /// `DummyRegressor`.
    pub fn trivial(&self) -> Prepared {
        match self.preprocessing.task {
            Task::Classification => {
                let counts = self.preprocessing.class_counts.iter();
                let counts: Vec<f64> = counts.map(|count| *count as f64).collect();
                let total = counts.iter().sum::<f64>().max(1.0);
                let shares: Vec<f64> = counts.iter().map(|count| count / total).collect();
                Prepared::Classes(Classes::constant(
                    self.classes.clone(),
                    majority(self.preprocessing),
                    &shares,
                    self.positive(),
                ))
            }
            Task::Regression => {
                let mean = self.preprocessing.target_mean;
                let means = vec![mean; self.values.len()];
                Prepared::Numbers(Numbers::new(self.values.clone(), means))
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
        assert_eq!(scorer.primary(), "balanced_accuracy");
        let part = scorer.part(&[0, 1, 99]).metrics();
        assert!((part["accuracy"] - 0.5).abs() < 1e-12 && part.contains_key("roc_auc"));
        // The shares are 1/4 and 3/4; an unknown class is never expected.
        let log = -(0.25_f64.ln() + 2.0 * 0.75_f64.ln() + f64::EPSILON.ln()) / 4.0;
        assert!((scorer.baseline()["log_loss"] - log).abs() < 1e-12);
        let details = scorer.details();
        let confusion = details.confusion.unwrap();
        assert_eq!(confusion.labels.last(), Some(&None));
        assert_eq!(confusion.counts, [[1, 0, 0], [1, 1, 0], [0, 1, 0]]);
        assert_eq!(details.classes[1].rows, 2);
        assert_eq!(details.curves.len(), 1);
        assert_eq!(details.curves[0].class, "yes");
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
