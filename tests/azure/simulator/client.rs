//! Requests as the host sends them: HTTP/1.1 with a chunked body, no length told, and its headers.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let named = |(own, _): &&(String, String)| own.eq_ignore_ascii_case(name);
        self.headers
            .iter()
            .find(named)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }
}

/// The headers of an invocation.
pub(crate) fn headers(id: &str, traceparent: Option<&str>) -> Vec<(String, String)> {
    let mut headers = vec![
        ("User-Agent", "Azure-Functions-Host/4.1037.0"),
        ("X-Azure-Functions-HostVersion", "4.1037.0"),
        ("X-Azure-Functions-InvocationId", id),
        ("Content-Type", "application/json; charset=utf-8"),
    ];
    headers.extend(traceparent.map(|value| ("traceparent", value)));
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    headers.into_iter().map(owned).collect()
}

/// Sends a request whose body comes in chunks, and waits for the answer.
pub(crate) fn post(
    port: u16,
    path: &str,
    headers: &[(String, String)],
    body: &[u8],
    timeout: Duration,
) -> std::io::Result<Answer> {
    let mut stream = connect(port, timeout)?;
    let mut head = format!("POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "Transfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes())?;
    for piece in body.chunks(4096) {
        // A handler may answer, and close, before all was sent.
        let sent = write!(stream, "{:x}\r\n", piece.len())
            .and_then(|()| stream.write_all(piece))
            .and_then(|()| stream.write_all(b"\r\n"));
        if sent.is_err() {
            break;
        }
    }
    let _ = stream.write_all(b"0\r\n\r\n");
    read(stream)
}

/// Sends a request as it is.
pub(crate) fn send(
    port: u16,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Answer> {
    let mut stream = connect(port, Duration::from_secs(30))?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    let _ = stream.write_all(body);
    read(stream)
}

fn connect(port: u16, timeout: Duration) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads one answer, of a length that is told or in chunks.
pub(crate) fn read(stream: TcpStream) -> std::io::Result<Answer> {
    let broken = || std::io::Error::other("the answer broke off");
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status = status.ok_or_else(broken)?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut answer = Answer {
        status,
        headers,
        body: Vec::new(),
    };
    if answer.header("transfer-encoding").is_some() {
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let size = usize::from_str_radix(line.trim(), 16).map_err(|_| broken())?;
            let mut piece = vec![0; size + 2];
            reader.read_exact(&mut piece)?;
            if size == 0 {
                return Ok(answer);
            }
            answer.body.extend_from_slice(&piece[..size]);
        }
    }
    let length = answer
        .header("content-length")
        .and_then(|length| length.parse().ok());
    answer.body = vec![0; length.unwrap_or_default()];
    reader.read_exact(&mut answer.body)?;
    Ok(answer)
}
