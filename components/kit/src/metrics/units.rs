//! Which rows are drawn together.
//!
//! Rows of one patient, or copies of one row, tell less than as many that have nothing to do with
//! each other. A resample therefore draws units of rows that belong together (Davison and Hinkley,
//! *Bootstrap Methods and Their Application*, 1997, 3.8), each with all its rows.

use super::Generator;

/// A unit for each row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Units {
    rows: usize,
    /// How many units there are.
    count: usize,
    /// The unit of each row, from 0 in the order of their first rows; none where each row is a unit
    /// of its own.
    of: Option<Vec<u32>>,
}

impl Units {
    /// Each of `rows` rows is a unit of its own.
    pub const fn single(rows: usize) -> Self {
        Self {
            rows,
            count: rows,
            of: None,
        }
    }

    /// Rows of equal numbers are one unit. All above the first 2³² rows are left out.
    pub fn by(numbers: &[f64]) -> Self {
        // Zeros are equal, whatever their sign.
        let mut order: Vec<(u64, u32)> = numbers
            .iter()
            .map(|n| (n + 0.0).to_bits())
            .zip(0..)
            .collect();
        let rows = order.len();
        order.sort_unstable();
        // Where a row is the first of its unit, its place is given to the unit's rows, and then
        // turned into the unit's number.
        let mut of = vec![0_u32; rows];
        let mut before = None;
        for (bits, row) in order {
            let first = match before {
                Some((last, first)) if last == bits => first,
                _ => row,
            };
            before = Some((bits, first));
            if let Some(slot) = of.get_mut(row as usize) {
                *slot = first;
            }
        }
        let mut count = 0;
        for row in 0..rows {
            let first = of.get(row).copied().unwrap_or_default() as usize;
            let unit = if first == row {
                count += 1;
                count - 1
            } else {
                // It comes before, so it has its number already.
                of.get(first).copied().unwrap_or_default()
            };
            if let Some(slot) = of.get_mut(row) {
                *slot = unit;
            }
        }
        let count = count as usize;
        Self {
            rows,
            count,
            of: (count < rows).then_some(of),
        }
    }

    /// Rows.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Units: how many are drawn from.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Draws as many units as there are, with replacement, and counts each row as often as its
    /// unit was drawn. `drawn` is room for the units, `counts` is of the rows.
    pub(super) fn draw(&self, generator: &mut Generator, drawn: &mut Vec<u32>, counts: &mut [u32]) {
        let Some(of) = &self.of else {
            generator.draw(counts);
            return;
        };
        drawn.resize(self.count, 0);
        generator.draw(drawn);
        for (count, unit) in counts.iter_mut().zip(of) {
            *count = drawn.get(*unit as usize).copied().unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn equal_numbers_are_one_unit_in_the_order_of_rows() {
        let units = Units::by(&[0.5, 0.25, 0.5, -0.0, 0.25, 0.0]);
        assert_eq!(units.of, Some(vec![0, 1, 0, 2, 1, 2]));
        assert_eq!((units.rows(), units.len()), (6, 3));
        assert_eq!(Units::by(&[3.0, 1.0, 2.0]), Units::single(3));
        assert!(Units::by(&[]).is_empty());
    }

    proptest! {
        /// Rows of one unit count alike, and as many units are drawn as there are.
        #[test]
        fn a_draw_is_of_units(numbers in vec(0_u8..9, 1..40), seed: u64) {
            let numbers: Vec<f64> = numbers.into_iter().map(f64::from).collect();
            let units = Units::by(&numbers);
            let mut counts = vec![7; numbers.len()];
            units.draw(&mut Generator::new(seed), &mut vec![], &mut counts);
            let mut of_units = std::collections::BTreeMap::new();
            for (number, count) in numbers.iter().zip(&counts) {
                let known = of_units.entry(number.to_bits()).or_insert(*count);
                prop_assert_eq!(known, count);
            }
            prop_assert_eq!(of_units.len(), units.len());
            prop_assert_eq!(of_units.values().sum::<u32>() as usize, units.len());
        }
    }
}
