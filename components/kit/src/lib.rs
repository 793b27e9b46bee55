//! What the stages share: tables, files, fitted preprocessing, model bundle, metrics.
//!
//! Pure code without bindings: it runs natively in unit tests exactly as it does in a component.

pub mod table;
