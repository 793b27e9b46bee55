//! The deploy stage.
