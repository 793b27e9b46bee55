//! Transforms and models, asked with the kit's tables.

use septet_kit::table::Table;

use crate::{
    StageError,
    bindings::septet::capability::{models, transforms},
    fault::note,
    tables::{to_kit, to_wit},
};

/// The rows through the transform with this digest. The answer's rows are as many as were passed.
pub fn transform(digest: &str, table: Table) -> Result<Table, String> {
    let rows = table.rows;
    let short: String = digest.chars().take(12).collect();
    let answer = transforms::apply(digest, &to_wit(table)).map_err(|error| {
        use transforms::Error;
        let (faulty, reason) = match error {
            Error::Rejected(reason) => (false, format!("transform {short}: {reason}")),
            Error::Limit(limit) => (
                false,
                format!("transform {short} met a limit of its sandbox: {limit}"),
            ),
            Error::AccessDenied => (true, format!("transform {short} is not granted")),
            Error::Unknown => (true, format!("there is no transform {short}")),
            Error::Other(reason) => (true, format!("transform {short}: {reason}")),
        };
        if faulty {
            note(StageError::Failed(reason.clone()));
        }
        reason
    })?;
    let table = to_kit(answer)
        .map_err(|reason| format!("transform {short} gave a table that is not valid: {reason}"))?;
    if table.rows != rows {
        return Err(format!(
            "transform {short} gave {} rows for {rows}: rows must keep their number and order",
            table.rows
        ));
    }
    Ok(table)
}

/// Predictions for the rows by the model with this bundle, one row each.
pub fn predict(bundle: &str, table: Table) -> Result<Table, String> {
    let rows = table.rows;
    let short: String = bundle.chars().take(12).collect();
    let answer = models::predict(bundle, &to_wit(table)).map_err(|error| {
        use models::Error;
        let (faulty, reason) = match error {
            Error::Rejected(reason) => (false, format!("model {short}: {reason}")),
            Error::AccessDenied => (true, format!("model {short} is not granted")),
            Error::Unknown => (true, format!("there is no model {short}")),
            Error::Other(reason) => (true, format!("model {short}: {reason}")),
        };
        if faulty {
            note(StageError::Failed(reason.clone()));
        }
        reason
    })?;
    let table = to_kit(answer)
        .map_err(|reason| format!("model {short} gave a table that is not valid: {reason}"))?;
    if table.rows != rows {
        return Err(format!(
            "model {short} gave {} predictions for {rows} rows",
            table.rows
        ));
    }
    Ok(table)
}
