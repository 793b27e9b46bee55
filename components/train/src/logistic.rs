//! Logistic regression: smartcore's L-BFGS on scikit-learn's objective.
//!
//! Minimizes mean log loss + |w|² / (2 · C · rows), the intercepts free (with weights: their mean
//! and their sum), as scikit-learn's
//! `LogisticRegression` does: of two classes with the logistic function, of more with softmax.
//! smartcore's own `LogisticRegression` has the same objective, but it evaluates the function and
//! the gradient of one point up to three times, element by element, and tells nothing of its
//! progress. Here both are made in one pass over the rows and remembered, which gives the same
//! minimum in a fraction of the time and a place to report from.

use std::cell::RefCell;

use septet_kit::{
    matrix::Matrix,
    model::{Linear, Model},
    preprocessing::Task,
};
use smartcore::optimization::{
    FunctionOrder,
    first_order::{FirstOrderOptimizer, lbfgs::LBFGS},
    line_search::Backtracking,
};

use crate::{
    algorithm::{Algorithm, Learned, Progress, Rows},
    settings::{Setting, Settings},
};

/// Products between two reports: some milliseconds.
const STEP: usize = 1 << 24;

/// See the module's page.
pub(crate) struct LogisticRegression;

impl Algorithm for LogisticRegression {
    fn name(&self) -> &'static str {
        "logistic-regression"
    }

    fn tasks(&self) -> &'static [Task] {
        &[Task::Classification]
    }

    fn settings(&self, _: Task) -> Vec<Setting> {
        vec![
            Setting::number("C", 1.0, 1e-12, 1e12),
            Setting::whole("max_iter", Some(1000), 1, 1_000_000),
            Setting::number("tol", 1e-6, 0.0, 1.0),
        ]
    }

    fn memory(&self, rows: u64, columns: u64, classes: u64, _: &Settings) -> u64 {
        // The rows, and about forty vectors of weights in L-BFGS's history.
        let weights = columns.saturating_add(1).saturating_mul(classes);
        let cells = rows.saturating_mul(columns.saturating_add(1));
        cells
            .saturating_add(weights.saturating_mul(40))
            .saturating_mul(8)
    }

    fn learn(
        &self,
        rows: Rows<'_>,
        settings: &Settings,
        _: u64,
        progress: &mut Progress<'_>,
    ) -> Result<Learned, String> {
        let penalty = 1.0 / (settings.number("C") * rows.total());
        let objective = RefCell::new(Objective::new(rows, penalty, progress));
        let start = vec![0.0; objective.borrow().width()];
        let max_iter = settings.whole("max_iter").unwrap_or(1000) as usize;
        let solver = LBFGS {
            max_iter,
            g_atol: settings.number("tol"),
            ..LBFGS::default()
        };
        let search = Backtracking {
            order: FunctionOrder::THIRD,
            ..Backtracking::default()
        };
        let result = solver.optimize(
            &|weights: &Vec<f64>| objective.borrow_mut().at(weights).0,
            &|gradient: &mut Vec<f64>, weights: &Vec<f64>| {
                gradient.clone_from(objective.borrow_mut().at(weights).1);
            },
            &start,
            &search,
        );
        let notes = if result.iterations >= max_iter {
            vec![format!(
                "logistic-regression stopped after {max_iter} iterations before it converged: \
                 raise max_iter or lower C"
            )]
        } else {
            vec![]
        };
        let weights = objective.into_inner().best;
        Ok(Learned {
            model: model(&weights, rows)?,
            held_out: None,
            notes,
        })
    }
}

/// Weights as they are minimized (each row: the features' weights, then the intercept) as a model.
fn model(weights: &[f64], rows: Rows<'_>) -> Result<Model, String> {
    let columns = rows.features.columns;
    let mut values = Vec::with_capacity(weights.len());
    let mut intercepts = Vec::new();
    for row in weights.chunks(columns + 1) {
        let (intercept, row) = row.split_last().unwrap_or((&0.0, &[]));
        values.extend_from_slice(row);
        intercepts.push(*intercept);
    }
    Matrix::new(intercepts.len(), columns, values)
        .and_then(|weights| Linear::new(weights, intercepts))
        .map(Model::LinearClassifier)
        .ok_or_else(|| {
            "logistic-regression found no finite weights: lower C or look at the features' scale"
                .to_owned()
        })
}

