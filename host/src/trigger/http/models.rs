//! Which version and which infer component a name stands for now, and the models of both.
//!
//! Whatever decides that is asked in one place, `Models::look`: where the alias points, and which
//! component is in force, of the store's logs. So a model that was moved and a component that was swapped
//! reach the answers in the same way: the new one is loaded while the one before goes on, and then it
//! answers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::OwnedMutexGuard;

use super::{
    HttpSettings,
    aside::Aside,
    blame,
    canary::Flushing,
    guard::Place,
    loaded::Loaded,
    model::{Model, What, is_fault, refusal},
    refusal::Refusal,
    trying::Trying,
};
use crate::{
    contract::{PinnedVersion, Stage},
    pipeline::{InForce, ModelRef, Pipeline, Selector},
    stage::{LoadError, PredictError, StageExecutor},
};

/// How long what could not be loaded is not tried again.
const AGAIN: Duration = Duration::from_secs(30);

/// Names whose versions are known at most; more than that, and all are looked up anew.
const MAX_NAMES: usize = 1024;

/// The models of a server.
pub(super) struct Models {
    pub(super) pipeline: Pipeline,
    stages: Arc<StageExecutor>,
    pub(super) settings: HttpSettings,
    /// What was asked for, `NAME@ALIAS` or `NAME@VERSION`.
    names: Mutex<BTreeMap<String, Arc<Name>>>,
    pub(super) loaded: Loaded,
    /// Where nobody waits for a model, it is loaded here.
    pub(super) aside: Arc<Aside>,
    pub(super) trying: Trying,
    pub(super) flushing: Flushing,
}

/// What a name stands for.
struct Name {
    asked: ModelRef,
    known: Mutex<Known>,
    /// Held by whoever looks: the others go on with what is known.
    look: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone, Default)]
struct Known {
    serves: Option<Serves>,
    /// What could not be loaded.
    broken: Option<Broken>,
    /// What is to be told of that.
    notice: Option<String>,
}

/// What answers.
#[derive(Clone)]
struct Serves {
    what: Arc<What>,
    /// When the name was last looked up.
    looked: Instant,
    /// The last entry of the log of the stages that this look has seen.
    revision: u64,
}

/// What could not be loaded.
#[derive(Clone)]
struct Broken {
    what: Arc<What>,
    when: Instant,
    why: Arc<PredictError>,
}

/// A model that is ready, and what it is.
pub(super) struct Ready {
    pub(super) model: Arc<Model>,
    pub(super) what: Arc<What>,
    pub(super) notice: Option<String>,
}

/// What a name should stand for.
struct Wanted {
    version: PinnedVersion,
    /// The stages when they were looked at.
    stages: Arc<InForce>,
}

impl Models {
    pub(super) fn new(
        pipeline: Pipeline,
        stages: Arc<StageExecutor>,
        settings: HttpSettings,
        aside: Arc<Aside>,
    ) -> Self {
        let loaded = Loaded::new(Arc::clone(&stages), settings.models, settings.instances);
        Self {
            pipeline,
            stages,
            settings,
            names: Mutex::default(),
            loaded,
            aside,
            trying: Trying::default(),
            flushing: Flushing::default(),
        }
    }

