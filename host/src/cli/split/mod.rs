//! `septet split`: what a script does, stage by stage, and the settings to begin a move with.
//!
//! # Layout
//! - `begin.py`, `known.py`, `analyse.py`, `calls.py`, `main.py`: the analysis, by Python's own `ast`; one program, that
//!   is handed the script as data and never runs or imports it.
//! - `analysis`: that program in a process of its own, within bounds, and what it found.
//! - `native`: what of it Septet's own components do, as settings. - `learners`: the algorithms among it.
//! - `proposal`: a septet.toml. - `text`: what people read. - `command`: the command.

mod analysis;
mod command;
mod learners;
mod native;
mod proposal;
mod text;

pub(crate) use command::split;
