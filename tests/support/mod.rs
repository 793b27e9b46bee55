//! What the tests share. It must not know what any one test checks.

pub mod guests;
pub mod septet;
