//! Confusion, curves and classes, for a reader; bounded, however many classes there are.

use super::Scorer;
use crate::{
    evaluation::{ClassCurves, ClassReport, Confusion, Details},
    metrics::{Steps, bins, calibration},
    preprocessing::Task,
    show::shown,
};

/// Classes that are told one by one.
const MAX_CLASSES: usize = 50;
/// Classes that have curves.
const MAX_CURVES: usize = 10;
/// Characters of a class's name.
const MAX_TEXT: usize = 200;

impl Scorer<'_> {
    /// What a reader looks at beside the metrics.
    pub fn details(&self) -> Details {
        match self.preprocessing.task {
            Task::Classification => self.of_classes(),
            Task::Regression => {
                let rows = self.predicted.iter().copied();
                let rows: Vec<(f64, f64)> = rows.zip(self.values.iter().copied()).collect();
                Details {
                    bins: bins(&rows),
                    ..Details::default()
                }
            }
        }
    }

    fn of_classes(&self) -> Details {
        let told = self.told();
        let tally = self.tally();
        let name = |class: usize| {
            let class = self.preprocessing.classes.get(class);
            class.map_or_else(String::new, |class| shown(class, MAX_TEXT))
        };
        let classes = told.iter().map(|class| {
            let figures = tally.of(*class);
            ClassReport {
                class: name(*class),
                rows: figures.rows,
                predicted: figures.predicted,
                precision: figures.precision,
                recall: figures.recall,
                f1: figures.f1,
            }
        });
        // The last row and column are of all other classes.
        let other = told.len();
        let mut place = vec![other; self.preprocessing.classes.len()];
        for (at, class) in told.iter().enumerate() {
            if let Some(place) = place.get_mut(*class) {
                *place = at;
            }
        }
        let mut counts = vec![vec![0_u64; other + 1]; other + 1];
        for (truth, predicted) in self.classes.iter().zip(&self.predicted_classes) {
            let at = |class: u32| place.get(class as usize).copied().unwrap_or(other);
            let row = counts.get_mut(at(*truth));
            if let Some(count) = row.and_then(|row| row.get_mut(at(*predicted))) {
                *count += 1;
            }
        }
        let mut labels: Vec<Option<String>> = told.iter().map(|class| Some(name(*class))).collect();
        let pooled = place.contains(&other) || self.unknown().next().is_some();
        if pooled {
            labels.push(None);
        } else {
            counts.truncate(other);
            for row in &mut counts {
                row.truncate(other);
            }
        }
        let drawn: Vec<usize> = match self.positive() {
            Some(positive) => vec![positive],
            None => told.iter().copied().take(MAX_CURVES).collect(),
        };
        let curves = drawn.iter().map(|class| {
            let rows = self.against_rest(*class);
            let calibration = calibration(&rows);
            let steps = Steps::new(rows);
            ClassCurves {
                class: name(*class),
                roc: steps.roc(),
                precision_recall: steps.precision_recall(),
                calibration,
            }
        });
        Details {
            classes: classes.collect(),
            curves: curves.collect(),
            confusion: Some(Confusion { labels, counts }),
            bins: vec![],
        }
    }

    /// The classes that are told: all, or those with the most rows; in the model's order.
    fn told(&self) -> Vec<usize> {
        let tally = self.tally();
        let mut classes: Vec<usize> = (0..self.preprocessing.classes.len()).collect();
        if classes.len() > MAX_CLASSES {
            classes.sort_by_key(|class| (std::cmp::Reverse(tally.truth(*class)), *class));
            classes.truncate(MAX_CLASSES);
            classes.sort_unstable();
        }
        classes
    }

    /// Each row's probability of a class, and whether it is of it.
    fn against_rest(&self, class: usize) -> Vec<(f64, bool)> {
        let width = self.preprocessing.classes.len().max(1);
        let rows = self.predicted.chunks_exact(width).zip(&self.classes);
        rows.filter_map(|(row, truth)| Some((*row.get(class)?, *truth as usize == class)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        evaluation::MAX_BYTES,
        preprocessing::{Folds, Preprocessing},
        scoring::{PREDICTION, PROBABILITY, Scorer},
        table::{Column, Table, Values},
    };

    use super::*;

    /// Two thousand classes with long names, each predicted as the next one.
    #[test]
    fn many_classes_are_bounded() {
        let count = 2_000;
        let long = |class: usize| format!("{class:04}{}", "\"ä".repeat(200));
        let plan = Preprocessing {
            task: Task::Classification,
            target: "y".to_owned(),
            classes: (0..count).map(long).collect(),
            class_counts: vec![1; count],
            target_mean: 0.0,
            positive: None,
            folds: Folds::Rows,
            weighted: false,
            inputs: vec![],
            transforms: vec![],
            columns: vec![],
            features: vec![],
        };
        let column = |name: String, values| Column {
            name,
            values,
            nulls: vec![],
        };
        let labels = column("y".to_owned(), Values::Texts(plan.classes.clone()));
        let next = (0..count).map(|class| long((class + 1) % count));
        let answers = column(PREDICTION.to_owned(), Values::Texts(next.collect()));
        let probabilities = (0..count).map(|class| {
            let rows = (0..count).map(|row| (row * 7 + class) as f64 / 1e5);
            column(
                format!("{PROBABILITY}{}", long(class)),
                Values::Floats(rows.collect()),
            )
        });
        let table = Table {
            rows: count,
            columns: std::iter::once(answers).chain(probabilities).collect(),
        };
        let mut scorer = Scorer::new(&plan);
        assert_eq!(scorer.add(&labels, &table).unwrap().len(), count);
        let details = scorer.details();
        assert_eq!((details.classes.len(), details.curves.len()), (50, 10));
        let confusion = details.confusion.as_ref().unwrap();
        assert_eq!((confusion.labels.len(), confusion.counts.len()), (51, 51));
        let counts: u64 = confusion.counts.iter().flatten().sum();
        assert_eq!(counts, count as u64);
        let bytes = serde_json::to_vec(&details).unwrap().len() as u64;
        assert!(bytes < MAX_BYTES / 2, "{bytes}");
    }
}
