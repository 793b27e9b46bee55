//! The monitor stage: new rows are compared with what the model was trained on.
//!
//! # Layout
//! - `watch`: counts rows, predictions and labels, and says what drifted
//! - `kept`: which prediction is of which row
//! - `report`: the JSON that is written and the alert that is sent
//! - `component`: bindings and mapping

mod kept;
pub mod report;
pub mod watch;

#[cfg(target_arch = "wasm32")]
mod component;
