//! The rule in force, from what is asked and what is pinned, and the side of each row.

use septet_kit::{
    preprocessing::{Folds, Task},
    show::shown,
    split::{FORMAT, Rule, Split, Window},
    table::{Column, RESERVED, Table, Values, timestamp_label},
};

use super::{file, key, rows, time};
use crate::{
    identity::{Digest, digests, repeated},
    notes,
    parameters::{AskedSplit, Parameters},
    target::find,
};

/// Share of the rows that is for the test where a user asks for none.
pub const TEST_SHARE: f64 = 0.2;

/// Where a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It is trained on.
    Train,
    /// It is tested on.
    Test,
    /// Neither.
    Out,
}

impl Side {
    pub(super) const fn of(test: bool) -> Self {
        if test { Self::Test } else { Self::Train }
    }
}

/// What was decided of the rows of a table.
#[derive(Debug)]
pub struct Decided {
    /// One a row.
    pub sides: Vec<Side>,
    /// By what a cross-validation cuts, one a row; see `septet_kit::preprocessing::UNIT`.
    pub units: Vec<f64>,
    /// The same of the rows of a file for the test; none where there is no such file.
    pub test_units: Option<Vec<f64>>,
    /// How it cuts.
    pub folds: Folds,
    /// The split in force, for the next version.
    pub split: Split,
    /// Rows that come again.
    pub duplicates: usize,
    /// For the reader of the report.
    pub notes: Vec<String>,
}

/// The side of each row of `table`: by the pinned split, or by one that is made now as `asked`.
/// `tests` are rows for the test from files of their own. The target has no nulls.
pub fn decide(
    table: &Table,
    tests: Option<&Table>,
    task: Task,
    asked: &Parameters,
    pinned: Option<Split>,
) -> Result<Decided, String> {
    if tests.is_some() != (asked.kind() == AskedSplit::File) {
        return Err(match tests {
            Some(_) => "there is a test file: ask for the split 'file'",
            None => "the split is 'file' but there is no test file",
        }
        .to_owned());
    }
    let mut notes = Vec::new();
    if let Some(pinned) = &pinned {
        agree(pinned, asked, &mut notes)?;
    }
    let all = digests(&identifying(table), table.rows);
    let duplicates = repeated(&all);
    let column = match asked.column() {
        Some((what, name)) => Some((what, find(table, what, name)?)),
        None => None,
    };
    let made = pinned.is_none();
    let now = Now {
        table,
        target: find(table, "target", &asked.target)?,
        task,
        share: pinned
            .as_ref()
            .map_or(asked.test_share.unwrap_or(TEST_SHARE), |p| p.test_share),
        all: &all,
    };
    let mut test_units = None;
    let (sides, units, folds, split) = match (asked.kind(), column) {
        (AskedSplit::Hash, None) => now.by_rows(pinned)?,
        (AskedSplit::Hash, Some((_, key))) => now.by_key(key, false, pinned, &mut notes)?,
        (AskedSplit::Group, Some((_, group))) => now.by_key(group, true, pinned, &mut notes)?,
        (AskedSplit::Time, Some((_, time))) => now.by_time(time, pinned, &mut notes)?,
        (AskedSplit::File, key) => {
            let tests = tests.ok_or(UNSOUND)?;
            let key = key.map(|(_, key)| key);
            let (found, theirs) = now.by_file(tests, key, pinned, &mut notes)?;
            test_units = Some(theirs);
            found
        }
        (AskedSplit::Group | AskedSplit::Time, None) => return Err(UNSOUND.to_owned()),
    };
    split.check()?;
    if made {
        notes.push(format!(
            "this version makes the split of the model's name, {}: later versions keep it",
            split.rule.told()
        ));
    }
    Ok(Decided {
        sides,
        units,
        test_units,
        folds,
        split,
        duplicates,
        notes,
    })
}

/// Sides and units of the rows, how a cross-validation cuts, and the split.
type Sides = (Vec<Side>, Vec<f64>, Folds, Split);
type Found = Result<Sides, String>;

/// The rows of this version.
struct Now<'a> {
    table: &'a Table,
    target: &'a Column,
    task: Task,
    share: f64,
    /// Digests of the rows by all columns.
    all: &'a [Digest],
}

