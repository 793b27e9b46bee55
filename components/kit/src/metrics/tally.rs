//! What true and predicted classes alone tell.

use super::Figures;

/// How often each class is true, predicted, and both. Classes are numbered from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    classes: Vec<Class>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Class {
    right: u64,
    truth: u64,
    predicted: u64,
}

/// Figures of one class against the rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassFigures {
    /// Rows of the class.
    pub rows: u64,
    /// Rows that were predicted to be of the class.
    pub predicted: u64,
    /// `precision_score`, 0 where the class is never predicted.
    pub precision: f64,
    /// `recall_score`, 0 where the class is never true.
    pub recall: f64,
    /// `f1_score`, 0 where the class is neither.
    pub f1: f64,
}

impl Tally {
    /// Nothing, for classes below `classes`.
    pub fn new(classes: usize) -> Self {
        Self {
            classes: vec![Class::default(); classes],
        }
    }

    /// Counts a row `count` times. Classes that were not announced are ignored.
    pub fn add(&mut self, truth: u32, predicted: u32, count: u32) {
        let count = u64::from(count);
        if let Some(class) = self.classes.get_mut(truth as usize) {
            class.truth += count;
            class.right += if truth == predicted { count } else { 0 };
        }
        if let Some(class) = self.classes.get_mut(predicted as usize) {
            class.predicted += count;
        }
    }

    /// Rows whose class this is.
    pub fn truth(&self, class: usize) -> u64 {
        self.classes.get(class).map_or(0, |class| class.truth)
    }

    /// Classes that some row has.
    pub fn present(&self) -> usize {
        self.classes.iter().filter(|class| class.truth > 0).count()
    }

    /// One class against the rest.
    pub fn of(&self, class: usize) -> ClassFigures {
        let class = self.classes.get(class).copied().unwrap_or_default();
        class.figures()
    }

    /// The metrics `accuracy` to `mcc` in the order of [`super::CLASSES`]; none without rows.
    /// Those of one class are of `positive`.
    pub fn figures(&self, positive: Option<usize>) -> Figures {
        let rows: u64 = self.classes.iter().map(|class| class.truth).sum();
        if rows == 0 {
            return vec![None; 12];
        }
        let rows = rows as f64;
        let seen = self
            .classes
            .iter()
            .filter(|class| class.truth > 0 || class.predicted > 0);
        // Sums of: right rows, recalls of true classes, the macro and the weighted figures.
        let (mut right, mut recalls) = (0.0, 0.0);
        let (mut mean, mut weighted, mut count) = ([0.0; 3], [0.0; 3], 0.0);
        // Of the correlation: truth · predicted, truth · truth, predicted · predicted.
        let (mut both, mut truths, mut predictions) = (0.0, 0.0, 0.0);
        for class in seen {
            let figures = class.figures();
            let (truth, predicted) = (class.truth as f64, class.predicted as f64);
            right += class.right as f64;
            recalls += figures.recall;
            count += 1.0;
            let three = [figures.precision, figures.recall, figures.f1];
            for ((mean, weighted), figure) in mean.iter_mut().zip(&mut weighted).zip(three) {
                *mean += figure;
                *weighted += figure * truth;
            }
            both += truth * predicted;
            truths += truth * truth;
            predictions += predicted * predicted;
        }
        let covariance = right * rows - both;
        let spread = (rows * rows - predictions) * (rows * rows - truths);
        let correlation = if spread == 0.0 {
            0.0
        } else {
            covariance / spread.sqrt()
        };
        let [precision, recall, f1] = mean.map(|sum| Some(sum / count));
        let [precision_w, recall_w, f1_w] = weighted.map(|sum| Some(sum / rows));
        let one = positive.map(|class| self.of(class));
        vec![
            Some(right / rows),
            Some(recalls / self.present() as f64),
            precision,
            recall,
            f1,
            precision_w,
            recall_w,
            f1_w,
            one.map(|class| class.precision),
            one.map(|class| class.recall),
            one.map(|class| class.f1),
            Some(correlation),
        ]
    }
}

impl Class {
    fn figures(self) -> ClassFigures {
        let ratio = |part: u64, whole: u64| {
            if whole > 0 {
                part as f64 / whole as f64
            } else {
                0.0
            }
        };
        ClassFigures {
            rows: self.truth,
            predicted: self.predicted,
            precision: ratio(self.right, self.predicted),
            recall: ratio(self.right, self.truth),
            f1: ratio(2 * self.right, self.truth + self.predicted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked out by hand: of class 0 two of three are right, of class 1 one of one, of class 2
    /// none of one.
    #[test]
    fn classes_are_counted() {
        let mut tally = Tally::new(3);
        for (truth, predicted) in [(0, 0), (0, 0), (0, 1), (1, 1), (2, 0)] {
            tally.add(truth, predicted, 1);
        }
        let figures = tally.figures(Some(0));
        let expected = [
            0.6,
            5.0 / 9.0,
            (2.0 / 3.0 + 0.5) / 3.0,
            5.0 / 9.0,
            (2.0 / 3.0 + 2.0 / 3.0) / 3.0,
            (3.0 * 2.0 / 3.0 + 0.5) / 5.0,
            0.6,
            (3.0 * 2.0 / 3.0 + 2.0 / 3.0) / 5.0,
            2.0 / 3.0,
            2.0 / 3.0,
            2.0 / 3.0,
            4.0 / (12.0_f64 * 14.0).sqrt(),
        ];
        for (figure, expected) in figures.iter().zip(expected) {
            assert!((figure.unwrap() - expected).abs() < 1e-12, "{figure:?}");
        }
        assert_eq!(tally.present(), 3);
        assert_eq!(tally.of(2).f1.to_bits(), 0.0_f64.to_bits());
        assert_eq!(Tally::new(2).figures(None), vec![None; 12]);
    }
}
