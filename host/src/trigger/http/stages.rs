//! The components of the stages: which is in force, and another one in its place.
//!
//! Whoever may change a stage decides what code runs here. So a key is needed for that wherever the
//! server listens: any user of this machine, and any page that is looked at on it, may reach a loopback
//! address.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{
        Extension, Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    blame,
    guard::Place,
    intake::Intake,
    refusal::{Refusal, json},
    server::Server,
};
use crate::{
    contract::Stage,
    pipeline::{Compared, Gate, Percent, Undone},
    swap::{Offer, Refused, Swapped, Wish, view},
    trust::MAX_SIGNATURE,
};

/// How long a component waits for the one before it.
const WAIT: Duration = Duration::from_secs(2);

/// How long a component may take to come in: nobody else's comes in meanwhile.
const BODY: Duration = Duration::from_mins(2);

/// What a stage's history tells at most; the newest.
const MOST: usize = 500;

/// The text of the component's `.minisig` file, in base64.
const SIGNATURE: &str = "septet-signature";

/// Who changes a stage over HTTP, for the log: whoever has the key.
const WHO: &str = "http";

/// The stages, and what is in force.
pub(super) async fn list(State(server): State<Arc<Server>>) -> Result<Response, Refusal> {
    let all = server.pipeline.swaps().all().await;
    let all = all.map_err(|e| Refusal::fault(&e))?;
    let stages = Stage::ALL.map(|stage| view::stage(&all.stage(stage), server.embedded(stage)));
    Ok(json(StatusCode::OK, &json!({ "stages": stages })))
}

/// One stage: what is in force, what is tried and what was seen of it, and what has happened to it.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let stage = stage(path)?;
    told(&server, stage).await
}

async fn told(server: &Server, stage: Stage) -> Result<Response, Refusal> {
    let fault = |error: anyhow::Error| Refusal::fault(&error);
    let (swaps, trials) = (server.pipeline.swaps(), server.pipeline.trials());
    let state = swaps.state(stage).await.map_err(fault)?;
    let mut told = view::stage(&state, server.embedded(stage));
    let observed = trials.observed(stage).await.map_err(fault)?;
    let compared = trials.compared(stage).await.map_err(fault)?;
    let mut history = view::history(swaps, Some(stage)).await.map_err(fault)?;
    let old = history.len().saturating_sub(MOST);
    history.drain(..old);
    if let Some(object) = told.as_object_mut() {
        object.insert("observed".to_owned(), json!(observed));
        let compared = compared.as_ref().map(Compared::shown);
        object.insert("compared".to_owned(), json!(compared));
        object.insert("history".to_owned(), Value::Array(history));
    }
    Ok(json(StatusCode::OK, &told))
}

/// Puts the component in the body into force, or tries it.
pub(super) async fn put(
    State(server): State<Arc<Server>>,
    Extension(place): Extension<Place>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    keyed(&server)?;
    let stage = stage(path)?;
    let Query(pairs) = query.map_err(|error| Refusal::bad(error.body_text()))?;
    let wish = wish(pairs)?;
    let signature = signature(&headers)?;
    let largest = server.swapper.largest();
    let intake = Intake::new(&headers, body, largest, server.settings.body)?;
    // Before the body is read: of components that wait none is in memory.
    let turn = turn(&server).await?;
    let (own, told) = (Arc::clone(&server), wish.clone());
    // Beside: megabytes that come in must not keep a thread from those who ask. It computes, too, and
    // goes on when its client goes away: half a swap would be none, and all of it for nothing.
    let swapping = server.models.aside.spawn(async move {
        let _held = (turn, place);
        let offer = Offer::new(component(intake).await?, signature);
        let swapped = own.swapper.swap(stage, offer, &wish).await;
        if swapped.is_ok() {
            // Who asks after the answer is answered by it.
            own.models.follow().await;
        }
        Ok::<_, Refusal>(swapped)
    });
    match ended(swapping).await?? {
        Ok(swapped) => Ok(json(StatusCode::OK, &taken(&swapped, &told))),
        Err(refused) => Err(refusal(&refused)),
    }
}

