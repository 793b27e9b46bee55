//! By time: a window of later rows is for the test, behind a cut that only moves on.
//!
//! A row that was tested on is never trained on, so a window that the cut moves past is lost to the
//! training. If every new row were in the window at once, a model that is trained every day would
//! never learn from a new row. So the window has an end: rows later than it wait, on neither side,
//! until they are enough to be cut themselves. Then the old window is retired, most of the rows
//! that waited are trained on, and the latest of them are the new window.

use septet_kit::{
    show::shown,
    split::{Rule, Window},
    table::{Column, Values},
};

use super::decide::Side;

/// The moments of a column; none for a null.
pub(super) fn moments(column: &Column) -> Result<Vec<Option<i64>>, String> {
    match &column.values {
        Values::Timestamps(values) | Values::Integers(values) => Ok(values
            .iter()
            .zip(column.null_mask())
            .map(|(value, null)| (!null).then_some(*value))
            .collect()),
        values => Err(format!(
            "the time '{}' has {}: it must have timestamps, or whole numbers that grow with time",
            shown(&column.name, 80),
            values.kind().name()
        )),
    }
}

/// A window of so many rows is large enough, however many the first one had.
const ENOUGH: u64 = 1_000;

/// The rule of version 1.
pub(super) fn rule(column: &Column, moments: &[Option<i64>], share: f64) -> Result<Rule, String> {
    let sorted = sorted(moments);
    let (Some(cut), Some(until)) = (ideal(&sorted, share), sorted.last()) else {
        return Err(format!(
            "the time '{}' is not two different moments: nothing is later than the rest",
            shown(&column.name, 80)
        ));
    };
    Ok(Rule::Time {
        column: column.name.clone(),
        cut,
        until: *until,
        least: (later(&sorted, cut) / 2).clamp(1, ENOUGH),
        retired: Vec::new(),
    })
}

/// Moves a rule on to the rows of a later version, if enough of them are later than its window.
pub(super) fn advance(rule: &mut Rule, moments: &[Option<i64>], share: f64) {
    let Rule::Time {
        cut,
        until,
        least,
        retired,
        ..
    } = rule
    else {
        return;
    };
    let mut waiting = sorted(moments);
    waiting.retain(|moment| *moment > *until);
    let Some(next) = ideal(&waiting, share) else {
        return;
    };
    // Where many rows have one moment, as in a file a day, the nearest cut may leave half of them
    // to the test: it is better to wait for more.
    let test = later(&waiting, next);
    if test < *least || test as f64 > 2.0 * share * waiting.len() as f64 {
        return;
    }
    retired.push(Window {
        after: *cut,
        until: *until,
    });
    *cut = next;
    *until = waiting.last().copied().unwrap_or(next);
}

/// How many of sorted moments are later than this one.
fn later(sorted: &[i64], moment: i64) -> u64 {
    (sorted.len() - sorted.partition_point(|other| *other <= moment)) as u64
}

fn sorted(moments: &[Option<i64>]) -> Vec<i64> {
    let mut sorted: Vec<i64> = moments.iter().copied().flatten().collect();
    sorted.sort_unstable();
    sorted
}

/// The moment such that the share of rows later than it is nearest to `share`, with at least one
/// row on each side; none where all moments are equal.
fn ideal(sorted: &[i64], share: f64) -> Option<i64> {
    let wanted = sorted.len() as f64 * share;
    let mut best: Option<(f64, i64)> = None;
    // Where the moment changes, the rows from there on are later.
    for (at, pair) in (1_usize..).zip(sorted.windows(2)) {
        let [moment, next] = pair else { continue };
        if moment == next {
            continue;
        }
        let miss = ((sorted.len() - at) as f64 - wanted).abs();
        if best.is_none_or(|(least, _)| miss < least) {
            best = Some((miss, *moment));
        }
    }
    best.map(|(_, moment)| moment)
}

/// The side of each row; one without a time, in a window that was retired, or that waits for the
/// next cut, is on none.
pub(super) fn sides(moments: &[Option<i64>], window: Window, retired: &[Window]) -> Vec<Side> {
    moments
        .iter()
        .map(|moment| match moment {
            Some(moment) if window.has(*moment) => Side::Test,
            Some(moment) if *moment <= window.after && !is_retired(*moment, retired) => Side::Train,
            _ => Side::Out,
        })
        .collect()
}

