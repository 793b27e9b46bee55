//! The emulator starts, and lets those in who have a key.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use crate::support::azurite;

#[test]
fn the_emulator_answers() {
    let Some(account) = azurite::account() else {
        return;
    };
    for service in ["blob", "queue"] {
        let url = account.endpoint(service);
        let address = url.strip_prefix("http://").unwrap();
        let (address, path) = address.split_once('/').unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!("GET /{path}?comp=list HTTP/1.0\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("Azurite"), "{answer}");
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    }
}
