//! Bindings and mapping.

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    clippy::indexing_slicing,
    reason = "generated"
)]
mod bindings {
    wit_bindgen::generate!({
        path: ["../../wit", "../spin-capabilities/wit"],
        inline: "
            package septet:spin-models;

            world adapter {
                import septet:spin/composed@0.1.0;
                import septet:spin/scopes@0.1.0;
                import septet:spin/session@0.1.0;
                import first: interface {
                    use septet:pipeline/types@0.1.0.{artifact};
                    use septet:pipeline/predictor@0.1.0.{signature, error};
                    use septet:transform/tables@0.1.0.{table};
                    load: func(bundle: artifact) -> result<signature, error>;
                    predict: func(batch: table) -> result<table, error>;
                }
                import second: interface {
                    use septet:pipeline/types@0.1.0.{artifact};
                    use septet:pipeline/predictor@0.1.0.{signature, error};
                    use septet:transform/tables@0.1.0.{table};
                    load: func(bundle: artifact) -> result<signature, error>;
                    predict: func(batch: table) -> result<table, error>;
                }
                export septet:capability/models@0.1.0;
                export septet:spin/load-test@0.1.0;
            }
        ",
        generate_all,
    });
}

use std::cell::RefCell;

use bindings::{
    exports::septet::{
        capability::models::{self, Error},
        spin::load_test,
    },
    first, second,
    septet::{
        pipeline::predictor,
        spin::{
            composed,
            scopes::{self, Model},
            session,
        },
        transform::tables::Table,
    },
};

use crate::slots::{Slot, Slots};

struct Adapter;

bindings::export!(Adapter with_types_in bindings);

thread_local! {
    static SLOTS: RefCell<Slots> = const { RefCell::new(Slots::new()) };
}

/// Why a model is not loaded.
enum NotLoaded {
    Rejected(String),
    Failed(String),
}

impl From<predictor::Error> for NotLoaded {
    fn from(error: predictor::Error) -> Self {
        match error {
            predictor::Error::Rejected(reason) => Self::Rejected(reason),
            predictor::Error::Failed(reason) => Self::Failed(reason),
        }
    }
}

/// Loads the model into an instance of infer that may touch its bundle, and says which.
fn load(model: &Model) -> Result<Slot, NotLoaded> {
    let own = composed::digest();
    if model.infer_digest != own {
        return Err(NotLoaded::Rejected(format!(
            "the model is to be predicted with the infer component {}, and this application was \
             composed with {own}",
            model.infer_digest
        )));
    }
    let bundle = &model.bundle;
    let short: String = bundle.digest.chars().take(12).collect();
    let scope = session::Scope {
        component: format!("predictor of {short}"),
        inputs: vec![bundle.clone()],
        aliases: Vec::new(),
        infer_digest: own,
        transforms: model.transforms.clone(),
        labels: Vec::new(),
        writes: false,
        origin: model.origin.clone(),
    };
    session::begin(&scope).map_err(NotLoaded::Failed)?;
    let slot = SLOTS.with_borrow_mut(Slots::clear);
    let loaded = match slot {
        Slot::First => first::load(bundle),
        Slot::Second => second::load(bundle),
    };
    if let Err(error) = loaded {
        if let Some(fault) = session::end().and_then(|effects| effects.fault) {
            let (session::Fault::Unavailable(reason) | session::Fault::Damaged(reason)) = &fault;
            let reason = reason.clone();
            scopes::note(&fault);
            return Err(NotLoaded::Failed(reason));
        }
        // The other instance goes on, with the transforms of the same call.
        session::begin(&scope).map_err(NotLoaded::Failed)?;
        return Err(error.into());
    }
    SLOTS.with_borrow_mut(|slots| slots.fill(slot, bundle.digest.clone()));
    Ok(slot)
}

impl models::Guest for Adapter {
    fn predict(bundle_digest: String, batch: Table) -> Result<Table, Error> {
        let model = scopes::may_predict(&bundle_digest).ok_or(Error::AccessDenied)?;
        let loaded = SLOTS.with_borrow_mut(|slots| slots.find(&bundle_digest));
        let slot = match loaded {
            Some(slot) => slot,
            None => load(&model).map_err(|error| match error {
                NotLoaded::Rejected(reason) => Error::Rejected(reason),
                NotLoaded::Failed(reason) => Error::Other(reason),
            })?,
        };
        let predicted = match slot {
            Slot::First => first::predict(&batch),
            Slot::Second => second::predict(&batch),
        };
        let given = predicted.map_err(|error| match error {
            predictor::Error::Rejected(reason) => Error::Rejected(reason),
            predictor::Error::Failed(reason) => Error::Other(reason),
        })?;
        if given.rows != batch.rows {
            return Err(Error::Other(format!(
                "the model gave {} predictions for {} rows",
                given.rows, batch.rows
            )));
        }
        Ok(given)
    }
}

impl load_test::Guest for Adapter {
    fn load(model: Model) -> Result<(), load_test::Error> {
        load(&model).map(drop).map_err(|error| match error {
            NotLoaded::Rejected(reason) => load_test::Error::Rejected(reason),
            NotLoaded::Failed(reason) => load_test::Error::Failed(reason),
        })
    }
}
