//! Traces and logs, as a collector gets them from the real binary.
//!
//! # Layout
//! - `collector`: takes OTLP over HTTP, refuses it, or never answers. - `working`: processes that go on.
//! - `tree`: seven processes, one trace. - `called`: calls of a Functions host. - `failed`: what is told of what failed.
//! - `troubles`: no collector, or rubbish in the variables. - `insights`: Application Insights.

mod called;
pub(crate) mod collector;
mod failed;
#[cfg(feature = "application-insights")]
mod insights;
mod tree;
mod troubles;
mod working;
