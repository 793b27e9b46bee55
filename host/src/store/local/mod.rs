//! A store in one folder: the default.
//!
//! ```text
//! .septet/
//!   septet.db            records and queues: SQLite, which several processes may share
//!   blobs/ab/cdef…       a blob, under its sha-256
//!   blobs.lock           between those who use a blob and those who delete it
//!   unfinished/          blobs being written; swept of what a crash left
//! ```
//!
//! # Layout
//! - `folder`: finds or makes the folder. - `schema`: the tables, and which version they have.
//! - `database`: the connection and what its errors mean to a user.
//! - `blobs`, `records`, `queues`: the traits. - `writer`: a blob being written.
//! - `encryption`: whether the store is encrypted, and its keys. - `seal`: values in the database.
//! - `content`: what is in a blob's file; `sealed_file`: where that is encrypted.
//! - `jump`: queues when the clock is set.
//!
//! All of it belongs to the user alone: folders 0700, files 0600.

mod blobs;
mod content;
mod database;
mod encryption;
mod folder;
mod jump;
mod queues;
mod records;
mod schema;
mod seal;
mod sealed_file;
mod writer;

pub use folder::{Access, Local, Mode};
