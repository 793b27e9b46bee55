//! Hostile code: what it costs to compile, what it may do, and what is left when it is gone.

mod attacks;
mod bloat;
mod compile;
mod evil;
mod program;
mod together;
