//! Rows of a classifier: the true class, the predicted one, and what the probabilities tell.

use super::{Figures, Ranking, Tally};

/// Classes that the model does not know and that are told from each other; others count as one.
pub(crate) const MAX_UNKNOWN: usize = 1_000;

/// A classifier's rows, prepared so that metrics under any counts of the rows are a pass over them
/// and one over each ranking.
///
/// A class from `known` on is one that the model does not know: such rows are always wrong, and
/// where they are, areas under curves are not defined.
#[derive(Clone, Debug)]
pub struct Classes {
    truth: Vec<u32>,
    predicted: Vec<u32>,
    known: usize,
    labels: usize,
    positive: Option<usize>,
    scores: Scores,
}

/// What the probabilities tell.
#[derive(Clone, Debug)]
enum Scores {
    /// A loss for each row, and a ranking by the positive class or by each class; none where a
    /// probability is not a number.
    Rows {
        losses: Vec<Losses>,
        rankings: Option<Vec<Ranking>>,
    },
    /// All rows have the same probabilities: a loss for each true class.
    Constant(Vec<Losses>),
}

/// What a row adds to the mean losses.
#[derive(Clone, Copy, Debug)]
struct Losses {
    log: f64,
    brier: f64,
}

impl Losses {
    fn of(truth: u32, probabilities: &[f64]) -> Self {
        let of_truth = probabilities.get(truth as usize).copied().unwrap_or(0.0);
        let mut brier = if (truth as usize) < probabilities.len() {
            0.0
        } else {
            1.0
        };
        for (class, probability) in probabilities.iter().enumerate() {
            let hit = if class == truth as usize { 1.0 } else { 0.0 };
            brier += (hit - probability) * (hit - probability);
        }
        if probabilities.len() < 3 {
            brier /= 2.0;
        }
        Self {
            log: -of_truth.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln(),
            brier,
        }
    }
}

impl Classes {
    /// Rows with `known` probabilities each, row after row. What is over of one of the three is
    /// ignored. `positive` is a class below `known`; it counts of two classes only.
    pub fn new(
        truth: Vec<u32>,
        predicted: Vec<u32>,
        probabilities: &[f64],
        known: usize,
        positive: Option<usize>,
    ) -> Self {
        let rows = || probabilities.chunks_exact(known.max(1));
        let losses = truth
            .iter()
            .zip(rows())
            .map(|(truth, row)| Losses::of(*truth, row))
            .collect();
        let mut classes = Self::with(truth, predicted, known, positive);
        let rankings = classes.ranked().map(|class| {
            let scores: Vec<f64> = rows()
                .take(classes.truth.len())
                .filter_map(|row| row.get(class).copied())
                .collect();
            let truth = |row| classes.truth.get(row);
            Ranking::new(&scores, |row| truth(row) == Some(&(class as u32)))
        });
        let rankings = rankings.collect();
        classes.scores = Scores::Rows { losses, rankings };
        classes
    }

    /// Rows that are all predicted to be of one class, with the same probabilities.
    pub fn constant(
        truth: Vec<u32>,
        predicted: usize,
        probabilities: &[f64],
        positive: Option<usize>,
    ) -> Self {
        let predicted = vec![predicted as u32; truth.len()];
        let mut classes = Self::with(truth, predicted, probabilities.len(), positive);
        let losses = (0..classes.labels as u32).map(|truth| Losses::of(truth, probabilities));
        classes.scores = Scores::Constant(losses.collect());
        classes
    }

    fn with(
        mut truth: Vec<u32>,
        mut predicted: Vec<u32>,
        known: usize,
        positive: Option<usize>,
    ) -> Self {
        let rows = truth.len().min(predicted.len());
        truth.truncate(rows);
        predicted.truncate(rows);
        // An index is a place in a tally: it is bounded before one is made.
        let end = u32::try_from(known.saturating_add(MAX_UNKNOWN)).unwrap_or(u32::MAX);
        for class in truth.iter_mut().chain(&mut predicted) {
            *class = (*class).min(end);
        }
        let last = truth.iter().chain(&predicted).max();
        let labels = last.map_or(0, |last| *last as usize + 1).max(known);
        Self {
            truth,
            predicted,
            known,
            labels,
            positive: positive.filter(|positive| known == 2 && *positive < known),
            scores: Scores::Constant(vec![]),
        }
    }

