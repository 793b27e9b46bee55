//! Rows of a file, to try a transform or a model on.
//!
//! They are read by the component of ingest, as the rows of a run are: what a transform is tried on has
//! the kinds that it will meet.

use std::{io::Cursor, path::Path};

use anyhow::{Context as _, anyhow, bail, ensure};
use septet::{
    contract::{Artifact, Call, Disposition, Origin as CallOrigin, Stage},
    stage::Control,
};
use septet_kit::{
    arrow,
    table::{RESERVED, Table},
};

use super::{session::Session, source};

/// Rows that are taken of the file, from its beginning: more than enough to show that a transform
/// depends on its batch, and few enough to be applied one by one.
const ROWS: usize = 1000;

/// Bytes of a batch, about: half of what the contract allows, because columns may be added.
const BATCH: usize = 8 << 20;

/// The largest table that is read, in bytes.
const MAX_TABLE: u64 = 256 << 20;

/// A file as ingest's table.
pub(crate) async fn table(session: &Session, path: &Path) -> anyhow::Result<Artifact> {
    let shown = path.display();
    source::check(path)?;
    let store = session.pipeline.store();
    let input = source::add(store, path, "source", source::media_type(path)).await?;
    let call = Call {
        stage: Stage::Ingest,
        component: session.component(Stage::Ingest)?,
        inputs: vec![input],
        aliases: Vec::new(),
        parameters: "{}".to_owned(),
        seed: 0,
        infer: session.component(Stage::Infer)?,
        transforms: Vec::new(),
        origin: CallOrigin {
            run: "sample".to_owned(),
            unit: 0,
            attempt: 1,
        },
    };
    let executed = session.stages.execute(call, &Control::new()).await?;
    let outcome = match executed.disposition {
        Disposition::Ok(outcome) => outcome,
        Disposition::Rejected { reason } => bail!("{shown}: {reason}"),
        Disposition::Retry { reason, .. } | Disposition::Failed { reason, .. } => {
            bail!("{shown}: ingest failed: {reason}")
        }
    };
    let table = outcome
        .outputs
        .into_iter()
        .find(|output| output.name == "table");
    table.with_context(|| format!("{shown}: ingest made no table of it"))
}

/// The first rows of a file.
pub(crate) async fn read(session: &Session, path: &Path) -> anyhow::Result<Table> {
    let shown = path.display();
    let table = table(session, path).await?;
    let store = session.pipeline.store();
    let bytes = store.blobs.get(&table.digest, MAX_TABLE).await;
    let bytes =
        bytes.with_context(|| format!("{shown} is too large for a sample: give fewer rows"))?;
    let mut reader = arrow::Reader::open(Cursor::new(bytes))
        .map_err(|reason| anyhow!("{shown}: what ingest made of it can't be read: {reason}"))?;
    let first = reader.next_table();
    let first = first
        .map_err(|reason| anyhow!("{shown}: what ingest made of it can't be read: {reason}"))?;
    let mut sample = first.unwrap_or_default().slice(0, ROWS);
    // Wide rows make small batches, as in a run.
    while sample.rows > 1 && sample.bytes() > BATCH {
        sample = sample.slice(0, sample.rows / 2);
    }
    ensure!(
        sample.rows > 0,
        "{shown} has no rows that ingest takes: give others"
    );
    sample
        .columns
        .retain(|column| !column.name.starts_with(RESERVED));
    Ok(sample)
}
