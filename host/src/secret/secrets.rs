//! Secrets that were fetched: kept for a while, renewed, and served on while a vault can't be asked.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::Mutex as Waiting;

use super::{Reference, Refused, Secret, Vaults};
use crate::store::{Clock, millis};

/// How long an old secret is served when its vault can't be asked. Whoever keeps the vault out of our
/// reach must not keep a secret alive for ever.
const STALE: Duration = Duration::from_hours(24);

/// The first wait after a vault could not be asked; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait of our own making.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// The longest wait that a vault may ask for.
const LONGEST_ASKED: Duration = Duration::from_hours(1);

/// How long the first fetch of a secret, on which something waits, may try again.
const PATIENCE: Duration = Duration::from_secs(20);

/// Secrets by reference.
pub struct Secrets {
    vaults: Arc<dyn Vaults>,
    clock: Arc<dyn Clock>,
    /// How long a secret is believed before its vault is asked again.
    refresh: Duration,
    kept: Mutex<HashMap<Reference, Arc<Waiting<Kept>>>>,
}

/// What is known of one secret. Times are on the steady clock, in milliseconds.
#[derive(Default)]
struct Kept {
    secret: Option<Secret>,
    /// When it was last fetched.
    fetched: u64,
    /// Before this the vault is not asked.
    not_before: u64,
    /// The last wait of our own making.
    wait: Duration,
    /// Why there is none.
    why: String,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

impl Secrets {
    /// Secrets of `vaults`, each asked for again after `refresh`.
    pub fn new(vaults: Arc<dyn Vaults>, clock: Arc<dyn Clock>, refresh: Duration) -> Self {
        Self {
            vaults,
            clock,
            refresh,
            kept: Mutex::default(),
        }
    }

    /// The secret: as it was fetched a while ago, else as it is now.
    pub async fn get(&self, reference: &Reference) -> anyhow::Result<Secret> {
        let kept = {
            let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(reference.clone()).or_default())
        };
        // Held while the vault is asked, so that one request does it for all.
        let mut kept = kept.lock().await;
        let now = self.clock.steady();
        if now < kept.not_before {
            return self.known(&kept, now);
        }
        let begun = now;
        loop {
            let fetched = self.vaults.fetch(reference).await;
            let now = self.clock.steady();
            match fetched {
                Ok(secret) => {
                    *kept = Kept {
                        secret: Some(secret),
                        fetched: now,
                        not_before: now.saturating_add(millis(self.refresh)),
                        ..Kept::default()
                    };
                    return self.known(&kept, now);
                }
                Err(Refused::No(why)) => {
                    // Withdrawn: what was known is forgotten, and wiped.
                    *kept = Kept {
                        not_before: now.saturating_add(millis(FIRST_WAIT)),
                        why,
                        ..Kept::default()
                    };
                    return self.known(&kept, now);
                }
                Err(Refused::Later { why, after }) => {
                    kept.wait = (kept.wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT);
                    let wait =
                        after.map_or(kept.wait, |after| after.clamp(FIRST_WAIT, LONGEST_ASKED));
                    kept.not_before = now.saturating_add(millis(wait));
                    kept.why = why;
                    // Without an old secret something waits for this one, but not for long.
                    let waited = Duration::from_millis(now.saturating_sub(begun));
                    if kept.secret.is_some() || waited + wait > PATIENCE {
                        if kept.secret.is_some() {
                            tracing::warn!("an older one is used: {}", kept.why);
                        }
                        return self.known(&kept, now);
                    }
                    self.clock.sleep(wait).await;
                }
            }
        }
    }

    /// What is known, if it still counts.
    fn known(&self, kept: &Kept, now: u64) -> anyhow::Result<Secret> {
        let age = Duration::from_millis(now.saturating_sub(kept.fetched));
        match &kept.secret {
            Some(secret) if age <= self.refresh + STALE => Ok(secret.clone()),
            Some(_) => anyhow::bail!("{} (and what was known is too old to be used)", kept.why),
            None => anyhow::bail!("{}", kept.why),
        }
    }

    /// Asks for a secret again and again, and tells what becomes of it: a new one, or, as an error,
    /// that it counts no more. Comes back never.
    pub async fn follow(
        &self,
        reference: &Reference,
        mut last: Option<Secret>,
        mut tell: impl FnMut(anyhow::Result<Secret>) + Send,
    ) {
        loop {
            self.clock.sleep(self.due(reference).await).await;
            match (self.get(reference).await, &last) {
                (Ok(new), Some(old)) if new.is(old) => {}
                (Ok(new), _) => {
                    last = Some(new.clone());
                    tell(Ok(new));
                }
                // Told once.
                (Err(_), None) => {}
                (Err(error), Some(_)) => {
                    last = None;
                    tell(Err(error));
                }
            }
        }
    }

    /// How long it is until the vault may be asked again.
    async fn due(&self, reference: &Reference) -> Duration {
        let kept = {
            let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(reference.clone()).or_default())
        };
        let due = kept.lock().await.not_before;
        let left = due.saturating_sub(self.clock.steady());
        // A secret that was withdrawn may come back, but nobody waits for it.
        Duration::from_millis(left).max(self.refresh.min(FIRST_WAIT))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use async_trait::async_trait;

    use super::*;
    use crate::store::ManualClock;

