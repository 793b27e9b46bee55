//! What Septet's components on Spin share.
//!
//! It knows Spin and nothing of a stage or of what is asked: routes are their components' own.
//!
//! # Layout
//! - [`keyvalue`]: Spin's key-value store, as the store's backend takes it
//! - [`key`]: who may ask
//! - [`request`]: what is asked, bounded before it is read
//! - [`reply`]: answers, and refusals in one line
//! - [`wait`]: futures of the core to their end
//! - [`identity`]: what an application was composed of

pub mod identity;
#[cfg(target_arch = "wasm32")]
pub mod key;
#[cfg(target_arch = "wasm32")]
pub mod keyvalue;
pub mod reply;
#[cfg(target_arch = "wasm32")]
pub mod request;
#[cfg(target_arch = "wasm32")]
pub mod wait;