/// The function that is minimized, and its gradient, at the last point that was asked for.
struct Objective<'a, 'p> {
    rows: Rows<'a>,
    penalty: f64,
    /// 1 / sum of the weights.
    share: f64,
    /// Rows between two reports within an evaluation.
    step: usize,
    progress: &'a mut Progress<'p>,
    evaluations: u64,
    at: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
    best: Vec<f64>,
    best_value: f64,
    scores: Vec<f64>,
}

impl<'a, 'p> Objective<'a, 'p> {
    fn new(rows: Rows<'a>, penalty: f64, progress: &'a mut Progress<'p>) -> Self {
        let outputs = if rows.classes == 2 { 1 } else { rows.classes };
        let width = outputs * (rows.features.columns + 1);
        Self {
            rows,
            penalty,
            share: 1.0 / rows.total(),
            step: (STEP / width).max(1),
            progress,
            evaluations: 0,
            at: vec![],
            value: f64::NAN,
            gradient: vec![0.0; width],
            best: vec![0.0; width],
            best_value: f64::INFINITY,
            scores: vec![0.0; outputs],
        }
    }

    const fn width(&self) -> usize {
        self.gradient.len()
    }

    /// Value and gradient at `weights`.
    fn at(&mut self, weights: &[f64]) -> (f64, &Vec<f64>) {
        if self.at != weights {
            self.evaluate(weights);
            self.at.clear();
            self.at.extend_from_slice(weights);
            self.evaluations += 1;
            (self.progress)(self.evaluations, None);
            if self.value < self.best_value {
                self.best_value = self.value;
                self.best.clone_from(&self.at);
            }
        }
        (self.value, &self.gradient)
    }

    fn evaluate(&mut self, weights: &[f64]) {
        let Rows {
            features, target, ..
        } = self.rows;
        let width = features.columns + 1;
        let mut loss = 0.0;
        self.gradient.fill(0.0);
        for (number, class) in target.iter().enumerate() {
            let row = features.row(number);
            for (score, weights) in self.scores.iter_mut().zip(weights.chunks(width)) {
                *score = score_of(weights, row);
            }
            // `scores` becomes the loss's derivative by the score.
            let share = self.rows.weight(number) * self.share;
            let row_loss = if let [score] = &mut self.scores[..] {
                binary(score, *class > 0.0)
            } else {
                softmax(&mut self.scores, *class as usize)
            };
            loss += share * row_loss;
            if number % self.step == self.step - 1 {
                (self.progress)(self.evaluations, None);
            }
            for (slope, gradient) in self.scores.iter().zip(self.gradient.chunks_mut(width)) {
                if let Some((intercept, gradient)) = gradient.split_last_mut() {
                    let slope = slope * share;
                    *intercept += slope;
                    for (g, x) in gradient.iter_mut().zip(row) {
                        *g += slope * x;
                    }
                }
            }
        }
        let mut squares = 0.0;
        for (weights, gradient) in weights.chunks(width).zip(self.gradient.chunks_mut(width)) {
            let weights = weights.iter().take(width - 1);
            for (g, w) in gradient.iter_mut().zip(weights) {
                *g += self.penalty * w;
                squares += w * w;
            }
        }
        self.value = loss + 0.5 * self.penalty * squares;
    }
}

/// A row's score: four sums side by side, always in the same order, which a processor does at
/// once.
fn score_of(weights: &[f64], row: &[f64]) -> f64 {
    let (intercept, weights) = weights.split_last().unwrap_or((&0.0, &[]));
    let (left, left_rest) = weights.as_chunks::<4>();
    let (right, right_rest) = row.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for (left, right) in left.iter().zip(right) {
        for ((sum, l), r) in sums.iter_mut().zip(left).zip(right) {
            *sum += l * r;
        }
    }
    let rest: f64 = left_rest.iter().zip(right_rest).map(|(l, r)| l * r).sum();
    let [a, b, c, d] = sums;
    intercept + ((a + b) + (c + d)) + rest
}

/// Log loss of one row of two classes; `score` becomes its derivative.
fn binary(score: &mut f64, positive: bool) -> f64 {
    let s = *score;
    // ln(1 + e^s) = max(s, 0) + ln(1 + e^-|s|), without overflow.
    let e = (-s.abs()).exp();
    let probability = if s >= 0.0 {
        1.0 / (1.0 + e)
    } else {
        e / (1.0 + e)
    };
    *score = probability - f64::from(u8::from(positive));
    s.max(0.0) + e.ln_1p() - if positive { s } else { 0.0 }
}

