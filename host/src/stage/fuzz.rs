//! What a component may answer, drawn at random, and components whose bytes were changed: whatever
//! it is, it is refused in a bounded line or it keeps the contract, and nothing panics.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use proptest::{collection::vec, option, prelude::*};

use super::{
    Control, Limits, Signature, ended::Ended, outcome::disposition, predictor, pulse::Pulse,
    scan::scan, transform,
};
use crate::{
    capability::{
        Context, Meter, Model, Scope,
        bindings::{
            exports::septet::{
                pipeline::{
                    predictor::{Error as PredictorError, Feature},
                    stage::StageError,
                },
                transform::transform::{Description, Error, Field, Mismatch, Rejection},
            },
            septet::pipeline::types,
        },
        fuzz::{table, text},
        log::Sink,
        tables::{Kind, Table},
        transforms::{Refusal, Sandboxes},
    },
    contract::{Artifact, Digest, Disposition, Origin},
};

/// No sandboxes: an answer is checked without them.
struct Nobody;

#[async_trait]
impl Sandboxes for Nobody {
    async fn apply(&mut self, _: &Digest, _: Table) -> wasmtime::Result<Result<Table, Refusal>> {
        Ok(Err(Refusal::Unknown))
    }

    fn renew(&mut self) {}

    async fn predict(&mut self, _: &Model, _: Table) -> wasmtime::Result<Result<Table, Refusal>> {
        Ok(Err(Refusal::Unknown))
    }
}

/// A call that was given one input, `in`.
fn context(limits: Limits) -> Context {
    let limits = Arc::new(limits);
    let pulse = Arc::new(Pulse::new(Control::new(), 60));
    Context {
        meter: Meter::new(pulse, Arc::clone(&limits)),
        scope: Scope {
            inputs: vec![Artifact {
                name: "in".to_owned(),
                digest: Digest::of(b"in"),
                size: 2,
                media_type: "text/csv".to_owned(),
            }],
            ..Scope::default()
        },
        blobs: crate::store::memory().blobs,
        opened: BTreeMap::new(),
        written: crate::capability::blob_write::Written::default(),
        outbox: crate::capability::queue::Outbox::default(),
        proposals: crate::capability::registry_propose::Proposals::default(),
        log: Sink::new("fuzz".to_owned(), Origin::default(), &limits),
        sandboxes: Box::new(Nobody),
        limits,
    }
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Floats),
        Just(Kind::Integers),
        Just(Kind::Booleans),
        Just(Kind::Texts),
        Just(Kind::Categories),
        Just(Kind::Timestamps),
    ]
}

fn fields() -> impl Strategy<Value = Vec<Field>> {
    vec((text(), kind()), 0..4).prop_map(|fields| {
        fields
            .into_iter()
            .map(|(name, kind)| Field { name, kind })
            .collect()
    })
}

fn description() -> impl Strategy<Value = Description> {
    (text(), text(), fields(), fields(), vec(text(), 0..4)).prop_map(
        |(name, version, needs, adds, removes)| Description {
            name,
            version,
            needs,
            adds,
            removes,
        },
    )
}

fn error() -> impl Strategy<Value = Error> {
    prop_oneof![
        text().prop_map(Error::MissingColumn),
        (text(), kind(), kind()).prop_map(|(column, expected, found)| {
            Error::WrongKind(Mismatch {
                column,
                expected,
                found,
            })
        }),
        (option::of(any::<u32>()), option::of(text()), text()).prop_map(|(row, column, reason)| {
            Error::Rejected(Rejection {
                row,
                column,
                reason,
            })
        }),
    ]
}

fn outcome() -> impl Strategy<Value = types::Outcome> {
    let digest = prop_oneof![Just(Digest::of(b"in").to_string()), text()];
    let name = prop_oneof![Just("out".to_owned()), "[a-z./_-]{0,9}", text()];
    let size = prop_oneof![Just(2), any::<u64>()];
    let media_type = prop_oneof![Just("text/csv".to_owned()), text()];
    let output =
        (name.clone(), digest, size, media_type).prop_map(|(name, digest, size, media_type)| {
            types::Artifact {
                name,
                digest,
                size,
                media_type,
            }
        });
    let value = prop_oneof![Just(0.5), any::<u64>().prop_map(f64::from_bits)];
    let metric = (name, value).prop_map(|(name, value)| types::Metric { name, value });
    (vec(output, 0..3), vec(metric, 0..3), vec(text(), 0..3)).prop_map(
        |(outputs, metrics, notes)| types::Outcome {
            outputs,
            metrics,
            notes,
        },
    )
}

