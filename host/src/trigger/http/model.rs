//! A model that is kept loaded, and asked by one client after another.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use super::{
    answer::{Piece, Predictions},
    columns::table,
    guard::Place,
    records::{self, Row},
    refusal::Refusal,
};
use crate::{
    contract::{Digest, PinnedVersion},
    stage::{LoadError, PredictError, Predictor, Signature, StageExecutor},
};

/// Rows and bytes of a batch: what an infer component is given at once. Half of what the limits'
/// defaults take, for the texts' sake.
const BATCH_ROWS: usize = 8192;
const BATCH_BYTES: usize = 8 << 20;

/// Values of one answer at most: as text they take about 30 bytes each.
const MAX_VALUES: usize = 1 << 19;

/// Rows without a prediction that one answer tells of. Each takes some calls to be found.
const MAX_REFUSED: usize = 64;

/// What can be loaded: a version, and the infer component that is to answer for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct What {
    pub(super) version: PinnedVersion,
    pub(super) infer: Digest,
}

impl What {
    /// Whether it answers the same: the version may have another number.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.version.bundle == other.version.bundle && self.infer == other.infer
    }
}

/// What a model came to.
pub(super) struct Asked {
    /// Its answer.
    pub(super) answer: Result<Predictions, Refusal>,
    /// Whether its component failed, and neither the client nor the host.
    pub(super) failed: bool,
    /// Records that it gave no prediction for.
    pub(super) refused: usize,
    /// How long it computed, the wait for its turn left out.
    pub(super) took: Duration,
    /// The most memory that the instance has had.
    pub(super) memory: u64,
}

/// A model, loaded into some instances of its infer component.
pub(super) struct Model {
    what: Arc<What>,
    signature: Signature,
    stages: Arc<StageExecutor>,
    /// Instances that nobody asks now.
    idle: Mutex<Vec<Predictor>>,
    turns: Arc<Semaphore>,
}

impl Model {
    /// Loads a version: its infer component replays the rows that are recorded in its bundle.
    pub(super) async fn load(
        stages: Arc<StageExecutor>,
        what: Arc<What>,
        instances: usize,
    ) -> Result<Self, PredictError> {
        let first = open(&stages, &what).await?;
        Ok(Self {
            signature: first.signature().clone(),
            what,
            stages,
            idle: Mutex::new(vec![first]),
            turns: Arc::new(Semaphore::new(instances)),
        })
    }

    /// Whether it answers for this.
    pub(super) fn is(&self, what: &What) -> bool {
        self.what.is(what)
    }

    /// The component that answers.
    pub(super) fn infer(&self) -> Digest {
        self.what.infer
    }

    /// Predicts the records of a body in JSON, at most `most` of them. It computes on a thread of
    /// its own and is not cut off when its client goes away: the instance is worth keeping.
    pub(super) async fn answer(
        self: &Arc<Self>,
        body: impl AsRef<[u8]> + Send + 'static,
        most: usize,
        place: Option<Place>,
    ) -> Asked {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let handle = tokio::runtime::Handle::current();
        let model = Arc::clone(self);
        let asked = tokio::task::spawn_blocking(move || {
            let _held = (turn, place);
            let mut asked = Asked::new();
            let rows = records::read(body.as_ref(), &model.signature, most);
            drop(body);
            asked.answer = match rows {
                Ok(rows) => handle.block_on(model.ask(&rows, &mut asked)),
                Err(refusal) => Err(refusal),
            };
            asked
        });
        asked.await.unwrap_or_else(|error| {
            tracing::error!("a prediction's thread broke: {error}");
            Asked {
                failed: true,
                ..Asked::new()
            }
        })
    }

