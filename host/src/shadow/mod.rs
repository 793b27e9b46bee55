//! What a shadow gave is held against what counted: tables row by row, objects value by value, models by
//! what they predict.
//!
//! # Layout
//! - `outcomes`: two outcomes of one call, output by output. - `effects`: what they proposed and sent.
//! - `artifact`: the bytes of an output, as a file that is read piece by piece.
//! - `rows`: an output as rows, whatever its format; `lines`: those formats that are text.
//! - `cells`: whether two values are alike. - `tables`: two outputs of rows; `side`: the rows of one that
//!   wait for their like.
//! - `objects`: two outputs in JSON. - `bundles`: two models.
//!
//! Whatever a shadow wrote may be anything: it is read with every bound checked, for a bounded time, and the
//! worst that it comes to is a difference. Nothing here changes a run, a store or what counts.

mod artifact;
mod bundles;
mod cells;
mod effects;
mod lines;
mod objects;
mod outcomes;
mod rows;
mod side;
mod tables;

pub(crate) use outcomes::compare;
