//! Where external stages fetch their inputs and put their outputs: addresses that nobody can guess and that are
//! gone with the call.
//!
//! It listens on loopback unless the settings say otherwise. What is asked for is one blob of one call; what is
//! put is bounded as what a component writes. Nothing else of the store can be reached here.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::stream::try_unfold;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Frame, Incoming},
    header::{CONTENT_LENGTH, CONTENT_TYPE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::{net::TcpListener, sync::OnceCell, sync::Semaphore};

use crate::{
    contract::{Artifact, Digest},
    stage::Limits,
    store::Blobs,
};

/// How much of a blob is sent at once.
const PIECE: u32 = 1 << 20;

/// Connections at the same time; more wait to be accepted.
const CONNECTIONS: usize = 64;

/// How long a request's head may take.
const HEAD: Duration = Duration::from_secs(10);

/// How long a client may be silent within a body.
const SILENCE: Duration = Duration::from_mins(1);

/// Where it listens, and what it is called by those who come.
#[derive(Clone, Debug)]
pub struct Doorway {
    /// Where to listen; port 0 is any that is free.
    pub listen: SocketAddr,
    /// What addresses begin with, where it is reached by another way than `listen`.
    pub url: Option<String>,
}

impl Default for Doorway {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            url: None,
        }
    }
}

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// The door of a process; it begins to listen when it is first needed.
#[derive(Debug, Default)]
pub(super) struct Door {
    way: Doorway,
    open: OnceCell<String>,
    calls: Arc<Mutex<BTreeMap<Digest, Arc<Call>>>>,
}

/// What one call may fetch and has put.
struct Call {
    inputs: Vec<Artifact>,
    blobs: Arc<dyn Blobs>,
    most: u64,
    blob: u64,
    count: u64,
    put: Mutex<Put>,
}

#[derive(Default)]
struct Put {
    blobs: BTreeMap<Digest, u64>,
    bytes: u64,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}

/// The addresses of one call, gone when it is dropped.
pub(super) struct Visit {
    base: String,
    key: Digest,
    calls: Arc<Mutex<BTreeMap<Digest, Arc<Call>>>>,
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.remove(&self.key);
    }
}

impl Visit {
    /// Where the input at this place of the invocation is read.
    pub(super) fn input(&self, at: usize) -> String {
        format!("{}/inputs/{at}", self.base)
    }

    /// Where outputs are put, each under its name.
    pub(super) fn outputs(&self) -> String {
        format!("{}/outputs", self.base)
    }

    /// The bytes of a blob that was put here.
    pub(super) fn size_of(&self, digest: &Digest) -> Option<u64> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let call = calls.get(&self.key)?;
        let put = call.put.lock().unwrap_or_else(PoisonError::into_inner);
        put.blobs.get(digest).copied()
    }
}

impl Door {
    pub(super) fn new(way: Doorway) -> Self {
        Self {
            way,
            ..Self::default()
        }
    }

    /// Addresses for a call.
    pub(super) async fn visit(
        &self,
        inputs: Vec<Artifact>,
        blobs: &Arc<dyn Blobs>,
        limits: &Limits,
    ) -> anyhow::Result<Visit> {
        let base = self.open.get_or_try_init(|| self.listen()).await?;
        let mut token = [0; 32];
        getrandom::fill(&mut token).context("the system has no random numbers")?;
        let token = hex::encode(token);
        // Looked up by its digest: how long a look takes tells nothing of a token.
        let key = Digest::of(token.as_bytes());
        let call = Call {
            inputs,
            blobs: Arc::clone(blobs),
            most: limits.written_bytes,
            blob: limits.blob_bytes,
            count: limits.blobs,
            put: Mutex::default(),
        };
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.insert(key, Arc::new(call));
        Ok(Visit {
            base: format!("{base}/{token}"),
            key,
            calls: Arc::clone(&self.calls),
        })
    }

    async fn listen(&self) -> anyhow::Result<String> {
        let listen = self.way.listen;
        let listener = TcpListener::bind(listen).await;
        let listener = listener
            .with_context(|| format!("listen of [external]: {listen} can't be listened on"))?;
        let own = format!("http://{}", listener.local_addr()?);
        let base = self.way.url.clone().unwrap_or(own);
        let calls = Arc::clone(&self.calls);
        let free = Arc::new(Semaphore::new(CONNECTIONS));
        tokio::spawn(async move {
            loop {
                let Ok(permit) = Arc::clone(&free).acquire_owned().await else {
                    return;
                };
                let Ok((stream, _)) = listener.accept().await else {
                    // Out of files, say: those that are open come to their end.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let calls = Arc::clone(&calls);
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let calls = Arc::clone(&calls);
                        async move { Ok::<_, std::convert::Infallible>(answer(request, &calls).await) }
                    });
                    let served = http1::Builder::new()
                        .timer(TokioTimer::new())
                        .header_read_timeout(HEAD)
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                    if let Err(error) = served {
                        tracing::debug!("a connection of an external stage broke: {error}");
                    }
                    drop(permit);
                });
            }
        });
        Ok(base.trim_end_matches('/').to_owned())
    }
}

