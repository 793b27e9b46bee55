//! Lasso and elastic net: one weight after the other, as scikit-learn's.
//!
//! Minimizes |y − Xw − b|² / (2 · rows) + alpha · r · |w|₁ + alpha · (1 − r) · |w|² / 2, r the
//! `l1_ratio`, the intercept free; weights of rows are scaled to sum to the rows. smartcore's lasso
//! and elastic net solve a smooth approximation, take no weights and tell no progress; coordinate
//! descent on the columns' products (Friedman, Hastie and Tibshirani, 2010) is exact, gives zeros,
//! and its cost does not grow with the rows.

use septet_kit::preprocessing::Task;

use crate::{
    algorithm::{Algorithm, Learned, Progress, Rows},
    least_squares::{Means, learned},
    products::{self, Products},
    settings::{Setting, Settings},
};

/// See the module's page. The lasso is the elastic net whose weights count in the first degree
/// alone.
pub(crate) struct Coordinates {
    name: &'static str,
    /// Whether `l1_ratio` can be set; else it is 1.
    mixed: bool,
}

/// Its `l1_ratio` is 1.
pub(crate) const LASSO: Coordinates = Coordinates {
    name: "lasso",
    mixed: false,
};

/// Its `l1_ratio` can be set.
pub(crate) const ELASTIC_NET: Coordinates = Coordinates {
    name: "elastic-net",
    mixed: true,
};

impl Algorithm for Coordinates {
    fn name(&self) -> &'static str {
        self.name
    }

    fn tasks(&self) -> &'static [Task] {
        &[Task::Regression]
    }

    fn settings(&self, _: Task) -> Vec<Setting> {
        let mut settings = settings();
        if self.mixed {
            settings.push(Setting::number("l1_ratio", 0.5, 0.0, 1.0));
        }
        settings
    }

    fn memory(&self, rows: u64, columns: u64, _: u64, _: &Settings) -> u64 {
        memory(rows, columns)
    }

    fn effort(&self, rows: u64, columns: u64, settings: &Settings) -> u64 {
        effort(rows, columns, settings)
    }

    fn learn(
        &self,
        rows: Rows<'_>,
        settings: &Settings,
        _: u64,
        progress: &mut Progress<'_>,
    ) -> Result<Learned, String> {
        let ratio = if self.mixed {
            settings.number("l1_ratio")
        } else {
            1.0
        };
        learn(self.name, rows, settings, ratio, progress)
    }
}

fn settings() -> Vec<Setting> {
    vec![
        Setting::number("alpha", 1.0, 0.0, 1e12),
        Setting::whole("max_iter", Some(1000), 1, 1_000_000),
        Setting::number("tol", 1e-4, 0.0, 1.0),
    ]
}

fn memory(rows: u64, columns: u64) -> u64 {
    // The rows, and the products twice.
    let width = columns.saturating_add(1);
    let cells = rows.saturating_mul(width);
    let squares = width.saturating_mul(width).saturating_mul(2);
    cells.saturating_add(squares).saturating_mul(8)
}

/// The sums, and rounds through all weights, each of which goes through all gradients.
fn effort(rows: u64, columns: u64, settings: &Settings) -> u64 {
    // Most rows converge within some tens of rounds; where weights are many, it takes more.
    let most = u64::from(settings.whole("max_iter").unwrap_or(1000));
    let rounds = columns.max(100).min(most);
    let square = columns.saturating_mul(columns);
    products::effort(rows, columns).saturating_add(square.saturating_mul(rounds))
}

fn learn(
    name: &str,
    rows: Rows<'_>,
    settings: &Settings,
    ratio: f64,
    progress: &mut Progress<'_>,
) -> Result<Learned, String> {
    let means = Means::of(rows);
    let products = Products::of(rows, &means, progress);
    let strength = settings.number("alpha") * rows.total();
    let mut descent = Descent {
        weights: vec![0.0; products.right.len()],
        gradient: products.right.clone(),
        products,
        first: strength * ratio,
        second: strength * (1.0 - ratio),
    };
    let max_iter = settings.whole("max_iter").unwrap_or(1000);
    let converged = descent.run(max_iter, settings.number("tol"), progress);
    let mut learned = learned(&means, descent.weights)?;
    if !converged {
        learned.notes.push(format!(
            "{name} stopped after {max_iter} iterations before it converged: raise max_iter or \
             alpha"
        ));
    }
    Ok(learned)
}

/// The weights so far.
struct Descent {
    products: Products,
    weights: Vec<f64>,
    /// Products of each column with what is left of the target.
    gradient: Vec<f64>,
    /// Strengths of the penalties of first and second degree.
    first: f64,
    second: f64,
}

impl Descent {
    /// Goes through the weights until the duality gap is at most `tol` of the target's squares,
    /// scikit-learn's criterion; whether it came so far.
    fn run(&mut self, max_iter: u32, tol: f64, progress: &mut Progress<'_>) -> bool {
        for round in 0..max_iter {
            let (mut greatest, mut change) = (0.0f64, 0.0f64);
            for column in 0..self.weights.len() {
                let (weight, step) = self.step(column);
                greatest = greatest.max(weight.abs());
                change = change.max(step.abs());
                if column % 1024 == 1023 {
                    progress(u64::from(round), Some(u64::from(max_iter)));
                }
            }
            progress(u64::from(round + 1), Some(u64::from(max_iter)));
            let still = change <= tol * greatest || round + 1 == max_iter;
            if still && self.gap() <= tol * self.products.target {
                return true;
            }
        }
        false
    }

