//! The files of an app: what the Functions host reads of it.
//!
//! It owns what stands in them. It must not write them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{contract::Stage, stage::Limits};

/// The connection under which the data account is found.
pub(super) const CONNECTION: &str = "PipelineStorage";

/// The program's file in an app.
pub(super) const PROGRAM: &str = "septet";

/// The folder of native code in an app, where the handler looks for it.
pub(super) const NATIVE: &str = "native";

/// What a call may take beyond the stage's own limit before the platform ends the whole process:
/// the outcome is committed and published in it.
pub(super) const MARGIN: Duration = Duration::from_mins(5);

/// The longest time-out that host.json can say.
pub(super) const LONGEST: Duration = Duration::from_secs(24 * 3600 - 1);

/// How often the Functions host delivers a message before it puts it aside itself. Septet puts it
/// aside earlier, with a reason, after the deliveries of `[work]`.
pub(super) const DEQUEUES: u64 = 100;

/// Messages at once: how many are fetched, and at how many in hand the next ones are.
pub(super) const fn batch(stage: Stage) -> (u64, u64) {
    match stage {
        Stage::Ingest => (8, 4),
        // One training has the instance for itself.
        Stage::Train => (1, 0),
        Stage::Evaluate | Stage::Deploy => (2, 1),
        Stage::Preprocess | Stage::Infer | Stage::Monitor => (4, 2),
    }
}

/// The time after which the platform ends a call: behind the stage's own limit.
pub fn timeout(limits: &Limits) -> anyhow::Result<Duration> {
    let timeout = Duration::from_secs(limits.wall_seconds) + MARGIN;
    anyhow::ensure!(
        timeout <= LONGEST,
        "limit wall_seconds is {}: a function app ends a call after at most {} seconds, so give it \
         at most {}",
        limits.wall_seconds,
        LONGEST.as_secs(),
        LONGEST.saturating_sub(MARGIN).as_secs()
    );
    Ok(timeout)
}

/// A time as host.json has it.
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// host.json of an app that runs `stages`. Where one app runs several, the narrowest of them is
/// meant: what is at once is said for all functions of an app alike.
pub(super) fn host(stages: &[Stage], timeout: Duration) -> Value {
    let (size, threshold) = match stages {
        [one] => batch(*one),
        _ => (1, 0),
    };
    json!({
        "version": "2.0",
        "extensionBundle": {
            "id": "Microsoft.Azure.Functions.ExtensionBundle",
            "version": "[4.*, 5.0.0)",
        },
        "functionTimeout": clock(timeout),
        "telemetryMode": "OpenTelemetry",
        "logging": { "logLevel": { "default": "Information" } },
        "customHandler": {
            "description": {
                "defaultExecutablePath": PROGRAM,
                "arguments": ["azure", "handle"],
            },
            "enableForwardingHttpRequest": true,
        },
        "extensions": {
            // Paths are those that `septet serve` has.
            "http": { "routePrefix": "" },
            "queues": {
                "batchSize": size,
                "newBatchThreshold": threshold,
                "maxDequeueCount": DEQUEUES,
                "visibilityTimeout": "00:00:30",
                "maxPollingInterval": "00:00:02",
                "messageEncoding": "base64",
            },
        },
    })
}

/// A function of an app: its folder, and function.json.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Function {
    /// Its name and folder.
    pub name: String,
    /// function.json.
    pub file: Value,
}

/// The functions of an app that runs `stages`; `timers` says whether there are rules by the clock.
pub(super) fn functions(stages: &[Stage], timers: bool) -> Vec<Function> {
    let mut functions = Vec::new();
    for stage in stages {
        functions.push(queue(*stage));
        match stage {
            Stage::Ingest => {
                functions.push(http("runs", "api/runs/{run?}", &["get", "post"]));
                functions.push(http("blobs", "api/blobs", &["post"]));
            }
            Stage::Infer => functions.push(http("predict", "predict/{model}", &["post"])),
            Stage::Deploy => {
                functions.push(timer("sweep"));
                if timers {
                    functions.push(timer("timers"));
                }
            }
            _ => {}
        }
    }
    functions
}

/// Triggers only: what a stage writes, it writes through the store.
fn queue(stage: Stage) -> Function {
    Function {
        name: stage.name().to_owned(),
        file: json!({ "bindings": [{
            "type": "queueTrigger",
            "direction": "in",
            "name": "message",
            "queueName": stage.name(),
            "connection": CONNECTION,
            // Bytes arrive as they were sent; text would be guessed at on the way.
            "dataType": "binary",
        }] }),
    }
}

fn http(name: &str, route: &str, methods: &[&str]) -> Function {
    Function {
        name: name.to_owned(),
        file: json!({ "bindings": [
            {
                "type": "httpTrigger",
                "direction": "in",
                "name": "req",
                "authLevel": "function",
                "methods": methods,
                "route": route,
            },
            { "type": "http", "direction": "out", "name": "res" },
        ] }),
    }
}

/// Each minute; a rule by the clock looks itself whether its time has come.
fn timer(name: &str) -> Function {
    Function {
        name: name.to_owned(),
        file: json!({ "bindings": [{
            "type": "timerTrigger",
            "direction": "in",
            "name": "timer",
            "schedule": "0 * * * * *",
        }] }),
    }
}

/// local.settings.json: the app on a developer's machine, against Azurite.
pub(super) fn local_settings() -> Value {
    json!({
        "IsEncrypted": false,
        "Values": {
            "FUNCTIONS_WORKER_RUNTIME": "custom",
            "AzureWebJobsStorage": "UseDevelopmentStorage=true",
            CONNECTION: "UseDevelopmentStorage=true",
            "SEPTET_STORE": format!("azure:{CONNECTION}"),
        },
    })
}

/// .funcignore: what stays at home when the app is deployed.
pub(super) const FUNCIGNORE: &str = "\
.funcignore
.git*
.vscode
__azurite*
__blobstorage__
__queuestorage__
local.settings.json
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_host_reads_them() {
        assert_eq!(clock(Duration::from_mins(65)), "01:05:00");
        assert_eq!(clock(LONGEST), "23:59:59");
        let limits = |wall_seconds| Limits {
            wall_seconds,
            ..Limits::default()
        };
        assert_eq!(timeout(&limits(60)).unwrap(), Duration::from_mins(6));
        let told = timeout(&limits(86_400)).unwrap_err().to_string();
        assert!(told.contains("at most 86099"), "{told}");
    }

    #[test]
    fn a_training_is_alone_and_so_is_each_stage_of_a_single_app() {
        for stages in [&[Stage::Train][..], &Stage::ALL] {
            let host = host(stages, Duration::from_mins(5));
            let queues = &host["extensions"]["queues"];
            assert_eq!(
                (&queues["batchSize"], &queues["newBatchThreshold"]),
                (&json!(1), &json!(0))
            );
        }
    }

    #[test]
    fn the_control_plane_has_the_timers() {
        let names = |stages: &[Stage], timers| -> Vec<String> {
            let functions = functions(stages, timers).into_iter();
            functions.map(|function| function.name).collect()
        };
        assert_eq!(names(&[Stage::Deploy], false), ["deploy", "sweep"]);
        assert_eq!(names(&[Stage::Deploy], true), ["deploy", "sweep", "timers"]);
        assert_eq!(names(&[Stage::Ingest], true), ["ingest", "runs", "blobs"]);
        assert_eq!(names(&[Stage::Train], true), ["train"]);
        assert_eq!(names(&Stage::ALL, true).len(), 12);
    }
}
