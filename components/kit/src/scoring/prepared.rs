//! Rows that can be measured again and again.

use crate::metrics::{CLASSES, Classes, Figures, Metrics, NUMBERS, Numbers, named};

/// A model's rows, of either ML task.
#[derive(Clone, Debug)]
pub enum Prepared {
    /// Of a classifier.
    Classes(Classes),
    /// Of a regressor.
    Numbers(Numbers),
}

impl Prepared {
    /// Names of the figures that [`Self::measure`] gives, in order.
    pub const fn names(&self) -> &'static [&'static str] {
        match self {
            Self::Classes(_) => CLASSES,
            Self::Numbers(_) => NUMBERS,
        }
    }

    /// Rows.
    pub const fn rows(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.rows(),
            Self::Numbers(numbers) => numbers.rows(),
        }
    }

    /// Passes over the rows that [`Self::measure`] makes.
    pub fn passes(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.passes(),
            Self::Numbers(_) => 2,
        }
    }

    /// The figures, each row counted as often as `counts` says, or once.
    pub fn measure(&self, counts: Option<&[u32]>) -> Figures {
        match self {
            Self::Classes(classes) => classes.measure(counts),
            Self::Numbers(numbers) => numbers.measure(counts),
        }
    }

    /// The figures by name, each row counted once.
    pub fn metrics(&self) -> Metrics {
        named(self.names(), &self.measure(None))
    }
}
