//! Messages. What goes wrong is a fault of the call, and noted as one.

use crate::{bindings::septet::capability::queue, fault::failed};

/// Sends a message at the commit. `what` names it in an error: `the alert`.
pub fn send(label: &str, what: &str, body: &[u8]) -> Result<(), String> {
    queue::send(label, body).map_err(|error| {
        let reason = match error {
            queue::Error::AccessDenied => format!("the queue '{label}' is not granted"),
            queue::Error::TooLarge(limit) => format!("it is over the limit of {limit}"),
            queue::Error::Other(reason) => reason,
        };
        failed(format!("can't send {what}: {reason}"))
    })
}
