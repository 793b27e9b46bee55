//! The points of curves, as scikit-learn gives them, and thinned where there are many.

use serde::{Deserialize, Serialize};

/// Points of a curve at most.
pub const MAX_POINTS: usize = 100;
/// Bins of a calibration curve.
const BINS: usize = 10;

/// A point of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// False positive rate, or recall.
    pub x: f64,
    /// True positive rate, or precision.
    pub y: f64,
    /// Rows with this score or a higher one are predicted positive; none: no row is.
    pub threshold: Option<f64>,
}

/// Points in the order of falling thresholds.
pub type Curve = Vec<Point>;

/// Rows whose predictions are near each other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    /// Mean of what was predicted: of the probability, or of the number.
    pub predicted: f64,
    /// Mean of what was true: the share of positive rows, or the mean number.
    pub observed: f64,
    /// Rows.
    pub rows: u64,
}

/// A classifier's rows as a score falls: what its curves are drawn from.
#[derive(Clone, Debug)]
pub struct Steps {
    steps: Vec<Step>,
}

/// Positive and negative rows down to a score.
#[derive(Clone, Copy, Debug)]
struct Step {
    threshold: f64,
    positives: u64,
    negatives: u64,
}

impl Steps {
    /// Of rows as score and whether they are positive; scores must be numbers.
    pub fn new(mut rows: Vec<(f64, bool)>) -> Self {
        rows.sort_unstable_by(|(left, _), (right, _)| right.total_cmp(left));
        let (mut positives, mut negatives) = (0, 0);
        let runs = rows.chunk_by(|(left, _), (right, _)| left <= right);
        let steps = runs.filter_map(|run| {
            let up = run.iter().filter(|(_, positive)| *positive).count() as u64;
            positives += up;
            negatives += run.len() as u64 - up;
            Some(Step {
                threshold: run.first()?.0,
                positives,
                negatives,
            })
        });
        Self {
            steps: steps.collect(),
        }
    }

    /// All positive and all negative rows; none if either side is empty.
    fn sides(&self) -> Option<(f64, f64)> {
        let last = self.steps.last()?;
        let sides = (last.positives as f64, last.negatives as f64);
        (sides.0 > 0.0 && sides.1 > 0.0).then_some(sides)
    }

    /// `roc_curve(drop_intermediate=True)`: x is the false positive rate, y the true positive rate,
    /// from (0, 0). Of more than [`MAX_POINTS`] points, those at even steps of x + y are kept, the
    /// ends among them. Empty if either side is.
    pub fn roc(&self) -> Curve {
        let Some((up, down)) = self.sides() else {
            return vec![];
        };
        // A point is dropped where the curve goes on as it came, measured in rows.
        let corner = |at: usize| {
            let from = at.checked_sub(1);
            let three = from.and_then(|from| self.steps.get(from..from + 3));
            let Some([before, here, after]) = three else {
                return true;
            };
            here.positives - before.positives != after.positives - here.positives
                || here.negatives - before.negatives != after.negatives - here.negatives
        };
        let start = Point {
            x: 0.0,
            y: 0.0,
            threshold: None,
        };
        let steps = self.steps.iter().enumerate();
        let points = steps.filter(|(at, _)| corner(*at)).map(|(_, step)| Point {
            x: step.negatives as f64 / down,
            y: step.positives as f64 / up,
            threshold: Some(step.threshold),
        });
        let points = std::iter::once(start).chain(points).collect();
        thinned(points, |point| point.x + point.y)
    }

    /// `precision_recall_curve`, in the order of falling thresholds: x is the recall, y the
    /// precision, from (0, 1). Of more than [`MAX_POINTS`] points, those at even steps of the recall
    /// are kept, the ends among them. Empty if either side is.
    pub fn precision_recall(&self) -> Curve {
        let Some((up, _)) = self.sides() else {
            return vec![];
        };
        let start = Point {
            x: 0.0,
            y: 1.0,
            threshold: None,
        };
        let points = self.steps.iter().map(|step| Point {
            x: step.positives as f64 / up,
            y: step.positives as f64 / (step.positives + step.negatives) as f64,
            threshold: Some(step.threshold),
        });
        let points = std::iter::once(start).chain(points).collect();
        thinned(points, |point| point.x)
    }
}

/// At most [`MAX_POINTS`] points: the ends, and between them the first one past each even step of
/// `along`, which never falls.
fn thinned(points: Curve, along: impl Fn(&Point) -> f64) -> Curve {
    if points.len() <= MAX_POINTS {
        return points;
    }
    let (Some(first), Some(last)) = (points.first().copied(), points.last().copied()) else {
        return points;
    };
    let width = (along(&last) - along(&first)) / (MAX_POINTS - 1) as f64;
    let mut kept = vec![first];
    let mut next = along(&first) + width;
    for point in &points {
        let at = along(point);
        if at >= next && kept.len() + 1 < MAX_POINTS {
            kept.push(*point);
            next = along(&first) + (((at - along(&first)) / width).floor() + 1.0) * width;
        }
    }
    if kept.last() != Some(&last) {
        kept.push(last);
    }
    kept
}

