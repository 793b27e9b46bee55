//! What Septet is wherever it runs: runs, ledger, commit, publish and registry, on a store of which
//! nothing but its traits is known, calling stages of which nothing but the contract is known.
//!
//! It also builds for WebAssembly: on Spin the gateway is this very code over another store. So it
//! must not know wasmtime, files, sockets, processes or a backend.
//!
//! # Layout
//! - [`contract`]: the words that all parts share
//! - [`store`]: the traits of a backend, and the one in memory
//! - [`pipeline`]: from a run's request to its end
//! - [`text`]: bounds of texts that come from a component
//! - [`limits`]: what one call of a component may take
//! - [`outcome`]: what a component answered, checked
//! - [`media`]: what a file's name says of what is in it
//! - [`trust`]: whose components are taken
//! - [`failpoint`]: where a test ends the process between two steps

pub mod contract;
pub mod failpoint;
pub mod limits;
pub mod media;
pub mod outcome;
pub mod pipeline;
pub mod store;
pub mod text;
pub mod trust;
