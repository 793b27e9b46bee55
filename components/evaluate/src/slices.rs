//! Metrics of the test rows' groups.

use septet_kit::{
    evaluation::{Slice, Slices},
    scoring::Scorer,
    show::shown,
};

use crate::{groups::Groups, measure::Measured, units::Together};

/// Characters of the column's name.
const SHOWN: usize = 200;

/// Each group of rows, with its metrics and the interval of the one that decides.
pub(crate) fn slices(
    groups: Groups,
    together: &Together,
    scorer: &Scorer<'_>,
    metric: &str,
    resamples: usize,
    seed: u64,
    progress: &mut dyn FnMut(),
) -> Slices {
    let column = shown(groups.column(), SHOWN);
    let groups = groups.finish().into_iter().map(|(value, rows)| {
        progress();
        let part = scorer.part(&rows);
        let measured = Measured::new(&[&part], &together.part(&rows), resamples, seed, progress);
        let interval = measured.interval(0, metric);
        Slice {
            value,
            rows: rows.len() as u64,
            metrics: measured.metrics(0),
            intervals: interval
                .map(|interval| (metric.to_owned(), interval))
                .into_iter()
                .collect(),
        }
    });
    Slices {
        column,
        slices: groups.collect(),
    }
}