    /// The classes by which rows are ranked.
    fn ranked(&self) -> std::ops::Range<usize> {
        match (self.known, self.positive) {
            (0 | 1, _) => 0..0,
            (2, positive) => {
                let positive = positive.unwrap_or(1);
                positive..positive + 1
            }
            (known, _) => 0..known,
        }
    }

    /// Rows.
    pub const fn rows(&self) -> usize {
        self.truth.len()
    }

    /// Passes over the rows that [`Self::measure`] makes.
    pub fn passes(&self) -> usize {
        match &self.scores {
            Scores::Rows { rankings, .. } => 1 + rankings.as_ref().map_or(0, Vec::len),
            Scores::Constant(_) => 1,
        }
    }

    /// Counts of the classes, each row once.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::new(self.labels);
        for (truth, predicted) in self.truth.iter().zip(&self.predicted) {
            tally.add(*truth, *predicted, 1);
        }
        tally
    }

    /// The metrics of [`super::CLASSES`], each row counted as often as `counts` says (as many as
    /// rows), or once.
    pub fn measure(&self, counts: Option<&[u32]>) -> Figures {
        match counts {
            Some(counts) => self.pass(|row| counts.get(row).copied().unwrap_or_default()),
            None => self.pass(|_| 1),
        }
    }

    fn pass(&self, count: impl Fn(usize) -> u32) -> Figures {
        let mut tally = Tally::new(self.labels);
        let (mut rows, mut log, mut brier) = (0.0, 0.0, 0.0);
        let mut add = |row: usize, truth: u32, predicted: u32, losses: Option<&Losses>| {
            let count = count(row);
            if count == 0 {
                return;
            }
            tally.add(truth, predicted, count);
            let count = f64::from(count);
            rows += count;
            if let Some(losses) = losses {
                log += count * losses.log;
                brier += count * losses.brier;
            }
        };
        let pairs = || {
            self.truth
                .iter()
                .copied()
                .zip(self.predicted.iter().copied())
        };
        match &self.scores {
            Scores::Rows { losses, .. } => {
                for (row, ((truth, predicted), losses)) in pairs().zip(losses).enumerate() {
                    add(row, truth, predicted, Some(losses));
                }
            }
            Scores::Constant(losses) => {
                for (row, (truth, predicted)) in pairs().enumerate() {
                    add(row, truth, predicted, losses.get(truth as usize));
                }
            }
        }
        let mut figures = tally.figures(self.positive);
        let (roc, precision) = self.areas(&tally, count).unzip();
        let mean = |sum: f64| (rows > 0.0).then(|| sum / rows);
        figures.extend([roc, precision, mean(log), mean(brier)]);
        figures
    }

    /// `roc_auc` and `pr_auc`; none unless each known class and no other is among the rows.
    fn areas(&self, tally: &Tally, count: impl Fn(usize) -> u32) -> Option<(f64, f64)> {
        if self.known < 2
            || tally.present() != self.known
            || (0..self.known).any(|class| tally.truth(class) == 0)
        {
            return None;
        }
        let ranked = self.ranked();
        let classes = ranked.len() as f64;
        let (mut roc, mut precision) = (0.0, 0.0);
        match &self.scores {
            Scores::Rows { rankings, .. } => {
                for ranking in rankings.as_ref()? {
                    let (area, average) = ranking.areas(|row| count(row as usize))?;
                    roc += area;
                    precision += average;
                }
            }
            // All scores are one tie: half of all pairs, and at one threshold all rows.
            Scores::Constant(_) => {
                let rows: u64 = (0..self.known).map(|class| tally.truth(class)).sum();
                for class in ranked {
                    roc += 0.5;
                    precision += tally.truth(class) as f64 / rows as f64;
                }
            }
        }
        Some((roc / classes, precision / classes))
    }
}
