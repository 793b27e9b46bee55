//! The monitor stage.
