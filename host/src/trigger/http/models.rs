//! The models that are kept loaded, and which one a name stands for now.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use super::{
    HttpSettings, blame,
    guard::Place,
    model::{Model, is_fault, refusal},
    refusal::Refusal,
};
use crate::{
    contract::{Digest, PinnedVersion},
    pipeline::{ModelRef, Pipeline, Selector},
    stage::{PredictError, StageExecutor},
};

/// How long a version that could not be loaded is not tried again.
const AGAIN: Duration = Duration::from_secs(30);

/// Models that are loaded at the same time: each computes, and takes memory before it has a place.
const LOADING: usize = 2;

/// Names whose versions are known at most; more than that, and all are looked up anew.
const MAX_NAMES: usize = 1024;

/// The models of a server.
pub(super) struct Models {
    pipeline: Pipeline,
    stages: Arc<StageExecutor>,
    settings: HttpSettings,
    /// What was asked for, `NAME@ALIAS` or `NAME@VERSION`.
    names: Mutex<BTreeMap<String, Arc<Name>>>,
    /// The one asked last first.
    loaded: Mutex<VecDeque<Arc<Model>>>,
    /// Held while one is loaded.
    loading: Arc<Semaphore>,
}

/// What a name stands for.
#[derive(Default)]
struct Name {
    known: Mutex<Known>,
    /// Held by whoever looks: the others go on with what is known.
    look: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct Known {
    /// The version that serves, and when the name was last looked up.
    serves: Option<(PinnedVersion, Instant)>,
    /// What could not be loaded.
    broken: Option<Broken>,
    /// What is to be told of that.
    notice: Option<String>,
}

/// A bundle that could not be loaded.
#[derive(Clone)]
struct Broken {
    bundle: Digest,
    when: Instant,
    why: Arc<PredictError>,
}

/// A model that is ready, and what it is.
pub(super) struct Ready {
    pub(super) model: Arc<Model>,
    pub(super) version: u32,
    pub(super) notice: Option<String>,
}

impl Models {
    pub(super) fn new(
        pipeline: Pipeline,
        stages: Arc<StageExecutor>,
        settings: HttpSettings,
    ) -> Self {
        Self {
            pipeline,
            stages,
            settings,
            names: Mutex::default(),
            loaded: Mutex::default(),
            loading: Arc::new(Semaphore::new(LOADING)),
        }
    }

    /// The model that `asked` stands for. An alias is followed within a second of its move; where
    /// its new version can't be loaded, the one before goes on serving.
    pub(super) async fn ready(
        self: &Arc<Self>,
        asked: &ModelRef,
        place: &Place,
    ) -> Result<Ready, Refusal> {
        let name = self.name(asked);
        let known = name.known();
        if let Some((version, looked)) = &known.serves {
            let number = matches!(asked.selector, Selector::Version(_));
            // What a number stands for never changes.
            if number || looked.elapsed() < self.settings.alias {
                return self.serve(version, known.notice.clone()).await;
            }
            if name.look.try_lock().is_err() {
                return self.serve(version, known.notice.clone()).await;
            }
        }
        // A task of its own: a client that goes away must not keep the others from the model. Its
        // place stays taken until the task is done.
        let (models, asked, place) = (Arc::clone(self), asked.clone(), Arc::clone(place));
        let looked = tokio::spawn(async move {
            let looked = models.look(&name, &asked).await;
            drop(place);
            looked
        });
        looked
            .await
            .unwrap_or_else(|error| Err(Refusal::fault(&anyhow::Error::new(error))))
    }

    /// Finds out what a name stands for now, and loads it.
    async fn look(self: &Arc<Self>, name: &Name, asked: &ModelRef) -> Result<Ready, Refusal> {
        let _look = name.look.lock().await;
        let known = name.known();
        if let Some((version, looked)) = &known.serves
            && looked.elapsed() < self.settings.alias
        {
            return self.serve(version, known.notice.clone()).await;
        }
        let wanted = match (self.resolve(asked).await, &known.serves) {
            (Ok(wanted), _) => wanted,
            // A store that does not answer now does not stop a model that is loaded.
            (Err(Unresolved::Fault(error)), Some((version, _))) => {
                tracing::warn!("the registry can't be read: {error:#}");
                version.clone()
            }
            (Err(Unresolved::Fault(error)), None) => return Err(Refusal::fault(&error)),
            (Err(Unresolved::Unknown(reason)), _) => return Err(Refusal::missing(reason)),
        };
        let broken = known
            .broken
            .filter(|broken| broken.bundle == wanted.bundle && broken.when.elapsed() < AGAIN);
        let loaded = match &broken {
            Some(broken) => Err((Arc::clone(&broken.why), false)),
            None => self
                .loaded(&wanted)
                .await
                .map_err(|why| (Arc::new(why), true)),
        };
        let now = Instant::now();
        match (loaded, known.serves) {
            (Ok(model), _) => {
                let version = wanted.number;
                name.know(Known {
                    serves: Some((wanted, now)),
                    ..Known::default()
                });
                Ok(Ready {
                    model,
                    version,
                    notice: None,
                })
            }
            (Err((why, is_new)), Some((before, _))) => {
                let mut next = Known {
                    serves: Some((before.clone(), now)),
                    broken,
                    notice: known.notice,
                };
                if is_new {
                    let (new, old) = (wanted.number, before.number);
                    let name = &asked.name;
                    tracing::error!("{name}@{new} can't be loaded, {old} goes on: {why}");
                    next.broken = Some(Broken {
                        bundle: wanted.bundle,
                        when: now,
                        why,
                    });
                    next.notice = Some(format!(
                        "version {new} can't be loaded, so version {old} goes on serving"
                    ));
                }
                let notice = next.notice.clone();
                name.know(next);
                self.serve(&before, notice).await
            }
            (Err((why, is_new)), None) => {
                let told = refusal(&why);
                // What the host failed at may work in a moment.
                if is_new && !is_fault(&why) {
                    name.know(Known {
                        broken: Some(Broken {
                            bundle: wanted.bundle,
                            when: now,
                            why,
                        }),
                        ..Known::default()
                    });
                }
                Err(told)
            }
        }
    }