impl Now<'_> {
    fn split(&self, rule: Rule) -> Split {
        Split {
            format: FORMAT,
            test_share: self.share,
            rule,
        }
    }

    fn names(&self) -> Vec<String> {
        let columns = identifying(self.table);
        columns.iter().map(|column| column.name.clone()).collect()
    }

    fn by_rows(&self, pinned: Option<Split>) -> Found {
        let make = || {
            self.split(rows::rule(
                &identifying(self.table),
                self.all,
                self.target,
                self.task,
                self.share,
            ))
        };
        let split = pinned.unwrap_or_else(make);
        let Rule::Rows {
            columns,
            floats,
            classes,
            threshold,
            ..
        } = &split.rule
        else {
            return Err(UNSOUND.to_owned());
        };
        for name in columns.iter().filter(|name| !floats.contains(name)) {
            let found = self.table.column(name);
            if let Some(row) = found.and_then(key::blurred) {
                return Err(format!(
                    "the column '{}' is now a float of more than 15 digits in row {}, by which \
                     the split of this model name can't tell rows: declare it as text in a schema \
                     or use another model name",
                    shown(name, 80),
                    self.table.line(row)
                ));
            }
        }
        let digests = row_digests(self.table, columns, self.all)?;
        let sides = rows::sides(&digests, self.target, classes, *threshold);
        Ok((sides, units(&digests), Folds::Rows, split))
    }

    fn by_key(
        &self,
        column: &Column,
        group: bool,
        pinned: Option<Split>,
        notes: &mut Vec<String>,
    ) -> Found {
        let what = if group { "group" } else { "key" };
        let keys = key::keys(self.table, column, what)?;
        let make = || {
            let (salt, threshold) = key::rule(&keys, column, self.target, self.task, self.share);
            let column = column.name.clone();
            self.split(if group {
                Rule::Group {
                    column,
                    salt,
                    threshold,
                }
            } else {
                Rule::Key {
                    column,
                    salt,
                    threshold,
                }
            })
        };
        let split = pinned.unwrap_or_else(make);
        let (Rule::Key {
            salt, threshold, ..
        }
        | Rule::Group {
            salt, threshold, ..
        }) = &split.rule
        else {
            return Err(UNSOUND.to_owned());
        };
        let sides = key::sides(&keys, column, *salt, *threshold);
        let out = sides.iter().filter(|side| **side == Side::Out).count();
        if out > 0 {
            notes.push(format!(
                "{} without a {what} '{}' left out",
                notes::rows(out),
                shown(&column.name, 80)
            ));
        }
        let folds = if group { Folds::Groups } else { Folds::Rows };
        Ok((sides, units(&keys), folds, split))
    }

    fn by_time(&self, column: &Column, pinned: Option<Split>, notes: &mut Vec<String>) -> Found {
        let moments = time::moments(column)?;
        let split = match pinned {
            Some(mut split) => {
                time::advance(&mut split.rule, &moments, self.share);
                split
            }
            None => self.split(time::rule(column, &moments, self.share)?),
        };
        let Rule::Time {
            cut,
            until,
            retired,
            ..
        } = &split.rule
        else {
            return Err(UNSOUND.to_owned());
        };
        let window = Window {
            after: *cut,
            until: *until,
        };
        let sides = time::sides(&moments, window, retired);
        let waiting = moments.iter().flatten().filter(|moment| **moment > *until);
        time_notes(column, &sides, window, waiting.count(), notes);
        let units = moments.iter().map(|m| m.unwrap_or_default() as f64);
        Ok((sides, units.collect(), Folds::Time, split))
    }

    /// Beside what the others give, the units of the file's rows.
    fn by_file(
        &self,
        tests: &Table,
        key: Option<&Column>,
        pinned: Option<Split>,
        notes: &mut Vec<String>,
    ) -> Result<(Sides, Vec<f64>), String> {
        let make = || {
            self.split(Rule::File {
                key: key.map(|column| column.name.clone()),
                columns: self.names(),
            })
        };
        let split = pinned.unwrap_or_else(make);
        let Rule::File { columns, .. } = &split.rule else {
            return Err(UNSOUND.to_owned());
        };
        let own = row_digests(self.table, columns, self.all)?;
        let theirs = row_digests(tests, columns, &[])?;
        let their_key = match key {
            Some(column) => Some(find(tests, "key", &column.name)?),
            None => None,
        };
        let tested = file::digests_of(tests, their_key, &theirs);
        let rows = file::digests_of(self.table, key, &own);
        let sides = file::sides(&rows, &tested);
        let out = sides.iter().filter(|side| **side == Side::Out).count();
        if out > 0 {
            notes.push(format!(
                "{} left out of the training, because the test file has {}",
                notes::rows(out),
                if key.is_some() { "their key" } else { "them" }
            ));
        }
        // A row without a key is compared as a whole, so it is a unit as a whole.
        let units = |rows: &[(bool, Digest)]| rows.iter().map(|(_, d)| d.unit()).collect();
        Ok(((sides, units(&rows), Folds::Rows, split), units(&tested)))
    }
}

