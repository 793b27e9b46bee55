//! Models on the same rows: their metrics, and what the bootstrap tells of them.

use septet_kit::{
    evaluation::{Difference, Differences, Intervals},
    metrics::{Figures, Interval, Measure, Metrics, Resamples, Units, bootstrap, named},
    scoring::Prepared,
};

use crate::units::counted;

/// Visits of rows that all resamples together make, about: up to some seconds.
const MAX_VISITS: usize = 1_000_000_000;
/// Resamples that are made whatever the rows, where as many are asked for: with fewer, an
/// interval's ends would be chance.
const MIN_RESAMPLES: usize = 200;
/// Units below which the resamples' spread is itself mostly chance.
const FEW: usize = 30;

/// Models, measured.
pub(crate) struct Measured {
    names: &'static [&'static str],
    /// A model's, each row counted once.
    figures: Vec<Figures>,
    resampled: Resamples,
    rows: usize,
    units: usize,
    asked: usize,
}

impl Measured {
    /// Measures models of the same rows and ML task on up to `asked` resamples, which draw `units`
    /// of the rows.
    ///
    /// The work is bounded: where the rows, once for each model and for each ranking of them, are
    /// over a million visits a resample, there are fewer resamples, but not below 200.
    pub(crate) fn new(
        models: &[&Prepared],
        units: &Units,
        asked: usize,
        seed: u64,
        progress: &mut dyn FnMut(),
    ) -> Self {
        let rows = models.first().map_or(0, |model| model.rows());
        // Drawing is a pass of its own.
        let passes = 1 + models.iter().map(|model| model.passes()).sum::<usize>();
        let resamples = bounded(asked, rows, passes);
        let measures: Vec<_> = models
            .iter()
            .map(|model| |counts: &[u32]| model.measure(Some(counts)))
            .collect();
        let measures: Vec<Measure<'_>> = measures.iter().map(|measure| measure as _).collect();
        Self {
            names: models.first().map_or(&[], |model| model.names()),
            figures: models.iter().map(|model| model.measure(None)).collect(),
            resampled: bootstrap(&measures, (units, passes), resamples, seed, progress),
            rows,
            units: units.len(),
            asked,
        }
    }

    /// Resamples that were made.
    pub(crate) fn resamples(&self) -> usize {
        self.resampled.len()
    }

    /// What a reader should know of the resamples. `noun` is what the units are.
    pub(crate) fn note(&self, noun: &str) -> Option<String> {
        if self.rows == 0 || self.asked == 0 {
            return None;
        }
        let counted = || counted(self.rows as u64, self.units as u64, noun);
        if self.units < 2 {
            return Some(format!(
                "there are no intervals: there are only {}",
                counted()
            ));
        }
        if self.units < FEW {
            return Some(format!(
                "the intervals are rough: there are only {}",
                counted()
            ));
        }
        (self.resamples() < self.asked).then(|| {
            format!(
                "{} resamples were drawn instead of {}, because there are {} test rows",
                self.resamples(),
                self.asked,
                self.rows
            )
        })
    }

    pub(crate) fn metrics(&self, model: usize) -> Metrics {
        let figures = self.figures.get(model).map(Vec::as_slice);
        named(self.names, figures.unwrap_or_default())
    }

    pub(crate) fn score(&self, model: usize, metric: &str) -> Option<f64> {
        *self.figures.get(model)?.get(self.at(metric)?)?
    }

    pub(crate) fn interval(&self, model: usize, metric: &str) -> Option<Interval> {
        self.score(model, metric)?;
        self.resampled.interval(model, self.at(metric)?)
    }

    /// A model's metric less another's.
    pub(crate) fn difference(
        &self,
        model: usize,
        other: usize,
        metric: &str,
    ) -> Option<Difference> {
        let value = self.score(model, metric)? - self.score(other, metric)?;
        let at = self.at(metric)?;
        let Interval { low, high } = self.resampled.difference(model, other, at)?;
        value.is_finite().then_some(Difference { value, low, high })
    }

    pub(crate) fn intervals(&self, model: usize) -> Intervals {
        let interval = |name: &&str| Some(((*name).to_owned(), self.interval(model, name)?));
        self.names.iter().filter_map(interval).collect()
    }

    pub(crate) fn differences(&self, model: usize, other: usize) -> Differences {
        let names = self.names.iter();
        names
            .filter_map(|name| Some(((*name).to_owned(), self.difference(model, other, name)?)))
            .collect()
    }

    fn at(&self, metric: &str) -> Option<usize> {
        self.names.iter().position(|name| *name == metric)
    }
}

/// Resamples of as many as were asked for.
fn bounded(asked: usize, rows: usize, passes: usize) -> usize {
    let most = MAX_VISITS / rows.saturating_mul(passes).max(1);
    asked.min(most.max(MIN_RESAMPLES))
}

#[cfg(test)]
mod tests {
    use septet_kit::metrics::Numbers;

    use super::*;

    #[test]
    fn work_is_bounded_and_told() {
        assert_eq!(bounded(10_000, 500_000, 3), 666);
        assert_eq!(bounded(1_000, 100_000, 6), 1_000);
        assert_eq!(bounded(1_000, usize::MAX, 6), MIN_RESAMPLES);
        assert_eq!((bounded(100, usize::MAX, 6), bounded(0, 0, 1)), (100, 0));
        let truth: Vec<f64> = (0..5_000).map(f64::from).collect();
        let model = Prepared::Numbers(Numbers::new(truth.clone(), truth));
        let mut reports = 0;
        let units = Units::single(5_000);
        let measured = Measured {
            asked: 500,
            ..Measured::new(&[&model], &units, 400, 1, &mut || reports += 1)
        };
        assert!(reports >= 5, "{reports}");
        assert!(measured.note("units").unwrap().contains("400 resamples"));
        assert!((measured.score(0, "r2").unwrap() - 1.0).abs() < 1e-12);
        let none = Measured::new(&[&model], &units, 0, 1, &mut || {});
        assert_eq!((none.note("units"), none.interval(0, "r2")), (None, None));
        assert!(none.intervals(0).is_empty() && none.metrics(0).len() == 4);
    }
}
