//! From what was typed to the command that does it.

use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;
use septet::{
    pipeline::{Traces, Untraced},
    telemetry::Telemetry,
};

use super::{
    args::{AzureCommand, Cli, Command},
    azure, compile, demo, gc, grants, init, invoke, logging, models, monitor, new, output, predict,
    queues, runs, schema, serve,
    session::Origin,
    shadow, spin, split, stages, store, train, transforms, work,
};
use crate::config::{self, Environment, Settings, TelemetrySettings};

/// Runs the command; an error is one line on standard error.
pub(crate) fn run(cli: Cli) -> ExitCode {
    // Neither settings nor logs nor exporters are a compiler's business.
    if let Command::CompileComponent(words) = &cli.command {
        return compile::compile(words);
    }
    let out = match &cli.command {
        Command::Serve(_) | Command::Work(_) => logging::Out::Server,
        command if is_handler(command) => logging::Out::Handler,
        _ => logging::Out::Command,
    };
    let exported = match cli.command {
        Command::Init(_) | Command::New(_) | Command::Split(_) | Command::Completions(_) => {
            Ok((None, false))
        }
        _ => exported(&cli.command),
    };
    let done = exported.and_then(|(telemetry, unheard)| {
        logging::start(&cli.global, out, telemetry.as_ref());
        if unheard {
            tracing::info!(
                "APPLICATIONINSIGHTS_CONNECTION_STRING is not used: build septet with --features \
                 application-insights, or send to a collector with OTEL_EXPORTER_OTLP_ENDPOINT"
            );
        }
        let traces = telemetry.as_ref().map(Telemetry::traces);
        let done = dispatch(cli, traces.unwrap_or_else(|| Arc::new(Untraced)));
        if let Some(telemetry) = telemetry {
            telemetry.finish();
        }
        done
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("septet: {}", output::harmless(&one_line(&error)));
            ExitCode::FAILURE
        }
    }
}

/// What exports what a command does, and whether Application Insights was named in vain.
fn exported(command: &Command) -> anyhow::Result<(Option<Telemetry>, bool)> {
    let stages = match command {
        Command::Work(work) => work.share.stages.as_slice(),
        Command::Serve(serve) => serve.work.stages.as_slice(),
        _ => &[],
    };
    let names = stages.iter().map(|stage| stage.name());
    let service: Vec<&str> = std::iter::once("septet").chain(names).collect();
    let read = TelemetrySettings::read(&service.join("-"))?;
    Ok((Telemetry::start(&read.settings)?, read.unheard))
}

/// Whether this process is started by the Azure Functions host.
fn is_handler(command: &Command) -> bool {
    matches!(command, Command::Azure(azure) if matches!(azure.command, AzureCommand::Handle))
}

fn dispatch(cli: Cli, traces: Arc<dyn Traces>) -> anyhow::Result<()> {
    let Cli { global, command } = cli;
    // These must work where the settings do not.
    match command {
        Command::Init(init) => return init::init(init.force, global.json),
        Command::New(new) => return new::new(&new, global.json),
        Command::Split(words) => return split::split(&words, global.json),
        Command::Completions(completions) => return init::completions(completions.shell),
        _ => {}
    }
    let mut file = global.config.clone();
    if file.is_none() && is_handler(&command) {
        file = config::settings_file();
    }
    let settings = Settings::load(file.as_deref())?;
    let environment = Environment::read();
    if let Some((place, nth)) = &environment.failpoint {
        septet::failpoint::set(place, *nth)?;
    }
    let origin = Origin {
        global,
        settings,
        environment,
        traces,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime can't be started")?;
    let done = runtime.block_on(async {
        match command {
            Command::Demo(demo) => Box::pin(demo::demo(origin, &demo)).await,
            Command::Run(run) => train::run(&origin, &run).await,
            Command::Predict(predict) => predict::predict(&origin, &predict).await,
            Command::Monitor(monitor) => monitor::monitor(&origin, &monitor).await,
            Command::Serve(serve) => serve::serve(origin, &serve).await,
            Command::Work(work) => work::work(&origin, &work).await,
            Command::Invoke(invoke) => invoke::invoke(&origin, &invoke).await,
            Command::Runs(runs) => runs::runs(&origin, runs.command.as_ref()).await,
            Command::Transform(transform) => {
                transforms::transform(&origin, &transform.command).await
            }
            Command::Models(models) => models::models(&origin, models.command.as_ref()).await,
            Command::Schema(schema) => schema::schema(&origin, &schema.command).await,
            Command::Stages(stages) => stages::stages(&origin, stages.command.as_ref()).await,
            Command::Shadow(shadow) => shadow::shadow(&origin, &shadow.command).await,
            Command::Queues(queues) => queues::queues(&origin, queues.command.as_ref()).await,
            Command::Gc(gc) => gc::gc(&origin, &gc).await,
            Command::Store(store) => store::store(&origin, &store.command).await,
            Command::Azure(azure) => azure::azure(origin, &azure).await,
            Command::Spin(spin) => spin::spin(&origin, &spin.command).await,
            Command::Grants => grants::grants(&origin).await,
            Command::Init(_)
            | Command::New(_)
            | Command::Split(_)
            | Command::Completions(_)
            | Command::CompileComponent(_) => Ok(()),
        }
    });
    // A component that was told to stop is not waited for.
    runtime.shutdown_background();
    done
}

/// An error and its causes on one line, each said once.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.contains(&text) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&text);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line() {
        let error = anyhow::anyhow!("no such\nfile").context("data.csv can't be read");
        assert_eq!(one_line(&error), "data.csv can't be read: no such file");
        let twice = anyhow::anyhow!("row 3").context("data.csv: row 3");
        assert_eq!(one_line(&twice), "data.csv: row 3");
    }
}
