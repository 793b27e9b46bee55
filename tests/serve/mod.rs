//! Triggers that serve: real servers, real components, and clients that behave and do not.

mod client;
mod hostile;
mod http;
mod predict;
mod served;
