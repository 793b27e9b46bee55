//! Two outputs of rows: their columns, which rows there are, and what stands in them.

use std::{
    io::{Read, Seek},
    time::Instant,
};

use septet_kit::table::{Field, Table};

use super::{
    cells::{self, Cells, Way},
    rows::Rows,
    side::{Key, Side},
};
use crate::pipeline::{Comparison, Difference, Tolerance, Unlike};

/// Bytes of rows that may wait for their like, about: of both outputs together.
const WAITING: usize = 256 << 20;

/// How two outputs are compared.
pub(super) struct Terms<'a> {
    /// What the output is called.
    pub(super) name: &'a str,
    /// The column that says which row it is, where both have it.
    pub(super) key: Option<&'a str>,
    pub(super) tolerance: &'a Tolerance,
    /// When the comparison must have ended.
    pub(super) deadline: Instant,
    /// Bytes of rows that may wait.
    pub(super) waiting: usize,
}

impl<'a> Terms<'a> {
    /// The usual bounds.
    pub(super) const fn new(
        name: &'a str,
        key: Option<&'a str>,
        tolerance: &'a Tolerance,
        deadline: Instant,
    ) -> Self {
        Self {
            name,
            key,
            tolerance,
            deadline,
            waiting: WAITING,
        }
    }
}

/// Why two outputs could not be compared to the end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// What counted can't be read.
    InForce(String),
    /// What the shadow gave can't be read.
    Shadow(String),
    /// They are too much: why.
    Bound(String),
}

/// A column that both have.
struct Shared {
    name: String,
    at: [usize; 2],
    way: Way,
    unlike: Unlike,
}

/// Compares two outputs. What differs is noted even where that does not come to an end.
pub(super) fn compare<R: Read + Seek>(
    terms: &Terms<'_>,
    in_force: Rows<R>,
    shadow: Rows<R>,
    comparison: &mut Comparison,
) -> Result<(), Unread> {
    let mut shared = columns(terms, &in_force, &shadow, comparison);
    let place = |rows: &Rows<R>| {
        let mut fields = rows.fields().iter();
        let key = terms.key?;
        fields.position(|field| field.name == key)
    };
    let keys = match (place(&in_force), place(&shadow)) {
        (Some(one), Some(other)) => Some((one, other)),
        _ => None,
    };
    let mut one = Side::new(in_force, keys.map(|keys| keys.0));
    let mut other = Side::new(shadow, keys.map(|keys| keys.1));
    let joined = join(terms, &mut one, &mut other, &mut shared, comparison);
    for column in &shared {
        let name = format!("{}, column {}", terms.name, column.name);
        comparison.enter(&name, &column.unlike);
    }
    joined?;
    missing(terms, &one, &other, comparison);
    Ok(())
}

/// Compares the columns, and gives those that both have.
fn columns<R: Read + Seek>(
    terms: &Terms<'_>,
    in_force: &Rows<R>,
    shadow: &Rows<R>,
    comparison: &mut Comparison,
) -> Vec<Shared> {
    let (ones, others) = (in_force.fields(), shadow.fields());
    let text = in_force.is_text() && shadow.is_text();
    let find = |fields: &[Field], name: &str| fields.iter().position(|field| field.name == name);
    let place = |name: &str| format!("{}, column {name}", terms.name);
    let mut shared = Vec::new();
    for (at, field) in ones.iter().enumerate() {
        let name = &field.name;
        let kind = field.kind.name();
        let Some((there, other)) =
            find(others, name).and_then(|there| others.get(there).map(|other| (there, other)))
        else {
            comparison.differ(Difference::new(&place(name), kind, "nothing"));
            continue;
        };
        let way = cells::way(field.kind, other.kind, text);
        if way.is_none_or(|way| way == Way::Numbers) {
            let other = other.kind.name();
            comparison.differ(Difference::new(&place(name), kind, other));
        }
        if let Some(way) = way {
            shared.push(Shared {
                name: name.clone(),
                at: [at, there],
                way,
                unlike: Unlike::default(),
            });
        }
    }
    for field in others {
        if find(ones, &field.name).is_none() {
            let difference = Difference::new(&place(&field.name), "nothing", field.kind.name());
            comparison.differ(difference);
        }
    }
    if !shared.is_sorted_by_key(|column| column.at[1]) {
        comparison.note(format!("{} has its columns in another order", terms.name));
    }
    shared
}

/// Brings the rows together that are of one key, in their order where they are several.
fn join<R: Read + Seek>(
    terms: &Terms<'_>,
    one: &mut Side<R>,
    other: &mut Side<R>,
    shared: &mut [Shared],
    comparison: &mut Comparison,
) -> Result<(), Unread> {
    loop {
        if Instant::now() >= terms.deadline {
            return Err(Unread::Bound("it takes too long".to_owned()));
        }
        if one.bytes() + other.bytes() > terms.waiting {
            let why = "too many rows of one are not in the other, or far from it";
            return Err(Unread::Bound(why.to_owned()));
        }
        // Side by side, so that of equal rows in equal order few wait.
        let first = match (one.position(), other.position()) {
            (None, None) => return Ok(()),
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(one), Some(other)) => one <= other,
        };
        if first {
            let advanced = one.advance(|key, table, row| {
                other.meet(key, |there, at| {
                    rows(terms, key, [(table, row), (there, at)], shared, comparison);
                })
            });
            advanced.map_err(Unread::InForce)?;
        } else {
            let advanced = other.advance(|key, table, row| {
                one.meet(key, |there, at| {
                    rows(terms, key, [(there, at), (table, row)], shared, comparison);
                })
            });
            advanced.map_err(Unread::Shadow)?;
        }
    }
}

/// Compares two rows of one key.
fn rows(
    terms: &Terms<'_>,
    key: &Key,
    [(one, row), (other, at)]: [(&Table, usize); 2],
    shared: &mut [Shared],
    comparison: &mut Comparison,
) {
    for column in shared {
        let Shared { name, way, .. } = column;
        let (Some(one), Some(other)) = (
            one.columns.get(column.at[0]),
            other.columns.get(column.at[1]),
        ) else {
            continue;
        };
        let (one, other) = ((one, row), (other, at));
        let Cells::Unlike(numbers) = cells::compare(name, *way, one, other, terms.tolerance) else {
            continue;
        };
        column.unlike.count(numbers);
        if !comparison.is_full() {
            let place = format!("{}, column {name}", told(terms, key));
            let (one, other) = (cells::shown(one), cells::shown(other));
            comparison.differ(Difference::new(&place, &one, &other));
        }
    }
}

/// Takes note of the rows that only one has.
fn missing<R: Read + Seek>(
    terms: &Terms<'_>,
    one: &Side<R>,
    other: &Side<R>,
    comparison: &mut Comparison,
) {
    let mut unlike = Unlike::default();
    for (side, [here, there]) in [(one, ["a row", "nothing"]), (other, ["nothing", "a row"])] {
        for key in side.left() {
            unlike.count(None);
            if !comparison.is_full() {
                comparison.differ(Difference::new(&told(terms, key), here, there));
            }
        }
    }
    comparison.enter(&format!("{}, rows that only one has", terms.name), &unlike);
}

/// A row for people.
fn told(terms: &Terms<'_>, key: &Key) -> String {
    let name = terms.name;
    match (key, terms.key) {
        (Key::At(at), _) => format!("{name}, row {}", at + 1),
        (Key::Named(Some(value)), Some(key)) => format!("{name}, row {key}={value}"),
        (Key::Named(_), key) => format!("{name}, row {}=null", key.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests;
