//! How a call that did not work ends.
//!
//! The stages' work is pure and says in a sentence why it stopped. Where the true cause is a
//! capability that failed below it (behind `std::io`, for one), that capability's wrapper notes
//! here what is to become of the call, and [`settle`] prefers it.

use std::cell::RefCell;

use crate::{
    StageError,
    bindings::septet::{capability::blobs, pipeline::types::Delay},
};

/// How long the host waits after a store was away, in milliseconds.
const RETRY_AFTER: u64 = 5_000;

thread_local! {
    static NOTED: RefCell<Option<StageError>> = const { RefCell::new(None) };
}

/// Notes the cause of a failure. The first one stays.
pub fn note(error: StageError) {
    NOTED.with_borrow_mut(|noted| {
        noted.get_or_insert(error);
    });
}

/// Notes that the call fails for this reason, and gives the reason back.
pub fn failed(reason: String) -> String {
    note(StageError::Failed(reason.clone()));
    reason
}

/// Does work whose failure is not the call's: its reason is the inner result's, and what it noted
/// is forgotten. Only that a store was away ends the call, so that the outcome never depends on
/// when it was made.
pub fn aside<T>(work: impl FnOnce() -> Result<T, String>) -> Result<Result<T, String>, String> {
    let before = NOTED.take();
    let result = work();
    let noted = NOTED.take();
    let away = matches!((&result, &noted), (Err(_), Some(StageError::Retry(_))));
    NOTED.set(before);
    if away {
        if let Some(noted) = noted {
            note(noted);
        }
        return result.map(Ok);
    }
    Ok(result)
}

/// The end of a piece of work: its result, else the noted cause, else a rejection with its reason.
pub fn settle<T>(result: Result<T, String>) -> Result<T, StageError> {
    let noted = NOTED.take();
    result.map_err(|reason| noted.unwrap_or(StageError::Rejected(reason)))
}

/// Notes a blob capability's error and gives it as one of `std::io`.
pub(crate) fn of_blob(doing: &str, error: blobs::Error) -> std::io::Error {
    let error = match error {
        blobs::Error::Unavailable(reason) => StageError::Retry(Delay {
            milliseconds: RETRY_AFTER,
            reason: format!("can't {doing}: the store is not available: {reason}"),
        }),
        blobs::Error::TooLarge(limit) => StageError::Rejected(format!(
            "can't {doing}: it is more than the limit of {limit} bytes"
        )),
        blobs::Error::NoSuchBlob => {
            StageError::Failed(format!("can't {doing}: there is no such blob"))
        }
        blobs::Error::AccessDenied => {
            StageError::Failed(format!("can't {doing}: access denied, it is not granted"))
        }
        blobs::Error::Other(reason) => StageError::Failed(format!("can't {doing}: {reason}")),
    };
    let told = std::io::Error::other(reason(&error).to_owned());
    note(error);
    told
}

/// The reason in an error.
pub fn reason(error: &StageError) -> &str {
    match error {
        StageError::Rejected(reason) | StageError::Failed(reason) => reason,
        StageError::Retry(delay) => &delay.reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_aside_is_forgotten_unless_the_store_was_away() {
        let told = aside::<()>(|| Err(failed("gone".to_owned())));
        assert_eq!(told, Ok(Err("gone".to_owned())));
        let settled = settle::<()>(Err("bad row".to_owned()));
        assert!(matches!(settled, Err(StageError::Rejected(_))));
        assert_eq!(aside(|| Ok(1)), Ok(Ok(1)));
        let busy = || blobs::Error::Unavailable("busy".to_owned());
        let told = aside::<()>(|| Err(of_blob("read 'champion'", busy()).to_string()));
        let told = told.unwrap_err();
        assert!(matches!(settle::<()>(Err(told)), Err(StageError::Retry(_))));
    }

    #[test]
    fn the_noted_cause_wins_and_is_forgotten() {
        let shown = of_blob("read 'table'", blobs::Error::Unavailable("busy".to_owned()));
        assert!(shown.to_string().contains("read 'table'"));
        note(StageError::Failed("later".to_owned()));
        let settled = settle::<()>(Err("can't read".to_owned()));
        assert!(matches!(settled, Err(StageError::Retry(_))));
        let settled = settle::<()>(Err("bad row".to_owned()));
        assert!(matches!(settled, Err(StageError::Rejected(reason)) if reason == "bad row"));
    }
}
