//! A user transform in its sandbox: no capability, the guarded engine, limits of its own, and
//! what it gives is held to what it said of itself.
//!
//! Every batch has an instance of its own, made from the same image: what a transform remembers of
//! one batch is gone before the next, so that it can't depend on what it was given before, nor tell
//! one customer of another's rows. From the pool that costs half a millisecond, and 1.5 for Python.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    catalog::{Exports, Prepared},
    ended::Ended,
    instance::{Around, Open, Share},
    limits::{Exceeded, Limits},
};
use crate::capability::{
    Scope,
    bindings::exports::septet::transform::transform::{Description, Error, Guest},
    clean,
    log::Sink,
    table::{self, kind, kind_name},
    tables::{Column, Kind, Table},
    transforms::Refusal,
};

/// A user transform that has said what it is.
pub(crate) struct Transform {
    prepared: Arc<Prepared>,
    around: Around,
    share: Share,
    /// One for all batches: what a transform may write is counted for the whole call.
    log: Sink,
    description: Description,
    /// The most linear memory that one of its instances had, in bytes.
    peak: u64,
}

impl Transform {
    /// Asks the transform what it is.
    pub(crate) async fn open(prepared: Arc<Prepared>, around: &Around) -> Result<Self, Ended> {
        let name = format!("transform {}", prepared.digest.short());
        let log = around.log(name);
        let share = Share::transform(&around.limits);
        let mut open = instance(&prepared, around, &share, &log);
        let described = async {
            let guest = guest(&mut open, &prepared).await?;
            guest.call_describe(&mut open.store).await
        };
        let description = match described.await {
            Ok(description) => description,
            Err(error) => return Err(open.ended(error)),
        };
        bound(&description, &around.limits).map_err(Ended::Limit)?;
        Ok(Self {
            prepared,
            around: around.clone(),
            share,
            log,
            description,
            peak: 0,
        })
    }

    /// What it says of itself.
    pub(crate) const fn description(&self) -> &Description {
        &self.description
    }

    /// The most linear memory that a batch took so far, in bytes.
    pub(crate) const fn peak(&self) -> u64 {
        self.peak
    }

    /// Takes into account what another of its kind took.
    pub(crate) fn remember_peak(&mut self, peak: u64) {
        self.peak = self.peak.max(peak);
    }

    /// Begins another call of whoever applies this transform.
    pub(crate) fn renew(&mut self) {
        self.log.renew(&self.around.limits);
    }

    /// The batch through a fresh instance; both are held to the contract.
    pub(crate) async fn apply(
        &mut self,
        mut batch: Table,
    ) -> Result<Result<Table, Refusal>, Ended> {
        if let Err(reason) = check_needs(&self.description, &batch) {
            return Ok(Err(Refusal::Rejected(reason)));
        }
        let limits = &self.around.limits;
        let expected = expected(&self.description, &batch);
        // A slot that counts for nothing must carry nothing: not what was in it before.
        table::canonicalize(&mut batch);
        table::compact(&mut batch);
        self.log.forget();
        let mut open = instance(&self.prepared, &self.around, &self.share, &self.log);
        let applied = async {
            let guest = guest(&mut open, &self.prepared).await?;
            guest.call_apply(&mut open.store, &batch).await
        };
        let applied = applied.await;
        self.peak = self.peak.max(open.store.data().limiter.peak());
        let mut given = match applied {
            Ok(Ok(given)) => given,
            Ok(Err(error)) => {
                let reason = rejection(&error, limits.text_bytes);
                return Ok(Err(Refusal::Rejected(reason)));
            }
            Err(error) => return Err(open.ended(error)),
        };
        if let Err(problem) = table::check(&given, limits) {
            return Ok(Err(match problem {
                table::Problem::Limit(limit) => Refusal::Limit(limit.to_string()),
                table::Problem::Malformed(what) => Refusal::Other(format!("the transform: {what}")),
            }));
        }
        if let Err(problem) = check_given(&given, batch.rows, &expected) {
            let name = clean(&self.description.name, 80);
            return Ok(Err(Refusal::Other(format!("transform '{name}' {problem}"))));
        }
        table::canonicalize(&mut given);
        Ok(Ok(given))
    }
}

/// A store for one call of the transform.
fn instance(prepared: &Prepared, around: &Around, share: &Share, log: &Sink) -> Open {
    let session = around.session(log.clone(), Scope::default(), share);
    Open::new(prepared, session, share, &around.pulse)
}

async fn guest(open: &mut Open, prepared: &Prepared) -> wasmtime::Result<Guest> {
    let Exports::Transform(indices) = &prepared.exports else {
        return Err(wasmtime::Error::msg("it is not a user transform"));
    };
    let instance = open.instantiate(prepared).await?;
    indices.load(&mut open.store, &instance)
}

pub(super) fn bound(description: &Description, limits: &Limits) -> Result<(), Exceeded> {
    let Description {
        name,
        version,
        needs,
        adds,
        removes,
    } = description;
    let columns = needs.len().max(adds.len()).max(removes.len()) as u64;
    Exceeded::check("batch_columns", limits.batch_columns, columns)?;
    let fields = needs.iter().chain(adds).map(|field| &field.name);
    for name in fields.chain(removes).chain([name, version]) {
        Exceeded::check("name_bytes", limits.name_bytes, name.len() as u64)?;
    }
    Ok(())
}

