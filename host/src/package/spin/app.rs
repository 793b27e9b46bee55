//! Which instances an application has, and who is given what.
//!
//! ```text
//! gateway ── stage ── transforms ── transform, …
//!    └─────────┴──────────┴──────── capabilities
//! ```
//!
//! The capabilities are one instance: what the gateway begins, the stage works in. Where a stage has
//! models predicted, or moves an alias to one, there is besides:
//!
//! ```text
//! gateway, stage ── models ── infer, infer ── transforms ── transform, …
//!                     └─────────────┴─────────────┴──────── capabilities of their own
//! ```

use std::collections::BTreeSet;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{
    described::{described, identity},
    parts::Part,
    wiring::{Kind, Placed, Wiring},
};
use crate::contract::{Digest, Stage};

const SCOPES: &str = "septet:spin/scopes@0.1.0";
const SESSION: &str = "septet:spin/session@0.1.0";
const TRANSFORMS: &str = "septet:capability/transforms@0.1.0";
const TRANSFORM: &str = "septet:transform/transform@0.1.0";
const PREDICTOR: &str = "septet:pipeline/predictor@0.1.0";
const MODELS: &str = "septet:capability/models@0.1.0";

/// The predictors that the adapter of models imports, by their names there.
const SLOTS: [&str; 2] = ["first", "second"];

/// What an application is composed of, besides what comes with the program.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'a> {
    /// The stage.
    pub stage: Stage,
    /// The stage's component.
    pub component: &'a [u8],
    /// The component that models are predicted with, where a stage asks for predictions or moves an
    /// alias.
    pub infer: &'a [u8],
    /// Transforms that a run may name.
    pub transforms: &'a [&'a [u8]],
}

/// The application of a stage: one component that answers HTTP and imports what Spin has. All given
/// components are within it, byte for byte. They must have been checked before: that a stage imports
/// no more than its grants, and a transform no capability.
pub fn compose(chosen: &Chosen<'_>) -> anyhow::Result<Vec<u8>> {
    composed(chosen).with_context(|| format!("the application of {}", chosen.stage))
}

fn composed(chosen: &Chosen<'_>) -> anyhow::Result<Vec<u8>> {
    let mut wiring = Wiring::default();
    let capabilities = part(&mut wiring, Part::Capabilities)?;
    let shared = wiring.place(capabilities);
    let gateway = part(&mut wiring, Part::Gateway)?;
    let gateway = wiring.place(gateway);
    let stage = wiring.kind(chosen.stage.name(), chosen.component)?;
    // A model is loaded before an alias is moved to it: `deploy` itself does not ask for that.
    let predicts = wiring.imports(stage, MODELS) || chosen.stage == Stage::Deploy;
    let stage = wiring.place(stage);
    if predicts {
        let parts = (chosen.infer, chosen.transforms);
        let models = models(&mut wiring, shared, capabilities, parts)?;
        wiring.give_all(stage, models)?;
        wiring.give_all(gateway, models)?;
    }
    if wiring.imports(stage.kind(), TRANSFORMS) {
        let transforms = transforms(&mut wiring, shared, chosen.transforms)?;
        wiring.give(stage, TRANSFORMS, (transforms, TRANSFORMS))?;
    }
    wiring.give_all(stage, shared)?;
    let identity = wiring.kind("identity", &identity(&identified(chosen, predicts))?)?;
    let identity = wiring.place(identity);
    wiring.give_all(gateway, identity)?;
    wiring.give_all(gateway, stage)?;
    wiring.give_all(gateway, shared)?;
    wiring.component(gateway)
}

/// What the gateway is told of its application.
fn identified(chosen: &Chosen<'_>, predicts: bool) -> Value {
    let digests = chosen.transforms.iter().map(|bytes| Digest::of(bytes));
    let mut identity = json!({
        "stage": chosen.stage,
        "component": Digest::of(chosen.component),
        "transforms": digests.collect::<Vec<_>>(),
    });
    if predicts && let Some(identity) = identity.as_object_mut() {
        identity.insert("infer".to_owned(), json!(Digest::of(chosen.infer)));
    }
    identity
}

