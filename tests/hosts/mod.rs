//! One component, many hosts: the same bytes give the same digests in our host, in wasmtime-py, in
//! Node by jco, and composed with an adapter as Spin needs it.
//!
//! # Layout
//! - [`oracles`]: the foreign tools, installed under `target/oracles`
//! - [`call`]: one call of one stage, on any host
//! - [`compose`]: components plugged together by wac
//! - [`container`]: the Dockerfile, and its last stage run by plain tools
//! - [`equal`]: every stage gives the same on every host
//! - [`export`]: the components as files
//! - [`interfaces`]: Spin's interfaces in our own wasmtime; [`composed`]: the pipeline on them
//! - [`pipeline`]: what is asked of it there and on the real Spin
//! - [`spin`]: a stage composed for Spin, and spin.toml
//! - [`spinkube`]: the manifests for Kubernetes
//! - [`spin_cli`]: the whole pipeline on the real Spin

pub(crate) mod call;
pub(crate) mod compose;
pub(crate) mod oracles;

mod composed;
mod container;
mod equal;
mod export;
mod interfaces;
mod pipeline;
mod spin;
mod spin_cli;
mod spinkube;

use crate::setup::guests;
