//! A run is asked for.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::json;

use super::{
    blame, blobs,
    intake::{Intake, media_type},
    refusal::{Refusal, json},
    runs::lost,
    server::Server,
    wish::{Given, What, Wish},
};
use crate::{
    capability::clean,
    contract::{Artifact, Digest},
    pipeline::{Keyed, Traceparent},
    trigger::{Part, Wanted, ending, media_type as media_type_of},
};

/// The header by which a request that is sent twice is known.
const KEY: &str = "idempotency-key";

/// The longest such key, in bytes.
const MAX_KEY: usize = 255;

/// How long all that is done in the store for one request may take, once its body is there.
const STORE: Duration = Duration::from_mins(2);

/// Bodies that are a part of the data themselves.
const DATA: [&str; 3] = [
    "text/csv",
    "application/x-ndjson",
    "application/vnd.apache.parquet",
];

/// Creates the run that a request asks for. With a key it is created once, however often it is
/// asked for: a client that got no answer asks again.
pub(super) async fn submit(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
    body: Body,
) -> Result<Response, Refusal> {
    let cause = cause(&headers)?;
    let Query(pairs) = query.map_err(|error| Refusal::bad(error.body_text()))?;
    let (wish, asked) = wish(&server, &headers, pairs, body).await?;
    let begun = begin(&server, &headers, cause, wish, asked);
    match tokio::time::timeout(STORE, begun).await {
        Ok(answered) => answered,
        // What is half done stays so: a run whose first record is there is brought up by whoever
        // recovers, and of any other nothing is seen.
        Err(_) => Err(Refusal::busy(format!(
            "the store did not take the run within {} s: look at /api/runs before you ask again, or \
             ask with an Idempotency-Key",
            STORE.as_secs()
        ))),
    }
}

async fn begin(
    server: &Server,
    headers: &HeaderMap,
    cause: Option<String>,
    wish: Wish,
    asked: Digest,
) -> Result<Response, Refusal> {
    let pipeline = &server.pipeline;
    if let Some(cause) = &cause {
        let started = pipeline.started_keyed(cause, asked).await;
        if let Some(keyed) = started.map_err(|e| Refusal::fault(&e))? {
            return answer(server, keyed).await;
        }
    }
    let wanted = wanted(server, headers, wish).await?;
    let request = server.wishes.request(wanted).await;
    let request = request.map_err(|error| blame::refusal(&error))?;
    let keyed = match &cause {
        Some(cause) => pipeline.start_keyed(cause, asked, request).await,
        None => pipeline.start(request).await.map(Keyed::New),
    };
    answer(server, keyed.map_err(|error| blame::refusal(&error))?).await
}

/// The cause that the client has named, if it has.
fn cause(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut keys = headers.get_all(KEY).iter();
    let (Some(key), more) = (keys.next(), keys.next()) else {
        return Ok(None);
    };
    let key = key.to_str().unwrap_or_default().trim();
    if more.is_some() || !(1..=MAX_KEY).contains(&key.len()) {
        return Err(Refusal::bad(format!(
            "Idempotency-Key has to be one text of 1 to {MAX_KEY} ASCII characters"
        )));
    }
    Ok(Some(format!("http:{key}")))
}

/// What is asked for, and the digest of all that says so.
async fn wish(
    server: &Server,
    headers: &HeaderMap,
    pairs: Vec<(String, String)>,
    body: Body,
) -> Result<(Wish, Digest), Refusal> {
    let media_type = media_type(headers);
    if media_type == "application/json" {
        if !pairs.is_empty() {
            return Err(Refusal::bad(
                "with a body in JSON all is said there: send no query",
            ));
        }
        let settings = &server.settings;
        let intake = Intake::new(headers, body, settings.json_bytes, settings.body)?;
        let bytes = intake.all().await?;
        return Ok((Wish::read(&bytes)?, Digest::of(&bytes)));
    }
    if !DATA.contains(&media_type.as_str()) {
        let shown = clean(&media_type, 80);
        let line = format!(
            "a run is asked for in application/json, or with its data as {}; not with '{shown}'",
            DATA.join(", ")
        );
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, line));
    }
    // What is wrong with the query is told before the body is read.
    let name = format!("data.{}", ending(&media_type));
    let mut wish = Wish::queried(pairs.clone(), &name, Digest::of(b""))?;
    let (digest, _) = blobs::keep(server, headers, body).await?;
    for part in &mut wish.data {
        part.what = What::Stored(digest);
    }
    let said = json!([media_type, pairs, digest]).to_string();
    Ok((wish, Digest::of(said.as_bytes())))
}

/// The wish with all its data in the store.
async fn wanted(server: &Server, headers: &HeaderMap, wish: Wish) -> Result<Wanted, Refusal> {
    let mut data = Vec::new();
    // A request may name one blob a thousand times.
    let mut touched: BTreeMap<Digest, u64> = BTreeMap::new();
    for Given { name, what } in wish.data {
        let blobs = &server.pipeline.store().blobs;
        let (digest, size) = match what {
            What::Text(text) => {
                let kept = blobs.put(text.as_bytes()).await;
                (kept.map_err(|e| Refusal::fault(&e))?, text.len() as u64)
            }
            // Touched, so that it is not swept before the run names it.
            What::Stored(digest) => {
                let size = match touched.get(&digest) {
                    Some(size) => *size,
                    None => touch(server, &name, &digest).await?,
                };
                touched.insert(digest, size);
                (digest, size)
            }
        };
        let artifact = Artifact {
            name: "source".to_owned(),
            digest,
            size,
            media_type: media_type_of(Path::new(&name)).to_owned(),
        };
        data.push(Part::Stored {
            label: name,
            artifact,
        });
    }
    let trace = headers.get("traceparent");
    let trace = trace.and_then(|trace| Traceparent::parse(trace.to_str().ok()?));
    Ok(Wanted {
        kind: wish.kind,
        model: wish.model,
        data,
        options: wish.options,
        trace: trace.map(|trace| trace.to_string()),
    })
}

/// Marks the blob of a part as used, and gives its size.
async fn touch(server: &Server, name: &str, digest: &Digest) -> Result<u64, Refusal> {
    let touched = server.pipeline.store().blobs.touch(digest).await;
    let size = touched.map_err(|e| Refusal::fault(&e))?;
    size.ok_or_else(|| {
        Refusal::unusable(format!(
            "'{name}': there is no blob {digest} in the store: send it to /api/blobs"
        ))
    })
}

async fn answer(server: &Server, keyed: Keyed) -> Result<Response, Refusal> {
    let (run, status) = match keyed {
        Keyed::New(run) => (run, StatusCode::CREATED),
        Keyed::Same(run) => (run, StatusCode::OK),
        Keyed::Forgotten(run) => return Err(forgotten(&run)),
        Keyed::Other => {
            return Err(Refusal::conflict(
                "this Idempotency-Key stands for another request: take a new one",
            ));
        }
    };
    let state = match server.pipeline.state(&run).await {
        Ok(state) => state,
        // It was there when its key was looked at.
        Err(error) => {
            let fault = lost(server, &run, &error).await;
            return Err(fault.unwrap_or_else(|| forgotten(&run)));
        }
    };
    let mut response = json(status, &json!({ "run": run, "status": state.status() }));
    if let Ok(place) = HeaderValue::from_str(&format!("/api/runs/{run}")) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

fn forgotten(run: &str) -> Refusal {
    Refusal::gone(format!(
        "the run of this key is forgotten: use another key (it was {run})"
    ))
}
