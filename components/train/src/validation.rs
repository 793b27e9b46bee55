//! Cross-validation: predictions for train rows by models that did not learn from them.

use septet_kit::{matrix::Matrix, model::Model, preprocessing::Preprocessing, trained::Loaded};

use crate::{
    algorithm::{Algorithm, HeldOut, Progress, Rows},
    folds::{self, Fold},
    score::{Decision, Metric},
    settings::Settings,
    threshold,
};

/// Most train rows that are cross-validated: beyond, a threshold gets no better, only later.
const ROWS: usize = 50_000;
/// And where many algorithms are compared.
const ROWS_COMPARED: usize = 20_000;
/// Most numbers of them.
const CELLS: usize = 1 << 25;
/// Most numbers that are looked at for all predictions, where that grows with the rows.
const LOOKS: u64 = 1 << 32;
/// Numbers that are looked at for the figures on train rows: beyond, not all rows are predicted.
const TRAIN_LOOKS: u64 = 1 << 33;
/// Steps that each part of the work is reported as.
const PART: u64 = 1_000;

/// Predictions by models of several folds.
#[derive(Clone, Debug)]
pub(crate) struct OutOfFold {
    /// Rows and predictions, fold after fold.
    pub(crate) held_out: HeldOut,
    /// How many rows each fold has.
    folds: Vec<usize>,
}

/// How a metric comes out over folds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) mean: f64,
    /// Population standard deviation.
    pub(crate) std: f64,
}

/// Of the work, parts of which each reports its own steps, one run of steps.
pub(crate) struct Parts<'p, 'q> {
    progress: &'p mut Progress<'q>,
    count: u64,
    done: u64,
    last: u64,
}

impl<'p, 'q> Parts<'p, 'q> {
    pub(crate) fn new(progress: &'p mut Progress<'q>, parts: usize) -> Self {
        Self {
            progress,
            count: parts as u64,
            done: 0,
            last: 0,
        }
    }

    /// Reports a step of the part at hand; a part of unknown length never seems done.
    pub(crate) fn step(&mut self, done: u64, total: Option<u64>) {
        let step = match total {
            Some(total) => done.saturating_mul(PART) / total.max(1),
            None => done,
        };
        self.last = self.last.max(self.done * PART + step.min(PART - 1));
        self.repeat();
    }

    /// Repeats the last report, so that the host hears of smaller steps.
    pub(crate) fn repeat(&mut self) {
        (self.progress)(self.last, Some(self.count * PART));
    }

    /// All parts but the last are done or will not be.
    pub(crate) fn skip(&mut self) {
        self.done = self.done.max(self.count.saturating_sub(1));
    }

    /// The part at hand is done.
    pub(crate) fn next(&mut self) {
        self.done = (self.done + 1).min(self.count);
        self.last = self.last.max(self.done * PART);
        self.repeat();
    }
}

/// How many rows of a table are cross-validated at most.
pub(crate) fn most_rows(rows: usize, columns: usize, cost: Option<u64>, compared: bool) -> usize {
    let most = if compared { ROWS_COMPARED } else { ROWS };
    let most = most.min(CELLS / columns.max(1)).max(1_000);
    // A cost that grows with the rows: rows × cost of as many rows.
    let by_cost = cost.map(|cost| {
        let for_each = (cost / (rows as u64).max(1)).max(1);
        (LOOKS / for_each).isqrt() as usize
    });
    most.min(by_cost.unwrap_or(usize::MAX)).max(200)
}

/// The folds of at most `most` rows.
pub(crate) fn folds(
    preprocessing: &Preprocessing,
    loaded: &Loaded,
    count: usize,
    most: usize,
    seed: u64,
) -> Vec<Fold> {
    let rows = folds::draw(&loaded.units, most, seed);
    let classes = preprocessing.classes.len();
    folds::cut(
        preprocessing.folds,
        count,
        &rows,
        &loaded.units,
        &loaded.target,
        classes,
    )
}