fn answer() -> impl Strategy<Value = Result<types::Outcome, StageError>> {
    prop_oneof![
        4 => outcome().prop_map(Ok),
        1 => text().prop_map(|text| Err(StageError::Rejected(text))),
        1 => text().prop_map(|text| Err(StageError::Failed(text))),
        1 => (any::<u64>(), text()).prop_map(|(milliseconds, reason)| {
            Err(StageError::Retry(types::Delay { milliseconds, reason }))
        }),
    ]
}

fn is_line(text: &str, most: usize) -> bool {
    text.len() <= most && !text.contains(char::is_control)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_a_stage_answers_is_refused_or_sound(answer in answer()) {
        let limits = Limits { outputs: 2, metrics: 2, notes: 2, text_bytes: 20, ..Limits::default() };
        let context = context(limits);
        let answer: Result<_, Ended> = Ok(answer);
        match disposition(answer, &context) {
            Ok(Disposition::Ok(outcome)) => {
                prop_assert!(outcome.outputs.len() <= 2 && outcome.metrics.len() <= 2);
                prop_assert!(outcome.outputs.iter().all(|o| o.digest == Digest::of(b"in") && o.size == 2));
                prop_assert!(outcome.outputs.iter().all(|o| !o.name.contains(['/', '\\'])));
                prop_assert!(outcome.metrics.iter().all(|m| m.value.is_finite()));
                prop_assert!(outcome.notes.iter().all(|note| is_line(note, 20)));
            }
            Ok(Disposition::Retry { after, reason }) => {
                prop_assert!(after <= Limits::default().retry_seconds * 1000 && is_line(&reason, 20));
            }
            Ok(Disposition::Rejected { reason }) => prop_assert!(is_line(&reason, 20)),
            Ok(Disposition::Failed { reason, .. }) => prop_assert!(is_line(&reason, 600), "{reason}"),
            Err(error) => prop_assert!(false, "{error:#}"),
        }
    }

    #[test]
    fn what_a_transform_says_and_gives_is_bounded(
        description in description(), batch in table(), given in table(),
    ) {
        let limits = Limits { name_bytes: 40, batch_columns: 3, ..Limits::default() };
        let _ = transform::bound(&description, &limits);
        if let Err(told) = transform::check_needs(&description, &batch) {
            prop_assert!(is_line(&told, 500), "{told}");
        }
        let expected = transform::expected(&description, &batch);
        match transform::check_given(&given, batch.rows, &expected) {
            Err(told) => prop_assert!(is_line(&told, 500), "{told}"),
            Ok(()) => prop_assert!(given.rows == batch.rows && given.columns.iter().all(|c| expected.contains_key(&c.name))),
        }
    }

    #[test]
    fn a_rejection_is_one_bounded_line(error in error(), limit in 0..200_u64) {
        let told = transform::rejection(&error, limit);
        prop_assert!(is_line(&told, limit as usize), "{told}");
    }

    #[test]
    fn a_signature_is_held_to_the_limits_of_a_batch(
        inputs in vec(text(), 0..5), outputs in vec(text(), 0..5), reason in text(),
    ) {
        let limits = Limits { batch_columns: 3, name_bytes: 20, ..Limits::default() };
        let features = |names: &[String]| -> Vec<Feature> {
            names.iter().map(|name| Feature { name: name.clone(), kind: Kind::Floats, nullable: true }).collect()
        };
        let signature = Signature { inputs: features(&inputs), outputs: features(&outputs) };
        let sound = inputs.len().max(outputs.len()) <= 3
            && inputs.iter().chain(&outputs).all(|name| name.len() <= 20);
        prop_assert_eq!(predictor::bound(&signature, &limits).is_ok(), sound);
        for error in [PredictorError::Rejected(reason.clone()), PredictorError::Failed(reason)] {
            prop_assert!(is_line(&predictor::refusal(error, 30).to_string(), 30));
        }
    }

    #[test]
    fn any_bytes_are_looked_at(
        places in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(), whole in any::<bool>(),
    ) {
        let mut bytes = wat::parse_str(
            "(component (core module $m (memory 1) (table 1 funcref) (func (local i32)) (data (i32.const 0) \"x\"))
             (component $c (core module $n) (core instance (instantiate $n)))
             (core instance (instantiate $m)) (instance (instantiate $c))
             (type (tuple u8 string)) (import \"a\" (func)))",
        ).unwrap();
        let length = bytes.len();
        for (place, byte) in places {
            bytes[place.index(length)] = byte;
        }
        if !whole {
            bytes.truncate(cut.index(length));
        }
        if let Err(limit) = scan(&bytes, &Limits::default()) {
            prop_assert!(limit.asked > limit.value);
        }
    }
}
