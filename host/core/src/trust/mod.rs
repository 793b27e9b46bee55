//! Which components this process takes: signatures in minisign's format, and pins by sha-256.
//!
//! # Layout
//! - `key`: a public key and its number.
//! - `signature`: the text of a `.minisig`, bounded.
//! - `check`: keys, the demand for a signature, and pins together.
//!
//! It must not know what a component does, where it comes from, or what is done with it.

mod check;
mod key;
mod signature;

pub use check::{Signed, Trust};
pub use key::{KeyId, TrustedKey};
pub use signature::MAX_SIGNATURE;
