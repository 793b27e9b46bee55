//! The command line: what is typed and what is printed.
//!
//! # Layout
//! - `args`: the words. - `dispatch`: from a word to its command.
//! - `session`: store, stages and settings of one command.
//! - `train`, `predict`, `monitor`, `demo`, `invoke`, `runs`, `models`, `stages`, `queues`,
//!   `grants`, `init`: a command each.
//! - `request`, `source`: from flags, settings and files to a run.
//! - `summary`: a finished run as one object; `drawing`: progress; `output`, `logging`: lines.
//!
//! It must not decide anything about data: that is the stages'.

pub(crate) mod args;
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
mod predict;
mod queues;
mod request;
mod runs;
mod session;
mod source;
mod stages;
mod summary;
mod train;

pub(crate) use dispatch::run;
