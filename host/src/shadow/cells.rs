//! Whether two values of a column are alike.

use septet_kit::table::{Column, Kind, Values};

use crate::pipeline::Tolerance;

/// How the values of a column are held against another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// As what they are: the kinds are the same, or both are texts.
    Same,
    /// As numbers, where one side has whole ones and the other has not.
    Numbers,
    /// As texts that may be numbers.
    Spelled,
}

/// What a column of one kind is held against one of another as; none where that can't be.
pub(super) fn way(one: Kind, other: Kind, text: bool) -> Option<Way> {
    let is_text = |kind| matches!(kind, Kind::Texts | Kind::Categories);
    let is_number = |kind| matches!(kind, Kind::Floats | Kind::Integers);
    if is_text(one) && is_text(other) {
        Some(if text { Way::Spelled } else { Way::Same })
    } else if one == other {
        Some(Way::Same)
    } else if is_number(one) && is_number(other) {
        Some(Way::Numbers)
    } else {
        None
    }
}

/// Two values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cells {
    Alike,
    /// Of two numbers, what they are.
    Unlike(Option<(f64, f64)>),
}

/// A value: a column and a row of it.
pub(super) type Cell<'a> = (&'a Column, usize);

/// Holds two values of the column `name` against each other. A null is like a null, and like nothing else.
pub(super) fn compare(
    name: &str,
    way: Way,
    (one, row): Cell<'_>,
    (other, at): Cell<'_>,
    tolerance: &Tolerance,
) -> Cells {
    let (null, also) = (one.is_null(row), other.is_null(at));
    if null || also {
        return alike(null && also);
    }
    match (way, &one.values, &other.values) {
        (Way::Numbers, ..) => match (float(one, row), float(other, at)) {
            (Some(one), Some(other)) => floats(name, one, other, tolerance),
            _ => Cells::Unlike(None),
        },
        (_, Values::Floats(one), Values::Floats(other)) => match (one.get(row), other.get(at)) {
            (Some(one), Some(other)) => floats(name, *one, *other, tolerance),
            _ => Cells::Unlike(None),
        },
        (_, Values::Integers(one), Values::Integers(other))
        | (_, Values::Timestamps(one), Values::Timestamps(other)) => {
            match (one.get(row), other.get(at)) {
                (Some(one), Some(other)) => integers(name, *one, *other, tolerance),
                _ => Cells::Unlike(None),
            }
        }
        (_, Values::Booleans(one), Values::Booleans(other)) => alike(one.get(row) == other.get(at)),
        _ => match (one.text(row), other.text(at)) {
            (Some(one), Some(other)) if one == other => Cells::Alike,
            (Some(one), Some(other)) if way == Way::Spelled => spelled(name, one, other, tolerance),
            _ => Cells::Unlike(None),
        },
    }
}

const fn alike(alike: bool) -> Cells {
    if alike {
        Cells::Alike
    } else {
        Cells::Unlike(None)
    }
}

/// Two texts: as numbers, where both are.
pub(super) fn spelled(name: &str, one: &str, other: &str, tolerance: &Tolerance) -> Cells {
    if let (Ok(one), Ok(other)) = (one.parse(), other.parse()) {
        return integers(name, one, other, tolerance);
    }
    match (one.parse(), other.parse()) {
        (Ok(one), Ok(other)) => floats(name, one, other, tolerance),
        _ => alike(one == other),
    }
}

pub(super) fn floats(name: &str, one: f64, other: f64, tolerance: &Tolerance) -> Cells {
    if tolerance.floats(name, one, other) {
        Cells::Alike
    } else {
        Cells::Unlike(Some((one, other)))
    }
}

pub(super) fn integers(name: &str, one: i64, other: i64, tolerance: &Tolerance) -> Cells {
    if tolerance.integers(name, one, other) {
        Cells::Alike
    } else {
        Cells::Unlike(Some((one as f64, other as f64)))
    }
}

fn float(column: &Column, row: usize) -> Option<f64> {
    match &column.values {
        Values::Floats(values) => values.get(row).copied(),
        Values::Integers(values) => values.get(row).map(|value| *value as f64),
        _ => None,
    }
}

/// A value for people.
pub(super) fn shown((column, row): Cell<'_>) -> String {
    column.label(row).unwrap_or_else(|| "null".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: Values, nulls: &[u32]) -> Column {
        Column {
            name: "x".to_owned(),
            values,
            nulls: nulls.to_vec(),
        }
    }

    #[test]
    fn kinds_are_held_against_each_other_as_far_as_that_makes_sense() {
        let tolerance = Tolerance::default();
        let texts = |texts: &[&str]| {
            let texts = texts.iter().map(ToString::to_string).collect();
            column(Values::Texts(texts), &[])
        };
        let categories = Values::Categories {
            dictionary: vec!["a".to_owned(), "b".to_owned()],
            codes: vec![1, 9],
        };
        let categories = column(categories, &[]);
        let compare = |one: &Column, other: &Column, row: usize, text: bool| {
            let way = way(one.values.kind(), other.values.kind(), text);
            let way = way.unwrap();
            super::compare("x", way, (one, row), (other, row), &tolerance)
        };
        let same = texts(&["b", "b"]);
        assert_eq!(compare(&same, &categories, 0, false), Cells::Alike);
        // A code past the end is like nothing.
        assert_eq!(compare(&same, &categories, 1, false), Cells::Unlike(None));
        let floats = column(Values::Floats(vec![1.0, f64::NAN]), &[]);
        let integers = column(Values::Integers(vec![1, 2]), &[]);
        assert_eq!(compare(&floats, &integers, 0, false), Cells::Alike);
        assert!(matches!(
            compare(&floats, &integers, 1, false),
            Cells::Unlike(Some(_))
        ));
        assert_eq!(compare(&floats, &floats, 1, false), Cells::Alike);
        let null = column(Values::Floats(vec![1.0, f64::NAN]), &[0, 1]);
        assert_eq!(compare(&null, &null, 0, false), Cells::Alike);
        assert_eq!(compare(&null, &floats, 0, false), Cells::Unlike(None));
        assert_eq!(way(Kind::Booleans, Kind::Floats, false), None);
        assert_eq!(way(Kind::Timestamps, Kind::Integers, false), None);
        for (one, other, alike) in [
            ("1.0", "1.0000000000001", true),
            ("1", "1.0", true),
            ("10000000000", "10000000001", false),
            ("nan", "NaN", true),
            ("a", "b", false),
            ("1", "b", false),
        ] {
            let (one, other) = (texts(&[one]), texts(&[other]));
            let cells = compare(&one, &other, 0, true);
            assert_eq!(cells == Cells::Alike, alike, "{one:?} {other:?}");
            // Of a table with kinds, a text is a text.
            assert!(compare(&one, &other, 0, false) != Cells::Alike);
        }
    }
}
