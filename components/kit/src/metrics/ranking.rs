//! Areas under curves, from rows in the order of a score.

/// Marks the first row of a run of equal scores.
const FIRST: u32 = 1 << 31;
/// Marks a row of the positive class.
const POSITIVE: u32 = 1 << 30;
/// The row's number.
const ROW: u32 = POSITIVE - 1;

/// Rows in the order of falling scores, so that areas under any counts of the rows are one pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranking {
    entries: Vec<u32>,
}

impl Ranking {
    /// Orders the rows. None if a score is not a number or there are 2³⁰ rows or more.
    pub fn new(scores: &[f64], positive: impl Fn(usize) -> bool) -> Option<Self> {
        let rows = u32::try_from(scores.len())
            .ok()
            .filter(|rows| *rows < ROW)?;
        let mut ranked: Vec<(f64, u32)> = scores.iter().copied().zip(0..rows).collect();
        if ranked.iter().any(|(score, _)| score.is_nan()) {
            return None;
        }
        ranked.sort_unstable_by(|(left, _), (right, _)| right.total_cmp(left));
        let mut before = f64::NAN;
        let entries = ranked.into_iter().map(|(score, row)| {
            // A run is of equal scores, -0.0 and 0.0 too; a NaN is unequal to all.
            #[expect(clippy::float_cmp, reason = "equal scores are what is looked for")]
            let first = if score == before { 0 } else { FIRST };
            before = score;
            let positive = if positive(row as usize) { POSITIVE } else { 0 };
            row | first | positive
        });
        Some(Self {
            entries: entries.collect(),
        })
    }

    /// Area under the receiver operating characteristic, and average precision, where each row
    /// counts as often as `count` says.
    ///
    /// The first is the chance that a positive row has a higher score than a negative one, ties
    /// counting half (Mann and Whitney's U). The second is scikit-learn's step function: the sum,
    /// over falling distinct scores, of the recall gained times the precision. None if either side
    /// is empty.
    pub fn areas(&self, count: impl Fn(u32) -> u32) -> Option<(f64, f64)> {
        // Rows above the current run and in it, by side.
        let (mut positives, mut negatives) = (0_u64, 0_u64);
        let (mut up, mut down) = (0_u64, 0_u64);
        let (mut area, mut precision) = (0.0, 0.0);
        let mut close = |up: u64, down: u64, positives: &mut u64, negatives: &mut u64| {
            area += down as f64 * (*positives as f64 + up as f64 / 2.0);
            *positives += up;
            *negatives += down;
            if up > 0 {
                precision += up as f64 * (*positives as f64 / (*positives + *negatives) as f64);
            }
        };
        for entry in &self.entries {
            if entry & FIRST != 0 && up | down != 0 {
                close(up, down, &mut positives, &mut negatives);
                (up, down) = (0, 0);
            }
            let count = u64::from(count(entry & ROW));
            if entry & POSITIVE == 0 {
                down += count;
            } else {
                up += count;
            }
        }
        close(up, down, &mut positives, &mut negatives);
        (positives > 0 && negatives > 0).then(|| {
            let (positives, negatives) = (positives as f64, negatives as f64);
            (area / (positives * negatives), precision / positives)
        })
    }
}

/// Area under the receiver operating characteristic; see [`Ranking::areas`].
pub fn area(positive: &[bool], scores: &[f64]) -> Option<f64> {
    let positive = |row: usize| positive.get(row).copied().unwrap_or_default();
    let (area, _) = Ranking::new(scores, positive)?.areas(|_| 1)?;
    Some(area)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Every pair of a positive and a negative row, one by one.
    fn naive(rows: &[(bool, f64)]) -> Option<f64> {
        let side = |wanted: bool| rows.iter().filter(move |(positive, _)| *positive == wanted);
        let pairs = side(true).count() * side(false).count();
        let mut won = 0.0;
        for (_, up) in side(true) {
            for (_, down) in side(false) {
                won += match up.total_cmp(down) {
                    std::cmp::Ordering::Greater => 1.0,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Less => 0.0,
                };
            }
        }
        (pairs > 0).then(|| won / pairs as f64)
    }

    proptest! {
        /// Counting a row n times is the same as repeating it n times.
        #[test]
        fn counts_are_repetitions(
            rows in vec((any::<bool>(), 0_u8..6, 0_u32..4), 0..40)
        ) {
            let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.1) / 5.0).collect();
            let ranking = Ranking::new(&scores, |row| rows[row].0).unwrap();
            let counted = ranking.areas(|row| rows[row as usize].2);
            let repeated: Vec<(bool, f64)> = rows
                .iter()
                .zip(&scores)
                .flat_map(|(row, score)| vec![(row.0, *score); row.2 as usize])
                .collect();
            let scores: Vec<f64> = repeated.iter().map(|row| row.1).collect();
            let plain = Ranking::new(&scores, |row| repeated[row].0).unwrap().areas(|_| 1);
            match (counted, naive(&repeated), plain) {
                (Some((area, precision)), Some(naive), Some((_, repeated))) => {
                    prop_assert!((area - naive).abs() < 1e-12);
                    prop_assert!((precision - repeated).abs() < 1e-12);
                }
                (counted, naive, plain) => {
                    prop_assert!(counted.is_none() && naive.is_none() && plain.is_none());
                }
            }
        }
    }

    #[test]
    fn areas_by_hand() {
        // Falling: + (0.9), then a tie of + and - (0.5), then - (0.1).
        let scores = [0.5, 0.9, 0.1, 0.5];
        let ranking = Ranking::new(&scores, |row| [true, true, false, false][row]).unwrap();
        let (area, precision) = ranking.areas(|_| 1).unwrap();
        assert!((area - 3.5 / 4.0).abs() < 1e-12);
        assert!((precision - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-12);
        assert!(Ranking::new(&[f64::NAN], |_| true).is_none());
        assert!(area_of_zeros().is_some_and(|area| (area - 0.5).abs() < 1e-12));
    }

    fn area_of_zeros() -> Option<f64> {
        area(&[true, false], &[0.0, -0.0])
    }
}
