//! A small client of HTTP/1.1: one request a connection, and bytes as they are.

use std::fmt::Write as _;
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// No answer takes longer, also where a model is trained meanwhile.
const PATIENCE: Duration = Duration::from_mins(1);

/// A client of one server.
#[derive(Clone, Copy)]
pub(crate) struct Client(pub(crate) SocketAddr);

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        lines
            .filter_map(|line| line.split_once(": "))
            .find_map(|(own, value)| own.eq_ignore_ascii_case(name).then_some(value))
    }

    /// The JSON of an answer with this status.
    #[track_caller]
    pub(crate) fn json(&self, status: u16) -> Value {
        let body = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{body}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {body}"))
    }

    /// The one line of an error with this status.
    #[track_caller]
    pub(crate) fn error(&self, status: u16) -> String {
        let told = self.json(status);
        let line = told["error"].as_str().expect("an error says why");
        assert!(!line.is_empty() && !line.contains('\n'), "{line}");
        assert_eq!(told.as_object().unwrap().len(), 1, "{told}");
        line.to_owned()
    }
}

impl Client {
    /// An open connection.
    pub(crate) fn connect(self) -> TcpStream {
        let stream = TcpStream::connect(self.0).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends bytes and reads all that comes back until the server closes.
    pub(crate) fn raw(self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        // A server may refuse, and close, before all was sent.
        let _ = stream.write_all(bytes);
        read(&mut stream)
    }

    /// Sends a request.
    pub(crate) fn send(
        self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        reply(&self.raw(&self.request(method, path, headers, body)))
    }

    /// A request as it is sent.
    pub(crate) fn request(
        self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Vec<u8> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        let named = |name: &str| {
            headers
                .iter()
                .any(|(own, _)| own.eq_ignore_ascii_case(name))
        };
        if !named("host") {
            write!(head, "host: {}\r\n", self.0).unwrap();
        }
        if !body.is_empty() && !named("content-length") && !named("transfer-encoding") {
            write!(head, "content-length: {}\r\n", body.len()).unwrap();
        }
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        head += "\r\n";
        [head.as_bytes(), body].concat()
    }

    /// What is at a path.
    pub(crate) fn get(self, path: &str) -> Reply {
        self.send("GET", path, &[], b"")
    }

    /// Sends JSON.
    pub(crate) fn post(self, path: &str, body: &Value) -> Reply {
        let json = [("content-type", "application/json")];
        self.send("POST", path, &json, body.to_string().as_bytes())
    }
}

/// All that comes until the other side closes.
pub(crate) fn read(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return bytes,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(error) => {
                let kind = error.kind();
                let waits = [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut];
                assert!(!waits.contains(&kind), "the server does not answer");
                return bytes;
            }
        }
    }
}

/// Reads an answer; of some refusals nothing comes but a closed connection.
#[track_caller]
pub(crate) fn reply(bytes: &[u8]) -> Reply {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(bytes)));
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply {
        status,
        head,
        body: bytes[end + 4..].to_vec(),
    }
}