/// A batch without a column that the transform needs is not passed to it.
pub(super) fn check_needs(description: &Description, batch: &Table) -> Result<(), String> {
    let name = clean(&description.name, 80);
    for field in &description.needs {
        let column = batch
            .columns
            .iter()
            .find(|column| column.name == field.name);
        let (wanted, needed) = (clean(&field.name, 80), kind_name(field.kind));
        match column.map(|column| kind(&column.values)) {
            Some(found) if found == field.kind => {}
            Some(found) => {
                return Err(format!(
                    "transform '{name}' needs column '{wanted}' as {needed}, not as {}",
                    kind_name(found)
                ));
            }
            None => {
                return Err(format!(
                    "transform '{name}' needs column '{wanted}' ({needed}), which is not there"
                ));
            }
        }
    }
    Ok(())
}

/// The columns that the transform has promised for this batch.
pub(super) fn expected(description: &Description, batch: &Table) -> BTreeMap<String, Kind> {
    let mut expected: BTreeMap<String, Kind> = batch
        .columns
        .iter()
        .filter(|column| !description.removes.contains(&column.name))
        .map(|column| (column.name.clone(), kind(&column.values)))
        .collect();
    for field in &description.adds {
        expected.insert(field.name.clone(), field.kind);
    }
    expected
}

pub(super) fn check_given(
    given: &Table,
    rows: u32,
    expected: &BTreeMap<String, Kind>,
) -> Result<(), String> {
    if given.rows != rows {
        return Err(format!(
            "gave {} rows for {rows}; it must keep them",
            given.rows
        ));
    }
    for Column { name, values, .. } in &given.columns {
        let shown = clean(name, 80);
        match expected.get(name) {
            None => return Err(format!("gave column '{shown}', which it does not declare")),
            Some(wanted) if *wanted != kind(values) => {
                return Err(format!(
                    "gave column '{shown}' as {}, where {} is declared",
                    kind_name(kind(values)),
                    kind_name(*wanted)
                ));
            }
            Some(_) => {}
        }
    }
    // Names are unique, so equal counts mean that none is missing.
    if given.columns.len() < expected.len() {
        let lacks = |name: &&String| given.columns.iter().all(|column| column.name != **name);
        let missing = expected.keys().find(lacks).map(String::as_str);
        let shown = clean(missing.unwrap_or_default(), 80);
        return Err(format!("took column '{shown}' away without declaring it"));
    }
    Ok(())
}

/// The transform's own words, in one bounded line.
pub(super) fn rejection(error: &Error, limit: u64) -> String {
    let text = match error {
        Error::MissingColumn(column) => format!("column '{column}' is missing"),
        Error::WrongKind(mismatch) => format!(
            "column '{}' has {} where {} are needed",
            mismatch.column,
            kind_name(mismatch.found),
            kind_name(mismatch.expected)
        ),
        Error::Rejected(rejection) => {
            let row = rejection.row.map(|row| format!("row {row} of the batch"));
            let column = rejection.column.as_ref().map(|c| format!("column '{c}'"));
            let place: Vec<String> = row.into_iter().chain(column).collect();
            if place.is_empty() {
                rejection.reason.clone()
            } else {
                format!("{}: {}", place.join(", "), rejection.reason)
            }
        }
    };
    clean(&text, limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::{
        bindings::exports::septet::transform::transform::{Field, Rejection},
        tables::Values,
    };

    fn field(name: &str, kind: Kind) -> Field {
        Field {
            name: name.to_owned(),
            kind,
        }
    }

    fn description() -> Description {
        Description {
            name: "ratio".to_owned(),
            version: "1".to_owned(),
            needs: vec![field("a", Kind::Floats)],
            adds: vec![field("b", Kind::Integers)],
            removes: vec!["c".to_owned()],
        }
    }

    fn table(columns: &[(&str, Values)]) -> Table {
        let columns = columns.iter().map(|(name, values)| Column {
            name: (*name).to_owned(),
            values: values.clone(),
            nulls: Vec::new(),
        });
        Table {
            rows: 1,
            columns: columns.collect(),
        }
    }

    fn one() -> Values {
        Values::Floats(vec![1.0])
    }

    #[test]
    fn a_batch_without_what_is_needed_is_not_passed() {
        check_needs(&description(), &table(&[("a", one())])).unwrap();
        let missing = check_needs(&description(), &table(&[])).unwrap_err();
        assert_eq!(
            missing,
            "transform 'ratio' needs column 'a' (floats), which is not there"
        );
        let texts = Values::Texts(vec![String::new()]);
        let retyped = check_needs(&description(), &table(&[("a", texts)])).unwrap_err();
        assert!(retyped.ends_with("as floats, not as texts"), "{retyped}");
    }

    #[test]
    fn what_it_gives_is_what_it_declared() {
        let batch = table(&[("a", one()), ("c", one())]);
        let expected = expected(&description(), &batch);
        let given =
            |columns: &[(&str, Values)], rows| check_given(&table(columns), rows, &expected);
        let b = || ("b", Values::Integers(vec![1]));
        assert_eq!(given(&[("a", one()), b()], 1), Ok(()));
        assert!(given(&[("a", one()), b()], 2).unwrap_err().contains("rows"));
        assert!(
            given(&[("a", one())], 1)
                .unwrap_err()
                .contains("took column 'b' away")
        );
        assert!(
            given(&[("a", one()), ("b", one())], 1)
                .unwrap_err()
                .contains("as floats, where integers is declared")
        );
        assert!(
            given(&[("a", one()), b(), ("c", one())], 1)
                .unwrap_err()
                .contains("'c', which it does not declare")
        );
    }

    #[test]
    fn rejections_name_the_place() {
        let error = Error::Rejected(Rejection {
            row: Some(3),
            column: Some("a".to_owned()),
            reason: "negative\nlength".to_owned(),
        });
        assert_eq!(
            rejection(&error, 100),
            "row 3 of the batch, column 'a': negative length"
        );
    }
}
