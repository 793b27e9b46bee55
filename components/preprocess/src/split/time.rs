//! By time: later rows are for the test, behind a cut that only moves on.

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

/// The rule of version 1.
pub(super) fn rule(column: &Column, moments: &[Option<i64>], share: f64) -> Result<Rule, String> {
    let sorted = sorted(moments);
    let (Some(cut), Some(seen)) = (ideal(&sorted, share), sorted.last()) else {
        return Err(format!(
            "the time '{}' is not two different moments: nothing is later than the rest",
            shown(&column.name, 80)
        ));
    };
    Ok(Rule::Time {
        column: column.name.clone(),
        cut,
        seen: *seen,
        retired: Vec::new(),
    })
}

/// Moves a rule on to the rows of a later version.
///
/// The cut moves only past all that was ever seen: what was tested on before is then retired. So
/// no row for the test was trained on before, and none is trained on later.
pub(super) fn advance(rule: &mut Rule, moments: &[Option<i64>], share: f64) {
    let Rule::Time {
        cut, seen, retired, ..
    } = rule
    else {
        return;
    };
    let sorted = sorted(moments);
    if let Some(ideal) = ideal(&sorted, share)
        && ideal > *seen
    {
        match retired.last_mut() {
            Some(last) if last.until == *cut => last.until = *seen,
            _ => retired.push(Window {
                after: *cut,
                until: *seen,
            }),
        }
        *cut = ideal;
    }
    *seen = (*seen).max(sorted.last().copied().unwrap_or(*seen));
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

/// The side of each row; one without a time, or in a window that was retired, is on none.
pub(super) fn sides(moments: &[Option<i64>], cut: i64, retired: &[Window]) -> Vec<Side> {
    moments
        .iter()
        .map(|moment| match moment {
            None => Side::Out,
            Some(moment) if *moment > cut => Side::Test,
            Some(moment) if is_retired(*moment, retired) => Side::Out,
            Some(_) => Side::Train,
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
            cut, seen, retired, ..
        } = rule
        else {
            panic!("it is by time");
        };
        let windows = retired.iter().map(|window| (window.after, window.until));
        (*cut, *seen, windows.collect())
    }

    #[test]
    fn a_little_more_only_makes_the_window_grow() {
        let mut rule = first();
        assert_eq!(state(&rule), (80, 100, vec![]));
        advance(&mut rule, &moments(1..=110), 0.2);
        assert_eq!(state(&rule), (80, 110, vec![]));
        // Rows that are gone take nothing back.
        advance(&mut rule, &moments(1..=90), 0.2);
        assert_eq!(state(&rule), (80, 110, vec![]));
    }

    #[test]
    fn enough_more_retires_the_window() {
        let mut rule = first();
        advance(&mut rule, &moments(1..=200), 0.2);
        assert_eq!(state(&rule), (160, 200, vec![(80, 100)]));
        advance(&mut rule, &moments(1..=300), 0.2);
        assert_eq!(state(&rule), (240, 300, vec![(80, 100), (160, 200)]));
        let Rule::Time { cut, retired, .. } = &rule else {
            panic!("it is by time");
        };
        let sides = sides(&moments(79..=300), *cut, retired);
        let out = sides.iter().filter(|side| **side == Side::Out).count();
        assert_eq!(out, 60);
        assert_eq!(sides[..3], [Side::Train, Side::Train, Side::Out]);
        assert_eq!(sides[21..23], [Side::Out, Side::Train]);
    }

    #[test]
    fn windows_that_touch_become_one() {
        let mut rule = Rule::Time {
            column: "at".to_owned(),
            cut: 100,
            seen: 110,
            retired: vec![Window {
                after: 80,
                until: 100,
            }],
        };
        advance(&mut rule, &moments(1..=200), 0.2);
        assert_eq!(state(&rule), (160, 200, vec![(80, 110)]));
    }

    #[test]
    fn equal_moments_stay_together() {
        assert_eq!(ideal(&[1, 1, 1], 0.2), None);
        assert_eq!(ideal(&[], 0.2), None);
        assert_eq!(ideal(&[1, 2, 2, 2, 2], 0.2), Some(1));
        assert_eq!(ideal(&[1, 1, 1, 2, 2, 2, 3], 0.2), Some(2));
    }
}
