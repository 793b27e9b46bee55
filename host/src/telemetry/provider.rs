//! Queues, the threads that empty them, and an end in order.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        mpsc::{self, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use opentelemetry::{Context, KeyValue, trace::Status};
use opentelemetry_otlp::{
    LogExporter, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    logs::{self, BatchLogProcessor, SdkLoggerProvider},
    trace::{self, BatchSpanProcessor, SdkTracerProvider, Span, SpanData, SpanProcessor},
};
use tracing_subscriber::filter::LevelFilter;
use uuid::Uuid;

use super::{
    Collector, Layers, Settings,
    client::{BATCH, client, shown},
    layers::{self, Marking},
    place::{Numbers, Placing},
    troubles::{Troubles, Watched, WatchedLogs},
};
use crate::pipeline::Traces;

/// How long a span or a line waits for others at most: what a killed process loses.
const DELAY: Duration = Duration::from_secs(1);

/// Spans, and lines, that wait at most. What comes beyond is dropped.
const QUEUE: usize = 4096;

/// Spans or lines of one request.
const BATCH_SIZE: usize = 512;

/// How long the end of a command waits for what is left.
const END: Duration = Duration::from_secs(2);

/// Exports what this process does, until it is told to finish.
pub struct Telemetry {
    traces: SdkTracerProvider,
    logs: SdkLoggerProvider,
}

impl Telemetry {
    /// Sets up what the settings ask for; none where that is nothing.
    pub fn start(settings: &Settings) -> anyhow::Result<Option<Self>> {
        if settings.is_off() {
            return Ok(None);
        }
        let resource = resource(settings);
        let mut traces = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_sampler(settings.sampling)
            .with_id_generator(Numbers::default());
        let mut logs = SdkLoggerProvider::builder()
            .with_resource(resource)
            .with_log_processor(Marking);
        let troubles = Arc::new(Troubles::new(what(settings)));
        if let Some(collector) = &settings.traces {
            let exporter = sent_to(collector, SpanExporter::builder().with_http())?
                .build()
                .context("traces can't be sent")?;
            traces = traces.with_span_processor(span_batches(Watched {
                inner: exporter,
                troubles: Arc::clone(&troubles),
            }));
        }
        if let Some(collector) = &settings.logs {
            let exporter = sent_to(collector, LogExporter::builder().with_http())?
                .build()
                .context("logs can't be sent")?;
            logs = logs.with_log_processor(log_batches(Watched {
                inner: exporter,
                troubles,
            }));
        }
        #[cfg(feature = "application-insights")]
        if let Some(connection) = &settings.insights {
            let share = settings.sampling.share;
            let (spans, lines) = super::insights::exporters(connection, share)?;
            traces = traces.with_span_processor(span_batches(spans));
            logs = logs.with_log_processor(log_batches(lines));
        }
        let (urgent, asked) = mpsc::sync_channel(1);
        let traces = traces.with_span_processor(Urgent(urgent)).build();
        let logs = logs.build();
        let providers = (traces.clone(), logs.clone());
        thread::Builder::new()
            .name("septet-telemetry".to_owned())
            .spawn(move || {
                // What goes wrong is told by the exporters.
                for () in asked {
                    let _told = providers.0.force_flush();
                    let _told = providers.1.force_flush();
                }
            })
            .context("a thread for traces and logs can't be started")?;
        Ok(Some(Self { traces, logs }))
    }

    /// The layers that take spans, and lines from `level` up.
    pub fn layers(&self, level: LevelFilter) -> Layers {
        vec![layers::spans(&self.traces), layers::logs(&self.logs, level)]
    }

    /// For the pipeline, which tells where its spans stand.
    pub fn traces(&self) -> Arc<dyn Traces> {
        Arc::new(Placing)
    }

