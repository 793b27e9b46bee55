//! Who may ask.

use std::net::SocketAddr;

use spin_sdk::{http::IncomingRequest, variables};
use subtle::ConstantTimeEq as _;

use crate::reply::Refusal;

/// The variable that holds the key.
const VARIABLE: &str = "key";

/// The shortest key that is taken, in bytes.
const SHORTEST: usize = 16;

/// What Spin writes itself, in the place of whatever a client sent.
const CLIENT: &str = "spin-client-addr";

/// The key that is set; none where none is.
pub fn key() -> Result<Option<String>, Refusal> {
    match variables::get(VARIABLE) {
        Ok(key) if key.is_empty() => Ok(None),
        Ok(key) if key.len() < SHORTEST => {
            let line = format!("the variable '{VARIABLE}' has less than {SHORTEST} characters");
            Err(Refusal::new(500, line))
        }
        Ok(key) => Ok(Some(key)),
        Err(variables::Error::Undefined(_)) => Ok(None),
        // A key that can't be had is none that may be missing.
        Err(_) => Err(Refusal::new(
            503,
            format!("the variable '{VARIABLE}' can't be read: see Spin's log"),
        )),
    }
}

/// Whether the request may be answered: it has the key, or there is none and it comes from this
/// machine.
pub fn check(request: &IncomingRequest) -> Result<(), Refusal> {
    let headers = request.headers();
    let Some(key) = key()? else {
        let clients = headers.get(CLIENT);
        let local = |client: &Vec<u8>| {
            let address = std::str::from_utf8(client).ok();
            let address = address.and_then(|text| text.parse::<SocketAddr>().ok());
            // Spin's word for a call by a component of the same application is no address at all.
            address.is_some_and(|address| {
                address.ip().is_loopback() || (address.ip().is_unspecified() && address.port() == 0)
            })
        };
        if !clients.is_empty() && clients.iter().all(local) {
            return Ok(());
        }
        return Err(Refusal::new(
            403,
            "without a key only this machine is answered: set the variable 'key' of the application",
        ));
    };
    let given = headers.get("authorization");
    let given = match given.as_slice() {
        [value] => value.strip_prefix(b"Bearer ").unwrap_or_default(),
        _ => &[],
    };
    if bool::from(given.ct_eq(key.as_bytes())) {
        return Ok(());
    }
    Err(Refusal::new(401, "the key is missing or wrong"))
}
