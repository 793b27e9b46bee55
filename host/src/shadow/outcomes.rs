//! Two outcomes of one call, output by output.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    artifact::File,
    bundles, effects, objects,
    rows::{Format, Rows, essence},
    tables::{self, Terms, Unread},
};
use crate::{
    contract::{Artifact, BUNDLE_TYPE, Call, Disposition, Executed, Outcome},
    pipeline::{Comparison, Difference, Rehearsed, Tolerance},
    stage::StageExecutor,
    store::{BlobError, Blobs},
};

/// How long the outputs of one call may take to compare.
const WITHIN: Duration = Duration::from_mins(10);

/// Holds what a shadow gave for a call against what counted. `stages` are those of this process.
pub(crate) async fn compare(
    stages: &StageExecutor,
    call: &Call,
    in_force: &Executed,
    shadow: &Rehearsed,
    tolerance: &Tolerance,
) -> anyhow::Result<Comparison> {
    let nothing = Outcome::default();
    let one = match &in_force.disposition {
        Disposition::Ok(outcome) => outcome,
        _ => &nothing,
    };
    let other = shadow.outcome().unwrap_or(&nothing);
    let Some(blobs) = &shadow.blobs else {
        let (one, other) = ((one, in_force), (other, &shadow.executed));
        return Ok(Comparison::by_bytes(tolerance, one, other));
    };
    let outputs = Outputs {
        stages: Arc::new(stages.over(Arc::clone(blobs))),
        blobs: Arc::clone(blobs),
        call,
        key: key(call).or_else(|| tolerance.key.clone()),
        tolerance: Arc::new(tolerance.clone()),
        deadline: Instant::now() + WITHIN,
    };
    let mut comparison = Comparison::default();
    for output in &one.outputs {
        let mut others = other.outputs.iter();
        match others.find(|there| there.name == output.name) {
            Some(there) if there.is_same(output) => {}
            Some(there) => comparison = outputs.compare(output, there, comparison).await?,
            None => comparison.differ(Difference::new(&output.name, &told(output), "nothing")),
        }
    }
    comparison.only(one, other);
    comparison.metrics(tolerance, one, other);
    effects::compare(in_force, &shadow.executed, tolerance, &mut comparison);
    Ok(comparison)
}

/// The column that the call's own parameters name as the one that says which row it is.
fn key(call: &Call) -> Option<String> {
    let parameters: Value = serde_json::from_str(&call.parameters).ok()?;
    Some(parameters.get("key")?.as_str()?.to_owned())
}

/// An output for people.
fn told(output: &Artifact) -> String {
    let (digest, media_type) = (output.digest.short(), &output.media_type);
    format!("{digest} ({media_type}, {} bytes)", output.size)
}

/// The outputs of a call that was done twice.
struct Outputs<'a> {
    stages: Arc<StageExecutor>,
    blobs: Arc<dyn Blobs>,
    call: &'a Call,
    key: Option<String>,
    tolerance: Arc<Tolerance>,
    deadline: Instant,
}

impl Outputs<'_> {
    /// Compares two outputs of one name that are not the same bytes.
    async fn compare(
        &self,
        one: &Artifact,
        other: &Artifact,
        mut comparison: Comparison,
    ) -> anyhow::Result<Comparison> {
        let kind = essence(&one.media_type);
        if kind != essence(&other.media_type) {
            let place = format!("{}, media type", one.name);
            comparison.differ(Difference::new(&place, &one.media_type, &other.media_type));
            return Ok(comparison);
        }
        let compared = if let Some(format) = Format::of(&kind) {
            let compared = self.rows(one, other, format, comparison).await?;
            comparison = compared.0;
            compared.1
        } else if kind == "application/json" {
            self.objects(one, other, &mut comparison).await?
        } else if kind == BUNDLE_TYPE {
            let terms = (self.tolerance.as_ref(), self.deadline);
            let models = (one, other);
            bundles::compare(&self.stages, self.call, models, terms, &mut comparison).await?
        } else {
            false
        };
        // What can't be looked into is what its bytes are.
        if !compared && one.digest != other.digest {
            comparison.differ(Difference::new(&one.name, &told(one), &told(other)));
        }
        Ok(comparison)
    }

    /// Compares rows, on a thread that may wait. False where what counted can't be read itself.
    async fn rows(
        &self,
        one: &Artifact,
        other: &Artifact,
        format: Format,
        mut comparison: Comparison,
    ) -> anyhow::Result<(Comparison, bool)> {
        let blobs = self.blobs.as_ref();
        let first = File::open(one, blobs).await?;
        let second = match File::open(other, blobs).await {
            Ok(file) => file,
            Err(error) => return gone(other, error, comparison),
        };
        let (name, key) = (one.name.clone(), self.key.clone());
        let (tolerance, deadline) = (Arc::clone(&self.tolerance), self.deadline);
        let comparing = tokio::task::spawn_blocking(move || {
            let terms = Terms::new(&name, key.as_deref(), &tolerance, deadline);
            let opened = Rows::open(first, format).map_err(Unread::InForce);
            let compared = opened.and_then(|first| {
                let second = Rows::open(second, format).map_err(Unread::Shadow)?;
                tables::compare(&terms, first, second, &mut comparison)
            });
            let compared = match compared {
                Ok(()) => true,
                Err(Unread::InForce(_)) => false,
                Err(Unread::Shadow(why)) => {
                    comparison.differ(unread(&name, &why));
                    true
                }
                Err(Unread::Bound(why)) => {
                    let why = format!("can't be compared: {why}");
                    comparison.differ(Difference::new(&name, "rows", &why));
                    true
                }
            };
            (comparison, compared)
        });
        Ok(comparing.await?)
    }

    /// Compares JSON. False where what counted can't be read itself, or they are too large to be.
    async fn objects(
        &self,
        one: &Artifact,
        other: &Artifact,
        comparison: &mut Comparison,
    ) -> anyhow::Result<bool> {
        if one.size > objects::MOST || other.size > objects::MOST {
            return Ok(false);
        }
        let first = self.blobs.get(&one.digest, objects::MOST).await?;
        let Ok(first) = objects::parse(&first) else {
            return Ok(false);
        };
        let second = self.blobs.get(&other.digest, objects::MOST).await?;
        match objects::parse(&second) {
            Ok(second) => {
                let values = (&first, &second);
                objects::compare(&one.name, values, &self.tolerance, comparison);
            }
            Err(why) => comparison.differ(unread(&other.name, &why)),
        }
        Ok(true)
    }
}

fn unread(name: &str, why: &str) -> Difference {
    Difference::new(name, "can be read", why)
}

/// An output of the shadow that is nowhere: it said that it wrote what it did not.
fn gone(
    output: &Artifact,
    error: BlobError,
    mut comparison: Comparison,
) -> anyhow::Result<(Comparison, bool)> {
    match error {
        BlobError::Missing(_) => {
            comparison.differ(unread(&output.name, "it is nowhere"));
            Ok((comparison, true))
        }
        error => Err(error.into()),
    }
}
