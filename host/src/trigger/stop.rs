//! How a server is told to stop: first it finishes what it has begun, then it hands it back.

use std::{sync::Arc, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// What is asked of those who work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Work,
    /// Begin on nothing new, finish what is begun.
    Finish,
    /// Hand back what is begun.
    HandBack,
}

/// Tells of a stop. A clone hears the same.
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Sender<Level>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Level::Work)))
    }
}

impl Stop {
    /// Nobody has asked for a stop.
    pub fn new() -> Self {
        Self::default()
    }

    /// A stop that SIGTERM or SIGINT asks for. What is not finished `grace` later is handed back.
    /// At the second signal the process ends at once: what it had begun is taken up by another
    /// when its lease has run out.
    pub fn on_signals(grace: Duration) -> anyhow::Result<Self> {
        let stop = Self::new();
        let asked = stop.clone();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(async move {
            let mut next = async || {
                tokio::select! {
                    _ = terminate.recv() => SignalKind::terminate(),
                    _ = interrupt.recv() => SignalKind::interrupt(),
                }
            };
            next().await;
            tracing::warn!(
                "stopping: what is begun has {} to finish",
                humantime::format_duration(grace)
            );
            asked.ask();
            tokio::select! {
                () = tokio::time::sleep(grace) => asked.hand_back(),
                second = next() => end_now(second),
            }
            end_now(next().await);
        });
        Ok(stop)
    }

    /// Asks for a stop.
    pub fn ask(&self) {
        self.raise(Level::Finish);
    }

    /// Asks to hand back what is begun.
    pub fn hand_back(&self) {
        self.raise(Level::HandBack);
    }

    fn raise(&self, to: Level) {
        self.0.send_if_modified(|level| {
            let raised = *level < to;
            *level = to.max(*level);
            raised
        });
    }

    /// Whether a stop was asked for.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow() > Level::Work
    }

    /// Comes back when a stop was asked for.
    pub async fn asked(&self) {
        self.reached(Level::Finish).await;
    }

    /// Comes back when what is begun is to be handed back.
    pub async fn handed_back(&self) {
        self.reached(Level::HandBack).await;
    }

    async fn reached(&self, level: Level) {
        let mut heard = self.0.subscribe();
        // The sender lives as long as this value.
        let _ = heard.wait_for(|now| *now >= level).await;
    }
}

/// As a shell would see it: 128 and the signal's number.
fn end_now(signal: SignalKind) {
    std::process::exit(128 + signal.as_raw_value());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_is_heard_in_steps() {
        let stop = Stop::new();
        let other = stop.clone();
        assert!(!other.is_asked());
        let soon = Duration::from_millis(20);
        assert!(tokio::time::timeout(soon, other.asked()).await.is_err());
        stop.ask();
        other.asked().await;
        assert!(
            tokio::time::timeout(soon, other.handed_back())
                .await
                .is_err()
        );
        stop.hand_back();
        stop.ask();
        other.handed_back().await;
        assert!(other.is_asked());
    }
}
