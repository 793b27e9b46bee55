//! What the pipeline needs of the stages.

use std::sync::Arc;

use async_trait::async_trait;

use super::trials::{Comparison, Tolerance};
use crate::{
    contract::{Call, Digest, Disposition, Executed, Outcome},
    store::Blobs,
};

/// Hears of a call's progress: steps done, and all steps where the component knows.
pub type Progress = Arc<dyn Fn(u64, Option<u64>) + Send + Sync>;

/// A call that was run apart.
#[derive(Clone)]
pub struct Rehearsed {
    /// What it did.
    pub executed: Executed,
    /// Where what it wrote is, over what was there before; none where that is gone.
    pub blobs: Option<Arc<dyn Blobs>>,
}

impl Rehearsed {
    /// What it gave; none where it came to nothing.
    pub const fn outcome(&self) -> Option<&Outcome> {
        match &self.executed.disposition {
            Disposition::Ok(outcome) => Some(outcome),
            _ => None,
        }
    }
}

/// Runs calls of stages.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Runs one call. An error is the host's fault and may be gone at the next attempt; what the
    /// component is to blame for is in the disposition. A call whose future is dropped is to
    /// stop: its lease is lost.
    async fn execute(&self, call: Call, progress: Progress) -> anyhow::Result<Executed>;

    /// Runs a call apart: what it writes is nobody's, and what it says is dropped. None where that can't
    /// be done here.
    async fn rehearse(&self, _call: Call) -> anyhow::Result<Option<Rehearsed>> {
        Ok(None)
    }

    /// Holds what a rehearsal of a call gave against what counted. An error is the host's fault. What it
    /// can't look into, it compares by its bytes.
    async fn compare(
        &self,
        _call: &Call,
        in_force: &Executed,
        shadow: &Rehearsed,
        tolerance: &Tolerance,
    ) -> anyhow::Result<Comparison> {
        let nothing = Outcome::default();
        let outcome = match &in_force.disposition {
            Disposition::Ok(outcome) => outcome,
            _ => &nothing,
        };
        let other = shadow.outcome().unwrap_or(&nothing);
        let (one, other) = ((outcome, in_force), (other, &shadow.executed));
        Ok(Comparison::by_bytes(tolerance, one, other))
    }

    /// The effective grants of a call in one canonical text: work that was done under others is not
    /// reused.
    fn grants(&self, call: &Call) -> String;

    /// Whether this stands for an external stage and not for a component. It gives what a component
    /// need not be told of, so that less is asked of what it gives.
    fn is_external(&self, _component: &Digest) -> bool {
        false
    }
}
