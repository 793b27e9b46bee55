//! The command line, through the real binary.

mod bad_input;
mod encryption;
mod journey;
mod replay;
mod upkeep;
mod walk;
