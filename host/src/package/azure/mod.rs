//! The package for Azure Functions: function apps, their infrastructure, and the check of both.
//!
//! # Layout
//! - `rights`: who may do what on the data account, and why. - `table`: that and all names, as the
//!   Bicep files load them.
//! - `files`: what an app's files say. - `settings`: the user's own that go into it.
//! - `program`: the binary that is shipped. - `infra`: the Bicep files and the workflow.
//! - `write`: writes it all. - `check/`: looks at it again, after others have edited it.
//! - `secret`: a setting that a Key Vault has; `secrets`: secrets where none belong.

mod check;
mod files;
mod infra;
mod program;
mod rights;
mod secret;
mod secrets;
mod settings;
mod table;
mod write;

pub use check::{Against, Finding, check};
pub use files::{clock, timeout};
pub use program::{GLIBC, Program};
pub use rights::{Right, Role, rights};
pub use secret::Secret;
pub use settings::Shipped;
pub use table::{App, Layout, Table, Trainer};
pub use write::{Package, Written};
