//! Why a component came to no answer.
//!
//! It owns the step from wasmtime's errors to one line for a person and the blame.

use std::fmt;

use wasmtime::Trap;

use super::limits::Exceeded;

/// The call was stopped from outside; carries why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stopped(pub(crate) String);

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the call was stopped: {}", self.0)
    }
}

impl std::error::Error for Stopped {}

/// What the host stands on failed; the guest can't be blamed.
#[derive(Debug)]
pub(crate) struct HostFault(pub(crate) anyhow::Error);

impl fmt::Display for HostFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

impl std::error::Error for HostFault {}

/// How a component ended without an answer.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It asked for more than a limit allows.
    Limit(Exceeded),
    /// Somebody stopped it.
    Stopped(Stopped),
    /// It trapped or left by itself; one line.
    Trap(String),
    /// The host failed.
    Host(anyhow::Error),
}

impl Ended {
    /// Reads wasmtime's error. `last_words` is the end of what the component wrote to its
    /// standard error: a panic's message, for a start.
    pub(crate) fn from_error(error: wasmtime::Error, last_words: &str) -> Self {
        if let Some(limit) = error.downcast_ref::<Exceeded>() {
            return Self::Limit(*limit);
        }
        if let Some(stopped) = error.downcast_ref::<Stopped>() {
            return Self::Stopped(stopped.clone());
        }
        if error.is::<HostFault>() {
            return match error.downcast::<HostFault>() {
                Ok(HostFault(fault)) => Self::Host(fault),
                Err(error) => Self::Host(plain(error)),
            };
        }
        if error.is::<wasmtime::PoolConcurrencyLimitError>() {
            return Self::Host(plain(error).context(
                "too many components run at once: this process has room for them by its limits \
                 concurrent_calls, transforms and models",
            ));
        }
        tracing::debug!("component ended: {error:?}");
        let cause = if let Some(trap) = error.downcast_ref::<Trap>() {
            trap_cause(*trap)
        } else if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
            format!("it called exit({})", exit.0)
        } else {
            line(error.root_cause())
        };
        if last_words.is_empty() {
            Self::Trap(cause)
        } else {
            Self::Trap(format!("{cause}; its last words: {last_words}"))
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit(limit) => write!(f, "{limit}"),
            Self::Stopped(stopped) => write!(f, "{stopped}"),
            Self::Trap(cause) => write!(f, "the component ended early: {cause}"),
            Self::Host(error) => write!(f, "{error:#}"),
        }
    }
}

fn trap_cause(trap: Trap) -> String {
    match trap {
        Trap::StackOverflow => "its calls are nested too deeply (stack overflow)".to_owned(),
        Trap::UnreachableCodeReached => "it trapped (unreachable code, such as a panic)".to_owned(),
        Trap::MemoryOutOfBounds => {
            "it used memory that it does not have (nested calls can run out of stack so)".to_owned()
        }
        other => other.to_string(),
    }
}

fn line(error: &dyn std::error::Error) -> String {
    crate::capability::clean(&error.to_string(), 500)
}

/// Wasmtime's error as anyhow's, with its causes.
pub(crate) fn plain(error: wasmtime::Error) -> anyhow::Error {
    anyhow::Error::from_boxed(error.into_boxed_dyn_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_keep_their_kind() {
        let limit = Exceeded::check("blobs", 1, 2).unwrap_err();
        let error = wasmtime::Error::new(limit).context("around");
        assert!(matches!(Ended::from_error(error, ""), Ended::Limit(l) if l == limit));
        let stopped = wasmtime::Error::new(Stopped("cancelled".to_owned()));
        assert_eq!(
            Ended::from_error(stopped, "").to_string(),
            "the call was stopped: cancelled"
        );
        let fault = wasmtime::Error::new(HostFault(anyhow::anyhow!("disk full")));
        assert!(matches!(Ended::from_error(fault, ""), Ended::Host(_)));
        let trap = wasmtime::Error::new(Trap::StackOverflow);
        let shown = Ended::from_error(trap, "panicked").to_string();
        assert!(shown.contains("stack overflow") && shown.ends_with("last words: panicked"));
    }
}
