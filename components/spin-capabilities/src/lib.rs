//! Blobs and logs for a stage on Spin, which has no blob store: over its key-value store.
//!
//! It is the only one that knows how blobs lie there: `blob/<digest>` holds the bytes,
//! `type/<digest>` the media type, `name/<key>` the digest of a named blob. A value is read and
//! written whole, so a blob is bounded by what a component may hold.
//!
//! It imports Spin's key-value store by its WASI draft and not through spin-sdk, so that any host
//! with that interface can answer. Its scope is the store that the manifest grants: Spin knows
//! nothing of an invocation's inputs.
//!
//! # Layout
//! - [`bucket`]: the layout of blobs in the store
//! - [`component`]: bindings and mapping

#[cfg(target_arch = "wasm32")]
mod bucket;
#[cfg(target_arch = "wasm32")]
mod component;
