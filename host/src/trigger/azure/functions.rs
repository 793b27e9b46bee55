//! The functions of an app, as host.json and the function.json files say.
//!
//! They are read as the Functions host reads them: what this program has no use for is left alone,
//! what it can't work with is refused at the start with the file and the field.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read as _,
    path::Path,
};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, de::DeserializeOwned};

use super::route::Route;
use crate::contract::Stage;

/// Bytes of host.json and of a function.json at most.
const LARGEST: u64 = 256 << 10;

/// Functions of one app at most, and entries of its folder that are looked at.
const MOST: usize = 200;
const MOST_ENTRIES: usize = 10_000;

/// Functions by their names in lower case: the Functions host does not tell cases apart.
#[derive(Debug)]
pub struct App {
    pub(super) functions: BTreeMap<String, Function>,
}

/// One function.
#[derive(Debug)]
pub(super) struct Function {
    /// As its folder is called.
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// What begins a function, with the names of its bindings.
#[derive(Debug)]
pub(super) enum Kind {
    /// A message in a stage's queue. `binary` says how the body is encoded.
    Queue {
        binding: String,
        stage: Stage,
        binary: bool,
    },
    /// An event of Event Grid.
    Event { binding: String },
    /// A blob; its name is what counts.
    Blob,
    /// The clock.
    Timer(Task),
    /// A request over HTTP, which comes wrapped, or as it is where the app `forwards`.
    Http {
        request: String,
        answer: String,
        route: Route,
        forwards: bool,
    },
}

/// What is done by the clock; the function is called so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Picks up what lost processes left.
    Sweep,
    /// Fires the timers of the settings whose tick has come.
    Timers,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct HostJson {
    custom_handler: CustomHandler,
    extensions: Extensions,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CustomHandler {
    enable_forwarding_http_request: bool,
    enable_proxying_http_request: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Extensions {
    http: HttpExtension,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct HttpExtension {
    route_prefix: Option<String>,
}

#[derive(Debug, Deserialize)]
struct FunctionJson {
    #[serde(default)]
    disabled: bool,
    bindings: Vec<Binding>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Binding {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: String,
    queue_name: Option<String>,
    data_type: Option<String>,
    route: Option<String>,
}

impl Binding {
    fn is(&self, kind: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
    }

    fn named(&self) -> anyhow::Result<String> {
        ensure!(
            !self.name.is_empty(),
            "name of the {} binding is missing",
            self.kind
        );
        Ok(self.name.clone())
    }
}

impl App {
    /// The functions below `root`.
    pub fn read(root: &Path) -> anyhow::Result<Self> {
        let path = root.join("host.json");
        let host: HostJson = json(&path).with_context(|| {
            format!(
                "name the app's folder with FUNCTIONS_APP_ROOT_PATH ({})",
                root.display()
            )
        })?;
        let mut functions = BTreeMap::new();
        let entries = fs::read_dir(root);
        let entries = entries.with_context(|| format!("{} can't be read", root.display()))?;
        for entry in entries.take(MOST_ENTRIES) {
            let folder = entry?.path();
            let path = folder.join("function.json");
            if !path.is_file() {
                continue;
            }
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            let shown = path.display();
            ensure!(
                functions.len() < MOST,
                "{shown}: more than {MOST} functions"
            );
            let read: FunctionJson = json(&path)?;
            if read.disabled {
                continue;
            }
            let kind = kind(&name, &read.bindings, &host).with_context(|| shown.to_string())?;
            let function = Function {
                name: name.clone().into_owned(),
                kind,
            };
            functions.insert(name.to_ascii_lowercase(), function);
        }
        ensure!(
            !functions.is_empty(),
            "{} has no function: a folder with a function.json for each is needed",
            root.display()
        );
        let app = Self { functions };
        app.check_routes()?;
        Ok(app)
    }

    /// A forwarded request has its own path: one that is the name of another function could not be
    /// told from an invocation of that.
    fn check_routes(&self) -> anyhow::Result<()> {
        for function in self.functions.values() {
            if let Kind::Http {
                route,
                forwards: true,
                ..
            } = &function.kind
            {
                let other = self.functions.values().find(|other| {
                    !matches!(other.kind, Kind::Http { forwards: true, .. })
                        && route.matches(&format!("/{}", other.name))
                });
                if let Some(other) = other {
                    bail!(
                        "{}/function.json: route: it is also the name of the function {}: name \
                         another route",
                        function.name,
                        other.name
                    );
                }
            }
        }
        Ok(())
    }

    /// The function that an invocation's path names.
    pub(super) fn invoked(&self, path: &str) -> Option<&Function> {
        let name = path.strip_prefix('/')?.to_ascii_lowercase();
        let function = self.functions.get(&name)?;
        (!matches!(function.kind, Kind::Http { forwards: true, .. })).then_some(function)
    }

    /// The function whose route a forwarded path fits.
    pub(super) fn routed(&self, path: &str) -> Option<&Function> {
        self.functions.values().find(|function| {
            matches!(&function.kind, Kind::Http { route, forwards: true, .. } if route.matches(path))
        })
    }

    /// Lines for a log: each function and what begins it.
    pub fn shown(&self) -> String {
        let shown = |function: &Function| {
            let begins = match &function.kind {
                Kind::Queue { stage, .. } => format!("queue {stage}"),
                Kind::Event { .. } => "Event Grid".to_owned(),
                Kind::Blob => "blob".to_owned(),
                Kind::Timer(_) => "timer".to_owned(),
                Kind::Http { .. } => "HTTP".to_owned(),
            };
            format!("{} ({begins})", function.name)
        };
        let all: Vec<String> = self.functions.values().map(shown).collect();
        all.join(", ")
    }
}

fn kind(name: &str, bindings: &[Binding], host: &HostJson) -> anyhow::Result<Kind> {
    let is_trigger = |binding: &&Binding| {
        let kind = binding.kind.to_ascii_lowercase();
        kind.ends_with("trigger")
    };
    let triggers: Vec<&Binding> = bindings.iter().filter(is_trigger).collect();
    let [trigger] = triggers.as_slice() else {
        bail!(
            "bindings: there must be one trigger, and there are {}",
            triggers.len()
        );
    };
    let others: Vec<&Binding> = bindings.iter().filter(|b| !is_trigger(b)).collect();
    if trigger.is("httpTrigger") {
        let [answer] = others.as_slice() else {
            bail!("bindings: an httpTrigger needs one http output and nothing else");
        };
        ensure!(
            answer.is("http"),
            "bindings: an httpTrigger needs one http output and nothing else"
        );
        let prefix = host
            .extensions
            .http
            .route_prefix
            .as_deref()
            .unwrap_or("api");
        let route = trigger.route.as_deref().unwrap_or(name);
        return Ok(Kind::Http {
            request: trigger.named()?,
            answer: answer.named()?,
            route: Route::parse(prefix, route).context("route")?,
            forwards: host.custom_handler.enable_forwarding_http_request
                || host.custom_handler.enable_proxying_http_request,
        });
    }
    // What an output binding would make of our texts is not ours to say: whatever looks like base64
    // is decoded, whatever looks like a list is taken apart.
    ensure!(
        others.is_empty(),
        "bindings: a function has its trigger only, because outputs go through the store; \
         take '{}' out",
        others.first().map_or("", |binding| binding.kind.as_str())
    );
    if trigger.is("queueTrigger") {
        let queue = trigger.queue_name.as_deref().unwrap_or_default();
        let stage: Option<Stage> = queue.parse().ok();
        let data_type = trigger.data_type.as_deref().unwrap_or("string");
        let binary = match data_type.to_ascii_lowercase().as_str() {
            "binary" => true,
            "string" => false,
            other => bail!("dataType is '{other}': a queueTrigger's is binary or string"),
        };
        return Ok(Kind::Queue {
            binding: trigger.named()?,
            stage: stage.with_context(|| {
                format!("queueName is '{queue}': it must be the name of a stage")
            })?,
            binary,
        });
    }
    if trigger.is("eventGridTrigger") {
        let binding = trigger.named()?;
        return Ok(Kind::Event { binding });
    }
    if trigger.is("blobTrigger") {
        return Ok(Kind::Blob);
    }
    if trigger.is("timerTrigger") {
        return match name.to_ascii_lowercase().as_str() {
            "sweep" => Ok(Kind::Timer(Task::Sweep)),
            "timers" => Ok(Kind::Timer(Task::Timers)),
            _ => bail!("a function with a timerTrigger is called sweep or timers"),
        };
    }
    bail!(
        "bindings: type '{}' is none that septet is begun by: there is queueTrigger, \
         eventGridTrigger, blobTrigger, timerTrigger, httpTrigger",
        trigger
            .kind
            .chars()
            .take(60)
            .collect::<String>()
            .escape_debug()
    )
}

fn json<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let shown = path.display();
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut text))
        .with_context(|| format!("{shown} can't be read"))?;
    ensure!(
        text.len() as u64 <= LARGEST,
        "{shown} has more than {LARGEST} bytes"
    );
    // Editors on Windows begin files so.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    serde_json::from_slice(text).with_context(|| format!("{shown} is not as it should be"))
}

#[cfg(test)]
#[allow(
    clippy::needless_pass_by_value,
    reason = "values are written where they are used"
)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn app(host: Value, functions: &[(&str, Value)]) -> Result<App, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("host.json"), host.to_string()).unwrap();
        for (name, bindings) in functions {
            let own = folder.path().join(name);
            fs::create_dir(&own).unwrap();
            let text = json!({ "bindings": bindings }).to_string();
            fs::write(own.join("function.json"), text).unwrap();
        }
        App::read(folder.path()).map_err(|error| format!("{error:#}"))
    }

    fn queue(name: &str, data_type: &str) -> Value {
        json!([{"type": "queueTrigger", "direction": "in", "name": "msg", "queueName": name,
                "connection": "PipelineStorage", "dataType": data_type}])
    }

    fn http(route: &str) -> Value {
        json!([{"type": "httpTrigger", "name": "req", "route": route, "methods": ["post"]},
               {"type": "http", "direction": "out", "name": "res"}])
    }

    #[test]
    fn functions_are_found_by_name_and_route() {
        let host = json!({"version": "2.0",
            "customHandler": {"enableForwardingHttpRequest": true},
            "extensions": {"http": {"routePrefix": ""}}});
        let functions = [
            ("ingest", queue("ingest", "binary")),
            ("runs", http("api/runs/{id?}")),
            (
                "sweep",
                json!([{"type": "timerTrigger", "name": "t", "schedule": "0 * * * * *"}]),
            ),
        ];
        let app = app(host, &functions).unwrap();
        assert!(matches!(
            app.invoked("/Ingest").unwrap().kind,
            Kind::Queue {
                stage: Stage::Ingest,
                binary: true,
                ..
            }
        ));
        assert!(app.invoked("/runs").is_none(), "it is forwarded");
        assert!(app.invoked("/ingest/x").is_none() && app.invoked("/").is_none());
        assert_eq!(app.routed("/api/runs/7").unwrap().name, "runs");
        assert!(app.routed("/api/models").is_none());
        assert_eq!(
            app.shown(),
            "ingest (queue ingest), runs (HTTP), sweep (timer)"
        );
    }

    #[test]
    fn what_can_not_be_worked_with_is_named() {
        let plain = || json!({"version": "2.0"});
        let out = json!([{"type": "queueTrigger", "name": "m", "queueName": "train"},
                         {"type": "queue", "name": "o", "queueName": "x"}]);
        for (name, bindings, told) in [
            (
                "train",
                queue("trains", "binary"),
                "train/function.json: queueName is 'trains'",
            ),
            ("train", queue("train", "stream"), "dataType is 'stream'"),
            ("train", json!([]), "there must be one trigger"),
            ("train", out, "take 'queue' out"),
            (
                "train",
                json!([{"type": "cosmosDBTrigger", "name": "x"}]),
                "type 'cosmosDBTrigger'",
            ),
            (
                "train",
                json!([{"type": "queueTrigger", "queueName": "train"}]),
                "name of the",
            ),
            (
                "train",
                json!("x"),
                "train/function.json is not as it should be",
            ),
            (
                "x",
                json!([{"type": "timerTrigger", "name": "t"}]),
                "sweep or timers",
            ),
            (
                "x",
                json!([{"type": "httpTrigger", "name": "t"}]),
                "one http output",
            ),
        ] {
            let error = app(plain(), &[(name, bindings)]).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
        let error = app(json!({"customHandler": 7}), &[]).unwrap_err();
        assert!(
            error.contains("host.json is not as it should be"),
            "{error}"
        );
        assert!(app(plain(), &[]).unwrap_err().contains("no function"));
        let host = json!({"customHandler": {"enableForwardingHttpRequest": true},
            "extensions": {"http": {"routePrefix": ""}}});
        let both = [("train", queue("train", "binary")), ("p", http("{name}"))];
        let error = app(host, &both).unwrap_err();
        assert!(error.contains("p/function.json: route"), "{error}");
    }
}