    /// Answers as it was told to, and with the last answer from then on.
    struct Vault {
        answers: Mutex<VecDeque<Result<&'static str, Refused>>>,
        asked: Mutex<u32>,
    }

    #[async_trait]
    impl Vaults for Vault {
        async fn fetch(&self, _: &Reference) -> Result<Secret, Refused> {
            *self.asked.lock().unwrap() += 1;
            let mut answers = self.answers.lock().unwrap();
            let answer = if answers.len() > 1 {
                answers.pop_front()
            } else {
                answers.front().cloned()
            };
            answer.unwrap().map(|text| Secret::new(text.to_owned()))
        }
    }

    fn later(after: Option<u64>) -> Result<&'static str, Refused> {
        Err(Refused::Later {
            why: "the vault is busy".to_owned(),
            after: after.map(Duration::from_secs),
        })
    }

    fn no() -> Result<&'static str, Refused> {
        Err(Refused::No("there is none".to_owned()))
    }

    struct World {
        vault: Arc<Vault>,
        clock: Arc<ManualClock>,
        secrets: Secrets,
        reference: Reference,
    }

    impl World {
        fn new(answers: &[Result<&'static str, Refused>]) -> Self {
            let vault = Arc::new(Vault {
                answers: Mutex::new(answers.iter().cloned().collect()),
                asked: Mutex::default(),
            });
            let clock = Arc::new(ManualClock::new(1_000_000));
            let reference = Reference::parse("@Microsoft.KeyVault(VaultName=v;SecretName=k)");
            Self {
                secrets: Secrets::new(vault.clone(), clock.clone(), Duration::from_mins(10)),
                vault,
                clock,
                reference: reference.unwrap().unwrap(),
            }
        }

        async fn get(&self) -> Result<String, String> {
            let got = self.secrets.get(&self.reference).await;
            got.map(|secret| secret.text().to_owned())
                .map_err(|error| error.to_string())
        }

        fn asked(&self) -> u32 {
            *self.vault.asked.lock().unwrap()
        }

        fn wait(&self, minutes: u64) {
            self.clock.advance(Duration::from_mins(minutes));
        }
    }

    #[tokio::test]
    async fn it_is_kept_and_renewed() {
        let world = World::new(&[Ok("one"), Ok("two")]);
        for _ in 0..3 {
            assert_eq!(world.get().await.unwrap(), "one");
        }
        assert_eq!(world.asked(), 1);
        world.wait(11);
        assert_eq!(world.get().await.unwrap(), "two");
        assert!(!format!("{:?}", world.secrets).contains("two"));
    }

    #[tokio::test]
    async fn an_outage_is_outlived_for_a_day_and_the_vault_is_left_alone() {
        let world = World::new(&[Ok("one"), later(Some(1800)), later(None)]);
        world.get().await.unwrap();
        world.wait(11);
        assert_eq!(world.get().await.unwrap(), "one");
        assert_eq!(world.asked(), 2);
        // It asked for half an hour.
        world.wait(29);
        assert_eq!(world.get().await.unwrap(), "one");
        assert_eq!(world.asked(), 2);
        world.wait(2);
        assert_eq!(world.get().await.unwrap(), "one");
        assert_eq!(world.asked(), 3);
        world.wait(24 * 60);
        assert!(world.get().await.unwrap_err().contains("too old"));
    }

    #[tokio::test]
    async fn what_is_withdrawn_is_forgotten() {
        let world = World::new(&[Ok("one"), no(), later(None), Ok("two")]);
        world.get().await.unwrap();
        world.wait(11);
        assert_eq!(world.get().await.unwrap_err(), "there is none");
        // The next fetch waits for the vault to be well again.
        world.wait(1);
        assert_eq!(world.get().await.unwrap(), "two");
        assert_eq!(world.asked(), 4);
    }

    #[tokio::test]
    async fn the_first_fetch_is_patient_but_not_for_long() {
        let world = World::new(&[later(Some(2)), later(None), Ok("one")]);
        assert_eq!(world.get().await.unwrap(), "one");
        let world = World::new(&[later(Some(3600))]);
        assert_eq!(world.get().await.unwrap_err(), "the vault is busy");
        assert_eq!(world.asked(), 1);
        let world = World::new(&[later(None)]);
        assert!(world.get().await.is_err());
        assert!(world.asked() < 10);
    }

    #[tokio::test]
    async fn a_follower_is_told_of_changes_alone() {
        let world = World::new(&[Ok("one"), Ok("one"), Ok("two"), no(), no(), Ok("two")]);
        let first = world.secrets.get(&world.reference).await.unwrap();
        let told = Mutex::new(Vec::new());
        let tell = |told_: anyhow::Result<Secret>| {
            let told_ = told_.map(|secret| secret.text().to_owned());
            told.lock().unwrap().push(told_.ok());
        };
        let following = world.secrets.follow(&world.reference, Some(first), tell);
        let enough = async {
            while told.lock().unwrap().len() < 3 {
                tokio::task::yield_now().await;
            }
        };
        futures_util::future::select(Box::pin(following), Box::pin(enough)).await;
        let told = told.lock().unwrap();
        assert_eq!(
            told[..3],
            [Some("two".to_owned()), None, Some("two".to_owned())]
        );
    }
}