/// Log loss of one row of several classes; `scores` become their derivatives.
fn softmax(scores: &mut [f64], class: usize) -> f64 {
    let greatest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let own = scores.get(class).copied().unwrap_or(greatest);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - greatest).exp();
        sum += *score;
    }
    for score in scores.iter_mut() {
        *score /= sum;
    }
    if let Some(score) = scores.get_mut(class) {
        *score -= 1.0;
    }
    sum.ln() - (own - greatest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Values;

    fn learn(features: &Matrix, target: &[f64], classes: usize) -> (Learned, u64) {
        let known = LogisticRegression.settings(Task::Classification);
        let settings = Settings::check("x", &known, &Values::new()).unwrap();
        let rows = Rows::plain(features, target, classes);
        let mut steps = 0;
        let learned = LogisticRegression
            .learn(rows, &settings, 0, &mut |done, _| steps = done)
            .unwrap();
        (learned, steps)
    }

    /// Expected weights: scikit-learn 1.9, `LogisticRegression(C=1, tol=1e-10)`.
    #[test]
    fn two_classes_have_scikit_learns_weights() {
        let features = Matrix::new(6, 1, vec![-2.0, -1.0, -0.5, 0.5, 1.0, 2.0]).unwrap();
        let (learned, steps) = learn(&features, &[0.0, 0.0, 1.0, 0.0, 1.0, 1.0], 2);
        let Model::LinearClassifier(linear) = &learned.model else {
            panic!()
        };
        assert!(steps > 2);
        assert!(
            (linear.weights.values[0] - 0.760_463_137).abs() < 1e-5,
            "{linear:?}"
        );
        assert!(linear.intercepts[0].abs() < 1e-6);
    }

    /// Expected probabilities: scikit-learn 1.9, `LogisticRegression(C=1, tol=1e-10)`.
    #[test]
    fn three_classes_have_scikit_learns_probabilities() {
        let features = Matrix::new(6, 1, vec![-2.0, -1.5, 0.0, 0.5, 1.0, 3.0]).unwrap();
        let (learned, _) = learn(&features, &[0.0, 0.0, 1.0, 1.0, 2.0, 2.0], 3);
        let row = Matrix::new(1, 1, vec![0.25]).unwrap();
        let probabilities = learned.model.predict(&row);
        for (now, expected) in
            probabilities
                .values
                .iter()
                .zip([0.199_588_695, 0.495_800_105, 0.304_611_201])
        {
            assert!((now - expected).abs() < 1e-5, "{probabilities:?}");
        }
    }

    #[test]
    fn a_weight_is_as_many_rows() {
        let few = Matrix::new(4, 1, vec![-2.0, 0.5, -0.5, 2.0]).unwrap();
        let many = Matrix::new(6, 1, vec![-2.0, 0.5, 0.5, 0.5, -0.5, 2.0]).unwrap();
        let rows = Rows {
            weights: Some(&[1.0, 3.0, 1.0, 1.0]),
            ..Rows::plain(&few, &[0.0, 0.0, 1.0, 1.0], 2)
        };
        let known = LogisticRegression.settings(Task::Classification);
        let settings = Settings::check("x", &known, &Values::new()).unwrap();
        let weighted = LogisticRegression.learn(rows, &settings, 0, &mut |_, _| {});
        let (repeated, _) = learn(&many, &[0.0, 0.0, 0.0, 0.0, 1.0, 1.0], 2);
        let now = weighted.unwrap().model.predict(&many).values;
        let expected = repeated.model.predict(&many).values;
        assert!(now.iter().zip(&expected).all(|(n, e)| (n - e).abs() < 1e-6));
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_value() {
        let features = Matrix::new(4, 2, vec![0.1, 2.0, -1.0, 0.5, 3.0, -0.2, 0.0, 1.0]).unwrap();
        for (classes, target) in [(2, [0.0, 1.0, 1.0, 0.0]), (3, [0.0, 1.0, 2.0, 0.0])] {
            let weights = Some(&[1.0, 0.5, 2.0, 3.0][..]);
            let rows = Rows {
                weights,
                ..Rows::plain(&features, &target, classes)
            };
            let mut progress = |_, _| {};
            let mut objective = Objective::new(rows, 0.3, &mut progress);
            let point: Vec<f64> = (0..objective.width()).map(|i| (i as f64).sin()).collect();
            let gradient = objective.at(&point).1.clone();
            for (index, slope) in gradient.iter().enumerate() {
                let mut value = |step: f64| {
                    let mut point = point.clone();
                    point[index] += step;
                    objective.at(&point).0
                };
                let measured = (value(1e-5) - value(-1e-5)) / 2e-5;
                assert!((measured - slope).abs() < 1e-8, "{measured} {slope}");
            }
        }
    }
}
