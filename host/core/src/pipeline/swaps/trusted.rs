//! Whether this process takes what the log says. The log may have been written by a process with
//! other settings: what counts here are this one's own keys and pins.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use super::{book::Swaps, state::StageState};
use crate::{
    contract::{Digest, Stage},
    store::BlobError,
};

/// What was found to be taken, so that a component is read and its signature checked once.
pub(super) type Accepted = Arc<Mutex<BTreeSet<(Stage, Digest)>>>;

/// Whether a component of a stage is this process's own: it came with the program, or the settings name
/// it. None is, where nobody has said so.
#[derive(Clone)]
pub struct Own(Arc<IsOwn>);

type IsOwn = dyn Fn(Stage, &Digest) -> bool + Send + Sync;

impl Own {
    /// Those that `is_own` says.
    pub fn new(is_own: impl Fn(Stage, &Digest) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_own))
    }

    fn is(&self, stage: Stage, component: &Digest) -> bool {
        (self.0)(stage, component)
    }
}

impl Default for Own {
    fn default() -> Self {
        Self::new(|_, _| false)
    }
}

/// How many are remembered: then all are forgotten, and found again.
const REMEMBERED: usize = 1000;

/// The largest component that is read, whatever the limits say of one that is swapped in.
const MOST: u64 = 1 << 30;

impl Swaps {
    /// Whether this process takes a component that the log brought in for a stage; if not, the error
    /// is one line that says why and what to do. The built-in components are as much trusted as the
    /// program that they are in, and need no asking.
    pub async fn accepts(&self, state: &StageState, component: &Digest) -> anyhow::Result<()> {
        if self.trust.takes_all() {
            return Ok(());
        }
        let key = (state.stage, *component);
        let remembered = || self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered().contains(&key) {
            return Ok(());
        }
        let refused = |why: String| {
            let (stage, short) = (state.stage, component.short());
            anyhow::anyhow!(
                "{stage} was swapped to {short}, which this process does not take: {why}; change \
                 [trust], or go back with `septet stages rollback {stage}`"
            )
        };
        let pinned = self.trust.check_pin(state.stage, component);
        pinned.map_err(refused)?;
        if self.own.is(state.stage, component) {
            return Ok(());
        }
        let bytes = self.blobs.get(component, MOST).await;
        let bytes = bytes.map_err(|error| match error {
            BlobError::Missing(_) => refused("its bytes are not in the store".to_owned()),
            other => anyhow::Error::from(other),
        })?;
        let admitted = state.admitted(component);
        let signature = admitted.and_then(|admitted| admitted.signature.as_deref());
        self.trust.check(&bytes, signature).map_err(refused)?;
        let mut remembered = remembered();
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(key);
        Ok(())
    }
}
