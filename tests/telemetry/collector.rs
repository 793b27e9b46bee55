//! A collector: takes OTLP over HTTP as it is specified, refuses it, or never answers.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{KeyValue, any_value::Value},
    resource::v1::Resource,
};
use prost::Message as _;
use tokio::{net::TcpListener, runtime::Runtime};

/// What the collector does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Takes,
    Refuses,
    Hangs,
}

/// A span as it came.
#[derive(Clone, Debug)]
pub(crate) struct Spanned {
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) kind: i32,
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) attributes: BTreeMap<String, String>,
    /// The description of an error.
    pub(crate) error: Option<String>,
}

/// A line as it came.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    pub(crate) service: String,
    pub(crate) text: String,
    pub(crate) trace: String,
    pub(crate) span: String,
    pub(crate) attributes: BTreeMap<String, String>,
}

/// All that came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Got {
    pub(crate) spans: Vec<Spanned>,
    pub(crate) logs: Vec<Logged>,
    /// Bodies of other requests, by path.
    pub(crate) others: Vec<(String, Vec<u8>)>,
    pub(crate) headers: Vec<HeaderMap>,
    pub(crate) requests: usize,
}

impl Got {
    /// The spans of invocations by `<run>/<stage>/<unit>`.
    pub(crate) fn invocations(&self) -> BTreeMap<String, &Spanned> {
        let named = self.spans.iter().filter_map(|span| {
            let name = span.attributes.get("septet.invocation")?;
            Some((name.clone(), span))
        });
        named.collect()
    }
}

type Shared = (Manner, Arc<Mutex<Got>>);

/// A collector on a free port of this machine.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    got: Arc<Mutex<Got>>,
    runtime: Option<Runtime>,
}

impl Collector {
    pub(crate) fn new(manner: Manner) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let got = Arc::<Mutex<Got>>::default();
        let shared: Shared = (manner, Arc::clone(&got));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(take).with_state(shared);
        runtime.spawn(serve(listener, router));
        Self {
            address,
            got,
            runtime: Some(runtime),
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What has come up to now.
    pub(crate) fn got(&self) -> Got {
        self.got.lock().unwrap().clone()
    }

    /// What has come when it is as `ready` has it.
    #[track_caller]
    pub(crate) fn wait(&self, ready: impl Fn(&Got) -> bool) -> Got {
        let until = Instant::now() + Duration::from_mins(1);
        loop {
            let got = self.got();
            if ready(&got) {
                return got;
            }
            assert!(Instant::now() < until, "it does not come: {got:#?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve(listener: TcpListener, router: Router) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let service = TowerToHyperService::new(router.clone());
        let io = TokioIo::new(stream);
        // Whoever sends may be killed meanwhile.
        tokio::spawn(http1::Builder::new().serve_connection(io, service));
    }
}

async fn take(State((manner, got)): State<Shared>, request: Request) -> StatusCode {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 16 << 20).await.unwrap();
    {
        let mut got = got.lock().unwrap();
        got.requests += 1;
        got.headers.push(head.headers.clone());
    }
    match manner {
        Manner::Takes => {}
        Manner::Refuses => return StatusCode::INTERNAL_SERVER_ERROR,
        Manner::Hangs => std::future::pending().await,
    }
    let path = head.uri.path().to_owned();
    if path.starts_with("/v1/") {
        assert_eq!(head.headers["content-type"], "application/x-protobuf");
    }
    keep(&mut got.lock().unwrap(), path, &body);
    StatusCode::OK
}

fn keep(got: &mut Got, path: String, body: &Bytes) {
    match path.as_str() {
        "/v1/traces" => {
            let batch = ExportTraceServiceRequest::decode(body.clone()).unwrap();
            for resource in batch.resource_spans {
                let service = service(resource.resource.as_ref());
                let spans = resource.scope_spans.into_iter().flat_map(|s| s.spans);
                got.spans.extend(spans.map(|span| {
                    Spanned {
                        service: service.clone(),
                        name: span.name,
                        kind: span.kind,
                        trace: hex::encode(span.trace_id),
                        id: hex::encode(span.span_id),
                        parent: hex::encode(span.parent_span_id),
                        attributes: attributes(&span.attributes),
                        error: span
                            .status
                            .filter(|status| status.code == 2)
                            .map(|status| status.message),
                    }
                }));
            }
        }
        "/v1/logs" => {
            let batch = ExportLogsServiceRequest::decode(body.clone()).unwrap();
            for resource in batch.resource_logs {
                let service = service(resource.resource.as_ref());
                let lines = resource.scope_logs.into_iter().flat_map(|s| s.log_records);
                got.logs.extend(lines.map(|line| Logged {
                    service: service.clone(),
                    text: text(line.body.and_then(|body| body.value).as_ref()),
                    trace: hex::encode(line.trace_id),
                    span: hex::encode(line.span_id),
                    attributes: attributes(&line.attributes),
                }));
            }
        }
        _ => got.others.push((path, body.to_vec())),
    }
}

fn service(resource: Option<&Resource>) -> String {
    let attributes = attributes(&resource.unwrap().attributes);
    assert_eq!(attributes["service.version"], env!("CARGO_PKG_VERSION"));
    attributes["service.name"].clone()
}

fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, String> {
    let pair = |pair: &KeyValue| {
        let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
        (pair.key.clone(), text(value))
    };
    pairs.iter().map(pair).collect()
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => value.to_string(),
        other => format!("{other:?}"),
    }
}
