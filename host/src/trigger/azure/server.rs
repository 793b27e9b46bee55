//! The port on which the Functions host asks.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Method, StatusCode},
    response::Response,
};
use http_body_util::BodyExt as _;
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::OnceCell,
    time::Instant,
};
use tracing::Instrument as _;

use super::{
    answer,
    functions::App,
    invocation::{self, patience},
    opened::{Open, Ready},
    rows,
};
use crate::{
    telemetry,
    trigger::{
        Stop,
        http::{HttpSettings, listen},
    },
};

/// How long the port may still belong to the process before this one, which was just killed.
const TAKEN: Duration = Duration::from_secs(10);

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// How long a connection of the Functions host may lie idle: longer than it keeps one, so that
/// it never sends on one that is being closed.
const IDLE: Duration = Duration::from_mins(10);

/// Listens on the port that the Functions host has chosen, on this machine alone.
pub async fn bind(port: u16) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let begun = Instant::now();
    loop {
        let bound = (|| {
            let socket = TcpSocket::new_v4()?;
            // The port is used again after a restart, when connections of before may linger.
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        })();
        match bound {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && begun.elapsed() < TAKEN => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            bound => {
                return bound.with_context(|| {
                    format!("{address}, of FUNCTIONS_CUSTOMHANDLER_PORT, can't be listened on")
                });
            }
        }
    }
}

/// Answers the Functions host.
pub struct Handler {
    app: App,
    open: Box<dyn Open>,
    ready: OnceCell<Ready>,
    pub(super) settings: HttpSettings,
    pub(super) stop: Stop,
}

impl Handler {
    /// A handler of the app's functions. `open` is asked at the first invocation.
    pub fn new(app: App, open: Box<dyn Open>, settings: &HttpSettings, stop: Stop) -> Self {
        let settings = HttpSettings {
            key: None,
            head: IDLE,
            ..settings.clone()
        };
        Self {
            app,
            open,
            ready: OnceCell::new(),
            settings,
            stop,
        }
    }

    /// Answers until a stop is asked for; what is begun then may end.
    pub async fn serve(self, listener: TcpListener) -> anyhow::Result<()> {
        let (settings, stop) = (self.settings.clone(), self.stop.clone());
        let router = Router::new().fallback(answer).with_state(Arc::new(self));
        let asked = async move { stop.asked().await };
        listen(listener, router, &settings, asked).await
    }

    /// What invocations work with, opened now if it is not yet. Who comes meanwhile waits; after a
    /// failure the next one tries again.
    pub(super) async fn ready(&self) -> anyhow::Result<&Ready> {
        let open = async { Ready::new(self.open.open().await?) };
        self.ready.get_or_try_init(|| open).await
    }
}

async fn answer(State(handler): State<Arc<Handler>>, mut request: Request) -> Response {
    let path = request.uri().path().to_owned();
    if let Some(function) = handler.app.invoked(&path) {
        if request.method() != Method::POST {
            let why = format!("the function {} is invoked by POST", function.name);
            return answer::refused(StatusCode::METHOD_NOT_ALLOWED, &why);
        }
        let (parts, body) = request.into_parts();
        return invocation::handle(&handler, function, &parts.headers, body).await;
    }
    if let Some(function) = handler.app.routed(&path) {
        let id = invocation::invocation_of(request.headers());
        let name = function.name.as_str();
        let parent = request.headers().get("traceparent");
        let parent = parent.and_then(|parent| parent.to_str().ok());
        let call = invocation::called(&function.kind, name, &id, parent);
        let asker = telemetry::stands(&call).map(|asker| asker.to_string());
        invocation::below(request.headers_mut(), asker.as_deref());
        let span = tracing::info_span!("invocation", function = name, id);
        let answered = forwarded(&handler, request).instrument(span);
        return answered.instrument(call).await;
    }
    if path == "/" {
        return answer::alive();
    }
    let path: String = path.chars().take(200).collect();
    let why = format!("no function of this app is for {path}");
    answer::refused(StatusCode::NOT_FOUND, &why)
}

/// A request that comes as it is, and is answered so.
async fn forwarded(handler: &Handler, request: Request) -> Response {
    let ready = match handler.ready().await {
        Ok(ready) => ready,
        Err(error) => {
            tracing::error!("the store can't be opened: {error:#}");
            // The client is outside: what is wrong in here is not for it.
            let why = "the store does not answer as it should";
            return answer::refused(StatusCode::SERVICE_UNAVAILABLE, why);
        }
    };
    rows::ask(&ready.router, request).await
}

/// Takes in a body, of at most `most` bytes. The time that its sender has grows with what it sent.
pub(super) async fn take(
    mut body: Body,
    most: u64,
    grace: Duration,
) -> Result<Vec<u8>, (StatusCode, String)> {
    let (mut taken, begun) = (Vec::new(), Instant::now());
    loop {
        let until = begun + patience(grace, taken.len() as u64);
        let frame = match tokio::time::timeout_at(until, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => return Ok(taken),
            Ok(Some(Err(error))) => {
                let why = format!("the body can't be read: {error}");
                return Err((StatusCode::BAD_REQUEST, why));
            }
            Err(_) => {
                let why = "the body came too slowly".to_owned();
                return Err((StatusCode::REQUEST_TIMEOUT, why));
            }
        };
        if let Ok(data) = frame.into_data() {
            if (taken.len() + data.len()) as u64 > most {
                let why = format!("the body has more than {most} bytes");
                return Err((StatusCode::PAYLOAD_TOO_LARGE, why));
            }
            taken.extend_from_slice(&data);
        }
    }
}
