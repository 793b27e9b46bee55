//! Blobs, records and queues over a key-value store as Spin has them.
//!
//! The store's own promises are few and differ between its kinds; docs/portability.md says what is
//! guaranteed where. This crate has no bindings: whoever has them implements [`KeyValue`]. It must not
//! know stages, runs or models, nor Spin.
//!
//! # Layout
//! - `keyvalue`: what is asked of a store
//! - `cell`: a place that is changed only as it was seen; `absent`, `id`, `value`: what it stands on
//! - `shelf`: blobs, for callers that are not asynchronous; `blobs`: the trait over it
//! - `records`, `queues`: the other two traits; `message`, `jump`: what queues stand on
//! - `keyed`: the three together; `tidy`: what was left behind

mod absent;
mod blobs;
mod cell;
mod id;
mod jump;
mod keyed;
mod keyvalue;
mod message;
mod queues;
mod records;
mod shelf;
mod tidy;
mod value;

pub(crate) use absent::Absent;
pub(crate) use id::Id;
pub use keyed::Keyed;
pub use keyvalue::{KeyValue, Swap, Watched};
pub use shelf::{Head, MAX_BLOB, MAX_MEDIA_TYPE, Shelf, Upload};
pub use tidy::{GRACE, Tidied};
pub use value::PIECE;
