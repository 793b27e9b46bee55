//! What the tests share. It must not know what any one test checks.

pub(crate) mod authority;
pub(crate) mod azurite;
pub(crate) mod draw;
pub(crate) mod fake;
pub(crate) mod guests;
pub(crate) mod registry;
pub(crate) mod septet;
pub(crate) mod spin;
