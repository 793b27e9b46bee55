//! The command line: what is typed and what is printed.
//!
//! # Layout
//! - `args`: the words. - `dispatch`: from a word to its command.
//! - `session`: store, stages and settings of one command.
//! - `azure_secrets`: what the settings only refer to, fetched from its vault.
//! - `serve`, `work`: what goes on until it is told to stop.
//! - `train`, `predict`, `monitor`, `demo`, `invoke`, `runs`, `models`, `aliases`, `schema`, `stages`, `swaps`, `distribution`,
//!   `transforms`, `queues`, `gc`, `store`, `grants`, `new`, `init`: a command each. - `messages`: a
//!   queue looked into.
//! - `split`: a script of Python taken apart into stages. - `azure`: what is for Azure Functions.
//! - `compile`: what the program starts itself for, to compile what it does not trust.
//! - `training`, `request`, `parameters`, `data`, `dataset`, `source`: from flags, settings and files
//!   to a run. - `sample`: rows to try a transform on. - `import`: an ONNX model as a version. - `wanted`: the same, from what a trigger wants.
//! - `summary`: a finished run as one object; `parts`: what parts are called; `drawing`: progress;
//!   `output`, `logging`, `lines`: lines.
//!
//! It must not decide anything about data: that is the stages'.

mod aliases;
pub(crate) mod args;
mod azure;
mod azure_secrets;
mod azure_store;
mod compile;
mod data;
mod dataset;
mod demo;
mod dispatch;
mod distribution;
mod drawing;
mod export;
mod gc;
mod grants;
mod import;
mod init;
mod invoke;
mod lines;
mod logging;
mod messages;
mod models;
mod monitor;
mod new;
mod output;
mod parameters;
mod parts;
mod predict;
mod queues;
mod request;
mod runs;
mod sample;
mod schema;
mod serve;
mod session;
mod shadow;
mod source;
mod spin;
mod split;
mod stages;
mod store;
mod summary;
mod swaps;
mod train;
mod training;
mod transforms;
mod verify;
mod wanted;
mod work;

pub(crate) use dispatch::run;
