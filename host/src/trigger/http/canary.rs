//! Which component answers a request, where one is tried, and what came of that.
//!
//! A canary harms nobody: where it comes to no answer, or refuses a record, the component in force is
//! asked, and its answer counts if it is better. Only what the other one could answer is the canary's
//! error, so that a client who sends the same bad request again and again does not end it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::http::HeaderMap;

use super::{
    guard::Place,
    model::{Asked, Model, What},
    models::{Models, Ready},
};
use crate::{
    contract::{Digest, Stage},
    pipeline::StageState,
};

/// How often what was seen is written down.
const FLUSH: Duration = Duration::from_secs(1);

/// The part of a request's time that a canary is given.
const CANARY: u32 = 4;

/// What a client may name a request with, so that it is told from others; bodies of the same bytes are
/// the same request otherwise.
const KEY: &str = "idempotency-key";

/// A request's answer, and who gave it.
pub(super) struct Answered {
    pub(super) asked: Asked,
    pub(super) by: Digest,
    /// The request, and the stage as it was then; none where nothing is tried.
    pub(super) tried: Option<Request>,
}

/// A request while something is tried.
pub(super) struct Request {
    pub(super) key: Vec<u8>,
    pub(super) body: Arc<Vec<u8>>,
    pub(super) state: Arc<StageState>,
}

/// Says when it is time to write down what was seen.
#[derive(Default)]
pub(super) struct Flushing(AtomicBool);

/// What decides whether a request is one of a share.
fn key(headers: &HeaderMap, body: &[u8]) -> Vec<u8> {
    match headers.get(KEY) {
        Some(key) => key.as_bytes().to_vec(),
        None => Digest::of(body).to_string().into_bytes(),
    }
}

impl Models {
    /// Answers a request by the component that it is for.
    pub(super) async fn answer(
        self: &Arc<Self>,
        ready: &Ready,
        (headers, body): (&HeaderMap, Vec<u8>),
        most: usize,
        place: Place,
    ) -> Answered {
        let state = self.pipeline.swaps().last().stage(Stage::Infer);
        let control = ready.model.infer();
        // Who answers alone lets go of the body as soon as it is read.
        let body = Arc::new(body);
        // An ONNX model is asked of its own component alone.
        let tries =
            !ready.what.version.is_onnx() && (state.canary.is_some() || state.shadow.is_some());
        let tried = tries.then(|| Request {
            key: key(headers, &body),
            body: Arc::clone(&body),
            state: Arc::clone(&state),
        });
        let canary = state.canary.as_ref().zip(tried.as_ref());
        let canary =
            canary.filter(|(arm, tried)| arm.takes(&tried.key) && arm.component != control);
        let mut failed = None;
        if let Some((arm, _)) = canary {
            match self.canary(ready, arm.component) {
                Tried::Ready(model) => {
                    let body = Shared(Arc::clone(&body));
                    // Without the request's place, and for a part of its time: a canary that hangs
                    // must leave both to the component in force.
                    let asked = model.answer(body, most, None);
                    match tokio::time::timeout(self.settings.predict / CANARY, asked).await {
                        Ok(asked) if asked.is_clean() => {
                            self.note(&state, arm.component, Some(asked.took));
                            let by = arm.component;
                            return Answered { asked, by, tried };
                        }
                        Ok(asked) => failed = Some((arm.component, Some(asked))),
                        Err(_) => failed = Some((arm.component, None)),
                    }
                }
                Tried::Broken => failed = Some((arm.component, None)),
                Tried::NotYet => {}
            }
        }
        let asked = ready.model.answer(Shared(body), most, Some(place)).await;
        let Some((component, other)) = failed else {
            // A request that no component could answer says nothing of this one, nor of its speed.
            if tries && state.canary.is_some() && (asked.answer.is_ok() || asked.failed) {
                let took = (!asked.failed).then_some(asked.took);
                self.note(&state, control, took);
            }
            return Answered {
                asked,
                by: control,
                tried,
            };
        };
        let better = match &other {
            None => asked.answer.is_ok(),
            Some(other) => {
                asked.answer.is_ok() && (other.answer.is_err() || asked.refused < other.refused)
            }
        };
        if better {
            self.note(&state, component, None);
        } else if let Some(other) = other.as_ref().filter(|other| other.answer.is_ok()) {
            self.note(&state, component, Some(other.took));
        }
        match other {
            Some(other) if !better && other.answer.is_ok() => Answered {
                asked: other,
                by: component,
                tried,
            },
            _ => Answered {
                asked,
                by: control,
                tried,
            },
        }
    }

    /// The model with another component. It is loaded beside; until then the one in force answers.
    fn canary(self: &Arc<Self>, ready: &Ready, component: Digest) -> Tried {
        let what = Arc::new(What {
            version: ready.what.version.clone(),
            infer: component,
        });
        if let Some(model) = self.loaded.found(&what, true) {
            return Tried::Ready(model);
        }
        if self.trying.is_broken(&what) {
            return Tried::Broken;
        }
        if self.trying.begin(&what) {
            let models = Arc::clone(self);
            self.aside.spawn(async move {
                let stages = models.pipeline.swaps().last();
                let loaded = models.load(&what, &stages, true).await;
                if let Err(error) = &loaded {
                    tracing::error!("the canary {} can't be loaded: {error}", component.short());
                }
                models.trying.end(&what, loaded.is_ok());
            });
        }
        Tried::NotYet
    }

    /// Takes note of a call, to be written down within a second.
    fn note(self: &Arc<Self>, state: &StageState, component: Digest, took: Option<Duration>) {
        if self.pipeline.trials().note(state, &component, took) {
            self.flush_soon();
        }
    }

    /// Writes down what was seen of trials, once a second at most.
    pub(super) fn flush_soon(self: &Arc<Self>) {
        if self.flushing.0.swap(true, Ordering::AcqRel) {
            return;
        }
        let models = Arc::clone(self);
        self.aside.spawn(async move {
            tokio::time::sleep(FLUSH).await;
            // What is seen from here on is for the next time.
            models.flushing.0.store(false, Ordering::Release);
            if let Err(error) = models.pipeline.trials().flush().await {
                tracing::warn!("what was seen of a trial can't be written: {error:#}");
                models.flush_soon();
            }
        });
    }
}

/// A body that two models may be asked with.
pub(super) struct Shared(pub(super) Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The model of a canary.
enum Tried {
    Ready(Arc<Model>),
    NotYet,
    /// It can't be loaded.
    Broken,
}
