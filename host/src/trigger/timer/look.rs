//! One look at the clock, for whoever is woken by another's.

use std::sync::Arc;

use super::Timer;

impl Timer {
    /// Does what is due now. A tick since the last look, or within the catch-up of the first, is
    /// fired, once over all processes that have the timer.
    pub async fn look(&mut self) {
        let now = Arc::clone(self.pipeline.clock()).now();
        self.step(now).await;
    }
}