const UNSOUND: &str = "the split's kind and columns do not fit each other";

/// Whether what is asked is what is pinned.
fn agree(pinned: &Split, asked: &Parameters, notes: &mut Vec<String>) -> Result<(), String> {
    let rule = &pinned.rule;
    let column = asked.column().map(|(_, name)| name);
    if rule.name() != asked.kind().name() || rule.column() != column {
        return Err(format!(
            "this model name is split {} since its first version, and not {}: ask for that split \
             or use another model name",
            rule.told(),
            asked.told()
        ));
    }
    if let Rule::Rows { target, .. } = rule
        && *target != asked.target
    {
        return Err(format!(
            "this model name is split by the classes of '{}' since its first version, and not of \
             '{}': use another model name",
            shown(target, 80),
            shown(&asked.target, 80)
        ));
    }
    if let Some(share) = asked.test_share
        && (share - pinned.test_share).abs() > f64::EPSILON
    {
        notes.push(format!(
            "test_share stays {}, as the first version of the model's name was asked, and does \
             not become {share}",
            pinned.test_share
        ));
    }
    Ok(())
}

/// All columns but ours.
fn identifying(table: &Table) -> Vec<&Column> {
    let columns = table.columns.iter();
    columns
        .filter(|column| !column.name.starts_with(RESERVED))
        .collect()
}

/// Digests of the rows by the split's columns; `all` are those by all columns.
fn row_digests(table: &Table, columns: &[String], all: &[Digest]) -> Result<Vec<Digest>, String> {
    let there = identifying(table);
    let same = all.len() == table.rows
        && there.len() == columns.len()
        && there
            .iter()
            .zip(columns)
            .all(|(column, name)| column.name == *name);
    if same {
        return Ok(all.to_vec());
    }
    let listed = columns
        .iter()
        .map(|name| {
            table.column(name).ok_or_else(|| {
                format!(
                    "the split of this model name is made with the column '{}', which the schema \
                     does not have: take it into the schema or use another model name",
                    shown(name, 80)
                )
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(digests(&listed, table.rows))
}

fn units(digests: &[Digest]) -> Vec<f64> {
    digests.iter().map(|digest| digest.unit()).collect()
}

fn time_notes(
    column: &Column,
    sides: &[Side],
    window: Window,
    waiting: usize,
    notes: &mut Vec<String>,
) {
    let name = shown(&column.name, 80);
    let count = |side| sides.iter().filter(|s| **s == side).count();
    let (test, out) = (count(Side::Test), count(Side::Out));
    let moment = |moment| match &column.values {
        Values::Timestamps(_) => timestamp_label(moment),
        _ => moment.to_string(),
    };
    notes.push(format!(
        "tested on {} with '{name}' after {}, up to {}",
        notes::rows(test),
        moment(window.after),
        moment(window.until)
    ));
    let nulls = column.nulls.len();
    if nulls > 0 {
        notes.push(format!(
            "{} without a time '{name}' left out",
            notes::rows(nulls)
        ));
    }
    if waiting > 0 {
        notes.push(format!(
            "{} later than that wait until they are enough to be trained and tested on",
            notes::rows(waiting)
        ));
    }
    if out > nulls + waiting {
        notes.push(format!(
            "{} left out, because earlier versions were tested on their time",
            notes::rows(out - nulls - waiting)
        ));
    }
}
