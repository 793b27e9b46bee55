//! Spin's interfaces in our own wasmtime, for applications that `septet spin compose` made, where no
//! Spin is installed: the HTTP handler, calls within the application, the key-value store, variables.
//! A component may do what its manifest grants it, and nothing else.
//!
//! It is a test's host: it bounds nothing, and keeps to the manifest's parts that ours uses.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex, OnceLock},
};

use http_body_util::BodyExt as _;
use hyper::{Request, Response, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use septet::contract::Digest;
use tokio::{net::TcpListener, runtime::Runtime, sync::oneshot};
use wasmtime::{
    Config, Engine, Store,
    component::{Component, HasSelf, Linker, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
    p2::bindings::{ProxyPre, http::types::Scheme},
};

use crate::{store::double::Double, support::spin::Asked};

mod keyvalue;

mod bindings {
    wasmtime::component::bindgen!({
        path: "../components/spin-kit/wit",
        inline: "
            package septet:spin-host;

            world offered {
                import wasi:keyvalue/store@0.2.0-draft2;
                import wasi:keyvalue/atomics@0.2.0-draft2;
                import fermyon:spin/variables@2.0.0;
            }

            package fermyon:spin@2.0.0 {
                interface variables {
                    variant error {
                        invalid-name(string),
                        undefined(string),
                        provider(string),
                        other(string),
                    }
                    get: func(name: string) -> result<string, error>;
                }
            }
        ",
        with: {
            "wasi:keyvalue/store.bucket": super::keyvalue::Bucket,
            "wasi:keyvalue/atomics.cas": super::keyvalue::Cas,
        },
    });
}

use bindings::fermyon::spin::variables;

/// The header that says who asks, which only the host writes.
const CLIENT: &str = "spin-client-addr";

/// What it says of a call within the application.
const WITHIN: &str = "0.0.0.0:0";

/// A component of the manifest, and what it is granted.
struct Granted {
    app: ProxyPre<Guest>,
    stores: BTreeSet<String>,
    hosts: BTreeSet<String>,
    variables: BTreeMap<String, String>,
}

/// An application.
struct Application {
    routes: Vec<(String, String)>,
    components: BTreeMap<String, Granted>,
    store: &'static Double,
}

/// What an instance stands on, which is there for one request.
struct Guest {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    calls: Calls,
}

/// Whose instance it is, and of which application.
struct Calls {
    application: Arc<Application>,
    component: String,
}

/// An application that answers, until the value goes.
pub(crate) struct Served {
    address: SocketAddr,
    _runtime: Runtime,
}

impl Asked for Served {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn log(&self) -> String {
        String::new()
    }
}

impl Served {
    /// Serves what the manifest names out of a folder, with these values of its variables. To the
    /// components whoever asks seems to be `client`.
    pub(crate) fn up(
        manifest: &str,
        folder: &Path,
        store: Double,
        variables: &[(&str, &str)],
        client: &'static str,
    ) -> Self {
        // A change of a value that was begun borrows the store and is kept by number: it must live on.
        let store = Box::leak(Box::new(store));
        let application = Arc::new(Application::new(manifest, folder, store, variables));
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let listener = listener.unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let application = Arc::clone(&application);
                let answer = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let application = Arc::clone(&application);
                    async move {
                        let request = request.map(|body| body.map_err(Error::from).boxed_unsync());
                        application.route(request, client).await
                    }
                });
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
                tokio::spawn(async move {
                    // Whoever hangs up early is not waited for.
                    let _ended = connection.await;
                });
            }
        });
        Self {
            address,
            _runtime: runtime,
        }
    }
}

/// Ready to be instantiated; compiled once for all tests of a process.
fn compiled(bytes: &[u8]) -> ProxyPre<Guest> {
    type Ready = Arc<OnceLock<ProxyPre<Guest>>>;
    static READY: Mutex<BTreeMap<Digest, Ready>> = Mutex::new(BTreeMap::new());
    let ready = Arc::clone(READY.lock().unwrap().entry(Digest::of(bytes)).or_default());
    ready.get_or_init(|| compile(bytes)).clone()
}

fn compile(bytes: &[u8]) -> ProxyPre<Guest> {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    let engine = ENGINE.get_or_init(|| Engine::new(&Config::new()).unwrap());
    let component = Component::from_binary(engine, bytes).unwrap();
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker).unwrap();
    bindings::Offered::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest: &mut Guest| guest)
        .unwrap();
    ProxyPre::new(linker.instantiate_pre(&component).unwrap()).unwrap()
}

