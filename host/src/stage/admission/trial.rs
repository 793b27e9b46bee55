//! The calls that are made of a transform, and what must be the same in all of them.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use septet_kit::table::{RESERVED, Table};

use super::{
    report::{Column, NotAdmitted, TransformReport, Unusual},
    rows::{changed, difference, shown, to_kit, to_wit},
    sample,
};
use crate::{
    capability::{
        bindings::exports::septet::transform::transform::{Description, Field},
        clean,
        table::{canonicalize, kind_name},
        transforms::Refusal,
    },
    stage::{
        Inert, catalog::Prepared, ended::Ended, fit::Shape, instance::Around, transform::Transform,
    },
};

/// Rows that are applied one by one, at most: each is a call in an instance of its own.
const SINGLE: usize = 256;

/// Rows that were rejected and are tried again elsewhere, at most.
const AGAIN: usize = 32;

/// What follows from a refusal on rows that were made up.
const ADVICE: &str = "; if your data have no such rows, show it some of them with --sample";

/// Another time and other chance than the usual ones.
const OTHER: Inert = Inert {
    seed: 0x005e_97e7,
    clock: 1_900_000_000,
};

/// One transform that is tried.
pub(crate) struct Trial {
    prepared: Arc<Prepared>,
    around: Around,
    transform: Transform,
    /// Whether the rows are a user's.
    given: bool,
    /// Rows that it did not take alone, some of them.
    rejected: Table,
}

impl Trial {
    /// Asks the transform what it is, twice and under two clocks.
    async fn begin(
        prepared: Arc<Prepared>,
        around: Around,
        given: bool,
    ) -> Result<Self, NotAdmitted> {
        let open = |inert: Inert| {
            let around = Around {
                inert,
                ..around.clone()
            };
            let prepared = Arc::clone(&prepared);
            async move { Transform::open(prepared, &around).await }
        };
        let transform = open(around.inert).await.map_err(ended)?;
        let other = open(OTHER).await.map_err(ended)?;
        // The bindings' types can't be compared.
        let told = |transform: &Transform| format!("{:?}", transform.description());
        if told(&transform) != told(&other) {
            return Err(refused(
                "it says something else of itself when it is asked again, at another time"
                    .to_owned(),
            ));
        }
        declared(transform.description())?;
        Ok(Self {
            prepared,
            around,
            transform,
            given,
            rejected: Table::default(),
        })
    }

    /// Tries the transform on `sample`, or on rows made up from what it needs.
    pub(crate) async fn run(
        (prepared, size): (Arc<Prepared>, u64),
        around: Around,
        sample: Option<Table>,
    ) -> Result<TransformReport, NotAdmitted> {
        let mut trial = Self::begin(prepared, around, sample.is_some()).await?;
        let needs = trial.transform.description().needs.clone();
        let sample = sample.unwrap_or_else(|| sample::ordinary(&needs));
        let (rows, rejected, rejection) = trial.accepted(&sample).await?;
        let begun = Instant::now();
        let whole = trial.whole(&rows).await?;
        let seconds = begun.elapsed().as_secs_f64();
        // What says most comes first: who reads a clock fails in other batches as well.
        let usual = trial.around.inert;
        let (seed, clock) = (OTHER.seed, OTHER.clock);
        let later = Inert { clock, ..usual };
        let why = "on the clock: it gives something else at another time";
        trial.elsewhen(&rows, &whole, later, why).await?;
        let chance = Inert { seed, ..usual };
        let why = "on random numbers, as the order of a hash map does: it gives something else under \
                   another chance";
        trial.elsewhen(&rows, &whole, chance, why).await?;
        trial.untouched(&rows, &whole)?;
        trial.compare(&rows, &whole).await?;
        let unusual = if trial.given {
            None
        } else {
            Some(trial.unusual(&sample::unusual(&needs)).await?)
        };
        let described = trial.transform.description();
        Ok(TransformReport {
            component: trial.prepared.digest,
            size,
            name: clean(&described.name, 255),
            version: clean(&described.version, 255),
            imports: Shape::all_imports(
                trial.prepared.pre.engine(),
                trial.prepared.pre.component(),
            ),
            needs: described.needs.iter().map(column).collect(),
            adds: described.adds.iter().map(column).collect(),
            removes: described
                .removes
                .iter()
                .map(|name| clean(name, 255))
                .collect(),
            given: trial.given,
            rows: sample.rows as u64,
            rejected,
            rejection,
            unusual,
            seconds_per_1000_rows: seconds / rows.rows.max(1) as f64 * 1000.0,
            peak_memory_bytes: trial.transform.peak(),
        })
    }

