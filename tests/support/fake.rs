//! A small HTTP/1.1 server that answers as a test tells it to, in the clear or as the proxy through
//! which servers outside are reached over TLS.
//!
//! As a proxy it takes `CONNECT HOST:443` and then is that host itself: so the real addresses of a
//! service can be asked on a machine without a network.

use std::{
    io::{BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use super::authority::Leaf;

/// How long a connection may be silent.
const PATIENCE: Duration = Duration::from_mins(2);

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) host: String,
    /// With its query.
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// What is answered.
pub(crate) enum Answer {
    /// A status, headers and a body.
    Reply(u16, Vec<(&'static str, String)>, String),
    /// The same, with a byte of the body now and then.
    Slow(String),
    /// Nothing, and the connection stays open.
    Hang,
}

impl Answer {
    /// JSON with a status.
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        let kind = ("content-type", "application/json".to_owned());
        Self::Reply(status, vec![kind], body.to_string())
    }
}

type Answers = dyn Fn(&Asked) -> Answer + Send + Sync;

/// A running server; it ends with the value.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    over: Arc<AtomicBool>,
}

impl Fake {
    /// A server in the clear.
    pub(crate) fn plain(answers: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(None, Arc::new(answers))
    }

    /// A proxy that is every host that `leaf` is for.
    pub(crate) fn proxy(
        leaf: &Leaf,
        answers: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let certificates = CertificateDer::pem_file_iter(&leaf.certificate).unwrap();
        let certificates = certificates.map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(&leaf.key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .unwrap();
        Self::start(Some(Arc::new(config)), Arc::new(answers))
    }

    /// Its address, for a variable.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn start(tls: Option<Arc<ServerConfig>>, answers: Arc<Answers>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let fake = Self {
            address: listener.local_addr().unwrap(),
            asked: Arc::default(),
            over: Arc::default(),
        };
        let (asked, over) = (Arc::clone(&fake.asked), Arc::clone(&fake.over));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (tls, answers, asked) = (tls.clone(), Arc::clone(&answers), Arc::clone(&asked));
                let over = Arc::clone(&over);
                // A client may go away at any time: that is no fault of the test.
                thread::spawn(move || {
                    let _ = connection(stream, tls, &answers, &asked, &over);
                });
            }
        });
        fake
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Whoever waits for a connection gets one, and ends.
        let _ = TcpStream::connect(self.address);
    }
}

fn connection(
    mut stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    answers: &Arc<Answers>,
    asked: &Mutex<Vec<Asked>>,
    over: &AtomicBool,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let Some(tls) = tls else {
        return serve(stream, answers, asked, over);
    };
    // Byte by byte: what comes after the head is TLS.
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    if !head.starts_with(b"CONNECT ") {
        return stream.write_all(b"HTTP/1.1 405 Only CONNECT\r\ncontent-length: 0\r\n\r\n");
    }
    stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    let connection = ServerConnection::new(tls).map_err(std::io::Error::other)?;
    serve(StreamOwned::new(connection, stream), answers, asked, over)
}

fn serve(
    stream: impl Read + Write,
    answers: &Arc<Answers>,
    all: &Mutex<Vec<Asked>>,
    over: &AtomicBool,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let mut asked = Asked {
            method,
            path,
            host: String::new(),
            headers: Vec::new(),
            body: String::new(),
        };
        loop {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            let pair = (name.to_owned(), value.trim().to_owned());
            asked.headers.push(pair);
        }
        asked.host = asked.header("host").unwrap_or_default().to_owned();
        let length = asked.header("content-length").unwrap_or("0");
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body)?;
        asked.body = String::from_utf8(body).unwrap();
        all.lock().unwrap().push(asked.clone());
        let stream = stream.get_mut();
        match answers(&asked) {
            Answer::Reply(status, headers, body) => {
                head(stream, status, &headers, body.len())?;
                stream.write_all(body.as_bytes())?;
                stream.flush()?;
            }
            Answer::Slow(body) => {
                head(stream, 200, &[], body.len())?;
                for byte in body.bytes() {
                    stream.write_all(&[byte])?;
                    stream.flush()?;
                    thread::sleep(Duration::from_millis(500));
                }
            }
            Answer::Hang => {
                let begun = Instant::now();
                while begun.elapsed() < PATIENCE && !over.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(50));
                }
                return Ok(());
            }
        }
    }
}

fn head(
    stream: &mut impl Write,
    status: u16,
    headers: &[(&str, String)],
    length: usize,
) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} As told\r\ncontent-length: {length}\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    stream.write_all((head + "\r\n").as_bytes())
}
