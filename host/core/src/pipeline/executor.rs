//! What the pipeline needs of the stages.

use std::sync::Arc;

use async_trait::async_trait;

use crate::contract::{Call, Executed, Stage};

/// Hears of a call's progress: steps done, and all steps where the component knows.
pub type Progress = Arc<dyn Fn(u64, Option<u64>) + Send + Sync>;

/// Runs calls of stages.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Runs one call. An error is the host's fault and may be gone at the next attempt; what the
    /// component is to blame for is in the disposition. A call whose future is dropped is to
    /// stop: its lease is lost.
    async fn execute(&self, call: Call, progress: Progress) -> anyhow::Result<Executed>;

    /// Runs a call apart: what it writes is nobody's, and what it says is dropped. None where that can't
    /// be done here.
    async fn rehearse(&self, _call: Call) -> anyhow::Result<Option<Executed>> {
        Ok(None)
    }

    /// The stage's effective grants in one canonical text: work that was done under others is not
    /// reused.
    fn grants(&self, stage: Stage) -> String;
}