    /// Sends what is left, as long as that takes no more than two seconds.
    pub fn finish(self) {
        let begun = Instant::now();
        let (sender, done) = mpsc::channel();
        let Self { traces, logs } = self;
        let other = sender.clone();
        // Each on a thread of its own: a collector that does not answer takes the time of both.
        thread::spawn(move || {
            let _told = traces.shutdown_with_timeout(END);
            let _gone = sender.send(());
        });
        thread::spawn(move || {
            let _told = logs.shutdown_with_timeout(END);
            let _gone = other.send(());
        });
        for _ in 0..2 {
            let left = END.saturating_sub(begun.elapsed());
            if done.recv_timeout(left).is_err() {
                tracing::debug!("the last traces and logs were not taken in time");
                return;
            }
        }
    }
}

/// What is sent where, for lines about it.
fn what(settings: &Settings) -> String {
    let one = |what: &str, collector: &Collector| format!("{what} for {}", shown(&collector.url));
    match (&settings.traces, &settings.logs) {
        (Some(traces), Some(logs)) if traces.url.authority() == logs.url.authority() => {
            let place = &traces.url;
            let scheme = place.scheme();
            let host = place.host_str().unwrap_or_default();
            let port = place.port().map(|port| format!(":{port}"));
            let port = port.unwrap_or_default();
            format!("traces and logs for {scheme}://{host}{port}")
        }
        (Some(traces), Some(logs)) => {
            format!("{} or {}", one("traces", traces), one("logs", logs))
        }
        (Some(traces), None) => one("traces", traces),
        (None, Some(logs)) => one("logs", logs),
        (None, None) => String::new(),
    }
}

fn resource(settings: &Settings) -> Resource {
    let own = [
        ("service.name", settings.service.clone()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", Uuid::now_v7().to_string()),
        ("telemetry.sdk.name", "opentelemetry".to_owned()),
        ("telemetry.sdk.language", "rust".to_owned()),
    ];
    let further = settings.attributes.iter().cloned();
    let further = further.map(|(name, value)| KeyValue::new(name, value));
    let own = own.map(|(name, value)| KeyValue::new(name, value));
    // What comes later wins, but the name, which has a variable of its own.
    let name = KeyValue::new("service.name", settings.service.clone());
    Resource::builder_empty()
        .with_attributes(own)
        .with_attributes(further)
        .with_attribute(name)
        .build()
}

fn headers(collector: &Collector) -> HashMap<String, String> {
    let headers = collector.headers.iter();
    headers
        .map(|(name, value)| (name.clone(), value.reveal().to_owned()))
        .collect()
}

/// An exporter to this collector, within the bounds of time that all have.
fn sent_to<B: WithExportConfig + WithHttpConfig>(
    collector: &Collector,
    builder: B,
) -> anyhow::Result<B> {
    // Once more, soon: what is not taken then may be dropped.
    let retries = RetryPolicy::recommended().with_max_retries(1);
    Ok(builder
        .with_http_client(client(&collector.url)?)
        .with_endpoint(collector.url.as_str())
        .with_timeout(BATCH)
        .with_headers(headers(collector))
        .with_retry_policy(retries))
}

fn span_batches<E: trace::SpanExporter + 'static>(exporter: E) -> BatchSpanProcessor {
    let config = trace::BatchConfigBuilder::default()
        .with_scheduled_delay(DELAY)
        .with_max_queue_size(QUEUE)
        .with_max_export_batch_size(BATCH_SIZE)
        .build();
    BatchSpanProcessor::builder(exporter)
        .with_batch_config(config)
        .build()
}

fn log_batches<E: logs::LogExporter + 'static>(exporter: Watched<E>) -> BatchLogProcessor {
    let config = logs::BatchConfigBuilder::default()
        .with_scheduled_delay(DELAY)
        .with_max_queue_size(QUEUE)
        .with_max_export_batch_size(BATCH_SIZE)
        .build();
    BatchLogProcessor::builder(WatchedLogs(exporter))
        .with_batch_config(config)
        .build()
}

/// Has all sent at once when something failed: whoever looks for the reason looks soon, and the
/// process may be ended for it.
#[derive(Debug)]
struct Urgent(SyncSender<()>);

impl SpanProcessor for Urgent {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if matches!(span.status, Status::Error { .. }) {
            // Where one is asked for already, it takes this along.
            let _asked = self.0.try_send(());
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}
