//! Traces and logs for others: what the host tells `tracing`, sent to a collector.
//!
//! # Layout
//! - `settings`: where to send what, as it was set. - `sampling`: which traces are recorded.
//! - `provider`: queues, threads and an orderly end. - `layers`: what of `tracing` is exported.
//! - `place`: where the pipeline's spans stand in a trace, and calls that come from outside.
//! - `client`, `troubles`: the way to the collector, and what is said when there is none.
//! - `insights`: Application Insights without a collector between.
//!
//! # What it may cost
//! Where no collector is set, nothing: there is no thread, and spans are never made. Where one is,
//! nobody waits for it: queues are bounded and what does not fit is dropped; a collector that is down
//! is told of once, and left alone for a while; the end of a command waits two seconds at most.
//!
//! It must not read the environment, and nothing but the layers may be needed by who logs. Headers
//! and keys are secrets: they are in no line and no span.

mod client;
#[cfg(feature = "application-insights")]
mod insights;
mod layers;
mod place;
mod provider;
mod sampling;
mod settings;
mod troubles;

pub use layers::Layers;
pub use place::{Call, continued, stands};
pub use provider::Telemetry;
pub use sampling::Sampling;
pub use settings::{Collector, Secret, Settings};
