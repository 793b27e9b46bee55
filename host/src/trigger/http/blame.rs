//! Whose fault an error is, where others than this trigger made it: the client's, who is told of
//! it, or this machine's, which is nobody's business but its owner's.

use super::refusal::Refusal;
use crate::{stage::LoadError, store::BlobError};

/// How the store's own lines begin. They are made for people, and carry no type that would say so.
const OF_THE_STORE: [&str; 4] = [
    "cannot write to the store",
    "cannot open ",
    "cannot make the store",
    "the store ",
];

/// What a client may be told of, although it begins as a path does.
const PLACES: [&str; 2] = ["/api/", "/predict/"];

/// The refusal for an error of those who make and create runs: what the client asked for can't be
/// done (422), or the store failed (503).
pub(super) fn refusal(error: &anyhow::Error) -> Refusal {
    if is_fault(error) {
        return Refusal::fault(error);
    }
    tracing::debug!("a request is refused: {error:#}");
    Refusal::unusable(without_paths(&format!("{error:#}")))
}

/// Whether the store or the machine failed, wherever in the chain of causes that stands.
pub(in crate::trigger) fn is_fault(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let of_blobs = cause.downcast_ref::<BlobError>();
        let of_stages = cause.downcast_ref::<LoadError>();
        let line = cause.to_string();
        cause.is::<std::io::Error>()
            || cause.is::<tokio::task::JoinError>()
            || of_blobs.is_some_and(|error| !matches!(error, BlobError::Missing(_)))
            || of_stages.is_some_and(|error| matches!(error, LoadError::Host(_)))
            || OF_THE_STORE.iter().any(|begin| line.starts_with(begin))
            || line.contains("septet.db is damaged")
            || line.ends_with("in the store is damaged")
    })
}

/// The line with `…` for each absolute path of this machine.
fn without_paths(line: &str) -> String {
    let ends = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '`' | ')' | ',' | ';' | ':');
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, _)) = rest.split_once('/') {
        let (before, path) = rest.split_at(before.len());
        shown.push_str(before);
        // A stroke within a word is no path's beginning.
        let within =
            before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'));
        let end = path.find(ends).unwrap_or(path.len());
        let (path, after) = path.split_at(end);
        if within || path.len() < 2 || PLACES.iter().any(|place| path.starts_with(place)) {
            shown.push_str(path);
        } else {
            shown.push('…');
        }
        rest = after;
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;
    use crate::contract::Digest;

    #[test]
    fn the_stores_faults_are_told_from_a_clients() {
        let io = || std::io::Error::other("no space");
        let digest = Digest::of(b"");
        let corrupt = BlobError::Corrupt {
            digest,
            place: "/srv/x".to_owned(),
        };
        for fault in [
            anyhow::Error::new(io()).context("around"),
            anyhow!("cannot write to the store /srv/.septet: the disk is full").context("around"),
            anyhow!("the store /srv/.septet failed: disk I/O error"),
            anyhow!("cannot open /srv/.septet/septet.db: it is not readable"),
            anyhow!("/srv/.septet/septet.db is damaged (x): restore it from a copy"),
            anyhow!("x").context("the record runs/1 in the store is damaged"),
            anyhow::Error::new(BlobError::Backend(anyhow!("gone"))).context("around"),
            anyhow::Error::new(corrupt),
            anyhow::Error::new(LoadError::Host(anyhow!("gone"))),
        ] {
            assert!(is_fault(&fault), "{fault:#}");
            let told = format!("{:?}", refusal(&fault));
            assert!(told.contains("503") && !told.contains("/srv"), "{told}");
        }
        let missing = Err::<(), _>(BlobError::Missing(digest)).context("the schema");
        for asked in [
            anyhow!("--target is needed"),
            anyhow!("a.csv: its bytes are not in the store any more: put them in again"),
            missing.unwrap_err(),
            anyhow::Error::new(LoadError::Missing(digest)),
        ] {
            assert!(!is_fault(&asked), "{asked:#}");
            assert!(format!("{:?}", refusal(&asked)).contains("422"));
        }
    }

    #[test]
    fn no_path_of_the_machine_is_told() {
        for (line, expected) in [
            ("can't read /srv/a/b.csv: no", "can't read …: no"),
            ("'/srv/a' (/b/c)", "'…' (…)"),
            ("/srv", "…"),
            ("send it to /api/blobs", "send it to /api/blobs"),
            ("60 km/h, and/or 1 / 2", "60 km/h, and/or 1 / 2"),
            ("", ""),
        ] {
            assert_eq!(without_paths(line), expected);
        }
    }
}
