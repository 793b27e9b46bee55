//! Which kind a column has, and values of it.

use septet_kit::table::Kind;

/// Spellings of a value that is not there.
const NULLS: [&str; 9] = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"];

/// Whether the text stands for no value.
pub fn is_null(text: &str) -> bool {
    NULLS.contains(&text.trim())
}

/// Why a value does not fit its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// No number.
    NotANumber,
    /// An infinity.
    NotFinite,
    /// Neither `true` nor `false`.
    NotABoolean,
}

/// A whole number that 64 bits hold.
pub fn integer(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// A finite number.
pub fn float(text: &str) -> Result<f64, Misfit> {
    match text.trim().parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(Misfit::NotFinite),
        Err(_) => Err(Misfit::NotANumber),
    }
}

/// `true` or `false`, in lower, upper or title case.
pub fn boolean(text: &str) -> Option<bool> {
    match text.trim() {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// What the values of a column would fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Values that are there.
    values: u64,
    /// Of these, whole numbers.
    integers: u64,
    /// Of these, finite numbers, whole ones included.
    numbers: u64,
    /// Of these, infinities: they say that numbers were meant, but fit none.
    infinities: u64,
    /// Of these, booleans.
    booleans: u64,
}

impl Tally {
    /// Counts a value.
    pub fn add(&mut self, text: &str) {
        if is_null(text) {
            return;
        }
        self.values += 1;
        if integer(text).is_some() {
            self.integers += 1;
            self.numbers += 1;
        } else {
            match float(text) {
                Ok(_) => self.numbers += 1,
                Err(Misfit::NotFinite) => self.infinities += 1,
                Err(_) => self.booleans += u64::from(boolean(text).is_some()),
            }
        }
    }

    /// The narrowest kind that all but a share of `tolerance` of the values fit. It must be more
    /// than half of them, whatever the tolerance, and whole numbers are integers only where no
    /// other number is among them. Infinities count as numbers here, so that a column of numbers
    /// with many of them is not taken for one of texts.
    pub fn kind(&self, tolerance: f64) -> Kind {
        let fits = |count: u64| {
            count * 2 > self.values && count as f64 >= (1.0 - tolerance) * self.values as f64
        };
        if self.numbers > 0 && fits(self.numbers + self.infinities) {
            if self.integers == self.numbers && self.infinities == 0 {
                Kind::Integers
            } else {
                Kind::Floats
            }
        } else if fits(self.booleans) {
            Kind::Booleans
        } else {
            Kind::Texts
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(values: &[&str], tolerance: f64) -> Kind {
        let mut tally = Tally::default();
        for value in values {
            tally.add(value);
        }
        tally.kind(tolerance)
    }

    #[test]
    fn the_narrowest_kind_is_taken() {
        assert_eq!(kind(&["1", " -2", "+3", "NA"], 0.1), Kind::Integers);
        assert_eq!(kind(&["1", "2.5", "1e-3"], 0.1), Kind::Floats);
        assert_eq!(kind(&["1", "99999999999999999999"], 0.1), Kind::Floats);
        assert_eq!(kind(&["True", "false", "?"], 0.1), Kind::Booleans);
        assert_eq!(kind(&["yes", "no"], 0.1), Kind::Texts);
        assert_eq!(kind(&["", "nan", "None"], 0.1), Kind::Texts);
        assert_eq!(kind(&["inf", "-inf", "1"], 0.1), Kind::Floats);
        assert_eq!(kind(&["inf", "inf"], 0.1), Kind::Texts);
    }

    #[test]
    fn a_few_misfits_are_tolerated() {
        let mut values = vec!["1"; 19];
        values.push("abc");
        assert_eq!(kind(&values, 0.1), Kind::Integers);
        assert_eq!(kind(&values, 0.01), Kind::Texts);
        assert_eq!(kind(&["1", "a", "b"], 1.0), Kind::Texts);
    }

    #[test]
    fn infinities_never_fit() {
        assert_eq!(float("-inf"), Err(Misfit::NotFinite));
        assert_eq!(float("1e999"), Err(Misfit::NotFinite));
        assert_eq!(float("1,5"), Err(Misfit::NotANumber));
        assert_eq!(float(" .5 "), Ok(0.5));
    }
}
