//! What serves and what starts runs by itself: real servers, real components, and clients that
//! behave and do not.
//!
//! - `http`, `predict`, `hostile`, with `served` and `client`: requests.
//! - `folder`, `timer`, with `asks`: files that are dropped and ticks of a clock.

mod asks;
pub(crate) mod client;
mod folder;
mod hostile;
mod http;
mod predict;
pub(crate) mod served;
mod timer;