/// The application that answers predictions: as it is for a stage that has models predicted, with the
/// serving component in the place of gateway and stage.
pub fn compose_serving(infer: &[u8], transforms: &[&[u8]]) -> anyhow::Result<Vec<u8>> {
    let served = || {
        let mut wiring = Wiring::default();
        let capabilities = part(&mut wiring, Part::Capabilities)?;
        let shared = wiring.place(capabilities);
        let serving = part(&mut wiring, Part::Serving)?;
        let serving = wiring.place(serving);
        let models = models(&mut wiring, shared, capabilities, (infer, transforms))?;
        wiring.give_all(serving, models)?;
        wiring.give_all(serving, shared)?;
        wiring.component(serving)
    };
    served().context("the application of serving")
}

/// The application of the front door, which is composed of nothing else.
pub fn front() -> anyhow::Result<&'static [u8]> {
    Part::Front.bytes()
}

/// A component that comes with the program.
fn part(wiring: &mut Wiring, part: Part) -> anyhow::Result<Kind> {
    wiring.kind(part.package(), part.bytes()?)
}

/// What answers `transforms` within the scopes that `capabilities` have: one adapter before each
/// transform, each asking the next for what is not its own. The last is asked what there is without
/// any: the capabilities themselves, which know none.
fn transforms(
    wiring: &mut Wiring,
    capabilities: Placed,
    transforms: &[&[u8]],
) -> anyhow::Result<Placed> {
    let mut next = capabilities;
    if transforms.is_empty() {
        return Ok(next);
    }
    let adapter = part(wiring, Part::Transforms)?;
    let mut seen = BTreeSet::new();
    for bytes in transforms {
        let digest = Digest::of(bytes);
        if !seen.insert(digest) {
            continue;
        }
        let number = seen.len();
        let transform = wiring.kind(&format!("transform{number}"), bytes)?;
        let transform = wiring.place(transform);
        let said = wiring.kind(&format!("transform{number}-digest"), &described(&digest)?)?;
        let said = wiring.place(said);
        let adapter = wiring.place(adapter);
        wiring.give(adapter, TRANSFORM, (transform, TRANSFORM))?;
        wiring.give(adapter, TRANSFORMS, (next, TRANSFORMS))?;
        wiring.give_all(adapter, said)?;
        wiring.give_all(adapter, capabilities)?;
        next = adapter;
    }
    Ok(next)
}

/// What answers `models`: two instances of the infer component, so that a champion and its challenger
/// are both loaded, and capabilities of their own, since a model may touch its bundle alone.
fn models(
    wiring: &mut Wiring,
    shared: Placed,
    capabilities: Kind,
    (infer, chosen): (&[u8], &[&[u8]]),
) -> anyhow::Result<Placed> {
    let apart = wiring.place(capabilities);
    let transforms = transforms(wiring, apart, chosen)?;
    let adapter = part(wiring, Part::Models)?;
    let adapter = wiring.place(adapter);
    let said = described(&Digest::of(infer))?;
    let infer = wiring.kind("predictor", infer)?;
    for slot in SLOTS {
        let infer = wiring.place(infer);
        wiring.give(infer, TRANSFORMS, (transforms, TRANSFORMS))?;
        wiring.give_all(infer, apart)?;
        wiring.give(adapter, slot, (infer, PREDICTOR))?;
    }
    let said = wiring.kind("predictor-digest", &said)?;
    let said = wiring.place(said);
    wiring.give_all(adapter, said)?;
    wiring.give(adapter, SESSION, (apart, SESSION))?;
    wiring.give(adapter, SCOPES, (shared, SCOPES))?;
    Ok(adapter)
}
