//! Intervals by the bootstrap: how figures vary where the test rows are drawn again.
//!
//! A resample draws as many units of rows as there are, with replacement, and is held as how often
//! each row was drawn: the rows' order by score stays as it is. All models are measured on the same
//! resamples, so their differences are paired.

use serde::{Deserialize, Serialize};

use super::{Figures, Units};

/// Share of the resamples below and above an interval.
const TAIL: f64 = 0.025;
/// Rows that are visited between two reports of progress.
const REPORT: u64 = 1 << 20;

/// Where a figure lies in 95 of 100 resamples: the percentiles 2.5 and 97.5.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Percentile 2.5.
    pub low: f64,
    /// Percentile 97.5.
    pub high: f64,
}

/// xoshiro256++ of Blackman and Vigna (<https://prng.di.unimi.it/>), its state filled by
/// `SplitMix64`: the same seed gives the same numbers on every host.
#[derive(Clone, Debug)]
pub struct Generator {
    state: [u64; 4],
}

impl Generator {
    /// From a seed.
    pub fn new(mut seed: u64) -> Self {
        let mut next = || {
            seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        };
        Self {
            state: [next(), next(), next(), next()],
        }
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// Draws `counts.len()` rows with replacement: how often each was drawn. Each row's chance is
    /// equal but for `rows` / 2³², which is far below what an interval shows.
    pub fn draw(&mut self, counts: &mut [u32]) {
        counts.fill(0);
        let rows = counts.len() as u64;
        // Two rows of one number: the upper half's and the lower half's.
        let (mut left, mut half) = (rows, 0);
        while left > 0 {
            let number = if left % 2 == rows % 2 {
                let number = self.next();
                half = number & 0xffff_ffff;
                number >> 32
            } else {
                half
            };
            if let Some(count) = counts.get_mut(((number * rows) >> 32) as usize) {
                *count += 1;
            }
            left -= 1;
        }
    }
}

/// Figures of some models on the same resamples.
#[derive(Clone, Debug, Default)]
pub struct Resamples {
    /// Of each model, of each resample.
    figures: Vec<Vec<Figures>>,
}

impl Resamples {
    /// Resamples that were drawn.
    pub fn len(&self) -> usize {
        self.figures.first().map_or(0, Vec::len)
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The interval of a model's metric. None without resamples, or where the metric is not
    /// defined on most of them.
    pub fn interval(&self, model: usize, metric: usize) -> Option<Interval> {
        let figures = self.figures.get(model)?.iter();
        self.between(figures.filter_map(|figures| *figures.get(metric)?))
    }

    /// The interval of how much a model's metric is over another's.
    pub fn difference(&self, model: usize, other: usize, metric: usize) -> Option<Interval> {
        let pairs = self
            .figures
            .get(model)?
            .iter()
            .zip(self.figures.get(other)?);
        self.between(pairs.filter_map(|(left, right)| {
            let (left, right) = ((*left.get(metric)?)?, (*right.get(metric)?)?);
            Some(left - right)
        }))
    }

    fn between(&self, figures: impl Iterator<Item = f64>) -> Option<Interval> {
        let mut figures: Vec<f64> = figures.filter(|figure| figure.is_finite()).collect();
        if figures.len() * 2 <= self.len() {
            return None;
        }
        figures.sort_unstable_by(f64::total_cmp);
        let (low, high) = (quantile(&figures, TAIL)?, quantile(&figures, 1.0 - TAIL)?);
        (low.is_finite() && high.is_finite()).then_some(Interval { low, high })
    }
}

/// As `numpy.quantile` (linear) of sorted numbers.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let at = share * sorted.len().checked_sub(1)? as f64;
    let below = *sorted.get(at.floor() as usize)?;
    let above = *sorted.get(at.ceil() as usize)?;
    Some(below + (above - below) * at.fract())
}

/// What measures a model under counts of the rows.
pub type Measure<'a> = &'a dyn Fn(&[u32]) -> Figures;

/// Measures models on `resamples` resamples of the rows, drawn by `units` from `seed`. `passes` is
/// how many times each row is visited in one of them; `progress` is called about every million
/// visits. With fewer than two units there are no resamples: all would be alike, as if there were
/// no chance in the rows.
pub fn bootstrap(
    models: &[Measure<'_>],
    (units, passes): (&Units, usize),
    resamples: usize,
    seed: u64,
    progress: &mut dyn FnMut(),
) -> Resamples {
    if units.len() < 2 {
        return Resamples::default();
    }
    let mut generator = Generator::new(seed);
    let rows = units.rows();
    let (mut drawn, mut counts) = (vec![], vec![0; rows]);
    let mut figures = vec![Vec::with_capacity(resamples); models.len()];
    let mut visited = 0;
    for _ in 0..resamples {
        units.draw(&mut generator, &mut drawn, &mut counts);
        for (figures, measure) in figures.iter_mut().zip(models) {
            figures.push(measure(&counts));
        }
        visited += (rows as u64).saturating_mul(passes as u64);
        if visited >= REPORT {
            visited = 0;
            progress();
        }
    }
    Resamples { figures }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of the authors' own programs for the seed 0.
    #[test]
    fn the_generator_is_the_published_one() {
        let generator = Generator::new(0);
        assert_eq!(generator.state[0], 0xe220_a839_7b1d_cdaf);
        assert_eq!(generator.state[1], 0x6e78_9e6a_a1b9_65f4);
        let mut generator = Generator {
            state: [1, 2, 3, 4],
        };
        let numbers = [(); 4].map(|()| generator.next());
        assert_eq!(
            numbers,
            [
                41_943_041,
                58_720_359,
                3_588_806_011_781_223,
                3_591_011_842_654_386
            ]
        );
    }

    #[test]
    fn a_draw_has_as_many_rows_and_is_even() {
        let mut generator = Generator::new(7);
        let mut sums = [0_u32; 5];
        for _ in 0..20_000 {
            let mut counts = [9; 5];
            generator.draw(&mut counts);
            assert_eq!(counts.iter().sum::<u32>(), 5);
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        assert!(
            sums.iter().all(|sum| sum.abs_diff(20_000) < 700),
            "{sums:?}"
        );
    }

    #[test]
    fn an_interval_is_that_of_the_mean() {
        // A share of 0.3 of 1000 rows: its standard error is 0.01449.
        let share = |counts: &[u32]| {
            let up: u32 = counts.iter().take(300).sum();
            vec![Some(f64::from(up) / 1000.0), None]
        };
        let less = |counts: &[u32]| vec![share(counts)[0].map(|share| share - 0.1), None];
        let mut reports = 0;
        let rows = Units::single(1000);
        let resamples = bootstrap(&[&share, &less], (&rows, 2), 2000, 3, &mut || reports += 1);
        assert!(reports >= 3, "{reports}");
        let interval = resamples.interval(0, 0).unwrap();
        assert!(
            (interval.low - (0.3 - 1.96 * 0.01449)).abs() < 0.003,
            "{interval:?}"
        );
        assert!(
            (interval.high - (0.3 + 1.96 * 0.01449)).abs() < 0.003,
            "{interval:?}"
        );
        let difference = resamples.difference(0, 1, 0).unwrap();
        assert!((difference.low - 0.1).abs() < 1e-9 && (difference.high - 0.1).abs() < 1e-9);
        assert_eq!(resamples.interval(0, 1), None);
        let again = bootstrap(&[&share, &less], (&rows, 2), 2000, 3, &mut || {});
        assert_eq!(again.interval(0, 0), Some(interval));
        let units = Units::by(&(0..1000).map(f64::from).collect::<Vec<_>>());
        let again = bootstrap(&[&share, &less], (&units, 2), 2000, 3, &mut || {});
        assert_eq!(again.interval(0, 0), Some(interval));
        for units in [Units::single(0), Units::by(&[0.5; 1000])] {
            assert!(bootstrap(&[&share], (&units, 1), 10, 3, &mut || {}).is_empty());
        }
    }

    /// Fifty units of 100 equal rows each tell as much as 50 rows do: the interval is √100 times as
    /// wide as by rows. The standard error of a share of 0.4 of 50 is 0.0693.
    #[test]
    fn rows_that_belong_together_tell_as_much_as_one() {
        let units = Units::by(
            &(0..5000)
                .map(|row| f64::from(row / 100))
                .collect::<Vec<_>>(),
        );
        let share = |counts: &[u32]| {
            let up: u32 = counts.iter().take(2000).sum();
            vec![Some(f64::from(up) / f64::from(counts.iter().sum::<u32>()))]
        };
        let width = |units: &Units| {
            let resamples = bootstrap(&[&share], (units, 1), 2000, 3, &mut || {});
            let Interval { low, high } = resamples.interval(0, 0).unwrap();
            assert!(low < 0.4 && high > 0.4);
            high - low
        };
        let (together, alone) = (width(&units), width(&Units::single(5000)));
        assert!(
            (together / (2.0 * 1.96 * 0.0693) - 1.0).abs() < 0.1,
            "{together}"
        );
        assert!((together / alone - 10.0).abs() < 1.0, "{together} {alone}");
    }

    #[test]
    fn quantiles_are_linear() {
        let sorted = [1.0, 2.0, 4.0];
        assert_eq!(quantile(&sorted, 0.75), Some(3.0));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
