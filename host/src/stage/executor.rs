//! The trait by which the pipeline runs stages.

use async_trait::async_trait;

use super::Control;
use crate::contract::{Call, Executed};

/// Runs calls of stages.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Runs one call. An error is the host's fault and may be gone at the next attempt; what the
    /// component is to blame for is in the disposition.
    async fn execute(&self, call: Call, control: &Control) -> anyhow::Result<Executed>;
}
