//! The stages and their history, as programs are told of them: the same on the command line and over
//! HTTP.

use serde_json::{Value, json};

use crate::{
    contract::{Digest, Stage},
    pipeline::{Admitted, Arm, Refusal, StageState, SwapEntry, SwapEvent, Swaps},
};

/// A stage: what is in force, and what is tried. `embedded` is the program's own component.
pub fn stage(state: &StageState, embedded: Option<(Digest, u64)>) -> Value {
    let arm = |arm: &Arm| {
        let (percent, revision) = (arm.percent.as_f64(), arm.revision);
        json!({ "component": arm.component, "percent": percent, "revision": revision })
    };
    let (component, bytes) = match &state.current {
        Some(current) => {
            let size = state.admitted(current).map(|admitted| admitted.size);
            (Some(*current), size)
        }
        None => (embedded.map(|own| own.0), embedded.map(|own| own.1)),
    };
    let key = state
        .current
        .and_then(|current| state.admitted(&current)?.key.clone());
    json!({
        "stage": state.stage,
        "component": component,
        "bytes": bytes,
        "built_in": state.current.is_none() || state.current == embedded.map(|own| own.0),
        "key": key,
        "revision": state.revision,
        "canary": state.canary.as_ref().map(arm),
        "shadow": state.shadow.as_ref().map(arm),
    })
}

/// What happened to the stages, or to one, the last thing last: what the log says, and what was
/// refused.
pub async fn history(swaps: &Swaps, only: Option<Stage>) -> anyhow::Result<Vec<Value>> {
    let mut rows: Vec<(String, Value)> = Vec::new();
    let wanted = |stage: Stage| only.is_none_or(|only| only == stage);
    for row in &swaps.log().await? {
        if wanted(row.event.stage()) {
            rows.push((row.when.clone(), entry(row)));
        }
    }
    for stage in Stage::ALL.into_iter().filter(|stage| wanted(*stage)) {
        for refusal in &swaps.refusals(stage).await? {
            rows.push((refusal.when.clone(), refused(refusal)));
        }
    }
    // Of what happened in the same millisecond, the log's order stays.
    rows.sort_by(|one, two| one.0.cmp(&two.0));
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// An entry of the log.
fn entry(entry: &SwapEntry) -> Value {
    let event = &entry.event;
    let admitted = |of: &Admitted| {
        let report: Value = serde_json::from_str(&of.report).unwrap_or_default();
        json!({ "component": of.component, "bytes": of.size, "key": of.key, "report": report })
    };
    let (name, more) = match event {
        SwapEvent::Swapped(swap) => {
            let none = json!({ "component": null });
            ("swapped", swap.component.as_ref().map_or(none, admitted))
        }
        SwapEvent::Canary(trial) | SwapEvent::Shadow(trial) => {
            let name = match event {
                SwapEvent::Canary(_) => "canary",
                _ => "shadow",
            };
            let mut more = admitted(&trial.component);
            set(&mut more, "percent", json!(trial.percent.as_f64()));
            (name, more)
        }
        SwapEvent::Promoted(promotion) => (
            "promoted",
            json!({ "component": promotion.component, "reason": promotion.reason }),
        ),
        SwapEvent::RolledBack(reversal) => (
            "rolled-back",
            json!({
                "component": reversal.to, "from": reversal.from, "reason": reversal.reason,
            }),
        ),
        SwapEvent::Withdrawn(withdrawal) => (
            "withdrawn",
            json!({
                "component": withdrawal.component, "what": withdrawal.arm.name(),
                "reason": withdrawal.reason,
            }),
        ),
    };
    let mut row = json!({
        "when": entry.when, "who": entry.who, "stage": event.stage(), "event": name,
        "revision": entry.seq,
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        set(&mut row, key, value.clone());
    }
    row
}

fn refused(refusal: &Refusal) -> Value {
    json!({
        "when": refusal.when, "who": refusal.who, "stage": refusal.stage, "event": "refused",
        "component": refusal.component, "step": refusal.step, "reason": refusal.reason,
    })
}

fn set(value: &mut Value, key: &str, to: Value) {
    if let Some(object) = value.as_object_mut() {
        object.insert(key.to_owned(), to);
    }
}
