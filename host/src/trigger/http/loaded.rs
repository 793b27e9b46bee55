//! Models that are kept loaded: the one asked last first.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Semaphore;

use super::model::{Model, What};
use crate::stage::{PredictError, StageExecutor};

/// Models that are loaded at the same time: each computes, and takes memory before it has a place.
const LOADING: usize = 2;

/// The loaded models of a server.
pub(super) struct Loaded {
    stages: Arc<StageExecutor>,
    /// Copies of one model.
    instances: usize,
    /// How many are kept, and as many again of those that are only tried.
    most: usize,
    places: Mutex<VecDeque<Place>>,
    /// Held while one is loaded.
    loading: Arc<Semaphore>,
}

/// A model in its place.
struct Place {
    model: Arc<Model>,
    /// Whether it is tried only: so that a trial takes no place from what serves.
    tried: bool,
}

impl Loaded {
    /// Room for `most` models that serve, and as many that are tried.
    pub(super) fn new(stages: Arc<StageExecutor>, most: usize, instances: usize) -> Self {
        Self {
            stages,
            instances,
            most,
            places: Mutex::default(),
            loading: Arc::new(Semaphore::new(LOADING)),
        }
    }

    /// The loaded model. Where there is no room for another one, the one that was not asked for
    /// longest goes; who is asking it still has it.
    pub(super) async fn get(
        &self,
        what: &Arc<What>,
        tried: bool,
    ) -> Result<Arc<Model>, PredictError> {
        if let Some(model) = self.found(what, tried) {
            return Ok(model);
        }
        // The semaphore is never closed.
        let loading = Arc::clone(&self.loading).acquire_owned().await;
        // Others may have loaded it while this one waited.
        if let Some(model) = self.found(what, tried) {
            return Ok(model);
        }
        let (stages, wanted) = (Arc::clone(&self.stages), Arc::clone(what));
        let (instances, handle) = (self.instances, tokio::runtime::Handle::current());
        // It computes: on a thread of its own, which goes on when nobody waits for it any more.
        let loaded = tokio::task::spawn_blocking(move || {
            let _loading = loading;
            handle.block_on(Model::load(stages, wanted, instances))
        });
        let model = match loaded.await {
            Ok(model) => Arc::new(model?),
            Err(error) => return Err(PredictError::Failed(format!("its thread broke: {error}"))),
        };
        // Another one may have loaded it at the same time: one is enough.
        if let Some(model) = self.found(what, tried) {
            return Ok(model);
        }
        let mut places = self.places();
        let place = Place {
            model: Arc::clone(&model),
            tried,
        };
        places.push_front(place);
        let mut kept = 0;
        places.retain(|place| {
            kept += usize::from(place.tried == tried);
            place.tried != tried || kept <= self.most
        });
        Ok(model)
    }

    /// The model, if it is loaded.
    pub(super) fn found(&self, what: &What, tried: bool) -> Option<Arc<Model>> {
        let mut places = self.places();
        let at = places.iter().position(|place| place.model.is(what))?;
        let model = places.remove(at)?.model;
        let place = Place {
            model: Arc::clone(&model),
            tried,
        };
        places.push_front(place);
        Some(model)
    }

    fn places(&self) -> MutexGuard<'_, VecDeque<Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
