//! Connections: accepted, bounded, and ended in order.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::Router;
use futures_util::future::{Either, select};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};

use super::{
    HttpSettings, aside::Aside, health::Seen, models::Models, patient::Patient, routes::routes,
};
use crate::{
    contract::{Digest, Stage},
    pipeline::Pipeline,
    stage::StageExecutor,
    swap::Swapper,
    trigger::Requests,
};

/// Headers of a request at most.
const MAX_HEADERS: usize = 64;

/// Bytes of a request's head at most, and of what is read ahead of a body.
const MAX_HEAD: usize = 32 << 10;

/// The wait after a connection could not be accepted: for want of file handles, mostly.
const BREATH: Duration = Duration::from_millis(100);

/// What a server serves.
pub struct Api {
    /// The runs, and the store.
    pub pipeline: Pipeline,
    /// Where models predict.
    pub stages: Arc<StageExecutor>,
    /// Makes a run's request of what is wanted.
    pub requests: Arc<dyn Requests>,
    /// Takes components in the place of others.
    pub swapper: Arc<Swapper>,
    /// Where what nobody waits for is done.
    pub aside: Arc<Aside>,
    /// What is taken.
    pub settings: HttpSettings,
}

/// What all requests share.
pub(super) struct Server {
    pub(super) pipeline: Pipeline,
    pub(super) wishes: Arc<dyn Requests>,
    pub(super) models: Arc<Models>,
    pub(super) swapper: Arc<Swapper>,
    /// Held while a component is taken in and tried.
    pub(super) swapping: Arc<Semaphore>,
    stages: Arc<StageExecutor>,
    /// One for each request that is being answered.
    pub(super) requests: Arc<Semaphore>,
    /// Whether the store answered at the last look.
    pub(super) seen: Arc<Seen>,
    pub(super) settings: HttpSettings,
}

impl Server {
    fn new(api: Api) -> Self {
        let Api {
            pipeline,
            stages,
            requests,
            swapper,
            aside,
            settings,
        } = api;
        let own = Arc::clone(&stages);
        let models = Models::new(pipeline.clone(), own, settings.clone(), aside);
        Self {
            models: Arc::new(models),
            swapper,
            swapping: Arc::new(Semaphore::new(1)),
            stages,
            pipeline,
            wishes: requests,
            requests: Arc::new(Semaphore::new(settings.requests)),
            seen: Arc::default(),
            settings,
        }
    }

    /// This program's own component of a stage, and its size.
    pub(super) fn embedded(&self, stage: Stage) -> Option<(Digest, u64)> {
        let catalog = self.stages.catalog();
        catalog.embedded(stage).zip(catalog.embedded_size(stage))
    }
}

/// Serves `api` until `stop`; then requests that are under way may end, and no others begin. A
/// listener that others can reach is refused where there is no key.
pub async fn serve(
    listener: TcpListener,
    api: Api,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    api.settings.check(listener.local_addr()?)?;
    let settings = api.settings.clone();
    listen(listener, router(api), &settings, stop).await
}

/// The routes of `api`, for whoever takes the requests in by itself.
pub(in crate::trigger) fn router(api: Api) -> Router {
    routes(Arc::new(Server::new(api)))
}

/// Serves `router`, as `serve` does.
pub(in crate::trigger) async fn listen(
    listener: TcpListener,
    router: Router,
    settings: &HttpSettings,
    stop: impl Future<Output = ()> + Send,
) -> anyhow::Result<()> {
    let places = Arc::new(Semaphore::new(settings.connections));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = pin!(accept(&listener, &places));
        let (stream, place) = match select(stop.as_mut(), accepted).await {
            Either::Left(_) => break,
            Either::Right((accepted, _)) => accepted,
        };
        while connections.try_join_next().is_some() {}
        let connection = connection(stream, router.clone(), settings);
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("a connection broke: {error}");
            }
            drop(place);
        });
    }
    // Nobody is to wait in a line that is not served any more.
    drop(listener);
    let ended = tokio::time::timeout(settings.stop, graceful.shutdown()).await;
    if ended.is_err() {
        tracing::warn!("requests that did not end in time were cut off");
    }
    connections.shutdown().await;
    Ok(())
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed.
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // An answer is written at once, so it must not wait for more to send.
                let _ = stream.set_nodelay(true);
                return (stream, place);
            }
            Err(error) => {
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

type Connection = http1::Connection<TokioIo<Patient>, TowerToHyperService<Router>>;

fn connection(stream: TcpStream, router: Router, settings: &HttpSettings) -> Connection {
    let io = TokioIo::new(Patient::new(stream, settings.write));
    http1::Builder::new()
        .timer(TokioTimer::new())
        // A connection on which nothing is asked for ends so, too.
        .header_read_timeout(settings.head)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD)
        .max_buf_size(MAX_HEAD)
        .serve_connection(io, TowerToHyperService::new(router))
}
