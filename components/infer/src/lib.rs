//! The infer stage.