    async fn serve(
        self: &Arc<Self>,
        version: &PinnedVersion,
        notice: Option<String>,
    ) -> Result<Ready, Refusal> {
        let model = self
            .loaded(version)
            .await
            .map_err(|error| refusal(&error))?;
        Ok(Ready {
            model,
            version: version.number,
            notice,
        })
    }

    /// The loaded model of a version. Where there is no room for another one, the one that was not
    /// asked for longest goes.
    async fn loaded(&self, version: &PinnedVersion) -> Result<Arc<Model>, PredictError> {
        if let Some(model) = self.found(version) {
            return Ok(model);
        }
        // The semaphore is never closed.
        let loading = Arc::clone(&self.loading).acquire_owned().await;
        // Others may have loaded it while this one waited.
        if let Some(model) = self.found(version) {
            return Ok(model);
        }
        let (stages, pinned) = (Arc::clone(&self.stages), version.clone());
        let (instances, handle) = (self.settings.instances, tokio::runtime::Handle::current());
        // It computes: on a thread of its own, which goes on when nobody waits for it any more.
        let loaded = tokio::task::spawn_blocking(move || {
            let _loading = loading;
            handle.block_on(Model::load(stages, pinned, instances))
        });
        let model = match loaded.await {
            Ok(model) => Arc::new(model?),
            Err(error) => return Err(PredictError::Failed(format!("its thread broke: {error}"))),
        };
        // Another one may have loaded it at the same time: one is enough.
        if let Some(model) = self.found(version) {
            return Ok(model);
        }
        let mut loaded = self.shelf();
        loaded.push_front(Arc::clone(&model));
        loaded.truncate(self.settings.models);
        Ok(model)
    }

    fn found(&self, version: &PinnedVersion) -> Option<Arc<Model>> {
        let mut loaded = self.shelf();
        let at = loaded.iter().position(|model| model.is(version))?;
        let model = loaded.remove(at)?;
        loaded.push_front(Arc::clone(&model));
        Some(model)
    }

    async fn resolve(&self, asked: &ModelRef) -> Result<PinnedVersion, Unresolved> {
        let registry = self.pipeline.registry();
        let state = registry.state(&asked.name).await;
        let state = state.map_err(Unresolved::Fault)?;
        if state.entries == 0 {
            let name = &asked.name;
            let reason = match registry.existing(name).await {
                Ok(_) => format!("model '{name}' was made just now: ask again"),
                Err(error) if blame::is_fault(&error) => return Err(Unresolved::Fault(error)),
                Err(error) => error.to_string(),
            };
            return Err(Unresolved::Unknown(reason));
        }
        match state.find(&asked.selector) {
            Ok(version) => Ok(version.pinned.clone()),
            Err(error) => Err(Unresolved::Unknown(error.to_string())),
        }
    }

    fn name(&self, asked: &ModelRef) -> Arc<Name> {
        let key = format!("{}@{}", asked.name, asked.selector);
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= MAX_NAMES && !names.contains_key(&key) {
            // Clients may ask for any name: those of no model go first.
            names.retain(|_, name| name.known().serves.is_some());
            if names.len() >= MAX_NAMES {
                names.clear();
            }
        }
        Arc::clone(names.entry(key).or_default())
    }

    fn shelf(&self) -> MutexGuard<'_, VecDeque<Arc<Model>>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Name {
    fn known(&self) -> Known {
        let known = self.known.lock();
        known.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn know(&self, known: Known) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

/// Why a name stands for no version.
enum Unresolved {
    /// There is none.
    Unknown(String),
    /// The store's.
    Fault(anyhow::Error),
}
