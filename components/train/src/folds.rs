//! Train rows cut for a cross-validation, as the split cut the test rows off.

use std::collections::BTreeMap;

use septet_kit::preprocessing::Folds;

use crate::tree::Random;

/// Rows that are learned from, and rows that are predicted then. Both ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fold {
    pub(crate) learn: Vec<u32>,
    pub(crate) hold: Vec<u32>,
}

/// Units numbered from 0 in their order; none if each row is a unit of its own.
pub(crate) fn number(units: &[f64]) -> Option<Vec<u32>> {
    let mut sorted = units.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.dedup_by(|left, right| left.total_cmp(right).is_eq());
    let place = |unit: &f64| sorted.partition_point(|other| other.total_cmp(unit).is_lt());
    (sorted.len() < units.len()).then(|| units.iter().map(|unit| place(unit) as u32).collect())
}

/// At most so many rows, of whole units that the seed draws; ascending. All, if they are no more.
pub(crate) fn draw(units: &[f64], most: usize, seed: u64) -> Vec<u32> {
    let all = 0..units.len() as u32;
    if units.len() <= most {
        return all.collect();
    }
    let place = |row: &u32| {
        let unit = units.get(*row as usize).copied().unwrap_or_default();
        (Random::new(seed ^ unit.to_bits()).next(), unit.to_bits())
    };
    let mut rows: Vec<u32> = all.collect();
    rows.sort_by_cached_key(place);
    let mut drawn = Vec::with_capacity(most);
    for unit in rows.chunk_by(|left, right| place(left) == place(right)) {
        if drawn.len() + unit.len() <= most {
            drawn.extend_from_slice(unit);
        }
    }
    drawn.sort_unstable();
    drawn
}

/// Cuts `rows` into at most `count` folds; none where they can't be cut.
///
/// - Rows, groups: the rows of a unit stay together. Units, those of one most frequent class after
///   the other, the greatest first, are dealt to the fold with the fewest rows of that class: of
///   equally great units that is round robin.
/// - Time: scikit-learn's `TimeSeriesSplit`. The rows in their order are cut into `count` + 1 parts;
///   each but the first is predicted by what all before it teach. Rows of one time are not cut
///   apart.
///
/// `units` and `target` have one number for each row of the table, which `rows` name.
pub(crate) fn cut(
    kind: Folds,
    count: usize,
    rows: &[u32],
    units: &[f64],
    target: &[f64],
    classes: usize,
) -> Vec<Fold> {
    let unit = |row: &u32| units.get(*row as usize).copied().unwrap_or_default();
    let mut order = rows.to_vec();
    order.sort_by(|left, right| unit(left).total_cmp(&unit(right)));
    let folds = match kind {
        Folds::Time => in_time(count, &order, unit),
        Folds::Rows | Folds::Groups => {
            let together = order.chunk_by(|left, right| unit(left).total_cmp(&unit(right)).is_eq());
            deal(count, &together.collect::<Vec<_>>(), target, classes)
        }
    };
    // A classifier needs two classes to learn from.
    let several = |fold: &Fold| {
        let mut seen = fold.learn.iter().map(|row| target.get(*row as usize));
        let first = seen.next();
        first.is_some() && (classes == 0 || seen.any(|class| Some(class) != first))
    };
    folds
        .into_iter()
        .filter(|fold| !fold.hold.is_empty() && several(fold))
        .collect()
}

fn in_time(count: usize, order: &[u32], time: impl Fn(&u32) -> f64) -> Vec<Fold> {
    let part = order.len() / (count + 1);
    // The place of the first row of the same time.
    let start = |at: usize| match order.get(at) {
        None => order.len(),
        Some(row) => order.partition_point(|other| time(other) < time(row)),
    };
    let starts = (0..=count).map(|fold| start(order.len() - part * (count - fold)));
    let starts: Vec<usize> = starts.collect();
    let sorted = |rows: Option<&[u32]>| {
        let mut rows = rows.unwrap_or_default().to_vec();
        rows.sort_unstable();
        rows
    };
    starts
        .windows(2)
        .filter_map(|ends| match ends {
            [start, end] => Some(Fold {
                learn: sorted(order.get(..*start)),
                hold: sorted(order.get(*start..*end)),
            }),
            _ => None,
        })
        .collect()
}