/// Learns from each fold's rows and predicts the others: a part of the work a fold.
pub(crate) fn out_of_fold(
    algorithm: &dyn Algorithm,
    settings: &Settings,
    rows: Rows<'_>,
    folds: &[Fold],
    seed: u64,
    parts: &mut Parts<'_, '_>,
) -> Result<OutOfFold, String> {
    let mut held_out = HeldOut {
        rows: vec![],
        predictions: Matrix::zeros(0, rows.classes.max(1)),
    };
    for fold in folds {
        let taken = |values: &[f64]| -> Vec<f64> {
            let learned = fold.learn.iter();
            learned
                .filter_map(|row| values.get(*row as usize))
                .copied()
                .collect()
        };
        let features = rows.features.take(&fold.learn);
        let target = taken(rows.target);
        let weights = rows.weights.map(taken);
        let model = algorithm.learn(
            Rows {
                features: &features,
                target: &target,
                classes: rows.classes,
                weights: weights.as_deref(),
                units: None,
            },
            settings,
            seed,
            &mut |done, total| parts.step(done, total),
        )?;
        drop(features);
        let held = rows.features.take(&fold.hold);
        let predictions = model.model.predict_in_steps(&held, &mut |_| parts.repeat());
        held_out.rows.extend_from_slice(&fold.hold);
        held_out.predictions.rows += predictions.rows;
        held_out.predictions.values.extend(predictions.values);
        parts.next();
    }
    Ok(OutOfFold {
        held_out,
        folds: folds.iter().map(|fold| fold.hold.len()).collect(),
    })
}

/// Predictions for train rows: for evenly spaced ones, where all would take too long.
pub(crate) fn predict_train(
    model: &Model,
    features: &Matrix,
    notes: &mut Vec<String>,
    report: &mut dyn FnMut(),
) -> (Vec<u32>, Matrix) {
    let most = (TRAIN_LOOKS / model.row_cost() as u64).max(1);
    let step = (features.rows as u64).div_ceil(most) as usize;
    let asked: Vec<u32> = (0..features.rows as u32).step_by(step.max(1)).collect();
    if step <= 1 {
        return (asked, model.predict_in_steps(features, &mut |_| report()));
    }
    notes.push(format!(
        "the figures on train rows are of {} of {} rows",
        asked.len(),
        features.rows
    ));
    let predictions = model.predict_in_steps(&features.take(&asked), &mut |_| report());
    (asked, predictions)
}

/// The targets of these rows.
pub(crate) fn targets(target: &[f64], rows: &[u32]) -> Vec<f64> {
    let rows = rows.iter();
    rows.filter_map(|row| target.get(*row as usize))
        .copied()
        .collect()
}

/// The threshold of the positive class that is best on these predictions.
pub(crate) fn decide(
    metric: Metric,
    positive: usize,
    target: &[f64],
    held_out: &HeldOut,
) -> Decision {
    let truth = targets(target, &held_out.rows);
    let truth: Vec<bool> = truth
        .iter()
        .map(|class| *class as usize == positive)
        .collect();
    let probability = held_out.predictions.column(positive);
    Decision {
        positive,
        threshold: threshold::choose(metric, &truth, &probability),
    }
}

impl OutOfFold {
    /// The metric over the folds; none if it is not defined on any.
    pub(crate) fn spread(
        &self,
        metric: Metric,
        target: &[f64],
        decision: Option<Decision>,
        positive: Option<usize>,
    ) -> Option<Spread> {
        let HeldOut { rows, predictions } = &self.held_out;
        let mut scores = vec![];
        let mut start = 0;
        for count in &self.folds {
            let end = start + count;
            let truth = targets(target, rows.get(start..end).unwrap_or_default());
            let columns = predictions.columns;
            let values = predictions.values.get(start * columns..end * columns);
            let fold = Matrix::new(*count, columns, values.unwrap_or_default().to_vec());
            let score = fold.and_then(|fold| metric.of(&truth, &fold, decision, positive));
            scores.extend(score);
            start = end;
        }
        let count = scores.len() as f64;
        let mean = scores.iter().sum::<f64>() / count;
        let squares = scores.iter().map(|score| (score - mean) * (score - mean));
        let std = (squares.sum::<f64>() / count).sqrt();
        (mean.is_finite() && std.is_finite()).then_some(Spread { mean, std })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_work_are_one_run_of_steps() {
        let mut seen = vec![];
        let mut progress = |done, total| seen.push((done, total));
        let mut parts = Parts::new(&mut progress, 2);
        parts.step(1, Some(4));
        parts.step(900, None);
        parts.step(5_000, None);
        parts.next();
        parts.step(1, Some(2));
        parts.next();
        assert_eq!(
            seen.iter().map(|(done, _)| *done).collect::<Vec<_>>(),
            [250, 900, 999, 1000, 1500, 2000]
        );
        assert!(seen.iter().all(|(_, total)| *total == Some(2000)));
    }

    #[test]
    fn what_is_cross_validated_is_bounded() {
        assert_eq!(most_rows(160_000, 60, None, false), 50_000);
        assert_eq!(most_rows(160_000, 60, None, true), 20_000);
        assert_eq!(most_rows(160_000, 3_000, None, false), 11_184);
        let neighbours = most_rows(160_000, 60, Some(160_000 * 60), false);
        assert!((8_000..9_000).contains(&neighbours), "{neighbours}");
    }
}
