//! An external stage that is a command of this machine.

use std::{
    io::Read as _,
    path::Path,
    process::{Command, ExitStatus},
    time::Duration,
};

use anyhow::Context as _;

use super::{
    call::{Around, Ended, How, failed},
    definition::{External, Way},
    document::{Answer, Asked, Delay, MAX_OUTCOME},
    folder::Folder,
    process::Process,
};
use crate::{
    capability::clean,
    contract::{Blame, Call, Disposition, Stage},
    stage::{Exceeded, Limits},
};

/// sysexits.h: `EX_DATAERR`, the input was wrong, and `EX_TEMPFAIL`, come again.
const REJECTED: i32 = 65;
const RETRY: i32 = 75;

/// The wait where a command asks to be tried again and does not say when.
const WAIT: u64 = 30_000;

/// How often the size of its folder is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Runs it in a folder of its own.
pub(super) async fn run(
    external: &External,
    call: &Call,
    around: &Around<'_>,
) -> anyhow::Result<Ended> {
    let Way::Command {
        command,
        folder: from,
        environment,
        ..
    } = external.way()
    else {
        anyhow::bail!("it is no command");
    };
    let folder = Folder::new(external.files())?;
    let inputs = folder
        .add_inputs(given(call), around.blobs.as_ref())
        .await?;
    let asked = serde_json::to_vec_pretty(&Asked::new(call, &inputs)?)?;
    folder.put(Path::new("invocation.json"), &asked, false)?;

    let (program, arguments) = command.split_first().context("it has no program")?;
    let mut process = Command::new(placed(program, from, &folder));
    process
        .args(arguments)
        .current_dir(folder.path())
        .env_clear()
        .envs(environment)
        .env("TMPDIR", folder.path().join("tmp"));
    let mut process = match Process::begin(process, &around.log) {
        Ok(process) => process,
        Err(error) => {
            let program = clean(program, 200);
            let reason = format!("the command '{program}' can't be started: {error}");
            return Ok(Ended::not(Disposition::Failed {
                reason,
                blame: Blame::Host,
            }));
        }
    };
    // Outputs and what it writes beside them; what it was given does not count.
    let most = folder.bytes().saturating_add(around.limits.written_bytes);
    let deadline = around.pulse.deadline();
    let ended = loop {
        tokio::select! {
            biased;
            ended = process.ended() => break ended?,
            reason = around.pulse.control().wait_for_stop() => {
                return Ok(Ended::not(Disposition::Failed {
                    reason: format!("the call was stopped: {}", clean(&reason, 200)),
                    blame: Blame::Host,
                }));
            }
            () = tokio::time::sleep_until(deadline.into()) => {
                let reason = around.pulse.overdue().to_string();
                return Ok(Ended::not(failed(around.limits, reason)));
            }
            () = tokio::time::sleep(LOOK) => {
                if folder.bytes() > most {
                    let limit = around.limits.written_bytes;
                    let limit = Exceeded::more("written_bytes", limit);
                    return Ok(Ended::not(failed(around.limits, limit)));
                }
            }
        }
    };
    let ended = process.after(ended).await;
    Ok(Ended {
        visit: None,
        peak_memory_bytes: ended.peak_memory_bytes,
        how: how(ended.status, &ended.last_line, folder, around.limits),
    })
}

/// The inputs, and for evaluate the champion's bundle, which a component would ask for.
pub(super) fn given(call: &Call) -> Vec<crate::contract::Artifact> {
    let mut inputs = call.inputs.clone();
    if call.stage == Stage::Evaluate {
        let pinned = call
            .aliases
            .iter()
            .filter_map(|alias| alias.version.as_ref());
        inputs.extend(pinned.map(|version| crate::contract::Artifact {
            name: "champion".to_owned(),
            ..version.artifact()
        }));
    }
    inputs
}

/// The program: by its name alone it is looked for in `PATH`; with a path it is one of the stage's files, or
/// is meant from the folder of the settings.
fn placed(program: &str, from: &Path, folder: &Folder) -> std::path::PathBuf {
    let own = folder.path().join(program);
    if !program.contains('/') || own.is_file() {
        return if program.contains('/') {
            own
        } else {
            program.into()
        };
    }
    from.join(program)
}

/// What its end means.
fn how(status: ExitStatus, last_line: &str, folder: Folder, limits: &Limits) -> How {
    let answer = match folder.open("outcome.json", MAX_OUTCOME) {
        Ok(file) => {
            let mut bytes = Vec::new();
            match file.take(MAX_OUTCOME).read_to_end(&mut bytes) {
                Ok(_) => Answer::read(&bytes),
                Err(error) => Err(format!("outcome.json can't be read: {error}")),
            }
        }
        Err(why) => Err(why),
    };
    let text = |text: &str| clean(text, limits.text_bytes);
    let reason = || match &answer {
        Ok(answer) if answer.reason().is_some() => text(answer.reason().unwrap_or_default()),
        _ if last_line.trim().is_empty() => "it said nothing".to_owned(),
        _ => text(last_line),
    };
    How::Not(match status.code() {
        Some(0) => match answer {
            Ok(answer) if answer.is_error() => {
                let reason = answer.reason().unwrap_or("no reason");
                let why = format!("it ended with 0, but its outcome is an error: {reason}");
                failed(limits, why)
            }
            Ok(answer) => return How::Done(Box::new(answer), Some(folder)),
            Err(why) => failed(limits, format!("it ended with 0, but {why}")),
        },
        Some(REJECTED) => Disposition::Rejected { reason: reason() },
        Some(RETRY) => {
            let delay = answer
                .as_ref()
                .ok()
                .and_then(|answer| answer.retry.as_ref());
            let after = delay.map_or(WAIT, |Delay { milliseconds, .. }| *milliseconds);
            Disposition::Retry {
                after: after.min(limits.retry_seconds * 1000),
                reason: reason(),
            }
        }
        Some(code) => failed(limits, format!("it ended with {code}: {}", reason())),
        None => {
            use std::os::unix::process::ExitStatusExt as _;
            let signal = status.signal().unwrap_or_default();
            failed(
                limits,
                format!("it was ended by signal {signal}: {}", reason()),
            )
        }
    })
}
