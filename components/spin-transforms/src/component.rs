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
            package septet:spin-transforms;

            world adapter {
                import septet:spin/composed@0.1.0;
                import septet:spin/scopes@0.1.0;
                import septet:transform/transform@0.1.0;
                import septet:capability/transforms@0.1.0;
                export septet:capability/transforms@0.1.0;
            }
        ",
        with: {
            "septet:transform/tables@0.1.0": septet_guest::bindings::septet::transform::tables,
        },
        generate_all,
    });
}

use std::cell::OnceCell;

use bindings::{
    exports::septet::capability::transforms::{Error, Guest},
    septet::{
        capability::transforms as next,
        spin::{composed, scopes},
        transform::transform::{self, Description, Error as TransformError},
    },
};
use septet_core::{limits::Limits, text::clean};
use septet_guest::bindings::septet::transform::tables::Table;

use crate::{
    promise::Promise,
    rows::{self, Problem},
};

struct Adapter;

bindings::export!(Adapter with_types_in bindings);

thread_local! {
    /// The digest of the transform beside, and what it says of itself: asked once.
    static BESIDE: OnceCell<(String, Result<Promise, String>)> = const { OnceCell::new() };
}

impl Guest for Adapter {
    fn apply(digest: String, batch: Table) -> Result<Table, Error> {
        BESIDE.with(|beside| {
            let known = || (composed::digest(), promise());
            let (own, promise) = beside.get_or_init(known);
            if digest != *own {
                return next::apply(&digest, &batch).map_err(told);
            }
            if !scopes::may_apply(&digest) {
                return Err(Error::AccessDenied);
            }
            let promise = promise.as_ref();
            apply(promise.map_err(|limit| Error::Limit(limit.clone()))?, batch)
        })
    }
}

fn promise() -> Result<Promise, String> {
    let Description {
        name,
        version,
        needs,
        adds,
        removes,
    } = transform::describe();
    Promise::of((name, &version), needs, adds, removes, &Limits::default())
}

fn apply(promise: &Promise, mut batch: Table) -> Result<Table, Error> {
    let limits = Limits::default();
    rows::check(&batch, &limits).map_err(|problem| match problem {
        Problem::Limit(limit) => Error::Limit(limit.to_string()),
        Problem::Malformed(what) => Error::Other(what),
    })?;
    promise.check_needs(&batch).map_err(Error::Rejected)?;
    let expected = promise.expected(&batch);
    // A slot that counts for nothing must carry nothing: not what was in it before.
    rows::canonicalize(&mut batch);
    rows::compact(&mut batch);
    let mut given = transform::apply(&batch)
        .map_err(|error| Error::Rejected(clean(&rejection(&error), limits.text_bytes)))?;
    rows::check(&given, &limits).map_err(|problem| match problem {
        Problem::Limit(limit) => Error::Limit(limit.to_string()),
        Problem::Malformed(what) => Error::Other(format!("the transform: {what}")),
    })?;
    promise
        .check_given(&given, batch.rows, &expected)
        .map_err(Error::Other)?;
    rows::canonicalize(&mut given);
    Ok(given)
}

fn told(error: next::Error) -> Error {
    match error {
        next::Error::AccessDenied => Error::AccessDenied,
        next::Error::Unknown => Error::Unknown,
        next::Error::Limit(limit) => Error::Limit(limit),
        next::Error::Rejected(reason) => Error::Rejected(reason),
        next::Error::Other(reason) => Error::Other(reason),
    }
}

/// The transform's own words.
fn rejection(error: &TransformError) -> String {
    match error {
        TransformError::MissingColumn(column) => format!("column '{column}' is missing"),
        TransformError::WrongKind(mismatch) => format!(
            "column '{}' has {} where {} are needed",
            mismatch.column,
            rows::kind_name(mismatch.found),
            rows::kind_name(mismatch.expected)
        ),
        TransformError::Rejected(rejection) => {
            let row = rejection.row.map(|row| format!("row {row} of the batch"));
            let column = rejection.column.as_ref().map(|c| format!("column '{c}'"));
            let place: Vec<String> = row.into_iter().chain(column).collect();
            if place.is_empty() {
                rejection.reason.clone()
            } else {
                format!("{}: {}", place.join(", "), rejection.reason)
            }
        }
    }
}
