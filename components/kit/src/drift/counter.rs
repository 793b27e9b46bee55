//! Counts of new rows, column by column.

use super::{
    bins::Bins,
    comparison::{ColumnDrift, Limits},
    counts::Counts,
    quality::Quality,
    reference::Reference,
};
use crate::table::{Kind, Table};

/// Counts new rows into the bins of a reference.
#[derive(Clone, Debug)]
pub struct Counter<'a> {
    reference: &'a Reference,
    columns: Vec<Counts>,
    rows: u64,
}

impl<'a> Counter<'a> {
    /// A counter that has seen no rows.
    pub fn new(reference: &'a Reference) -> Self {
        let columns = reference.columns.iter();
        Self {
            reference,
            columns: columns.map(|column| Counts::of(&column.bins)).collect(),
            rows: 0,
        }
    }

    /// Rows counted.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Counts the rows of `table`, which has each column of the reference in the same kind, numbers
    /// in either; others are ignored.
    pub fn add(&mut self, table: &Table) -> Result<(), String> {
        for (reference, counts) in self.reference.columns.iter().zip(&mut self.columns) {
            let name = &reference.name;
            let column = table
                .column(name)
                .ok_or_else(|| format!("column '{name}' of the reference is missing"))?;
            let numeric = matches!(column.values.kind(), Kind::Floats | Kind::Integers);
            let binned = column.values.kind() != Kind::Timestamps;
            if !binned || numeric != matches!(reference.bins, Bins::Numbers { .. }) {
                return Err(format!(
                    "column '{name}' is of {:?}, which the reference is not",
                    column.values.kind()
                ));
            }
            counts.add(&reference.bins, column);
        }
        self.rows = self.rows.saturating_add(table.rows as u64);
        Ok(())
    }

    /// What the counted rows say of each column of the reference. Its adjusted p-values come from
    /// [`super::adjust`].
    pub fn compare(&self, limits: &Limits) -> Vec<ColumnDrift> {
        let columns = self.reference.columns.iter().zip(&self.columns);
        columns
            .map(|(reference, counts)| ColumnDrift::new(reference, counts, self.rows, limits))
            .collect()
    }

