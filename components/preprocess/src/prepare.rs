//! The whole of it: one table to train rows, test rows and a fitted preprocessing.

use std::collections::BTreeMap;

use septet_kit::{
    drift::Reference,
    preprocessing::{Preprocessing, Task},
    split::Split,
    table::Table,
    transform,
};

use crate::{
    fit::plan::fit,
    leak,
    notes::rows,
    parameters::Parameters,
    raw::{inputs_of, keep, learned_from, sample},
    sides::{self, check_sides, in_use, picked, rows_of, usable, with_units},
    split::decide::{Side, decide as decide_sides},
    target::{class_counts, decide, find, numbers, positive},
    weights::weigh,
};

/// What a table became.
pub struct Prepared {
    /// Raw rows for the test, with target, line and unit.
    pub test: Table,
    /// Some raw train rows without the target, with their numbers among the train rows.
    pub sample: Table,
    /// Counts of the raw train rows.
    pub reference: Reference,
    /// What was fitted.
    pub preprocessing: Preprocessing,
    /// The split in force, for the next version.
    pub split: Split,
    /// Rows that come again.
    pub duplicates: usize,
    /// For the reader of the report.
    pub notes: Vec<String>,
    /// The train rows after the transforms.
    pub(crate) train: Table,
    /// One a train row, as are all that follow.
    pub(crate) target: Vec<f64>,
    pub(crate) units: Vec<f64>,
    pub(crate) weights: Option<Vec<f64>>,
}

/// Splits and fits. `tests` are the rows for the test where they come from files of their own,
/// with the columns of `table`; `pinned` is the split that an earlier version made; `call` passes
/// a batch through a transform.
pub fn prepare(
    mut table: Table,
    tests: Option<Table>,
    parameters: &Parameters,
    pinned: Option<Split>,
    call: impl FnMut(&str, Table) -> Result<Table, String>,
) -> Result<Prepared, String> {
    parameters.check()?;
    let mut notes = Vec::new();
    in_use(&mut table, parameters, &mut notes)?;
    let target = find(&table, "target", &parameters.target)?;
    let (task, note) = decide(target, parameters.task)?;
    notes.extend(note);

    let made = pinned.is_none();
    let decided = decide_sides(&table, tests.as_ref(), task, parameters, pinned)?;
    notes.extend(decided.notes);
    notes.extend(duplicates_told(decided.duplicates));
    let of = |wanted| rows_of(&decided.sides, wanted);
    let order = of(Side::Train);
    let units = picked(&decided.units, &order);
    let train = table.take(&order);
    let test = if let Some(tests) = tests {
        let units = decided.test_units.unwrap_or_default();
        let mut tests = with_units(tests, units, &mut notes);
        // A row that tests nothing has kept its equals out of the training all the same.
        usable(&mut tests, parameters, &mut notes)?;
        tests
    } else {
        let order = of(Side::Test);
        let units = picked(&decided.units, &order);
        with_units(table.take(&order), units, &mut notes)
    };
    drop(table);

    let train_target = find(&train, "target", &parameters.target)?;
    let counts = match task {
        Task::Classification => class_counts(train_target),
        Task::Regression => BTreeMap::new(),
    };
    let (classes, class_counts): (Vec<_>, Vec<_>) = counts.into_iter().unzip();
    let split = sides::Split {
        rule: &decided.split.rule,
        share: decided.split.test_share,
        made,
        target: &parameters.target,
    };
    let test = check_sides(&train, test, task, &classes, &split, &mut notes)?;
    let target = numbers(train_target, task, &classes)?;
    let target_mean = match task {
        Task::Classification => 0.0,
        Task::Regression => target.iter().sum::<f64>() / target.len().max(1) as f64,
    };
    let asked = parameters.positive.as_deref();
    let (positive, note) = positive(asked, task, &classes, &class_counts)?;
    notes.extend(note);
    let weights = weigh(&train, parameters, task, &target, &class_counts)?;

    let raw = learned_from(train, parameters, &mut notes);
    let inputs = inputs_of(&raw);
    // Without transforms, what is served needs no column that was left out.
    let all_needed = !parameters.transforms.is_empty();
    let reference = Reference::fit(&raw, &[]);
    let sample = sample(&raw);
    let train = transform::apply(raw, &parameters.transforms, &parameters.target, call)?;
    let plan = fit(&train, parameters)?;
    notes.extend(plan.notes);
    notes.extend(leak::warning(&train, &plan.columns, task, &target));
    let inputs: Vec<_> = inputs
        .into_iter()
        .filter(|input| all_needed || plan.columns.iter().any(|f| f.column == input.name))
        .collect();
    let names: Vec<_> = inputs.iter().map(|input| input.name.as_str()).collect();
    let reference = reference.only(&names);
    let sample = keep(sample, &names);

    let preprocessing = Preprocessing {
        task,
        target: parameters.target.clone(),
        classes,
        class_counts,
        target_mean,
        positive,
        folds: decided.folds,
        weighted: weights.is_some(),
        inputs,
        transforms: parameters.transforms.clone(),
        columns: plan.columns,
        features: plan.features,
    };
    Ok(Prepared {
        test,
        sample,
        reference,
        preprocessing,
        split: decided.split,
        duplicates: decided.duplicates,
        notes,
        train,
        target,
        units,
        weights,
    })
}

fn duplicates_told(count: usize) -> Option<String> {
    match count {
        0 => None,
        1 => Some("1 row is equal to another one of the data".to_owned()),
        count => Some(format!(
            "{} are equal to another one of the data",
            rows(count)
        )),
    }
}

#[cfg(test)]
pub(crate) mod tests;