    /// The model that `asked` stands for. A move of its alias and a swap of its component are followed
    /// within a second; where what is new can't be loaded, the one before goes on serving.
    ///
    /// Who asks all the time never waits: before what is known is too old, somebody has looked again on
    /// the threads beside. Who asks now and then waits for a look.
    pub(super) async fn ready(
        self: &Arc<Self>,
        asked: &ModelRef,
        place: &Place,
    ) -> Result<Ready, Refusal> {
        let name = self.name(asked);
        let known = name.known();
        if let Some(serves) = known.serves {
            let age = serves.looked.elapsed();
            // What this process has changed itself it knows without a look.
            let changed = serves.revision < self.pipeline.swaps().last().revision();
            if age < self.settings.alias / 2 && !changed {
                return self.serve(serves.what, known.notice).await;
            }
            let look = Arc::clone(&name.look).try_lock_owned();
            match look {
                Ok(look) if age < self.settings.alias => {
                    self.look_aside(Arc::clone(&name), look);
                    return self.serve(serves.what, known.notice).await;
                }
                Ok(_) => {}
                Err(_) => return self.serve(serves.what, known.notice).await,
            }
        }
        // A task of its own: a client that goes away must not keep the others from the model. Its
        // place stays taken until the task is done.
        let (models, place) = (Arc::clone(self), Arc::clone(place));
        let looked = tokio::spawn(async move {
            let look = Arc::clone(&name.look).lock_owned().await;
            let looked = models.look(&name, look).await;
            drop(place);
            looked
        });
        looked
            .await
            .unwrap_or_else(|error| Err(Refusal::fault(&anyhow::Error::new(error))))
    }

    /// Looks at every name that is served, and comes back when what is new serves.
    pub(super) async fn follow(self: &Arc<Self>) {
        let names: Vec<Arc<Name>> = {
            let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            let served = |name: &&Arc<Name>| name.known().serves.is_some();
            names.values().filter(served).cloned().collect()
        };
        for name in names {
            let look = Arc::clone(&name.look).lock_owned().await;
            // What it comes to is told to whoever asks.
            let _ = self.look(&name, look).await;
        }
    }

    fn look_aside(self: &Arc<Self>, name: Arc<Name>, look: OwnedMutexGuard<()>) {
        let models = Arc::clone(self);
        self.aside.spawn(async move {
            let _ = models.look(&name, look).await;
        });
    }

    /// Finds out what a name stands for now, and loads it.
    async fn look(
        self: &Arc<Self>,
        name: &Name,
        _look: OwnedMutexGuard<()>,
    ) -> Result<Ready, Refusal> {
        let known = name.known();
        let stages = self.pipeline.swaps().last();
        if let Some(serves) = &known.serves
            && serves.looked.elapsed() < self.settings.alias / 2
            && serves.revision >= stages.revision()
        {
            // Another has looked while this one waited.
            return self.serve(Arc::clone(&serves.what), known.notice).await;
        }
        let before = known.serves.as_ref();
        let wanted = match (self.resolve(&name.asked, before).await, before) {
            (Ok(wanted), _) => wanted,
            // A store that does not answer now does not stop a model that is loaded.
            (Err(Unresolved::Fault(error)), Some(serves)) => {
                tracing::warn!("the registry can't be read: {error:#}");
                let version = serves.what.version.clone();
                Wanted { version, stages }
            }
            (Err(Unresolved::Fault(error)), None) => return Err(Refusal::fault(&error)),
            (Err(Unresolved::Unknown(reason)), _) => return Err(Refusal::missing(reason)),
        };
        let infer = wanted.stages.stage(Stage::Infer);
        let own = wanted.version.infer;
        let builtin = self.stages.catalog().embedded(Stage::Infer).unwrap_or(own);
        let what = |infer| {
            let version = wanted.version.clone();
            Arc::new(What { version, infer })
        };
        let (settled, own) = (
            what(infer.settled(&wanted.version, builtin)),
            what(infer.own(&wanted.version, builtin)),
        );
        let serves = |what: &Arc<What>| {
            Some(Serves {
                what: Arc::clone(what),
                looked: Instant::now(),
                revision: wanted.stages.revision(),
            })
        };
        let broken = known.broken;
        let broken = broken.filter(|b| b.what.is(&settled) && b.when.elapsed() < AGAIN);
        let (why, is_new) = match &broken {
            Some(broken) => (Arc::clone(&broken.why), false),
            None => match self.load(&settled, &wanted.stages, false).await {
                Ok(model) => {
                    name.know(Known {
                        serves: serves(&settled),
                        ..Known::default()
                    });
                    return Ok(Ready {
                        model,
                        what: settled,
                        notice: None,
                    });
                }
                Err(why) => (Arc::new(why), true),
            },
        };
        let next = Known {
            serves: None,
            broken: broken.or_else(|| {
                Some(Broken {
                    what: Arc::clone(&settled),
                    when: Instant::now(),
                    why: Arc::clone(&why),
                })
            }),
            notice: known.notice,
        };
        // What served before goes on. Where nothing has yet, the version's own component may do.
        let instead = match known.serves {
            Some(serves) => Some(serves.what),
            None if own.infer != settled.infer => {
                let loaded = self.load(&own, &wanted.stages, false).await;
                loaded.ok().map(|_| own)
            }
            None => None,
        };
        let Some(instead) = instead else {
            // What the host failed at may work in a moment.
            if is_new && !is_fault(&why) {
                name.know(next);
            }
            return Err(refusal(&why));
        };
        let notice = if is_new {
            Some(told(&name.asked.name, &settled, &instead, &why))
        } else {
            next.notice.clone()
        };
        name.know(Known {
            serves: serves(&instead),
            notice: notice.clone(),
            ..next
        });
        self.serve(instead, notice).await
    }