/// Whether a moment is in one of the windows, which ascend.
pub(super) fn is_retired(moment: i64, retired: &[Window]) -> bool {
    let at = retired.partition_point(|window| window.until < moment);
    retired.get(at).is_some_and(|window| window.has(moment))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(range: std::ops::RangeInclusive<i64>) -> Vec<Option<i64>> {
        range.map(Some).collect()
    }

    fn first() -> Rule {
        let column = Column {
            name: "at".to_owned(),
            values: Values::Timestamps(vec![]),
            nulls: vec![],
        };
        rule(&column, &moments(1..=100), 0.2).unwrap()
    }

    fn state(rule: &Rule) -> (i64, i64, Vec<(i64, i64)>) {
        let Rule::Time {
            cut,
            until,
            retired,
            ..
        } = rule
        else {
            panic!("it is by time");
        };
        let windows = retired.iter().map(|window| (window.after, window.until));
        (*cut, *until, windows.collect())
    }

    #[test]
    fn a_few_later_rows_wait() {
        let mut rule = first();
        assert_eq!(state(&rule), (80, 100, vec![]));
        advance(&mut rule, &moments(1..=130), 0.2);
        assert_eq!(state(&rule), (80, 100, vec![]));
        // Rows that are gone take nothing back.
        advance(&mut rule, &moments(1..=90), 0.2);
        assert_eq!(state(&rule), (80, 100, vec![]));
    }

    #[test]
    fn enough_later_rows_retire_the_window() {
        let mut rule = first();
        // A window has half of the first one's 20 rows: it takes 50 later rows.
        advance(&mut rule, &moments(1..=150), 0.2);
        assert_eq!(state(&rule), (140, 150, vec![(80, 100)]));
        advance(&mut rule, &moments(1..=350), 0.2);
        assert_eq!(state(&rule), (310, 350, vec![(80, 100), (140, 150)]));
        let Rule::Time { retired, .. } = &rule else {
            panic!("it is by time");
        };
        let window = Window {
            after: 310,
            until: 350,
        };
        let sides = sides(&moments(1..=360), window, retired);
        let count = |side| sides.iter().filter(|s| **s == side).count();
        assert_eq!(count(Side::Test), 40);
        assert_eq!(count(Side::Train), 310 - 20 - 10);
        assert_eq!(count(Side::Out), 20 + 10 + 10);
        assert_eq!(sides[79..82], [Side::Train, Side::Out, Side::Out]);
        assert_eq!(sides[99..101], [Side::Out, Side::Train]);
    }

    #[test]
    fn files_of_a_day_wait_until_most_of_them_can_be_trained_on() {
        let days = |last: i64| -> Vec<Option<i64>> {
            (1..=last).flat_map(|day| [Some(day); 100]).collect()
        };
        let mut rule = Rule::Time {
            column: "at".to_owned(),
            cut: 4,
            until: 5,
            least: 50,
            retired: vec![],
        };
        advance(&mut rule, &days(7), 0.2);
        assert_eq!(state(&rule), (4, 5, vec![]));
        advance(&mut rule, &days(8), 0.2);
        assert_eq!(state(&rule), (7, 8, vec![(4, 5)]));
    }

    #[test]
    fn a_model_of_every_day_goes_on_learning() {
        let mut rule = first();
        let mut trained = 0;
        for end in 101..=1000 {
            advance(&mut rule, &moments(1..=end), 0.2);
            let Rule::Time {
                cut,
                until,
                retired,
                ..
            } = &rule
            else {
                panic!("it is by time");
            };
            let window = Window {
                after: *cut,
                until: *until,
            };
            let sides = sides(&moments(1..=end), window, retired);
            trained = sides.iter().filter(|side| **side == Side::Train).count();
        }
        assert!(trained > 700, "{trained} of 1000");
    }

    #[test]
    fn equal_moments_stay_together() {
        assert_eq!(ideal(&[1, 1, 1], 0.2), None);
        assert_eq!(ideal(&[], 0.2), None);
        assert_eq!(ideal(&[1, 2, 2, 2, 2], 0.2), Some(1));
        assert_eq!(ideal(&[1, 1, 1, 2, 2, 2, 3], 0.2), Some(2));
    }
}