async fn answer(
    request: Request<Incoming>,
    calls: &Mutex<BTreeMap<Digest, Arc<Call>>>,
) -> Response<Body> {
    let path = request.uri().path().to_owned();
    // Whatever comes before the last three belongs to a proxy.
    let mut parts = path.rsplit('/');
    let (Some(name), Some(what), Some(token)) = (parts.next(), parts.next(), parts.next()) else {
        return plain(StatusCode::NOT_FOUND, "there is nothing here");
    };
    let call = {
        let calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.get(&Digest::of(token.as_bytes())).map(Arc::clone)
    };
    let Some(call) = call else {
        return plain(
            StatusCode::NOT_FOUND,
            "the call is over, or there never was one",
        );
    };
    match (request.method(), what) {
        (&Method::GET, "inputs") => input(&call, name).await,
        (&Method::PUT, "outputs") => output(&call, request.into_body()).await,
        (_, "inputs" | "outputs") => plain(
            StatusCode::METHOD_NOT_ALLOWED,
            "GET an input, PUT an output",
        ),
        _ => plain(StatusCode::NOT_FOUND, "there are inputs and outputs"),
    }
}

fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let body = Full::new(Bytes::from(format!("{text}\n"))).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    response
}

async fn input(call: &Call, at: &str) -> Response<Body> {
    let artifact = at.parse().ok().and_then(|at: usize| call.inputs.get(at));
    let Some(artifact) = artifact else {
        return plain(StatusCode::NOT_FOUND, "the call has no such input");
    };
    let reader = match call.blobs.open(&artifact.digest).await {
        Ok(reader) => reader,
        Err(error) => {
            tracing::warn!("an input of an external stage can't be read: {error}");
            return plain(StatusCode::INTERNAL_SERVER_ERROR, "it can't be read");
        }
    };
    let size = reader.size();
    let pieces = try_unfold((reader, 0_u64), |(reader, offset)| async move {
        if offset >= reader.size() {
            return Ok(None);
        }
        let piece = reader.read(offset, PIECE).await;
        let piece = piece.map_err(std::io::Error::other)?;
        if piece.is_empty() {
            return Err(std::io::Error::other("the blob ends too early"));
        }
        let next = offset + piece.len() as u64;
        Ok(Some((Frame::data(Bytes::from(piece)), (reader, next))))
    });
    let mut response = Response::new(UnsyncBoxBody::new(StreamBody::new(pieces)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, size.into());
    if let Ok(media_type) = artifact.media_type.parse() {
        headers.insert(CONTENT_TYPE, media_type);
    }
    response
}

async fn output(call: &Call, mut body: Incoming) -> Response<Body> {
    let failed = |error: anyhow::Error| {
        tracing::warn!("an output of an external stage can't be kept: {error:#}");
        plain(StatusCode::INTERNAL_SERVER_ERROR, "it can't be kept")
    };
    let mut writer = match call.blobs.create().await {
        Ok(writer) => writer,
        Err(error) => return failed(error),
    };
    let mut size = 0_u64;
    loop {
        let frame = match tokio::time::timeout(SILENCE, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => break,
            Ok(Some(Err(_))) | Err(_) => {
                return plain(StatusCode::BAD_REQUEST, "the output was cut off");
            }
        };
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        size += piece.len() as u64;
        let room = {
            let mut put = call.put.lock().unwrap_or_else(PoisonError::into_inner);
            put.bytes = put.bytes.saturating_add(piece.len() as u64);
            put.bytes <= call.most && size <= call.blob && (put.blobs.len() as u64) < call.count
        };
        if !room {
            return plain(
                StatusCode::PAYLOAD_TOO_LARGE,
                "limits blob_bytes, written_bytes or blobs",
            );
        }
        if let Err(error) = writer.write(&piece).await {
            return failed(error);
        }
    }
    let (digest, size) = match writer.finish().await {
        Ok(written) => written,
        Err(error) => return failed(error),
    };
    let mut put = call.put.lock().unwrap_or_else(PoisonError::into_inner);
    put.blobs.insert(digest, size);
    drop(put);
    let said = json!({ "digest": digest, "size": size }).to_string();
    plain(StatusCode::CREATED, &said)
}