    /// Data quality of each column of the reference; of fewer than `min_rows` nothing is called
    /// worse.
    pub fn quality(&self, min_rows: u64) -> Vec<Quality> {
        let columns = self.reference.columns.iter().zip(&self.columns);
        columns
            .map(|(reference, counts)| {
                Quality::new(reference, counts, self.reference.rows, self.rows, min_rows)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;
    use crate::{
        drift::{Test, Worse, adjust},
        table::{Column, Values},
    };

    fn table(columns: Vec<(&str, Values, Vec<u32>)>) -> Table {
        let rows = columns.first().map_or(0, |(_, values, _)| values.len());
        let column = |(name, values, nulls): (&str, Values, Vec<u32>)| Column {
            name: name.to_owned(),
            values,
            nulls,
        };
        Table {
            rows,
            columns: columns.into_iter().map(column).collect(),
        }
    }

    fn floats(values: impl IntoIterator<Item = f64>) -> Table {
        table(vec![(
            "x",
            Values::Floats(values.into_iter().collect()),
            vec![],
        )])
    }

    fn compare(reference: &Reference, new: &Table) -> ColumnDrift {
        let mut counter = Counter::new(reference);
        counter.add(new).unwrap();
        counter
            .compare(&Limits {
                threshold: 0.2,
                min_rows: 1,
            })
            .remove(0)
    }

    /// Numbers that look random and are the same everywhere (splitmix64).
    fn uniform(seed: u64, count: usize) -> Vec<f64> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn the_same_rows_do_not_drift() {
        let rows = floats(uniform(1, 1000));
        let reference = Reference::fit(&rows, &[]);
        reference.check().unwrap();
        let drift = compare(&reference, &rows);
        assert!(drift.psi < 1e-12 && !drift.drifted, "{drift:?}");
    }

    #[test]
    fn a_shift_drifts_and_a_small_window_raises_no_false_alarm() {
        let reference = Reference::fit(&floats(uniform(1, 2000)), &[]);
        let shifted = uniform(2, 200).into_iter().map(|x| x + 0.5);
        assert!(compare(&reference, &floats(shifted)).drifted);
        for rows in [1, 2, 5, 10, 20, 50, 200] {
            let alarms = (0..300)
                .filter(|seed| compare(&reference, &floats(uniform(100 + seed, rows))).drifted)
                .count();
            assert_eq!(alarms, 0, "{rows} rows");
        }
    }

    #[test]
    fn a_constant_column_is_noticed_to_move_either_way() {
        let reference = Reference::fit(&floats(vec![5.0; 100]), &[]);
        assert!(!compare(&reference, &floats(vec![5.0; 100])).drifted);
        assert!(compare(&reference, &floats(vec![4.9; 100])).drifted);
        assert!(compare(&reference, &floats(vec![5.1; 100])).drifted);
    }

    #[test]
    fn nulls_and_values_are_bins() {
        let texts = |texts: &[&str], nulls| {
            let texts = texts.iter().map(|text| (*text).to_owned()).collect();
            table(vec![("x", Values::Texts(texts), nulls)])
        };
        let reference = Reference::fit(&texts(&["a", "b", "a", "b"].repeat(25), vec![]), &[]);
        let same = texts(&["b", "a"].repeat(50), vec![]);
        assert!(!compare(&reference, &same).drifted);
        let other = texts(&["c"; 100], vec![]);
        assert!(compare(&reference, &other).drifted);
        let nulls = texts(&["a"; 100], (0..100).collect());
        assert!(compare(&reference, &nulls).drifted);
        let categories = table(vec![(
            "x",
            Values::Categories {
                dictionary: vec!["b".to_owned(), "a".to_owned()],
                codes: [0, 1].repeat(50),
            },
            vec![],
        )]);
        assert!(compare(&reference, &categories).psi < 1e-12);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let reference = Reference::fit(&floats([1.0, f64::NAN, f64::INFINITY, -0.0]), &[]);
        reference.check().unwrap();
        let mut counter = Counter::new(&reference);
        assert!(counter.add(&Table::default()).unwrap_err().contains("'x'"));
        let texts = table(vec![("x", Values::Texts(vec![String::new()]), vec![])]);
        assert!(counter.add(&texts).is_err());
        let integers = table(vec![("x", Values::Integers(vec![1]), vec![])]);
        counter.add(&integers).unwrap();
    }

    #[test]
    fn a_small_window_is_not_called_drifted() {
        let reference = Reference::fit(&floats(uniform(1, 2000)), &[]);
        let mut counter = Counter::new(&reference);
        counter.add(&floats(vec![9.0; 99])).unwrap();
        let limits = Limits {
            threshold: 0.2,
            min_rows: 100,
        };
        let drift = counter.compare(&limits).remove(0);
        assert!(
            !drift.drifted && drift.psi > 5.0 * drift.threshold,
            "{drift:?}"
        );
        assert!(counter.quality(100)[0].worse.is_empty());
        counter.add(&floats(vec![9.0])).unwrap();
        assert!(counter.compare(&limits)[0].drifted);
        assert_eq!(counter.quality(100)[0].worse, [Worse::OutOfRange]);
    }

    #[test]
    fn tests_and_quality_are_told() {
        let texts = |texts: &[(&str, usize)], nulls: u32| {
            let texts = texts.iter().flat_map(|(text, count)| vec![*text; *count]);
            let texts: Vec<String> = texts.map(ToOwned::to_owned).collect();
            let last = texts.len() as u32;
            table(vec![(
                "t",
                Values::Texts(texts),
                (last - nulls..last).collect(),
            )])
        };
        let reference = Reference::fit(
            &texts(&[("a", 120), ("b", 40), ("c", 3), ("", 37)], 37),
            &[],
        );
        reference.check().unwrap();
        let mut counter = Counter::new(&reference);
        let new = [("a", 80), ("b", 60), ("d", 2), ("e", 3), ("", 55)];
        counter.add(&texts(&new, 55)).unwrap();
        let mut drifts = counter.compare(&Limits {
            threshold: 0.2,
            min_rows: 100,
        });
        adjust(drifts.iter_mut());
        let [drift] = &drifts[..] else { panic!() };
        assert_eq!(drift.test, Test::ChiSquare);
        // As scipy.stats.chi2_contingency and contingency.association(method="cramer").
        let near = |found: Option<f64>, expected: f64| {
            assert!((found.unwrap() / expected - 1.0).abs() < 1e-12, "{found:?}");
        };
        near(drift.statistic, 23.521_739_130_434_78);
        near(drift.p_value, 9.958_628_119_382_931e-5);
        near(drift.p_adjusted, 9.958_628_119_382_931e-5);
        near(drift.effect, 0.242_496_077_960_215_58);
        let [quality] = &counter.quality(100)[..] else {
            panic!()
        };
        // 5 of 200 rows, after none of 200, may be chance.
        assert_eq!(quality.told(200, ToOwned::to_owned), None);
        assert_eq!((quality.missing, quality.training_missing), (0.275, 0.185));
        counter.add(&texts(&[("f", 20)], 0)).unwrap();
        assert_eq!(
            counter.quality(100)[0]
                .told(220, ToOwned::to_owned)
                .unwrap(),
            "column 't': 11.4 % have a value that the training never saw: d, e, f"
        );
    }

    proptest! {
        #[test]
        fn counts_do_not_depend_on_batches(
            old in vec(option::of(-9_i32..9), 1..60),
            new in vec(option::of(-12_i32..12), 1..60),
            cut in 0_usize..60,
        ) {
            let both = |cells: &[Option<i32>]| {
                let nulls: Vec<u32> = (0..)
                    .zip(cells)
                    .filter(|(_, cell)| cell.is_none())
                    .map(|(row, _)| row)
                    .collect();
                let numbers = cells.iter().map(|cell| f64::from(cell.unwrap_or(99)));
                let texts = cells.iter().map(|cell| cell.unwrap_or(99).to_string());
                table(vec![
                    ("n", Values::Floats(numbers.collect()), nulls.clone()),
                    ("t", Values::Texts(texts.collect()), nulls),
                ])
            };
            let reference = Reference::fit(&both(&old), &[]);
            prop_assert!(reference.check().is_ok());
            let limits = Limits { threshold: 0.2, min_rows: 1 };
            let whole = both(&new);
            let mut once = Counter::new(&reference);
            once.add(&whole).unwrap();
            let mut twice = Counter::new(&reference);
            twice.add(&whole.slice(0, cut)).unwrap();
            twice.add(&whole.slice(cut, 60)).unwrap();
            prop_assert_eq!(once.compare(&limits), twice.compare(&limits));
            prop_assert_eq!(once.quality(1), twice.quality(1));
            // Counted without bins.
            let seen: Vec<i32> = old.iter().flatten().copied().collect();
            let among = |of: &dyn Fn(i32) -> bool| {
                new.iter().flatten().filter(|cell| of(**cell)).count() as u64
            };
            let [numbers, texts] = &once.quality(1)[..] else { panic!() };
            let out = numbers.out_of_range.as_ref().map(|out| (out.below, out.above));
            let range = seen.iter().min().zip(seen.iter().max());
            prop_assert_eq!(
                out,
                range.map(|(least, most)| (among(&|c| c < *least), among(&|c| c > *most)))
            );
            let unseen = texts.unseen.as_ref().unwrap();
            prop_assert_eq!(unseen.rows, among(&|cell| !seen.contains(&cell)));
            prop_assert!(unseen.examples.len() <= 5);
        }
    }
}
