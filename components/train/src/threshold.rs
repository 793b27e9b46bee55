//! The threshold of two classes, chosen on predictions by models that did not see the rows.
//!
//! Every threshold between two neighbouring probabilities is tried. The best of them hangs on a
//! few rows and would be another on others: so thresholds count as equally good whose score is
//! less than the best by no more than one row of the rarer class moves balanced accuracy (½ / its
//! rows; the other metrics move by about as much). They form plateaus, runs without a gap; of the
//! widest one, the middle is taken; of equally wide ones, the one that is nearer to ½.

use crate::score::{Counts, Metric};

/// The threshold for the metric: `positive` and `probability` of each row. ½ where a class has no
/// row, as no choice can be made then.
pub(crate) fn choose(metric: Metric, positive: &[bool], probability: &[f64]) -> f64 {
    let mut rows: Vec<(f64, bool)> = probability
        .iter()
        .copied()
        .zip(positive.iter().copied())
        .collect();
    rows.sort_unstable_by(|left, right| left.0.total_cmp(&right.0));
    let positives = rows.iter().filter(|(_, positive)| *positive).count() as f64;
    let negatives = rows.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return 0.5;
    }
    // A threshold at the lowest probability or below it predicts all rows positive.
    let mut counts = Counts {
        true_positive: positives,
        false_positive: negatives,
        ..Counts::default()
    };
    let metric = metric.of_threshold();
    // Thresholds above `low` and up to `high` predict the same and have this score.
    let mut steps: Vec<(f64, f64, f64)> = vec![];
    let mut low = 0.0;
    for run in rows.chunk_by(|left, right| left.0 >= right.0) {
        let high = run.first().map_or(low, |(probability, _)| *probability);
        steps.push((low, high, counts.figure(metric)));
        let up = run.iter().filter(|(_, positive)| *positive).count() as f64;
        let down = run.len() as f64 - up;
        counts.true_positive -= up;
        counts.false_negative += up;
        counts.false_positive -= down;
        counts.true_negative += down;
        low = high;
    }
    steps.push((low, 1.0, counts.figure(metric)));
    let best = steps
        .iter()
        .fold(f64::NEG_INFINITY, |best, s| best.max(s.2));
    let good = best - 0.5 / positives.min(negatives) - 1e-12;
    let mut widest: Option<(f64, f64)> = None;
    for plateau in steps.chunk_by(|left, right| (left.2 >= good) == (right.2 >= good)) {
        let (Some((low, _, score)), Some((_, high, _))) = (plateau.first(), plateau.last()) else {
            continue;
        };
        if *score < good {
            continue;
        }
        let from_half = |(low, high): (f64, f64)| (f64::midpoint(low, high) - 0.5).abs();
        let better = widest.is_none_or(|(l, h)| {
            let wider = (high - low) - (h - l);
            wider > 1e-12 || (wider > -1e-12 && from_half((*low, *high)) < from_half((l, h)))
        });
        if better {
            widest = Some((*low, *high));
        }
    }
    widest.map_or(0.5, |(low, high)| f64::midpoint(low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(now: f64, expected: f64) {
        assert!((now - expected).abs() < 1e-9, "{now} {expected}");
    }

    #[test]
    fn classes_that_are_apart_are_parted_in_the_middle() {
        let positive: Vec<bool> = (0..100).map(|i| i >= 90).collect();
        let probability: Vec<f64> = (0..100)
            .map(|i| if i >= 90 { 0.4 } else { 0.001 * f64::from(i) })
            .collect();
        // One positive row costs as much as nine negative ones.
        let threshold = choose(Metric::BalancedAccuracy, &positive, &probability);
        near(threshold, f64::midpoint(0.080, 0.4));
    }

    #[test]
    fn the_rarer_class_is_found_below_a_half() {
        let rows = 2_000;
        let probability: Vec<f64> = (0..rows)
            .map(|i| 0.2 * f64::from(i) / f64::from(rows))
            .collect();
        let positive: Vec<bool> = (0..rows).map(|i| i >= 1_400 && i % 5 == 0).collect();
        let threshold = choose(Metric::BalancedAccuracy, &positive, &probability);
        assert!((0.13..0.15).contains(&threshold), "{threshold}");
        let accuracy = choose(Metric::Accuracy, &positive, &probability);
        assert!(accuracy > 0.19, "{accuracy}");
        let area = choose(Metric::RocAuc, &positive, &probability);
        near(area, threshold);
    }

    #[test]
    fn one_class_gives_no_choice() {
        near(choose(Metric::F1, &[true, true], &[0.1, 0.2]), 0.5);
        near(choose(Metric::F1, &[], &[]), 0.5);
    }
}
