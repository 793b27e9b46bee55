//! What a reader should know of rows and metrics.

use septet_kit::{
    evaluation::Slices,
    metrics::Metrics,
    preprocessing::{Preprocessing, Task},
    scoring::Scorer,
    show::shown,
};

use crate::{measure::Measured, parameters::sign, rows::SHOWN};

/// Classes that a note names.
const MAX_NAMES: usize = 3;

/// Of the rows that were scored, and of those that were not.
pub(crate) fn of_rows(scorer: &Scorer<'_>, target: &str) -> Vec<String> {
    let mut notes = vec![];
    let target = shown(target, SHOWN);
    if scorer.unlabelled() > 0 {
        notes.push(format!(
            "{} test rows have no '{target}' and were left out",
            scorer.unlabelled()
        ));
    }
    let unknown: Vec<String> = scorer
        .unknown()
        .take(MAX_NAMES)
        .map(|class| shown(class, SHOWN))
        .collect();
    if !unknown.is_empty() {
        notes.push(format!(
            "the test rows have classes of '{target}' that no train row has ('{}'): they count as \
             wrong, and roc_auc and pr_auc are not defined",
            unknown.join("', '")
        ));
    } else if scorer.rows() > 0 {
        notes.extend(missing(scorer));
    }
    if scorer.zeros() > 0 {
        notes.push(format!(
            "mape tells little: '{target}' is 0 in {} of the {} test rows",
            scorer.zeros(),
            scorer.rows()
        ));
    }
    notes
}

/// Classes without a test row.
fn missing(scorer: &Scorer<'_>) -> Option<String> {
    let tally = scorer.tally();
    let classes = scorer.classes();
    let missing = classes
        .iter()
        .enumerate()
        .filter(|(class, _)| tally.truth(*class) == 0);
    let names: Vec<String> = missing
        .map(|(_, name)| shown(name, SHOWN))
        .take(MAX_NAMES)
        .collect();
    (!names.is_empty()).then(|| {
        format!(
            "roc_auc and pr_auc are not defined: no test row has the class '{}'",
            names.join("' or '")
        )
    })
}

/// Of metrics that are not there.
pub(crate) fn of_metrics(metrics: &Metrics, plan: &Preprocessing) -> Option<String> {
    let constant =
        plan.task == Task::Regression && metrics.contains_key("mae") && !metrics.contains_key("r2");
    constant.then(|| "r2 is not defined: the target is constant in the test rows".to_owned())
}

/// The worst of the slices that are clearly worse than all rows: the slice's interval is on the
/// worse side of theirs.
pub(crate) fn of_slices(
    slices: &Slices,
    metric: &str,
    measured: &Measured,
    rows: u64,
) -> Option<String> {
    let sign = sign(metric);
    let whole = measured.interval(0, metric)?;
    let score = measured.score(0, metric)?;
    let worse = slices.slices.iter().filter_map(|slice| {
        let (value, interval) = (slice.metrics.get(metric)?, slice.intervals.get(metric)?);
        let clearly = if sign > 0.0 {
            interval.high < whole.low
        } else {
            interval.low > whole.high
        };
        clearly.then_some((sign * value, slice, *value, *interval))
    });
    let (_, slice, value, interval) = worse.min_by(|left, right| left.0.total_cmp(&right.0))?;
    Some(format!(
        "{metric} is clearly worse where '{}' is '{}': {value:.4} ({:.4} to {:.4}) on {} rows, \
         against {score:.4} on all {rows}",
        shown(&slices.column, SHOWN),
        shown(&slice.value, SHOWN),
        interval.low,
        interval.high,
        slice.rows
    ))
}
