//! Which kind a column has: what all of its values would fit.

use septet_kit::{schema::SchemaKind, table::timestamp};

use crate::{
    categories::{Categories, Room},
    value::{Cell, Class, Number, boolean, number},
};

/// What the values of a column would fit.
#[derive(Default)]
pub struct Tally {
    /// Values that are there.
    values: u64,
    /// Of these, whole numbers; counted until another number comes.
    integers: u64,
    /// Of these, finite numbers, whole ones included.
    numbers: u64,
    /// Of these, infinities: they say that numbers were meant, but fit none.
    infinities: u64,
    /// Of these, digits with zeros before them.
    codes: u64,
    /// Of these, booleans.
    booleans: u64,
    /// Of these, dates and times.
    timestamps: u64,
    /// The distinct texts, as long as they are few.
    categories: Categories,
}

impl Tally {
    /// Counts a value. One that is no text does not vote.
    pub fn add(&mut self, cell: Cell<'_>, room: &mut Room) {
        let Some(text) = cell.value() else { return };
        let trimmed = text.trim();
        self.values += 1;
        self.categories.add(text, room);
        match cell.class {
            Class::Null => {}
            Class::Boolean => self.booleans += 1,
            Class::Text => self.timestamps += u64::from(timestamp(trimmed).is_some()),
            Class::Number | Class::Bare => match number(trimmed) {
                Number::Integer => {
                    self.integers += 1;
                    self.numbers += 1;
                }
                Number::Float => self.numbers += 1,
                Number::NotFinite => self.infinities += 1,
                Number::Code => self.codes += 1,
                Number::No if boolean(trimmed).is_some() => self.booleans += 1,
                Number::No => self.timestamps += u64::from(timestamp(trimmed).is_some()),
            },
        }
    }

    /// The narrowest kind that all but a share of `tolerance` of the values fit, and the
    /// dictionary of a category.
    ///
    /// It must be more than half of the values, whatever the tolerance. Whole numbers are integers
    /// only where no other number is among them. Infinities count as numbers here, so that a
    /// column of numbers with many of them is not taken for one of texts. A single whole number
    /// with zeros before it makes the column one of texts: these are codes such as 02134, and most
    /// of a column of codes looks like numbers.
    pub fn kind(self, tolerance: f64) -> (SchemaKind, Option<Categories>) {
        let fits = |count: u64| {
            count * 2 > self.values && count as f64 >= (1.0 - tolerance) * self.values as f64
        };
        let kind = if self.values == 0 {
            SchemaKind::Null
        } else if self.numbers > 0 && self.codes == 0 && fits(self.numbers + self.infinities) {
            if self.integers == self.numbers && self.infinities == 0 {
                SchemaKind::Integer
            } else {
                SchemaKind::Float
            }
        } else if fits(self.booleans) {
            SchemaKind::Boolean
        } else if fits(self.timestamps) {
            SchemaKind::Timestamp
        } else if self.categories.are_few(self.values) {
            return (SchemaKind::Category, Some(self.categories.sorted()));
        } else {
            SchemaKind::Text
        };
        (kind, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(class: Class, values: &[&str], tolerance: f64) -> SchemaKind {
        let (mut tally, mut room) = (Tally::default(), Room::default());
        for value in values {
            let bytes = value.as_bytes();
            tally.add(Cell { class, bytes }, &mut room);
        }
        tally.kind(tolerance).0
    }

    fn kind(values: &[&str], tolerance: f64) -> SchemaKind {
        kind_of(Class::Bare, values, tolerance)
    }

    #[test]
    fn the_narrowest_kind_is_taken() {
        for (values, expected) in [
            (&["1", " -2", "+3", "NA"][..], SchemaKind::Integer),
            (&["1", "2.5", "1e-3"], SchemaKind::Float),
            (&["1", "99999999999999999999"], SchemaKind::Float),
            (&["True", "false", "?"], SchemaKind::Boolean),
            (&["yes", "no"], SchemaKind::Text),
            (&["yes", "no", "no", "yes"], SchemaKind::Category),
            (&["", "nan", "None"], SchemaKind::Null),
            (&["inf", "-inf", "1"], SchemaKind::Float),
            (&["inf", "inf"], SchemaKind::Category),
            (
                &["2024-01-31", "2024-01-31 12:00", ""],
                SchemaKind::Timestamp,
            ),
            (&["10001", "02134", "94103"], SchemaKind::Text),
            (&["0", "10", "0"], SchemaKind::Integer),
        ] {
            assert_eq!(kind(values, 0.1), expected, "{values:?}");
        }
    }

    #[test]
    fn a_few_misfits_are_tolerated() {
        let mut values = vec!["1"; 19];
        values.push("abc");
        assert_eq!(kind(&values, 0.1), SchemaKind::Integer);
        assert_eq!(kind(&values, 0.01), SchemaKind::Category);
        assert_eq!(kind(&["1", "a", "b"], 1.0), SchemaKind::Text);
        let mut values = vec!["2024-01-31"; 19];
        values.push("soon");
        assert_eq!(kind(&values, 0.1), SchemaKind::Timestamp);
        let mut values = vec!["12345"; 99];
        values.push("01234");
        assert_eq!(kind(&values, 0.1), SchemaKind::Category);
    }

    #[test]
    fn texts_of_a_format_with_types_stay_texts_unless_times() {
        let kind = |values: &[&str]| kind_of(Class::Text, values, 0.1);
        assert_eq!(kind(&["1", "2", "3"]), SchemaKind::Text);
        assert_eq!(kind(&["NA", "NA"]), SchemaKind::Category);
        assert_eq!(kind(&["2024-01-31T00:00:00Z"]), SchemaKind::Timestamp);
    }
}
