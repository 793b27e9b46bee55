//! The raw train rows: what is learned from, and what of them is kept.

use std::collections::BTreeSet;

use septet_kit::{
    bundle::TRAIN_ROW,
    preprocessing::Input,
    table::{Column, ROW, Table, Values},
};

use crate::{
    notes::listed,
    parameters::{AskedSplit, Parameters},
};

/// Raw train rows that a bundle records.
const SAMPLE: usize = 32;

/// The columns to learn from: all but the target, the line, and those that have another role.
pub(crate) fn learned_from(
    mut train: Table,
    parameters: &Parameters,
    notes: &mut Vec<String>,
) -> Table {
    let out: BTreeSet<&str> = parameters
        .roles()
        .filter(|(role, _)| *role != "time" || parameters.kind() == AskedSplit::Time)
        .map(|(_, name)| name.as_str())
        .collect();
    if !out.is_empty() {
        notes.push(format!(
            "no features, because they have another role or are dropped: {}",
            listed(out.iter().copied())
        ));
    }
    train.columns.retain(|column| {
        let name = column.name.as_str();
        name != ROW && name != parameters.target && !out.contains(name)
    });
    train
}

/// Names and kinds of the columns that serving will need.
pub(crate) fn inputs_of(raw: &Table) -> Vec<Input> {
    raw.columns
        .iter()
        .map(|column| Input {
            name: column.name.clone(),
            kind: column.values.kind(),
            nullable: !column.nulls.is_empty(),
        })
        .collect()
}

/// Rows spread evenly over the train rows, with their numbers.
pub(crate) fn sample(raw: &Table) -> Table {
    let count = raw.rows.min(SAMPLE);
    let order: Vec<u32> = (0..count)
        .map(|number| (number * raw.rows / count) as u32)
        .collect();
    let mut sample = raw.take(&order);
    sample.columns.push(Column {
        name: TRAIN_ROW.to_owned(),
        values: Values::Integers(order.iter().copied().map(i64::from).collect()),
        nulls: Vec::new(),
    });
    sample
}

/// Only the columns of these names, and the number of the train row.
pub(crate) fn keep(mut table: Table, names: &[&str]) -> Table {
    table
        .columns
        .retain(|column| column.name == TRAIN_ROW || names.contains(&column.name.as_str()));
    table
}
