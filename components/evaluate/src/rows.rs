//! The test rows, predicted and scored.

use std::collections::BTreeSet;

use septet_kit::{
    preprocessing::{Preprocessing, UNIT},
    scoring::Scorer,
    show::shown,
    table::{Column, RESERVED, Table},
};

use crate::{
    batches::pieces,
    groups::Groups,
    outside::{Outside, Refusal},
    units::Together,
};

/// Characters of a column's or class's name that a sentence shows.
pub(crate) const SHOWN: usize = 60;
/// Columns that an error names.
const MAX_NAMES: usize = 20;

/// What is kept of the rows that are scored, beside their scores.
#[derive(Debug)]
pub(crate) struct Beside {
    /// Which of them belong together.
    pub(crate) together: Together,
    /// Where they are told apart by a column.
    pub(crate) groups: Option<Groups>,
}

/// Scores a model on the test rows. It is asked with its own inputs and the reserved columns, by
/// which it tells of rows, and sees neither the target nor which rows belong together. `beside`
/// gets the rows that were scored.
pub(crate) fn score<'p>(
    bundle: &str,
    plan: &'p Preprocessing,
    target: &str,
    mut beside: Option<&mut Beside>,
    done: &mut u64,
    outside: &mut Outside<'_>,
) -> Result<Scorer<'p>, Refusal> {
    let mut scorer = Scorer::new(plan);
    let inputs: BTreeSet<&str> = plan
        .inputs
        .iter()
        .map(|input| input.name.as_str())
        .collect();
    for table in (outside.test)().map_err(Refusal::Rows)? {
        let mut table = table.map_err(Refusal::Rows)?;
        let groups = beside.as_ref().and_then(|beside| beside.groups.as_ref());
        let by = match groups {
            Some(groups) => Some(by(&table, groups.column())?),
            None => None,
        };
        let unit = table.remove(UNIT);
        table.columns.retain(|column| {
            let name = column.name.as_str();
            name == target || name.starts_with(RESERVED) || inputs.contains(name)
        });
        let mut start = 0;
        for mut piece in pieces(&table, plan.classes.len()) {
            let labels = piece.remove(target).ok_or_else(|| {
                Refusal::Rows(format!(
                    "the test rows have no column '{}'",
                    shown(target, SHOWN)
                ))
            })?;
            let rows = piece.rows;
            let predictions = (outside.predict)(bundle, piece)?;
            let scored = scorer
                .add(&labels, &predictions)
                .map_err(Refusal::Rejected)?;
            if let Some(Beside { together, groups }) = beside.as_deref_mut() {
                together
                    .add(unit.as_ref(), start, &scored)
                    .map_err(Refusal::Rows)?;
                if let (Some(groups), Some(by)) = (groups, &by) {
                    groups.add(by, start, &scored).map_err(Refusal::Rows)?;
                }
            }
            start += rows;
            *done += rows as u64;
            (outside.progress)(*done);
        }
    }
    Ok(scorer)
}

/// The column by which rows are told apart.
fn by(table: &Table, name: &str) -> Result<Column, Refusal> {
    table.column(name).cloned().ok_or_else(|| {
        let columns = table.columns.iter().map(|column| &column.name);
        let all: Vec<&String> = columns.filter(|name| !name.starts_with(RESERVED)).collect();
        let names = all.iter().take(MAX_NAMES).map(|name| shown(name, SHOWN));
        let names: Vec<String> = names.collect();
        let more = if all.len() > MAX_NAMES { ", …" } else { "" };
        Refusal::Rows(format!(
            "there is no column '{}' to slice the test rows by: they have {}{more}",
            shown(name, SHOWN),
            names.join(", ")
        ))
    })
}
