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
            package septet:spin-gateway;

            world gateway {
                import septet:pipeline/stage@0.1.0;
                import septet:spin/session@0.1.0;
                import septet:spin/identity@0.1.0;
                import septet:spin/load-test@0.1.0;
            }
        ",
        generate_all,
    });
}

use std::{
    ops::RangeInclusive,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bindings::septet::spin::identity;
use septet_core::{
    contract::Stage,
    pipeline::{Policy, Silent, Worker},
};
use septet_spin_kit::{
    identity::Identity,
    key, keyvalue,
    reply::{Refusal, json, reply},
    request::path,
    wait::wait,
};
use serde_json::{json, to_value};
use spin_sdk::{
    http::{IncomingRequest, Method, Response},
    variables,
};

use crate::composed::Composed;

/// How long messages are taken. One that was begun is finished.
const WORK: Duration = Duration::from_secs(30);

/// The variable that says for how many seconds a message belongs to its call. It can't be renewed while
/// the stage runs, and nobody else does it meanwhile; after a call that was lost it comes back when
/// this is over. A call that takes longer may be done twice and is committed once.
const LEASE: &str = "lease";

/// What the variable may say, in seconds, and what holds where it is not granted.
const LEASES: RangeInclusive<u64> = 5..=86_400;
const USUAL: Duration = Duration::from_mins(5);

#[spin_sdk::http_component]
async fn handle(request: IncomingRequest) -> Response {
    reply(answer(&request))
}

fn answer(request: &IncomingRequest) -> Result<Response, Refusal> {
    key::check(request)?;
    let identity = Identity::read(&identity::read())?;
    let path = path(request);
    let mut parts = path.trim_start_matches('/').splitn(2, '/');
    let own = parts.next() == Some(identity.stage.name());
    match (request.method(), own, parts.next()) {
        (Method::Get, true, None) => {
            let told = to_value(&identity).map_err(anyhow::Error::new)?;
            Ok(json(200, &told))
        }
        (Method::Post, true, Some("work")) => {
            let (stage, handled) = (identity.stage, work(identity)?);
            Ok(json(200, &json!({ "stage": stage, "handled": handled })))
        }
        _ => {
            let stage = identity.stage;
            let line = format!("there is only GET /{stage} and POST /{stage}/work here");
            Err(Refusal::missing(line))
        }
    }
}

fn lease() -> anyhow::Result<Duration> {
    let text = match variables::get(LEASE) {
        Ok(text) => text,
        Err(variables::Error::Undefined(_)) => return Ok(USUAL),
        Err(error) => return Err(error).context("the variable 'lease' can't be read"),
    };
    let seconds = text.parse().ok().filter(|seconds| LEASES.contains(seconds));
    let seconds = seconds.with_context(|| {
        let (least, most) = (LEASES.start(), LEASES.end());
        format!("the variable 'lease' must be {least} to {most} seconds")
    })?;
    Ok(Duration::from_secs(seconds))
}

/// Takes messages until there are none or it is time to answer.
fn work(identity: Identity) -> anyhow::Result<u32> {
    let stage: Stage = identity.stage;
    let pipeline = keyvalue::pipeline()?;
    let executor = Arc::new(Composed::new(identity));
    let policy = Policy {
        lease: lease()?,
        concurrency: 1,
        ..Policy::default()
    };
    let worker = Worker::new(pipeline, executor, Arc::new(Silent));
    let worker = worker.with_stages([stage]).with_policy(policy);
    let begun = Instant::now();
    wait(async {
        let mut handled = 0;
        while begun.elapsed() < WORK {
            let Some(received) = worker.receive_of(|_| true).await? else {
                break;
            };
            worker.handle(&received).await?;
            handled += 1;
        }
        Ok(handled)
    })
}
