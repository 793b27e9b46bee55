//! Behaviour through real components and the real binary, against independent oracles.

mod hosts;
mod setup;
