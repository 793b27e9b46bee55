//! The package for Azure Functions.

/// The newest glibc that the platform's images are known to have: Debian 11's. Newer images of the
/// platform have a newer one, and run what asks for an older.
pub const GLIBC: &str = "2.31";