    async fn ask(&self, rows: &[Row], asked: &mut Asked) -> Result<Predictions, Refusal> {
        let outputs = self.signature.outputs.len().max(1);
        if rows.len().saturating_mul(outputs) > MAX_VALUES {
            return Err(Refusal::too_large(format!(
                "too many records: the model gives {outputs} values for each, and at most {MAX_VALUES} \
                 are given at once"
            )));
        }
        let mut due = self.batches(rows.len());
        if due.is_empty() {
            return Ok(Predictions(Vec::new()));
        }
        let idle = self.idle().pop();
        let opened = match idle {
            Some(predictor) => Ok(predictor),
            None => open(&self.stages, &self.what).await,
        };
        let mut predictor = opened.map_err(|error| asked.fail(&error))?;
        let begun = Instant::now();
        let mut pieces = Vec::new();
        while let Some(batch) = due.pop() {
            let some = rows.get(batch.clone()).unwrap_or_default();
            let predicted = predictor.predict(table(some, &self.signature)).await;
            asked.took = begun.elapsed();
            asked.memory = asked.memory.max(predictor.peak_memory_bytes());
            match predicted {
                Ok(given) => pieces.push(Piece::Given(given)),
                // The rows that can't be predicted are found by halving, so that the others are.
                Err(PredictError::Rejected(_)) if batch.len() > 1 => {
                    let middle = batch.start.midpoint(batch.end);
                    due.push(middle..batch.end);
                    due.push(batch.start..middle);
                }
                Err(PredictError::Rejected(reason)) => {
                    let reason = reason.strip_prefix("row 1: ").unwrap_or(&reason);
                    asked.refused += 1;
                    if asked.refused > MAX_REFUSED {
                        self.idle().push(predictor);
                        return Err(Refusal::unusable(format!(
                            "more than {MAX_REFUSED} records can't be predicted; record {}: {reason}",
                            batch.end
                        )));
                    }
                    pieces.push(Piece::Refused(reason.to_owned()));
                }
                // What is left of the instance is not to be asked again.
                Err(error) => return Err(asked.fail(&error)),
            }
        }
        self.idle().push(predictor);
        Ok(Predictions(pieces))
    }

    /// The rows of each batch, the last one first.
    fn batches(&self, rows: usize) -> Vec<Range<usize>> {
        let Signature { inputs, outputs } = &self.signature;
        let width = inputs.len().max(outputs.len()).max(1);
        // A value takes eight bytes, and four more where it is missing.
        let most = (BATCH_BYTES / (12 * width)).clamp(1, BATCH_ROWS);
        let starts = (0..rows).step_by(most);
        let batches = starts.map(|start| start..(start + most).min(rows));
        let mut batches: Vec<_> = batches.collect();
        batches.reverse();
        batches
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Predictor>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    fn new() -> Self {
        Self {
            answer: Err(Refusal::failed("the model failed: its thread broke")),
            failed: false,
            refused: 0,
            took: Duration::ZERO,
            memory: 0,
        }
    }

    /// Whether every record has its prediction.
    pub(super) const fn is_clean(&self) -> bool {
        self.answer.is_ok() && self.refused == 0
    }

    fn fail(&mut self, error: &PredictError) -> Refusal {
        self.failed = !is_fault(error);
        refusal(error)
    }
}

async fn open(stages: &StageExecutor, what: &What) -> Result<Predictor, PredictError> {
    let transforms = what.version.transforms();
    let bundle = what.version.artifact();
    stages.predictor(&what.infer, &bundle, &transforms).await
}

/// Whether the host failed, and not the model: then it may do better in a moment.
pub(super) const fn is_fault(error: &PredictError) -> bool {
    match error {
        PredictError::Load(error) => matches!(error, LoadError::Host(_)),
        PredictError::Ended(end) => end.is_fault(),
        PredictError::Rejected(_) | PredictError::Failed(_) => false,
    }
}

/// What a client is told of a model that came to no answer.
pub(super) fn refusal(error: &PredictError) -> Refusal {
    tracing::error!("a model failed: {error}");
    match error {
        // The log has the cause: it may name paths of this machine.
        fault if is_fault(fault) => Refusal::known_fault(),
        PredictError::Rejected(reason) => Refusal::unusable(reason),
        error => Refusal::failed(format!("the model failed: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use axum::response::IntoResponse as _;

    use super::*;

    #[test]
    fn the_hosts_faults_are_not_told() {
        let host = PredictError::Load(LoadError::Host(anyhow!("can't read /srv/x")));
        assert!(is_fault(&host));
        let missing = PredictError::Load(LoadError::Missing(Digest::of(b"")));
        for (error, status) in [
            (host, 503),
            (missing, 500),
            (PredictError::Failed("it is lost".to_owned()), 500),
            (PredictError::Rejected("no bundle".to_owned()), 422),
        ] {
            let refusal = refusal(&error);
            assert!(!format!("{refusal:?}").contains("/srv"));
            assert_eq!(refusal.into_response().status(), status);
        }
    }
}
