//! External stages: an existing command, function or queue in a stage's place.

mod beside;
mod command;
mod fire;
mod http;
mod place;
mod queue;
mod served;
