//! Lines and progress of a call.

use crate::bindings::septet::capability::log;

/// Says how far the call is. This is also where the host stops it.
pub fn progress(done: u64, total: Option<u64>) {
    log::progress(done, total);
}

/// A line for who looks closely.
pub fn debug(message: &str) {
    log::write(log::Level::Debug, message);
}

/// A line for everyone.
pub fn info(message: &str) {
    log::write(log::Level::Info, message);
}

/// A line about something to look into.
pub fn warn(message: &str) {
    log::write(log::Level::Warn, message);
}