/// `calibration_curve(n_bins=10, strategy="uniform")`, of rows as probability and whether they are
/// positive; empty bins are left out.
pub fn calibration(rows: &[(f64, bool)]) -> Vec<Bin> {
    let mut sums = [(0.0, 0_u64, 0_u64); BINS];
    for (probability, positive) in rows {
        // An edge belongs to the bin below it.
        let edges = 1..BINS;
        let bin = edges
            .filter(|edge| *edge as f64 * 0.1 < *probability)
            .count();
        if let Some((sum, positives, rows)) = sums.get_mut(bin) {
            *sum += probability;
            *positives += u64::from(*positive);
            *rows += 1;
        }
    }
    sums.into_iter()
        .filter(|(_, _, rows)| *rows > 0)
        .map(|(sum, positives, rows)| Bin {
            predicted: sum / rows as f64,
            observed: positives as f64 / rows as f64,
            rows,
        })
        .collect()
}

/// Rows as predicted and true number, in up to ten bins of nearly equal size by what was predicted.
/// Equal predictions may fall into neighbouring bins.
pub fn bins(rows: &[(f64, f64)]) -> Vec<Bin> {
    let mut rows = rows.to_vec();
    rows.sort_unstable_by(|left, right| {
        left.0.total_cmp(&right.0).then(left.1.total_cmp(&right.1))
    });
    let count = rows.len();
    (0..BINS)
        .filter_map(|bin| {
            let rows = rows.get(bin * count / BINS..(bin + 1) * count / BINS)?;
            let size = rows.len() as f64;
            // Each is divided first: the sum of finite numbers may be infinite.
            let mean = |of: &dyn Fn(&(f64, f64)) -> f64| {
                rows.iter().map(|row| of(row) / size).sum::<f64>()
            };
            (!rows.is_empty()).then(|| Bin {
                predicted: mean(&|row| row.0),
                observed: mean(&|row| row.1),
                rows: rows.len() as u64,
            })
        })
        .filter(|bin| bin.predicted.is_finite() && bin.observed.is_finite())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const ROWS: [(f64, bool); 6] = [
        (0.1, false),
        (0.4, false),
        (0.35, true),
        (0.8, true),
        (0.8, false),
        (0.9, true),
    ];

    /// By hand: falling scores 0.9 +, 0.8 + -, 0.4 -, 0.35 +, 0.1 -.
    #[test]
    fn points_by_hand() {
        let (third, steps) = (1.0 / 3.0, Steps::new(ROWS.to_vec()));
        let xy = |curve: Curve| -> Vec<(f64, f64)> { curve.iter().map(|p| (p.x, p.y)).collect() };
        assert_eq!(
            xy(steps.roc()),
            [
                (0.0, 0.0),
                (0.0, third),
                (third, 2.0 / 3.0),
                (2.0 / 3.0, 2.0 / 3.0),
                (2.0 / 3.0, 1.0),
                (1.0, 1.0)
            ]
        );
        assert_eq!(
            xy(steps.precision_recall()),
            [
                (0.0, 1.0),
                (third, 1.0),
                (2.0 / 3.0, 2.0 / 3.0),
                (2.0 / 3.0, 0.5),
                (1.0, 0.6),
                (1.0, 0.5)
            ]
        );
        let calibration = calibration(&[(0.1, false), (0.3, true), (0.300_000_1, true)]);
        let rows: Vec<u64> = calibration.iter().map(|bin| bin.rows).collect();
        assert_eq!(rows, [1, 1, 1]);
        assert!((calibration[1].predicted - 0.3).abs() < 1e-12);
        assert!(Steps::new(vec![(0.5, true)]).roc().is_empty());
        assert!(Steps::new(vec![]).precision_recall().is_empty());
    }

    #[test]
    fn bins_of_numbers_are_even() {
        let rows: Vec<(f64, f64)> = (0..25).map(|x| (f64::from(x), f64::from(2 * x))).collect();
        let bins = bins(&rows);
        assert_eq!(bins.iter().map(|bin| bin.rows).sum::<u64>(), 25);
        assert_eq!(bins.len(), 10);
        assert!((bins[0].observed - 1.0).abs() < 1e-12);
        assert!(super::bins(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn curves_are_short_and_keep_their_ends(
            rows in vec((0.0..1.0_f64, any::<bool>()), 2..400)
        ) {
            let steps = Steps::new(rows);
            for curve in [steps.roc(), steps.precision_recall()] {
                prop_assert!(curve.len() <= MAX_POINTS);
                prop_assert!(curve.is_sorted_by(|left, right| left.x <= right.x));
                if let Some(last) = curve.last() {
                    prop_assert!((last.x - 1.0).abs() < 1e-12);
                    prop_assert_eq!(curve[0].x.to_bits(), 0.0_f64.to_bits());
                }
            }
        }
    }
}
