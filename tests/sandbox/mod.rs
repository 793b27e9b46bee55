//! Hostile code: what it costs to compile, what it may do, and what is left when it is gone.

mod bloat;
mod compile;
