//! What is said when the collector does not take what it is sent: once, and again when it does.

use std::{
    fmt::Display,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    logs::{LogBatch, LogExporter},
    trace::{SpanData, SpanExporter},
};

/// How long a collector that failed is left alone. What is due meanwhile is dropped.
const PAUSE: Duration = Duration::from_secs(5);

/// How a collector does.
#[derive(Debug)]
pub(super) struct Troubles {
    /// What is sent, and where to, without anything that could be a secret.
    what: String,
    /// When it failed last; none where it works.
    since: Mutex<Option<Instant>>,
}

impl Troubles {
    pub(super) const fn new(what: String) -> Self {
        Self {
            what,
            since: Mutex::new(None),
        }
    }

    /// Whether it is to be left alone now.
    fn pausing(&self) -> bool {
        let since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| since.elapsed() < PAUSE)
    }

    /// It did not take a batch.
    pub(super) fn failed(&self, error: &dyn Display) {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        if since.replace(Instant::now()).is_none() {
            let what = &self.what;
            tracing::warn!("{what} can't be sent and are dropped until they can: {error}");
        }
    }

    fn worked(&self) {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        if since.take().is_some() {
            tracing::info!("{} are sent again", self.what);
        }
    }

    async fn watch(&self, export: impl Future<Output = OTelSdkResult>) -> OTelSdkResult {
        if self.pausing() {
            return Err(OTelSdkError::InternalFailure("left alone for now".into()));
        }
        let exported = export.await;
        match &exported {
            Ok(()) => self.worked(),
            Err(error) => self.failed(error),
        }
        exported
    }
}

/// An exporter, and what is said of it.
#[derive(Debug)]
pub(super) struct Watched<E> {
    pub(super) inner: E,
    pub(super) troubles: std::sync::Arc<Troubles>,
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.troubles.watch(self.inner.export(batch)).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// The same for log lines; another type, because an exporter may be both.
#[derive(Debug)]
pub(super) struct WatchedLogs<E>(pub(super) Watched<E>);

impl<E: LogExporter> LogExporter for WatchedLogs<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        self.0.troubles.watch(self.0.inner.export(batch)).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_collector_that_fails_is_left_alone() {
        let troubles = Troubles::new("traces".to_owned());
        assert!(!troubles.pausing());
        let failed = async { Err(OTelSdkError::InternalFailure("500".into())) };
        assert!(troubles.watch(failed).await.is_err() && troubles.pausing());
        let told = troubles.watch(async { Ok(()) }).await;
        assert!(told.is_err(), "it is not asked meanwhile");
        troubles.worked();
        assert!(troubles.watch(async { Ok(()) }).await.is_ok());
    }
}