/// The whole component, in time.
async fn component(intake: Intake) -> Result<Vec<u8>, Refusal> {
    let bytes = tokio::time::timeout(BODY, intake.all()).await;
    let bytes = bytes.map_err(|_| {
        let line = format!("the component did not come in within {} s", BODY.as_secs());
        Refusal::new(StatusCode::REQUEST_TIMEOUT, line)
    })??;
    if bytes.is_empty() {
        return Err(Refusal::bad("the body is empty: send a component"));
    }
    Ok(bytes)
}

/// Puts what was in force before into force again, or withdraws what is tried.
pub(super) async fn rollback(
    State(server): State<Arc<Server>>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Refusal> {
    let (stage, reason) = asked(&server, path, query)?;
    let swaps = server.pipeline.swaps();
    let undone = swaps.rollback(stage, WHO, &reason).await;
    let told = match undone.map_err(|error| changed(&error))? {
        Undone::Withdrawn { arm, component } => {
            json!({ "stage": stage, "withdrawn": arm.name(), "component": component })
        }
        Undone::Back { from, to } => json!({ "stage": stage, "from": from, "component": to }),
    };
    follow(&server).await?;
    Ok(json(StatusCode::OK, &told))
}

/// Puts what is tried into force.
pub(super) async fn promote(
    State(server): State<Arc<Server>>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(mut pairs) = query.map_err(|error| Refusal::bad(error.body_text()))?;
    let before = pairs.len();
    pairs.retain(|(name, value)| name != "force" || value != "true");
    let forced = pairs.len() < before;
    let (stage, reason) = asked(&server, path, Ok(Query(pairs)))?;
    let gate = Gate {
        matches: server.pipeline.trials().tolerance().matches,
        forced,
    };
    let promoted = server.pipeline.promote(stage, gate, (WHO, &reason)).await;
    let component = promoted.map_err(|error| changed(&error))?;
    follow(&server).await?;
    let told = json!({ "stage": stage, "component": component });
    Ok(json(StatusCode::OK, &told))
}

fn asked(
    server: &Server,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<(Stage, String), Refusal> {
    keyed(server)?;
    let stage = stage(path)?;
    let Query(pairs) = query.map_err(|error| Refusal::bad(error.body_text()))?;
    match pairs.as_slice() {
        [] => Ok((stage, "over HTTP".to_owned())),
        [(name, reason)] if name == "reason" => Ok((stage, reason.clone())),
        _ => Err(Refusal::bad(
            "the query may have a reason, for a promotion force=true, and nothing else",
        )),
    }
}

/// Brings what serves here up to date.
async fn follow(server: &Arc<Server>) -> Result<(), Refusal> {
    let models = Arc::clone(&server.models);
    let following = server
        .models
        .aside
        .spawn(async move { models.follow().await });
    ended(following).await
}

/// What work on the threads beside came to.
async fn ended<T>(work: Option<tokio::task::JoinHandle<T>>) -> Result<T, Refusal> {
    let Some(work) = work else {
        return Err(Refusal::busy("the server ends"));
    };
    work.await
        .map_err(|error| Refusal::fault(&anyhow::Error::new(error)))
}

/// Whether there is a key at all: who has come here has it then.
fn keyed(server: &Server) -> Result<(), Refusal> {
    if server.settings.key.is_some() {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::FORBIDDEN,
        "to change a stage over HTTP a key is needed, also on this machine: set SEPTET_HTTP_KEY, or \
         key_file of [http], or use `septet stages`",
    ))
}

fn stage(path: Result<Path<String>, PathRejection>) -> Result<Stage, Refusal> {
    let Path(stage) = path.map_err(|error| Refusal::bad(error.body_text()))?;
    stage
        .parse()
        .map_err(|error: anyhow::Error| Refusal::missing(error.to_string()))
}

/// The one turn there is; another's admission is waited for a little.
async fn turn(server: &Server) -> Result<OwnedSemaphorePermit, Refusal> {
    let turn = Arc::clone(&server.swapping).acquire_owned();
    match tokio::time::timeout(WAIT, turn).await {
        Ok(Ok(turn)) => Ok(turn),
        _ => Err(Refusal::busy(
            "another component is being tried now: send this one again in a moment",
        )),
    }
}

fn wish(pairs: Vec<(String, String)>) -> Result<Wish, Refusal> {
    let mut wish = Wish {
        who: WHO.to_owned(),
        ..Wish::default()
    };
    let mut seen = Vec::new();
    for (name, value) in pairs {
        if seen.contains(&name) {
            return Err(Refusal::bad(format!("{name} comes twice")));
        }
        let share = || -> Result<Option<Percent>, Refusal> {
            let share = value.parse();
            share
                .map(Some)
                .map_err(|error: anyhow::Error| Refusal::bad(format!("{name}: {error}")))
        };
        match name.as_str() {
            "canary" => wish.canary = share()?,
            "shadow" => wish.shadow = share()?,
            "same_answers" => {
                wish.same_answers = value
                    .parse()
                    .map_err(|_| Refusal::bad("same_answers is to be true or false"))?;
            }
            _ => {
                return Err(Refusal::bad(
                    "the query may have canary, shadow and same_answers, and nothing else",
                ));
            }
        }
        seen.push(name);
    }
    Ok(wish)
}

fn signature(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut given = headers.get_all(SIGNATURE).iter();
    let (Some(signature), more) = (given.next(), given.next()) else {
        return Ok(None);
    };
    let unread = || {
        Refusal::bad(format!(
            "{SIGNATURE} is to be the text of the .minisig file in base64, once: `base64 -w0 FILE.minisig`"
        ))
    };
    if more.is_some() || signature.len() > 2 * MAX_SIGNATURE {
        return Err(unread());
    }
    let text = STANDARD.decode(signature).map_err(|_| unread())?;
    String::from_utf8(text).map(Some).map_err(|_| unread())
}

fn taken(swapped: &Swapped, wish: &Wish) -> Value {
    let signed = swapped.signed.as_ref();
    let signed = signed.map(|by| json!({ "key": by.key.to_string(), "comment": by.comment }));
    json!({
        "stage": swapped.stage,
        "component": swapped.component,
        "revision": swapped.revision,
        "canary": wish.canary.map(Percent::as_f64),
        "shadow": wish.shadow.map(Percent::as_f64),
        "signed": signed,
        "report": swapped.report,
    })
}

/// What is told of a component that was refused: for what it is, or for what failed here.
fn refusal(refused: &Refused) -> Refusal {
    if refused.fault {
        tracing::error!("a swap failed: {refused}");
        return Refusal::known_fault();
    }
    tracing::warn!("{refused}");
    Refusal::unusable(refused.to_string()).at(refused.step.name())
}

/// Why a stage could not be rolled back or promoted: it is not as the client thinks, or the store
/// failed.
fn changed(error: &anyhow::Error) -> Refusal {
    if blame::is_fault(error) {
        return Refusal::fault(error);
    }
    Refusal::conflict(format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wished(query: &[(&str, &str)]) -> Result<Wish, Refusal> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        wish(query.iter().map(owned).collect())
    }

    #[test]
    fn what_is_wished_for_is_read() {
        let wish = wished(&[("canary", "10"), ("shadow", "5%"), ("same_answers", "true")]).unwrap();
        assert_eq!(wish.canary.map(Percent::as_f64), Some(10.0));
        assert!(wish.shadow.is_some() && wish.same_answers);
        assert!(!wished(&[]).unwrap().same_answers);
        for bad in [
            &[("canary", "0")][..],
            &[("canary", "ten")],
            &[("same_answers", "yes")],
            &[("who", "root")],
            &[("canary", "1"), ("canary", "2")],
        ] {
            assert!(wished(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_signature_is_one_header_in_base64() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(SIGNATURE, value.parse().unwrap());
            }
            signature(&headers)
        };
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&["YQo="]).unwrap().as_deref(), Some("a\n"));
        for bad in [
            &["!"][..],
            &["YQo=", "YQo="],
            &["/w=="],
            &[&"Y".repeat(3 * MAX_SIGNATURE)],
        ] {
            assert!(read(bad).is_err());
        }
    }
}