    /// Loads what is to serve, or only to be tried, if this process takes its component.
    pub(super) async fn load(
        &self,
        what: &Arc<What>,
        stages: &InForce,
        tried: bool,
    ) -> Result<Arc<Model>, PredictError> {
        let infer = stages.stage(Stage::Infer);
        if infer.has_admitted(&what.infer) {
            let accepted = self.pipeline.swaps().accepts(&infer, &what.infer).await;
            accepted.map_err(|error| {
                if blame::is_fault(&error) {
                    PredictError::Load(LoadError::Host(error))
                } else {
                    PredictError::Rejected(format!("{error:#}"))
                }
            })?;
        }
        self.loaded.get(what, tried).await
    }

    async fn serve(
        self: &Arc<Self>,
        what: Arc<What>,
        notice: Option<String>,
    ) -> Result<Ready, Refusal> {
        let model = match self.loaded.found(&what, false) {
            Some(model) => model,
            None => self
                .loaded
                .get(&what, false)
                .await
                .map_err(|error| refusal(&error))?,
        };
        Ok(Ready {
            model,
            what,
            notice,
        })
    }

    async fn resolve(
        &self,
        asked: &ModelRef,
        before: Option<&Serves>,
    ) -> Result<Wanted, Unresolved> {
        let stages = self.pipeline.swaps().all().await;
        let stages = stages.map_err(Unresolved::Fault)?;
        // What a number stands for never changes.
        if let (Selector::Version(_), Some(serves)) = (&asked.selector, before) {
            let version = serves.what.version.clone();
            return Ok(Wanted { version, stages });
        }
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
            Ok(version) => Ok(Wanted {
                version: version.pinned.clone(),
                stages,
            }),
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
        let name = || {
            Arc::new(Name {
                asked: asked.clone(),
                known: Mutex::default(),
                look: Arc::default(),
            })
        };
        Arc::clone(names.entry(key).or_insert_with(name))
    }
}

/// What clients are told of what can't be loaded; the log is told why.
fn told(name: &str, new: &What, old: &What, why: &PredictError) -> String {
    let (number, before) = (new.version.number, old.version.number);
    let (infer, own) = (new.infer.short(), old.infer.short());
    if new.infer == old.infer {
        tracing::error!("{name}@{number} can't be loaded, {before} goes on: {why}");
        format!("version {number} can't be loaded, so version {before} goes on serving")
    } else {
        tracing::error!("{name}@{number} can't be predicted by {infer}, {own} goes on: {why}");
        format!(
            "component {infer} can't serve version {number}, so component {own} goes on serving \
             version {before}"
        )
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
