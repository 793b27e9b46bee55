//! The deploy stage: a bundle and its evaluation become a version and, where the gate passed, the
//! champion.
//!
//! # Layout
//! - `decision`: whether the alias moves, from where, and why
//! - `card`: what is told of the version: the registry's summary and the model card
//! - `markdown`: the model card for people
//! - `warnings`: what a user of the model should be wary of
//! - `component`: bindings and mapping

pub mod card;
pub mod decision;
pub mod markdown;
pub mod warnings;

#[cfg(target_arch = "wasm32")]
mod component;
