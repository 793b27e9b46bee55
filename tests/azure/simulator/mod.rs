//! A simulator of the Azure Functions host, for contract tests: what a custom handler hears and how it
//! is treated, as version 4.1037 of the host does it (its public source and Microsoft's page on custom
//! handlers; where they disagree, the source).
//!
//! # Layout
//! - `encoder`: values as they are written into an invocation. - `response`: what is made of answers.
//! - `client`: requests as the host sends them. - `app`: host.json and function.json.
//! - `process`: the handler's process: started, asked for, restarted, given up.
//! - `storage`: the queue service, over plain REST. - `queue`, `timer`: what invokes functions.
//!
//! Not simulated: scaling, keys of functions, and HTTP from outside.

pub(crate) mod app;
pub(crate) mod client;
pub(crate) mod encoder;
pub(crate) mod process;
pub(crate) mod queue;
pub(crate) mod response;
pub(crate) mod storage;
pub(crate) mod timer;
