//! The handler's process: started once, asked for until it answers, started again on the same port,
//! and given up after its third error.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    os::unix::process::ExitStatusExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    app::App,
    client::{self, Answer},
    response::{Outcome, judge},
};

/// How often and how long it is asked whether it is there.
const PROBE: Duration = Duration::from_millis(25);
const READY: Duration = Duration::from_secs(30);

/// Errors that are forgiven, and how far apart errors are so that they are forgotten.
const STRIKES: usize = 3;
const FORGOTTEN: Duration = Duration::from_mins(30);

/// What is to be done when the process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It ended by itself and is left so.
    Left,
    /// It is started again.
    Again,
    /// The host shuts down.
    Down,
}

/// The errors so far.
#[derive(Debug, Default)]
pub(crate) struct Strikes(Vec<Instant>);

impl Strikes {
    /// The verdict on an exit: its code, none where a signal ended it.
    pub(crate) fn judge(&mut self, code: Option<i32>, now: Instant) -> Verdict {
        match code {
            Some(0) => Verdict::Left,
            Some(200) => Verdict::Again,
            _ => {
                let recent = |last: &Instant| now.duration_since(*last) <= FORGOTTEN;
                if !self.0.last().is_some_and(recent) {
                    self.0.clear();
                }
                self.0.push(now);
                if self.0.len() < STRIKES {
                    Verdict::Again
                } else {
                    Verdict::Down
                }
            }
        }
    }
}

/// A running instance of the host, with one handler. It ends with the last of its owners.
#[derive(Clone)]
pub(crate) struct Host {
    inner: Arc<Inner>,
    /// None in who does not keep the instance.
    _owner: Option<Arc<Owner>>,
}

/// Ends the instance when it is dropped.
struct Owner(Arc<Inner>);

struct Inner {
    app: App,
    port: u16,
    settings: BTreeMap<String, String>,
    state: Mutex<State>,
    lines: Arc<Mutex<Vec<String>>>,
}

struct State {
    child: Option<Child>,
    strikes: Strikes,
    starts: usize,
    verdict: Option<Verdict>,
    /// The instance is lost or stopped: nothing is started any more.
    over: bool,
    /// The instance is lost with its handler.
    together: bool,
}

