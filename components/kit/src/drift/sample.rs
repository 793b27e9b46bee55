//! A bounded sample of a numeric column, and the two-sample test of Kolmogorov and Smirnov.

use serde::{Deserialize, Serialize};

use super::distribution::kolmogorov;

/// Numbers that are kept of a column.
pub(super) const MAX_SAMPLE: usize = 256;
/// Numbers that are kept of it where there are very many columns.
const MIN_SAMPLE: usize = 8;
/// Numbers that are kept of all columns, about: some 3 MB of JSON.
const BUDGET: usize = 1 << 17;

/// Evenly spaced order statistics of the reference rows: all numbers where there are few.
///
/// Of n sorted numbers, k are kept: those at ⌊(2i + 1) n / 2k⌋ for i = 0 … k − 1. Its distribution
/// function is nowhere further than 1 / 2k from that of all numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Ascending, finite.
    values: Vec<f64>,
    /// How often each one is in the sample.
    counts: Vec<u32>,
    /// Numbers that it stands for.
    of: u64,
}

/// How many numbers a sample has at most, in a reference with so many numeric columns.
pub(super) fn size(columns: usize) -> usize {
    (BUDGET / columns.max(1)).clamp(MIN_SAMPLE, MAX_SAMPLE)
}

impl Sample {
    /// At most `size` of sorted, finite numbers.
    pub(super) fn fit(sorted: &[f64], size: usize) -> Self {
        let (n, size) = (sorted.len() as u64, size.max(1) as u64);
        let kept = n.min(size);
        let mut sample = Self {
            of: n,
            ..Self::default()
        };
        for i in 0..kept {
            let at = if n <= size {
                i
            } else {
                (2 * i + 1) * n / (2 * size)
            };
            let Some(value) = sorted.get(at as usize) else {
                continue;
            };
            // `-0.0 + 0.0` is 0: a number has one spelling.
            let value = value + 0.0;
            match (sample.values.last(), sample.counts.last_mut()) {
                (Some(last), Some(count)) if *last >= value => *count += 1,
                _ => {
                    sample.values.push(value);
                    sample.counts.push(1);
                }
            }
        }
        sample
    }

    /// Whether a sample that came from outside keeps the rules of its fields; `rows` is how many
    /// rows the reference has, and `range` its least and its greatest number.
    pub(super) fn is_sound(&self, rows: u64, range: Option<[f64; 2]>) -> bool {
        let kept = self.counts.iter().map(|count| u64::from(*count));
        let within = match (range, self.values.first(), self.values.last()) {
            (None, None, None) => true,
            (Some([least, greatest]), Some(first), Some(last)) => {
                least.is_finite() && greatest.is_finite() && least <= *first && *last <= greatest
            }
            _ => false,
        };
        self.values.len() <= MAX_SAMPLE
            && self.counts.len() == self.values.len()
            && self.counts.iter().all(|count| *count > 0)
            && kept.sum::<u64>() <= self.of.min(MAX_SAMPLE as u64)
            && self.values.is_empty() == (self.of == 0)
            && self.of <= rows
            && within
            && self.values.iter().all(|value| value.is_finite())
            && self.values.is_sorted_by(|left, right| left < right)
    }

    /// Places of a new number: before, at and between the numbers of the sample.
    pub(super) const fn places(&self) -> usize {
        2 * self.values.len() + 1
    }

    /// The place of a number: 2i + 1 at the number i, 2i just below it.
    pub(super) fn place(&self, number: f64) -> usize {
        let below = self.values.partition_point(|value| *value < number);
        let equal = self.values.get(below).is_some_and(|v| *v <= number);
        2 * below + usize::from(equal)
    }

