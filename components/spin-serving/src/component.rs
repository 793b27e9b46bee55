//! Bindings and routes.

#![allow(
    clippy::same_length_and_capacity,
    reason = "spin-sdk's macro generates it"
)]

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    clippy::indexing_slicing,
    reason = "generated"
)]
pub(crate) mod bindings {
    wit_bindgen::generate!({
        path: ["../../wit", "../spin-capabilities/wit"],
        inline: "
            package septet:spin-serving;

            world serving {
                import septet:capability/models@0.1.0;
                import septet:spin/session@0.1.0;
            }
        ",
        generate_all,
    });
}

use septet_spin_kit::{
    key, keyvalue,
    reply::{Refusal, json, reply},
    request::{body, path},
};
use serde_json::json;
use spin_sdk::http::{IncomingRequest, Method, Response};

use crate::predict::{Model, predict};

/// The largest request, in bytes.
const LARGEST: u64 = 16 << 20;

#[spin_sdk::http_component]
async fn handle(request: IncomingRequest) -> Response {
    reply(answer(request).await)
}

async fn answer(request: IncomingRequest) -> Result<Response, Refusal> {
    key::check(&request)?;
    let path = path(&request);
    let parts: Vec<&str> = path.split('/').skip(2).collect();
    let method = request.method();
    match (method, parts.as_slice()) {
        (Method::Get, []) => Ok(json(
            200,
            &json!({ "name": "septet", "version": env!("CARGO_PKG_VERSION"), "extensions": [] }),
        )),
        (Method::Get, ["health", "live"]) => Ok(json(200, &json!({ "live": true }))),
        (Method::Get, ["health", "ready"]) => {
            keyvalue::open()?;
            Ok(json(200, &json!({ "ready": true })))
        }
        (Method::Get, ["models", name, "ready"]) => ready(name, None),
        (Method::Get, ["models", name, "versions", version, "ready"]) => {
            ready(name, Some(*version))
        }
        (Method::Post, ["models", name, "infer"]) => infer(request, name, None).await,
        (Method::Post, ["models", name, "versions", version, "infer"]) => {
            infer(request, name, Some(*version)).await
        }
        _ => Err(Refusal::missing(
            "there are GET /v2, /v2/health/live, /v2/health/ready and /v2/models/<name>/ready, and \
             POST /v2/models/<name>/infer; before the last word a version may be named: \
             versions/<n>",
        )),
    }
}

fn ready(name: &str, version: Option<&str>) -> Result<Response, Refusal> {
    let model = Model::find(name, version)?;
    Ok(json(200, &json!({ "name": model.name, "ready": true })))
}

async fn infer(
    request: IncomingRequest,
    name: &str,
    version: Option<&str>,
) -> Result<Response, Refusal> {
    let model = Model::find(name, version)?;
    let answer = predict(&model, &body(request, LARGEST).await?)?;
    let answer = serde_json::to_value(answer).map_err(anyhow::Error::new)?;
    Ok(json(200, &answer))
}
