//! A process and all that it begins: its lines, its memory, and its end.
//!
//! It must not know what the process is for. Whatever way it ends, its whole group is killed, so that nothing
//! of it goes on when nobody waits for it any more.

use std::{
    io::{self, BufRead as _, BufReader, Read},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid},
};

use crate::capability::{bindings::septet::capability::log::Level, log::Sink};

/// How long lines are waited for after the process has ended: one that it began may have left the group
/// and hold them open.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Bytes of a line that are looked at; the rest of a longer one is passed over.
const MAX_LINE: u64 = 64 << 10;

/// A process that was begun.
pub(super) struct Process {
    group: Group,
    ended: tokio::sync::oneshot::Receiver<io::Result<(ExitStatus, u64)>>,
    lines: mpsc::Receiver<()>,
    last: Arc<Mutex<String>>,
}

/// How it ended.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// The most memory that it, or a process that it waited for, has had.
    pub(super) peak_memory_bytes: u64,
    /// The last line of its standard error that says anything.
    pub(super) last_line: String,
}

/// Kills all processes of a group when nobody looks after it any more.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // That there is none left is what is wanted.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

impl Process {
    /// Begins it, as the leader of a group of its own. What it writes goes into `log`, line by line.
    pub(super) fn begin(mut command: Command, log: &Sink) -> io::Result<Self> {
        command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let last = Arc::<Mutex<String>>::default();
        let (told, lines) = mpsc::channel();
        let (send, ended) = tokio::sync::oneshot::channel();
        let (begun, beginning) = mpsc::channel();
        let (log, words) = (log.clone(), Arc::clone(&last));
        // The thread that begins it lives as long as it does: on Linux it dies with this thread, and so
        // with this process, however that ends.
        thread::Builder::new()
            .name("septet-external".to_owned())
            .spawn(move || {
                die_with_us(&mut command);
                let mut child = match command.spawn() {
                    Ok(child) => child,
                    Err(error) => {
                        let _ = begun.send(Err(error));
                        return;
                    }
                };
                let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
                let _ = begun.send(Ok(pid));
                let (out, err) = (child.stdout.take(), child.stderr.take());
                drain(out, Level::Info, log.clone(), None, told.clone());
                drain(err, Level::Warn, log, Some(words), told);
                let _ = send.send(wait(&child));
            })?;
        let begun = beginning.recv().map_err(io::Error::other)?;
        Ok(Self {
            group: Group(begun?),
            ended,
            lines,
            last,
        })
    }

    /// Waits for its end, and that of all it began; it can be called again where it was left.
    pub(super) async fn ended(&mut self) -> io::Result<(ExitStatus, u64)> {
        let ended = (&mut self.ended).await.map_err(io::Error::other)?;
        // The number may be another's from here on.
        self.group.0 = None;
        ended
    }

    /// Waits for its last lines, and gives what is known of it.
    pub(super) async fn after(self, (status, peak): (ExitStatus, u64)) -> Ended {
        let Self { lines, last, .. } = self;
        let waited = tokio::task::spawn_blocking(move || {
            // Closed when both of them have come to their end.
            while lines.recv_timeout(LAST_LINES).is_ok() {}
        });
        let _ = waited.await;
        let last_line = last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ended {
            status,
            peak_memory_bytes: peak,
            last_line,
        }
    }
}

/// Passes lines on until there are no more. A process that writes without end never waits for us.
fn drain(
    from: Option<impl Read + Send + 'static>,
    level: Level,
    log: Sink,
    last: Option<Arc<Mutex<String>>>,
    done: mpsc::Sender<()>,
) {
    let Some(from) = from else { return };
    let reading = move || {
        let _done = done;
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        loop {
            line.clear();
            match (&mut from).take(MAX_LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end();
            if text.is_empty() {
                continue;
            }
            log.write(level, text);
            if let Some(last) = &last {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                text.chars()
                    .take(1000)
                    .collect::<String>()
                    .clone_into(&mut last);
            }
        }
    };
    // Where there is no thread to be had, its lines are lost and the pipe is closed.
    let _ = thread::Builder::new()
        .name("septet-lines".to_owned())
        .spawn(reading);
}

/// Waits for a child, and tells the most memory that it had, in bytes.
fn wait(child: &Child) -> io::Result<(ExitStatus, u64)> {
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    // Until it was waited for, its number is its own: what it has left of its group is killed before.
    if let Some(leader) = Pid::from_raw(pid) {
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(Errno::INTR) = waitid(WaitId::Pid(leader), ended) {}
        let _ = kill_process_group(leader, Signal::KILL);
    }
    let mut status = 0;
    // SAFETY: a `rusage` is numbers alone, for which zeros are a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both places live on this stack, and the child is ours and was not waited for: std does
        // so only where it is asked to, and `Child` is never asked here.
        let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
        if waited == pid {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let peak = u64::try_from(usage.ru_maxrss).unwrap_or_default() * unit;
    Ok((ExitStatus::from_raw(status), peak))
}

#[cfg(target_os = "linux")]
fn die_with_us(command: &mut Command) {
    let ask = || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
            .map_err(io::Error::from)
    };
    // SAFETY: between fork and exec only one system call is made, and no memory is taken.
    unsafe { command.pre_exec(ask) };
}

#[cfg(not(target_os = "linux"))]
fn die_with_us(_: &mut Command) {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{contract::Origin, stage::Limits};

    fn shell(line: &str) -> Process {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line]);
        let log = Sink::new("train".to_owned(), Origin::default(), &Limits::default());
        Process::begin(command, &log).unwrap()
    }

    #[tokio::test]
    async fn its_end_its_last_line_and_its_memory_are_told() {
        let line = "echo first >&2; echo; echo ' last' >&2; head -c 300000 /dev/zero; exit 3";
        let mut process = shell(line);
        let ended = process.ended().await.unwrap();
        let ended = process.after(ended).await;
        assert_eq!(ended.status.code(), Some(3));
        assert_eq!(ended.last_line, " last");
        assert!(ended.peak_memory_bytes > 1 << 16);
    }

    #[tokio::test]
    async fn all_that_it_began_ends_with_it() {
        let folder = tempfile::TempDir::new().unwrap();
        let alive = folder.path().join("alive");
        let line = format!("(sleep 1; touch {}) & exit 0", alive.display());
        let mut process = shell(&line);
        let ended = process.ended().await.unwrap();
        drop(process.after(ended).await);
        drop(shell(&format!("sleep 1; touch {}", alive.display())));
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(!alive.exists(), "it went on");
    }

    #[tokio::test]
    async fn one_that_is_not_there_is_an_error() {
        let log = Sink::new("train".to_owned(), Origin::default(), &Limits::default());
        let error = Process::begin(Command::new("/nowhere/python3"), &log)
            .err()
            .unwrap();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
