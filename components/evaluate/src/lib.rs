//! The evaluate stage.