    /// Sets one weight to the best there is while the others stay; the weight and its change.
    fn step(&mut self, column: usize) -> (f64, f64) {
        let columns = self.weights.len();
        let start = column * columns;
        let row = self.products.left.get(start..start + columns);
        let (Some(row), Some(weight)) = (row, self.weights.get_mut(column)) else {
            return (0.0, 0.0);
        };
        let own = row.get(column).copied().unwrap_or_default();
        // A constant column has no say.
        if own <= 0.0 {
            return (0.0, 0.0);
        }
        let pull = self.gradient.get(column).copied().unwrap_or_default() + own * *weight;
        let next = pull.signum() * (pull.abs() - self.first).max(0.0) / (own + self.second);
        let step = next - *weight;
        *weight = next;
        if step != 0.0 {
            for (gradient, product) in self.gradient.iter_mut().zip(row) {
                *gradient -= step * product;
            }
        }
        (next, step)
    }

    /// How far, at most, the objective is above its minimum: scikit-learn's duality gap.
    fn gap(&self) -> f64 {
        let dot = |l: &[f64], r: &[f64]| l.iter().zip(r).map(|(l, r)| l * r).sum::<f64>();
        let fitted = dot(&self.weights, &self.products.right);
        // |y − Xw|² = yy − 2 w·Xy + w·XXw, and XXw = Xy − gradient.
        let rest = (self.products.target - fitted - dot(&self.weights, &self.gradient)).max(0.0);
        let squares = dot(&self.weights, &self.weights);
        let slopes = self.gradient.iter().zip(&self.weights);
        let dual = slopes.fold(0.0f64, |dual, (gradient, weight)| {
            dual.max((gradient - self.second * weight).abs())
        });
        let scale = if dual > self.first {
            self.first / dual
        } else {
            1.0
        };
        let absolute: f64 = self.weights.iter().map(|weight| weight.abs()).sum();
        // (y − Xw) · y
        let with_target = self.products.target - fitted;
        0.5 * rest * (1.0 + scale * scale) + self.first * absolute - scale * with_target
            + 0.5 * self.second * (1.0 + scale * scale) * squares
    }
}

#[cfg(test)]
mod tests {
    use septet_kit::matrix::Matrix;
    use serde_json::json;

    use super::*;
    use crate::least_squares::tests::linear;

    fn rows() -> (Matrix, Vec<f64>) {
        let values = vec![1.0, 2.0, 2.0, 1.0, 3.0, 5.0, 4.0, 3.0, 0.0, 1.0];
        let features = Matrix::new(5, 2, values).unwrap();
        (features, vec![1.0, 2.0, 2.0, 4.0, 0.5])
    }

    fn learn(algorithm: &dyn Algorithm, weights: Option<&[f64]>) -> Vec<f64> {
        let (features, target) = rows();
        let given = [
            ("alpha".to_owned(), json!(0.1)),
            ("tol".to_owned(), json!(1e-12)),
        ];
        let known = algorithm.settings(Task::Regression);
        let settings = Settings::check("x", &known, &given.into()).unwrap();
        let rows = Rows {
            weights,
            ..Rows::plain(&features, &target, 0)
        };
        let learned = algorithm.learn(rows, &settings, 0, &mut |_, _| {}).unwrap();
        assert!(learned.notes.is_empty());
        let (mut weights, intercept) = linear(&learned.model);
        weights.push(intercept);
        weights
    }

    fn near(left: &[f64], right: &[f64]) {
        let near = left.iter().zip(right).all(|(l, r)| (l - r).abs() < 1e-6);
        assert!(near && left.len() == right.len(), "{left:?} {right:?}");
    }

    /// Expected weights: scikit-learn 1.9, `alpha=0.1, tol=1e-12`.
    #[test]
    fn weights_are_scikit_learns() {
        let weights = Some(&[1.0, 2.0, 0.5, 1.0, 3.0][..]);
        let lasso = [0.866_666_667, -0.166_666_667, 0.566_666_667];
        near(&learn(&LASSO, None), &lasso);
        let net = [0.893_582_008, -0.201_316_511, 0.595_995_612];
        near(&learn(&ELASTIC_NET, None), &net);
        let weighted = [0.792_732_801, -0.063_090_033, 0.528_657_466];
        near(&learn(&ELASTIC_NET, weights), &weighted);
    }

    #[test]
    fn a_strong_penalty_leaves_nothing() {
        let (features, target) = rows();
        let given = [("alpha".to_owned(), json!(100))].into();
        let settings = Settings::check("x", &super::settings(), &given).unwrap();
        let rows = Rows::plain(&features, &target, 0);
        let learned = LASSO.learn(rows, &settings, 0, &mut |_, _| {}).unwrap();
        let (weights, intercept) = linear(&learned.model);
        assert!(
            weights
                .iter()
                .all(|weight| weight.abs() < f64::MIN_POSITIVE)
        );
        near(&[intercept], &[1.9]);
    }
}
