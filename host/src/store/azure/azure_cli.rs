//! The Azure CLI as a source of tokens, for development.

use std::{ffi::OsStr, io, process::Output, process::Stdio, time::Duration};

use async_trait::async_trait;
use azure_identity::Executor;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, Command},
};

/// Bytes of an output that are read; a token has a few thousand.
const MOST: u64 = 64 << 10;

/// How long the CLI may take: it starts an interpreter and may ask the directory.
const LIMIT: Duration = Duration::from_secs(25);

/// Runs the CLI, bounded in time and output. The SDK's own way leaves it running when nobody waits for
/// it any more.
#[derive(Debug)]
pub(super) struct AzureCli;

/// Ends the shell and what it started, unless it has ended.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // Without an identifier it was waited for, and the number may be another's by now.
        let id = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(id) = id.and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
    }
}

#[async_trait]
impl Executor for AzureCli {
    async fn run(&self, program: &OsStr, args: &[&OsStr]) -> io::Result<Output> {
        let child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let mut group = Group(child);
        let (stdout, stderr) = (group.0.stdout.take(), group.0.stderr.take());
        let ended = async {
            let (stdout, stderr) =
                futures_util::future::try_join(read(stdout), read(stderr)).await?;
            let status = group.0.wait().await?;
            io::Result::Ok(Output {
                status,
                stdout,
                stderr,
            })
        };
        tokio::time::timeout(LIMIT, ended)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// The beginning of an output, up to what is read of it.
async fn read(output: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(output) = output {
        output.take(MOST).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(line: &str) -> impl Future<Output = io::Result<Output>> {
        let line = line.to_owned();
        async move {
            let arguments = [OsStr::new("-c"), OsStr::new(&line)];
            AzureCli.run(OsStr::new("/bin/sh"), &arguments).await
        }
    }

    #[tokio::test]
    async fn its_output_is_read_and_bounded() {
        let output = sh("echo out; echo err >&2; exit 3").await.unwrap();
        assert_eq!(output.stdout, b"out\n");
        assert_eq!(output.stderr, b"err\n");
        assert_eq!(output.status.code(), Some(3));
        let output = sh("head -c 100000 /dev/zero").await.unwrap();
        assert_eq!(output.stdout.len() as u64, MOST);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_ended() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("alive");
        let line = format!("(sleep 1; touch {}) & wait", file.display());
        let waited = tokio::time::timeout(Duration::from_millis(200), sh(&line)).await;
        assert!(waited.is_err());
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(!file.exists(), "the command went on");
    }
}
