//! Rows of a regressor: the true number and the predicted one.

use super::Figures;

/// A regressor's rows.
#[derive(Clone, Debug)]
pub struct Numbers {
    truth: Vec<f64>,
    predicted: Vec<f64>,
}

impl Numbers {
    /// Rows; what is over of one of the two is ignored.
    pub fn new(mut truth: Vec<f64>, mut predicted: Vec<f64>) -> Self {
        let rows = truth.len().min(predicted.len());
        truth.truncate(rows);
        predicted.truncate(rows);
        Self { truth, predicted }
    }

    /// Rows.
    pub const fn rows(&self) -> usize {
        self.truth.len()
    }

    /// The metrics of [`super::NUMBERS`], each row counted as often as `counts` says (as many as
    /// rows), or once.
    pub fn measure(&self, counts: Option<&[u32]>) -> Figures {
        match counts {
            Some(counts) => self.pass(|row| counts.get(row).copied().unwrap_or_default()),
            None => self.pass(|_| 1),
        }
    }

    fn pass(&self, count: impl Fn(usize) -> u32) -> Figures {
        let rows = || {
            let pairs = self.truth.iter().zip(&self.predicted).enumerate();
            pairs.filter_map(|(row, (truth, predicted))| match count(row) {
                0 => None,
                count => Some((f64::from(count), *truth, *predicted)),
            })
        };
        let (mut total, mut sum) = (0.0, 0.0);
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for (count, truth, _) in rows() {
            total += count;
            sum += count * truth;
            least = least.min(truth);
            most = most.max(truth);
        }
        if total == 0.0 {
            return vec![None; 4];
        }
        let mean = sum / total;
        let (mut squares, mut spread, mut absolute, mut share) = (0.0, 0.0, 0.0, 0.0);
        for (count, truth, predicted) in rows() {
            let error = (truth - predicted).abs();
            squares += count * error * error;
            spread += count * (truth - mean) * (truth - mean);
            absolute += count * error;
            share += count * (error / truth.abs().max(f64::EPSILON));
        }
        // By its ends a constant is told exactly; by its spread only up to rounding.
        let r2 = (least < most && spread > 0.0).then(|| 1.0 - squares / spread);
        let means = [absolute / total, (squares / total).sqrt(), share / total];
        let figures = std::iter::once(r2).chain(means.map(Some));
        figures
            .map(|figure| figure.filter(|figure| figure.is_finite()))
            .collect()
    }
}
