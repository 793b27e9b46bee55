//! Looks at a package again, after others have edited it: `septet azure check`.
//!
//! # Layout
//! - `finding`: what is wrong, where, and what to do. - `reader`: reads files, none without a bound.
//! - `apps`: what is in an app's folder. - `host`: host.json. - `functions`: function.json.
//! - `infra`: the table of rights, Bicep, workflow. - `schema`: published JSON schemas.
//!
//! It must not change anything, and reaches no network.

mod apps;
mod finding;
mod functions;
mod host;
mod infra;
mod reader;
mod schema;
mod whole;

pub use finding::Finding;
pub use whole::{Against, check};
