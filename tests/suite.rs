mod cli;
mod hosts;
mod setup;
mod stage;
mod store;
mod support;
