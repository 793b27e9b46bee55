//! TLS of this process: rustls with ring. It must not know whom a connection is to.

/// Sets the process's provider of cryptography, which a client for HTTPS needs before it is made.
/// Whoever is first has set it; it is the same one for all.
pub(crate) fn provide() {
    let _set_before = rustls::crypto::ring::default_provider().install_default();
}