    /// The rows that the transform takes, how many it does not, and why not the first of these.
    async fn accepted(
        &mut self,
        sample: &Table,
    ) -> Result<(Table, u64, Option<String>), NotAdmitted> {
        if self.apply(sample).await?.is_ok() {
            return Ok((sample.clone(), 0, None));
        }
        // Which rows they are, only single rows can tell.
        let (mut kept, mut left, mut first) = (Vec::new(), Vec::new(), None);
        let looked = 0..sample.rows.min(SINGLE) as u32;
        for row in looked.clone() {
            match self.apply(&sample.take(&[row])).await? {
                Ok(_) => kept.push(row),
                Err(reason) => {
                    first.get_or_insert(reason);
                    left.push(row);
                }
            }
        }
        let rejected = looked.len() as u64 - kept.len() as u64;
        let first = first.unwrap_or_else(|| "it takes every one of them alone".to_owned());
        if kept.is_empty() {
            let what = if self.given {
                "sample's rows"
            } else {
                "rows that were made up for it"
            };
            return Err(self.refused(format!("it takes none of the {what}: {first}")));
        }
        left.truncate(AGAIN);
        self.rejected = sample.take(&left);
        Ok((sample.take(&kept), rejected, Some(first)))
    }

    /// All rows at once.
    async fn whole(&mut self, rows: &Table) -> Result<Table, NotAdmitted> {
        match self.apply(rows).await? {
            Ok(whole) => Ok(whole),
            Err(reason) => Err(self.refused(format!(
                "it takes rows one by one that it does not take together: {reason}"
            ))),
        }
    }