impl Host {
    /// Starts the handler of an app and waits until it answers.
    pub(crate) fn start(app: App, settings: &[(&str, &str)]) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let inner = Inner {
            app,
            port,
            settings: settings.iter().map(owned).collect(),
            state: Mutex::new(State {
                child: None,
                strikes: Strikes::default(),
                starts: 0,
                verdict: None,
                over: false,
                together: false,
            }),
            lines: Arc::default(),
        };
        let inner = Arc::new(inner);
        let owner = Owner(Arc::clone(&inner));
        let host = Self {
            inner,
            _owner: Some(Arc::new(owner)),
        };
        host.spawn(&mut host.state());
        let watched = host.unowned();
        thread::spawn(move || watched.watch());
        host
    }

    /// The same instance for who invokes or watches it, and does not keep it.
    pub(crate) fn unowned(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            _owner: None,
        }
    }

    pub(crate) fn app(&self) -> &App {
        &self.inner.app
    }

    pub(crate) fn port(&self) -> u16 {
        self.inner.port
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What the handler has printed so far, on both outputs.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.inner.lines.lock().unwrap().clone()
    }

    pub(crate) fn starts(&self) -> usize {
        self.state().starts
    }

    /// What became of it when it last ended.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        self.state().verdict
    }

    fn spawn(&self, state: &mut State) {
        let Inner {
            app,
            port,
            settings,
            lines,
            ..
        } = self.inner.as_ref();
        let port = port.to_string();
        let mut child = Command::new(&app.executable)
            .args(&app.arguments)
            .current_dir(&app.working)
            .env_remove("SEPTET_STORE")
            .env("NO_COLOR", "1")
            .envs(settings)
            .env("FUNCTIONS_WORKER_RUNTIME", "custom")
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", &port)
            .env("FUNCTIONS_HTTPWORKER_PORT", &port)
            .env("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", "w1")
            .env("FUNCTIONS_HTTPWORKER_ID", "w1")
            .env("FUNCTIONS_APP_ROOT_PATH", &app.root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let outputs: [Box<dyn std::io::Read + Send>; 2] = [
            Box::new(child.stdout.take().unwrap()),
            Box::new(child.stderr.take().unwrap()),
        ];
        for (name, output) in ["out", "err"].into_iter().zip(outputs) {
            let lines = Arc::clone(lines);
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    lines.lock().unwrap().push(format!("{name}: {line}"));
                }
            });
        }
        state.starts += 1;
        state.child = Some(child);
    }

    /// Sees the process end, and does as the rules say.
    fn watch(&self) {
        loop {
            thread::sleep(Duration::from_millis(10));
            let mut state = self.state();
            let Some(child) = &mut state.child else {
                return;
            };
            let Ok(Some(status)) = child.try_wait() else {
                continue;
            };
            if state.over || state.together {
                state.over = true;
                return;
            }
            let verdict = state.strikes.judge(code(status), Instant::now());
            state.verdict = Some(verdict);
            match verdict {
                Verdict::Again => self.spawn(&mut state),
                Verdict::Left | Verdict::Down => {
                    state.over = true;
                    return;
                }
            }
        }
    }

    /// Waits until `GET /` is answered, with whatever status.
    #[track_caller]
    pub(crate) fn ready(&self) -> Duration {
        let begun = Instant::now();
        while begun.elapsed() < READY {
            if client::send(self.inner.port, ("GET", "/"), &[], b"").is_ok() {
                return begun.elapsed();
            }
            thread::sleep(PROBE);
        }
        panic!("the handler is not there: {:#?}", self.lines());
    }

    /// Invokes a function and waits for what comes of it, at most its time; then the handler is
    /// killed, and everything with it.
    pub(crate) fn invoke(&self, function: &str, body: &Value, trace: Option<&str>) -> Outcome {
        let id = uuid::Uuid::new_v4().to_string();
        match self.call(function, &id, body.to_string().as_bytes(), trace) {
            Ok(answer) => {
                let kind = answer.header("content-type");
                match judge(answer.status, kind, &answer.body) {
                    Outcome::Hangs => {
                        thread::sleep(self.inner.app.timeout);
                        self.kill();
                        Outcome::Hangs
                    }
                    outcome => outcome,
                }
            }
            Err(error) => {
                // Until it is seen whether the process is still there.
                thread::sleep(Duration::from_millis(100));
                use std::io::ErrorKind::{TimedOut, WouldBlock};
                if matches!(error.kind(), TimedOut | WouldBlock) {
                    self.kill();
                }
                Outcome::Failed(format!("the handler did not answer: {error}"))
            }
        }
    }

    /// The bare request of an invocation.
    pub(crate) fn call(
        &self,
        function: &str,
        id: &str,
        body: &[u8],
        trace: Option<&str>,
    ) -> std::io::Result<Answer> {
        let headers = client::headers(id, trace);
        let path = format!("/{function}");
        client::post(
            self.inner.port,
            &path,
            &headers,
            body,
            self.inner.app.timeout,
        )
    }

    /// SIGKILL for the handler alone: the host starts it again.
    pub(crate) fn kill(&self) {
        if let Some(child) = &mut self.state().child {
            let _ = child.kill();
        }
    }

    /// When the handler dies, its machine is gone too.
    pub(crate) fn lose_together(&self) {
        self.state().together = true;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state().over
    }
}

/// The exit code; none where a signal ended it.
fn code(status: ExitStatus) -> Option<i32> {
    assert!(status.code().is_some() || status.signal().is_some());
    status.code()
}

impl Drop for Owner {
    fn drop(&mut self) {
        let state = self.0.state.lock();
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.over = true;
        if let Some(child) = &mut state.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn the_third_error_ends_it() {
    let (begun, mut strikes) = (Instant::now(), Strikes::default());
    let minutes = |minutes| begun + Duration::from_mins(minutes);
    assert_eq!(strikes.judge(Some(0), begun), Verdict::Left);
    assert_eq!(strikes.judge(Some(200), begun), Verdict::Again);
    assert_eq!(strikes.judge(Some(1), begun), Verdict::Again);
    assert_eq!(strikes.judge(None, minutes(1)), Verdict::Again);
    // More than half an hour later the errors of before are forgotten.
    assert_eq!(strikes.judge(Some(1), minutes(40)), Verdict::Again);
    assert_eq!(strikes.judge(Some(1), minutes(41)), Verdict::Again);
    assert_eq!(strikes.judge(Some(139), minutes(42)), Verdict::Down);
}