    /// Kolmogorov's and Smirnov's D of the sample and the numbers whose places were counted, and
    /// its p-value. None where one side has no numbers.
    ///
    /// D is the greatest difference of the two distribution functions, exactly: that of the sample
    /// rises at its numbers only, so that the difference is greatest at one of them or just below
    /// it. The p-value is asymptotic, P(K > √(nm / (n + m)) · D), with n the numbers that the
    /// sample stands for and m those that were counted. It takes the sample for all of them, so that
    /// of hundreds of thousands of rows on both sides also a column that did not change may get a
    /// small one: D is told beside it, and the index decides.
    pub(super) fn compare(&self, places: &[u64]) -> Option<(f64, f64)> {
        let kept: u64 = self.counts.iter().map(|count| u64::from(*count)).sum();
        let counted: u64 = places.iter().sum();
        if kept == 0 || counted == 0 {
            return None;
        }
        let difference =
            |old: u64, new: u64| (old as f64 / kept as f64 - new as f64 / counted as f64).abs();
        let (mut old, mut new, mut greatest) = (0_u64, 0_u64, 0.0_f64);
        for (count, pair) in self.counts.iter().zip(places.chunks_exact(2)) {
            let [below, at] = pair else { continue };
            new += below;
            greatest = greatest.max(difference(old, new));
            old += u64::from(*count);
            new += at;
            greatest = greatest.max(difference(old, new));
        }
        let (n, m) = (self.of as f64, counted as f64);
        Some((greatest, kolmogorov((n * m / (n + m)).sqrt() * greatest)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn sorted(mut numbers: Vec<f64>) -> Vec<f64> {
        numbers.sort_by(f64::total_cmp);
        numbers
    }

    fn compare(sample: &Sample, new: &[f64]) -> Option<(f64, f64)> {
        let mut places = vec![0; sample.places()];
        for number in new {
            places[sample.place(*number)] += 1;
        }
        sample.compare(&places)
    }

    fn spread(count: u64, step: u64, prime: u64, scale: f64, shift: f64) -> Vec<f64> {
        let number = |i| ((i * step) % prime) as f64 / scale + shift;
        (0..count).map(number).collect()
    }

    #[test]
    fn the_test_is_that_of_scipy() {
        // scipy.stats.ks_2samp(sample, new).statistic, scipy.special.kolmogorov.
        let sample = Sample::fit(&sorted(spread(200, 37, 101, 7.0, 0.0)), MAX_SAMPLE);
        let (d, p) = compare(&sample, &spread(150, 53, 89, 6.0, 0.5)).unwrap();
        assert!((d - 0.08).abs() < 1e-15 && (p - 0.642_913_009_038_989_8).abs() < 1e-12);
        // Of all 5,000 numbers, not of 256, D is 0.0338.
        let sample = Sample::fit(
            &sorted(spread(5_000, 7_919, 10_007, 100.0, 0.0)),
            MAX_SAMPLE,
        );
        let (d, p) = compare(&sample, &spread(3_000, 104_729, 9_973, 97.0, 1.0)).unwrap();
        assert!((d - 0.035).abs() < 1e-15 && (p - 0.020_229_691_970_405_493).abs() < 1e-12);
    }

    #[test]
    fn a_side_without_numbers_says_nothing() {
        assert!(compare(&Sample::default(), &[1.0]).is_none());
        assert!(compare(&Sample::fit(&[1.0], 256), &[]).is_none());
        let sample = Sample::fit(&[0.0], 256);
        let infinite = compare(&sample, &[f64::INFINITY, f64::NEG_INFINITY]).unwrap();
        assert!((infinite.0 - 0.5).abs() < 1e-15);
    }

    #[test]
    fn many_columns_share_the_room() {
        assert_eq!((size(0), size(512), size(1 << 30)), (256, 256, 8));
        assert_eq!(size(4_096), 32);
    }

    /// The difference of two distribution functions at every number of either.
    fn naive(old: &[f64], new: &[f64]) -> f64 {
        let share = |numbers: &[f64], x: f64| {
            numbers.iter().filter(|number| **number <= x).count() as f64 / numbers.len() as f64
        };
        let all = old.iter().chain(new);
        all.map(|x| (share(old, *x) - share(new, *x)).abs())
            .fold(0.0, f64::max)
    }

    proptest! {
        #[test]
        fn places_give_the_same_d_as_all_numbers(
            old in vec(-20_i32..20, 1..300),
            new in vec(-25_i32..25, 1..80),
        ) {
            let floats = |numbers: Vec<i32>| sorted(numbers.into_iter().map(f64::from).collect());
            let (old, new) = (floats(old), floats(new));
            let sample = Sample::fit(&old, MAX_SAMPLE);
            prop_assert!(sample.is_sound(old.len() as u64, Some([old[0], old[old.len() - 1]])));
            let kept: Vec<f64> = sample
                .values
                .iter()
                .zip(&sample.counts)
                .flat_map(|(value, count)| vec![*value; *count as usize])
                .collect();
            if old.len() <= MAX_SAMPLE {
                prop_assert_eq!(&kept, &old);
            }
            prop_assert!(naive(&kept, &old) <= 0.5 / kept.len() as f64 + 1e-12);
            let (d, _) = compare(&sample, &new).unwrap();
            prop_assert!((d - naive(&kept, &new)).abs() < 1e-12);
        }
    }
}
