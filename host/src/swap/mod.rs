//! A component takes the place of a stage's, while everything goes on.
//!
//! # Layout
//! - `step`: the steps of a swap, by name, and a refusal at one of them.
//! - `offer`: what is sent: bytes, bounded, and their signature.
//! - `beside`: the signature that lies beside a file.
//! - `swapper`: the steps, one after the other, and what they come to.
//! - `trial`: a component does calls whose answers are known. - `demo`: where none is recorded.
//! - `overlay`: where what it writes goes, and is gone. - `compare`, `columns`: what differs.
//! - `predictions`: infer with the models that are in use, too.
//! - `wish`: a shadow that the settings wish for.
//! - `view`: the stages and their history, for programs. - `report`: what was tried and what differs. - `folder`: components that are dropped into a folder.
//!
//! It joins the stages and the pipeline. It must not know HTTP or a command line, and nothing that it
//! tries is seen by anybody before its last step, which creates one record.

mod beside;
mod columns;
mod compare;
mod demo;
mod folder;
mod offer;
mod overlay;
mod predictions;
mod report;
mod step;
mod swapper;
mod trial;
pub mod view;
mod wish;

pub use beside::beside;
pub use folder::StagesFolder;
pub use offer::Offer;
pub(crate) use overlay::Overlay;
pub use report::{Report, Tried};
pub use step::{Refused, Step};
pub use swapper::{Swapped, Swapper, Wish};
pub use wish::{builtin_into_force, wish};
