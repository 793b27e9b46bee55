//! One component, many hosts: the same bytes give the same digests in our host, in wasmtime-py, in
//! Node by jco, and composed with an adapter as Spin needs it.
//!
//! # Layout
//! - [`oracles`]: the foreign tools, installed under `target/oracles`
//! - [`call`]: one call of one stage, on any host
//! - [`compose`]: components plugged together by wac
//! - [`equal`]: every stage gives the same on every host
//! - [`spin`]: a stage composed for Spin, and spin.toml

pub(crate) mod call;
pub(crate) mod compose;
pub(crate) mod oracles;

mod equal;
mod spin;

use crate::setup::guests;