fn deal(count: usize, units: &[&[u32]], target: &[f64], classes: usize) -> Vec<Fold> {
    let count = count.min(units.len());
    if count < 2 {
        return vec![];
    }
    let mut dealt: Vec<(usize, &[u32])> = units
        .iter()
        .map(|rows| (most_frequent(rows, target, classes), *rows))
        .collect();
    // Stable: equally great units of a class stay in their order.
    dealt.sort_by_key(|(class, rows)| (*class, usize::MAX - rows.len()));
    let mut folds = vec![Fold::default(); count];
    for class in dealt.chunk_by(|left, right| left.0 == right.0) {
        let mut of_class = vec![0; count];
        for (_, rows) in class {
            let room = of_class.iter().zip(&folds).enumerate();
            let least = room.min_by_key(|(_, (of_class, fold))| (**of_class, fold.hold.len()));
            let fold = least.map_or(0, |(fold, _)| fold);
            if let (Some(of_class), Some(fold)) = (of_class.get_mut(fold), folds.get_mut(fold)) {
                *of_class += rows.len();
                fold.hold.extend_from_slice(rows);
            }
        }
    }
    let mut all: Vec<u32> = units.iter().flat_map(|unit| unit.iter().copied()).collect();
    all.sort_unstable();
    for fold in &mut folds {
        fold.hold.sort_unstable();
        let held = |row: &u32| fold.hold.binary_search(row).is_ok();
        fold.learn = all.iter().copied().filter(|row| !held(row)).collect();
    }
    folds
}

/// The class that most rows of a unit have; of several, the first.
fn most_frequent(rows: &[u32], target: &[f64], classes: usize) -> usize {
    let class = |row: &u32| target.get(*row as usize).map_or(0, |class| *class as usize);
    match rows {
        _ if classes == 0 => 0,
        [row] => class(row),
        rows => {
            let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
            for row in rows {
                *counts.entry(class(row)).or_default() += 1;
            }
            let counts = counts.into_iter().rev();
            counts
                .max_by_key(|(_, count)| *count)
                .map_or(0, |(class, _)| class)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_stay_together_and_classes_are_spread() {
        let rows: Vec<u32> = (0..300).collect();
        let units: Vec<f64> = (0..300).map(|row| f64::from(row % 150) / 150.0).collect();
        let target: Vec<f64> = (0..300)
            .map(|row| f64::from(u8::from(row % 150 < 30)))
            .collect();
        for kind in [Folds::Rows, Folds::Groups] {
            let folds = cut(kind, 5, &rows, &units, &target, 2);
            assert_eq!(folds.len(), 5);
            let mut seen: Vec<u32> = vec![];
            for fold in &folds {
                assert_eq!((fold.hold.len(), fold.learn.len()), (60, 240));
                let rare = fold.hold.iter().filter(|row| target[**row as usize] > 0.0);
                assert_eq!(rare.count(), 12);
                for row in &fold.hold {
                    assert!(fold.hold.contains(&((row + 150) % 300)));
                    assert!(!fold.learn.contains(row));
                }
                seen.extend_from_slice(&fold.hold);
            }
            seen.sort_unstable();
            assert_eq!(seen, rows);
        }
    }

    #[test]
    fn what_is_validated_on_is_later() {
        let rows: Vec<u32> = (0..60).collect();
        // Backwards, two rows a time.
        let units: Vec<f64> = (0..60).map(|row| f64::from((59 - row) / 2)).collect();
        let target: Vec<f64> = (0..60).map(|row| f64::from(row % 2)).collect();
        let folds = cut(Folds::Time, 3, &rows, &units, &target, 2);
        assert_eq!(folds.len(), 3);
        for fold in &folds {
            let times = |rows: &[u32]| {
                rows.iter()
                    .map(|row| units[*row as usize])
                    .collect::<Vec<_>>()
            };
            let last = times(&fold.learn).into_iter().fold(0.0, f64::max);
            assert!(times(&fold.hold).iter().all(|time| *time > last));
        }
        assert_eq!(folds[0].learn.len(), 14);
        assert_eq!(folds[2].hold.len(), 16);
    }

    #[test]
    fn a_class_of_few_rows_and_few_units_are_borne() {
        let rows: Vec<u32> = (0..6).collect();
        let units: Vec<f64> = (0..6).map(f64::from).collect();
        let target = [0.0, 0.0, 0.0, 0.0, 0.0, 1.0];
        // The fold that holds the only row of its class has one class left to learn from.
        assert_eq!(cut(Folds::Rows, 5, &rows, &units, &target, 2).len(), 4);
        assert!(cut(Folds::Groups, 5, &rows, &[0.5; 6], &target, 2).is_empty());
        assert!(cut(Folds::Time, 5, &rows, &[0.5; 6], &target, 0).is_empty());
        assert!(cut(Folds::Rows, 5, &[], &[], &[], 0).is_empty());
    }

    #[test]
    fn whole_units_are_drawn() {
        let units: Vec<f64> = (0..1000).map(|row| f64::from(row % 500)).collect();
        let drawn = draw(&units, 301, 7);
        assert_eq!(drawn.len(), 300);
        assert!(
            drawn
                .iter()
                .all(|row| drawn.contains(&((row + 500) % 1000)))
        );
        assert_ne!(drawn, draw(&units, 301, 8));
        assert_eq!(draw(&units, 1000, 7).len(), 1000);
        let numbers = number(&units).unwrap();
        assert_eq!((numbers[3], numbers[503]), (3, 3));
        assert!(number(&units[..500]).is_none());
    }
}