    /// The same rows again, in two batches, in another order and one by one.
    async fn compare(&mut self, rows: &Table, whole: &Table) -> Result<(), NotAdmitted> {
        let count = rows.rows as u32;
        let all: Vec<u32> = (0..count).collect();
        // Odd numbers of rows, so that nothing falls into step.
        let (first, second) = all.split_at(all.len() / 3);
        // A fixed order in which no row stays where it was, nor beside the one that it was beside.
        let mut shuffled = all.clone();
        shuffled.sort_by_key(|row| (u64::from(*row) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut tried: Vec<(&str, Vec<u32>)> = vec![
            ("the same batch is applied again", all.clone()),
            ("the batch is split", first.to_vec()),
            ("the batch is split", second.to_vec()),
            ("the rows come in another order", shuffled),
            // Where no row is left of a file, its columns still count.
            ("a batch has no rows", Vec::new()),
        ];
        let step = all.len().div_ceil(SINGLE).max(1);
        let single = all.iter().step_by(step);
        tried.extend(single.map(|row| ("a row comes alone", vec![*row])));
        for (when, order) in tried {
            let part = match self.apply(&rows.take(&order)).await? {
                Ok(part) => part,
                Err(reason) => {
                    return Err(self.refused(format!(
                        "it depends on the batch: rows that it takes together it does not take when \
                         {when}: {reason}"
                    )));
                }
            };
            if let Some(place) = difference(whole, &order, &part) {
                return Err(self.refused(format!(
                    "it depends on the batch: it gives other values when {when}; {place}"
                )));
            }
        }
        Ok(())
    }

    /// The same batch at another time or under another chance, which on other hosts are real. What
    /// was rejected must be rejected again, too.
    async fn elsewhen(
        &mut self,
        rows: &Table,
        whole: &Table,
        inert: Inert,
        why: &str,
    ) -> Result<(), NotAdmitted> {
        let around = Around {
            inert,
            ..self.around.clone()
        };
        let other = Transform::open(Arc::clone(&self.prepared), &around).await;
        let usual = std::mem::replace(&mut self.transform, other.map_err(ended)?);
        let differs = self.differs(rows, whole).await;
        let other = std::mem::replace(&mut self.transform, usual);
        self.transform.remember_peak(other.peak());
        match differs? {
            None => Ok(()),
            Some(place) => Err(self.refused(format!("it depends {why}; {place}"))),
        }
    }

    /// Where the same rows are not what they were before.
    async fn differs(
        &mut self,
        rows: &Table,
        whole: &Table,
    ) -> Result<Option<String>, NotAdmitted> {
        let all: Vec<u32> = (0..rows.rows as u32).collect();
        let place = match self.apply(rows).await? {
            Ok(given) => difference(whole, &all, &given),
            Err(reason) => Some(format!("rows that it took are rejected: {reason}")),
        };
        if place.is_some() {
            return Ok(place);
        }
        let rejected = self.rejected.clone();
        for row in 0..rejected.rows as u32 {
            if self.apply(&rejected.take(&[row])).await?.is_ok() {
                return Ok(Some("a row that it rejected is taken".to_owned()));
            }
        }
        Ok(None)
    }

    /// Columns that the transform does not name must be left as they are: nobody who reads what it
    /// says of itself would look for a change there.
    fn untouched(&self, rows: &Table, whole: &Table) -> Result<(), NotAdmitted> {
        let Description {
            needs,
            adds,
            removes,
            ..
        } = self.transform.description();
        let named = |name: &String| {
            let mut fields = needs.iter().chain(adds);
            fields.any(|field| field.name == *name) || removes.contains(name)
        };
        let mut before = rows.clone();
        before.columns.retain(|column| !named(&column.name));
        // What comes back is canonical and spelled out, and this is compared with it.
        let mut before = to_wit(&before);
        canonicalize(&mut before);
        let before = to_kit(before);
        let all: Vec<u32> = (0..rows.rows as u32).collect();
        match changed(&before, &all, whole) {
            None => Ok(()),
            Some(place) => Err(self.refused(format!(
                "it changes a column that it does not name in needs, adds or removes; {place}"
            ))),
        }
    }

    /// Unusual rows one by one. That one ends the transform is told and no refusal: whether there
    /// are such rows, their owner knows.
    async fn unusual(&mut self, rows: &Table) -> Result<Unusual, NotAdmitted> {
        let mut told = Unusual {
            rows: rows.rows as u64,
            ..Unusual::default()
        };
        for row in 0..rows.rows as u32 {
            let one = rows.take(&[row]);
            match self.applied(&one).await {
                Ok(Ok(_)) => {}
                Ok(Err(Refusal::Rejected(_))) => told.rejected += 1,
                Ok(Err(Refusal::Limit(reason) | Refusal::Other(reason))) => {
                    told.fail(&one, &reason);
                }
                Ok(Err(Refusal::Unknown)) => told.fail(&one, "it is unknown"),
                Err(error @ (Ended::Limit(_) | Ended::Trap(_))) => {
                    told.fail(&one, &error.to_string());
                }
                Err(error) => return Err(ended(error)),
            }
        }
        Ok(told)
    }

    /// The batch through the transform: the inner error is a rejection, the outer one a refusal of
    /// the transform itself.
    async fn apply(&mut self, batch: &Table) -> Result<Result<Table, String>, NotAdmitted> {
        match self.applied(batch).await.map_err(ended)? {
            Ok(given) => Ok(Ok(given)),
            Err(Refusal::Rejected(reason)) => Ok(Err(reason)),
            Err(Refusal::Unknown) => Err(refused("it is unknown".to_owned())),
            Err(Refusal::Limit(reason) | Refusal::Other(reason)) => Err(self.refused(reason)),
        }
    }

    async fn applied(&mut self, batch: &Table) -> Result<Result<Table, Refusal>, Ended> {
        self.around
            .pulse
            .check()
            .map_err(|error| Ended::from_error(error, ""))?;
        // What it may write to its log is counted for each batch, as in a run.
        self.transform.renew();
        let given = self.transform.apply(to_wit(batch)).await?;
        Ok(given.map(to_kit))
    }

    fn refused(&self, reason: String) -> NotAdmitted {
        let advice = if self.given { "" } else { ADVICE };
        refused(reason + advice)
    }
}

impl Unusual {
    /// Counts a row that came to no answer.
    fn fail(&mut self, row: &Table, how: &str) {
        self.failed += 1;
        self.failure.get_or_insert_with(|| {
            let values = row.columns.iter().take(8);
            let values: Vec<String> = values
                .map(|column| format!("{} = {}", clean(&column.name, 40), shown(column, 0)))
                .collect();
            clean(&format!("{}: {how}", values.join(", ")), 600)
        });
    }
}

fn refused(reason: String) -> NotAdmitted {
    NotAdmitted::Refused(reason)
}

/// What can be seen of a description before a row is passed.
fn declared(description: &Description) -> Result<(), NotAdmitted> {
    for (what, fields) in [("needs", &description.needs), ("adds", &description.adds)] {
        let mut names = BTreeSet::new();
        for Field { name, .. } in fields {
            let shown = clean(name, 80);
            if name.is_empty() {
                return Err(refused(format!("it {what} a column without a name")));
            }
            if !names.insert(name) {
                return Err(refused(format!("it {what} column '{shown}' twice")));
            }
            if name.starts_with(RESERVED) {
                return Err(refused(format!(
                    "it {what} column '{shown}': names that begin with {RESERVED} are septet's own"
                )));
            }
        }
    }
    Ok(())
}

/// What the end of a trial means.
fn ended(ended: Ended) -> NotAdmitted {
    match ended {
        Ended::Host(error) => NotAdmitted::Host(error),
        // Who began the trial knows why it was stopped.
        Ended::Stopped(stopped) => NotAdmitted::Host(anyhow::Error::new(stopped)),
        other => refused(other.to_string()),
    }
}

fn column(field: &Field) -> Column {
    Column {
        name: clean(&field.name, 255),
        kind: kind_name(field.kind).to_owned(),
    }
}
