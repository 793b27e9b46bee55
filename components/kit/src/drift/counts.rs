//! Counts of the rows of one column.

use super::bins::{Bins, boolean};
use crate::{
    show::shown,
    table::{Column, Values},
};

/// Values that the training never saw and that are told.
const MAX_EXAMPLES: usize = 5;
/// Characters of each.
const SHOWN: usize = 60;

/// Rows of one column, counted in all the ways that a comparison needs.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    /// In each bin; of values, the last bin is of all others.
    pub(super) bins: Vec<u64>,
    /// Without a value.
    pub(super) nulls: u64,
    /// Of numbers: at each place of the sample.
    pub(super) places: Vec<u64>,
    /// Of numbers: below all of the training's.
    pub(super) below: u64,
    /// Of numbers: above all of them.
    pub(super) above: u64,
    /// Of values: with one that the training never saw.
    pub(super) unseen: u64,
    /// The first of those.
    pub(super) examples: Vec<String>,
}

/// What a value is to the reference.
#[derive(Clone, Copy)]
enum Seen {
    /// It has this bin.
    Bin(usize),
    /// It has none.
    Pooled,
    /// The training never saw it.
    Never,
}

impl Counts {
    /// No rows.
    pub(super) fn of(bins: &Bins) -> Self {
        let (bins, places) = match bins {
            Bins::Numbers { edges, sample, .. } => (edges.len(), sample.places()),
            Bins::Values { values, .. } => (values.len(), 0),
        };
        Self {
            bins: vec![0; bins.saturating_add(1)],
            places: vec![0; places],
            ..Self::default()
        }
    }

    /// Counts the rows of a column.
    pub(super) fn add(&mut self, bins: &Bins, column: &Column) {
        match bins {
            Bins::Numbers { .. } => self.add_numbers(bins, column),
            Bins::Values { .. } => self.add_values(bins, column),
        }
    }

    fn add_numbers(&mut self, bins: &Bins, column: &Column) {
        let Bins::Numbers {
            edges,
            range,
            sample,
            ..
        } = bins
        else {
            return;
        };
        for number in column.numbers().unwrap_or_default() {
            let Some(number) = number else {
                self.nulls += 1;
                continue;
            };
            count(&mut self.bins, edges.partition_point(|edge| *edge < number));
            count(&mut self.places, sample.place(number));
            if let Some([least, greatest]) = range {
                self.below += u64::from(number < *least);
                self.above += u64::from(number > *greatest);
            }
        }
    }

    fn add_values(&mut self, bins: &Bins, column: &Column) {
        let Bins::Values { values, pooled, .. } = bins else {
            return;
        };
        let seen = |text: &str| {
            let at = |texts: &[String]| texts.binary_search_by(|known| known.as_str().cmp(text));
            match (at(values), pooled) {
                (Ok(bin), _) => Seen::Bin(bin),
                (Err(_), Some(pooled)) if at(pooled).is_err() => Seen::Never,
                (Err(_), _) => Seen::Pooled,
            }
        };
        let nulls = column.null_mask();
        match &column.values {
            Values::Texts(texts) => {
                for (text, null) in texts.iter().zip(nulls) {
                    self.value((!null).then(|| (seen(text), text.as_str())));
                }
            }
            Values::Categories { dictionary, codes } => {
                // A dictionary is looked up once, not once a row.
                let known: Vec<(Seen, &str)> = dictionary
                    .iter()
                    .map(|text| (seen(text), text.as_str()))
                    .collect();
                for (code, null) in codes.iter().zip(nulls) {
                    let value = known.get(*code as usize).filter(|_| !null);
                    self.value(value.copied());
                }
            }
            Values::Booleans(booleans) => {
                for (value, null) in booleans.iter().zip(nulls) {
                    let text = boolean(*value);
                    self.value((!null).then(|| (seen(text), text)));
                }
            }
            _ => {}
        }
    }

    fn value(&mut self, value: Option<(Seen, &str)>) {
        let Some((seen, text)) = value else {
            self.nulls += 1;
            return;
        };
        let other = self.bins.len().saturating_sub(1);
        match seen {
            Seen::Bin(bin) => count(&mut self.bins, bin),
            Seen::Pooled => count(&mut self.bins, other),
            Seen::Never => {
                count(&mut self.bins, other);
                self.unseen += 1;
                if self.examples.len() < MAX_EXAMPLES {
                    let text = shown(text, SHOWN);
                    if !self.examples.contains(&text) {
                        self.examples.push(text);
                    }
                }
            }
        }
    }
}

fn count(counts: &mut [u64], at: usize) {
    if let Some(count) = counts.get_mut(at) {
        *count += 1;
    }
}