impl Application {
    fn new(
        manifest: &str,
        folder: &Path,
        store: &'static Double,
        variables: &[(&str, &str)],
    ) -> Self {
        let manifest: toml::Table = manifest.parse().unwrap();
        // A variable is what was given, else its default; a component sees what it names of them.
        let declared = manifest["variables"].as_table().unwrap();
        let value = |name: &str| {
            let given = variables.iter().find(|(own, _)| *own == name);
            let usual = declared[name]["default"].as_str().unwrap();
            given.map_or(usual, |(_, value)| value).to_owned()
        };
        let triggers = manifest["trigger"]["http"].as_array().unwrap().iter();
        let text = |of: &toml::Value, key: &str| of[key].as_str().unwrap().to_owned();
        let mut routes: Vec<_> = triggers
            .map(|trigger| {
                let route = text(trigger, "route");
                let route = route.strip_suffix("/...").unwrap().to_owned();
                (route, text(trigger, "component"))
            })
            .collect();
        // The longest that fits is taken.
        routes.sort_by_key(|(route, _)| std::cmp::Reverse(route.len()));
        let components = manifest["component"].as_table().unwrap().iter();
        let components = components.map(|(name, component)| {
            let all = |key: &str| {
                let named = component.get(key).and_then(toml::Value::as_array);
                let named = named.into_iter().flatten();
                named.map(|one| one.as_str().unwrap().to_owned()).collect()
            };
            let seen = component.get("variables").and_then(toml::Value::as_table);
            let seen = seen.into_iter().flatten().map(|(name, template)| {
                let template = template.as_str().unwrap();
                let inner = template.strip_prefix("{{ ").unwrap();
                let variable = inner.strip_suffix(" }}").unwrap();
                (name.clone(), value(variable))
            });
            let source = Path::new(component["source"].as_str().unwrap());
            let bytes = fs::read(folder.join(source.file_name().unwrap())).unwrap();
            let granted = Granted {
                app: compiled(&bytes),
                stores: all("key_value_stores"),
                hosts: all("allowed_outbound_hosts"),
                variables: seen.collect(),
            };
            (name.clone(), granted)
        });
        Self {
            routes,
            components: components.collect(),
            store,
        }
    }

    async fn route(
        self: Arc<Self>,
        request: Request<WasiBody>,
        client: &'static str,
    ) -> wasmtime::Result<Response<WasiBody>> {
        let path = request.uri().path();
        let fits = |route: &str| {
            let rest = path.strip_prefix(route);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let (_, component) = self.routes.iter().find(|(route, _)| fits(route)).unwrap();
        let component = component.clone();
        self.answer(component, request, client).await
    }

    /// One request in an instance of its own.
    async fn answer(
        self: Arc<Self>,
        component: String,
        mut request: Request<WasiBody>,
        client: &'static str,
    ) -> wasmtime::Result<Response<WasiBody>> {
        let app = self.components[&component].app.clone();
        request.headers_mut().insert(CLIENT, client.parse()?);
        let guest = Guest {
            table: ResourceTable::new(),
            wasi: WasiCtx::builder().inherit_stderr().build(),
            http: WasiHttpCtx::new(),
            calls: Calls {
                application: self,
                component,
            },
        };
        let mut store = Store::new(app.engine(), guest);
        let (sender, receiver) = oneshot::channel();
        let request = store
            .data_mut()
            .http()
            .new_incoming_request(Scheme::Http, request)?;
        let out = store.data_mut().http().new_response_outparam(sender)?;
        let ends = tokio::spawn(async move {
            let app = app.instantiate_async(&mut store).await?;
            let handler = app.wasi_http_incoming_handler();
            handler.call_handle(store, request, out).await
        });
        if let Ok(answer) = receiver.await {
            return Ok(answer?);
        }
        let ended = ends.await?;
        Err(ended.map_or_else(
            |error| error,
            |()| wasmtime::Error::msg("it gave no answer"),
        ))
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.calls,
        }
    }
}

/// How a response comes with what it is read by.
type Sent = Result<
    (
        Response<WasiBody>,
        Box<dyn Future<Output = Result<(), Error>> + Send>,
    ),
    Error,
>;

impl WasiHttpHooks for Calls {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        _options: Option<RequestOptions>,
        _read: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let own = &self.application.components[&self.component];
        let uri = request.uri();
        let host = uri.host().unwrap_or_default().to_owned();
        let allowed = own.hosts.contains(&format!(
            "{}://{host}",
            uri.scheme_str().unwrap_or_default()
        ));
        let application = Arc::clone(&self.application);
        Box::new(async move {
            let component = host.strip_suffix(".spin.internal").filter(|_| allowed);
            let Some(component) = component else {
                return Err(Error::HttpRequestDenied);
            };
            let answer = application.answer(component.to_owned(), request, WITHIN);
            let answer = answer
                .await
                .map_err(|error| Error::InternalError(Some(format!("{error:#}"))))?;
            let read: Box<dyn Future<Output = _> + Send> = Box::new(async { Ok(()) });
            Ok((answer, read))
        })
    }
}

impl variables::Host for Guest {
    fn get(&mut self, name: String) -> Result<String, variables::Error> {
        let own = &self.calls.application.components[&self.calls.component];
        let value = own.variables.get(&name).cloned();
        value.ok_or(variables::Error::Undefined(name))
    }
}
