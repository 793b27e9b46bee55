//! Septet host.
