//! The store's backends: one conformance suite for all, and what only a folder can suffer.

mod backends;
mod conformance;
mod folder;
mod model;
