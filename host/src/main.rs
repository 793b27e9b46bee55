//! Septet.
fn main() {}
