//! The command line: what is typed and what is printed.
//!
//! # Layout
//! - `args`: the words. - `dispatch`: from a word to its command.
//! - `session`: store, stages and settings of one command.
//! - `train`, `predict`, `monitor`, `demo`, `invoke`, `runs`, `models`, `aliases`, `schema`, `stages`,
//!   `queues`, `grants`, `init`: a command each.
//! - `training`, `request`, `parameters`, `data`, `dataset`, `source`: from flags, settings and files
//!   to a run. - `wanted`: the same, from what a trigger wants.
//! - `summary`: a finished run as one object; `parts`: what parts are called; `drawing`: progress; `output`, `logging`: lines.
//!
//! It must not decide anything about data: that is the stages'.

mod aliases;
pub(crate) mod args;
mod data;
mod dataset;
mod demo;
mod dispatch;
mod drawing;
mod grants;
mod init;
mod invoke;
mod logging;
mod models;
mod monitor;
mod output;
mod parameters;
mod parts;
mod predict;
mod queues;
mod request;
mod runs;
mod schema;
mod session;
mod source;
mod stages;
mod summary;
mod train;
mod training;
#[cfg_attr(not(test), expect(dead_code, reason = "a server composes it"))]
mod wanted;

pub(crate) use dispatch::run;
