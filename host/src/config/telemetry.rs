//! Traces and logs for others: OpenTelemetry's own variables.
//!
//! Where no endpoint is set, nothing else is looked at: the other variables may be for other programs.

use std::env;

use anyhow::{Context as _, bail, ensure};
use axum::http::{HeaderName, HeaderValue};
use septet::telemetry::{Collector, Sampling, Secret, Settings};
use url::Url;

const DISABLED: &str = "OTEL_SDK_DISABLED";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const RESOURCE: &str = "OTEL_RESOURCE_ATTRIBUTES";
const SERVICE: &str = "OTEL_SERVICE_NAME";
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SAMPLER_ARG: &str = "OTEL_TRACES_SAMPLER_ARG";
const INSIGHTS: &str = "APPLICATIONINSIGHTS_CONNECTION_STRING";

/// Longest variable that is used.
const MAX: usize = 16 << 10;

/// A variable, if it is there.
type Get<'a> = &'a dyn Fn(&str) -> anyhow::Result<Option<String>>;

/// What is set, and whether Application Insights is named to a binary that can't tell it.
#[derive(Debug)]
pub(crate) struct TelemetrySettings {
    pub(crate) settings: Settings,
    pub(crate) unheard: bool,
}

impl TelemetrySettings {
    /// Reads the variables; `service` is the name where none is set.
    pub(crate) fn read(service: &str) -> anyhow::Result<Self> {
        Self::of(service, &|name| {
            let Some(value) = env::var_os(name).filter(|value| !value.is_empty()) else {
                return Ok(None);
            };
            ensure!(value.len() <= MAX, "{name} is longer than {MAX} bytes");
            let text = value.into_string();
            let text = text.map_err(|_| anyhow::anyhow!("{name} is no text in UTF-8"))?;
            Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
        })
    }

    fn of(service: &str, get: Get<'_>) -> anyhow::Result<Self> {
        let mut settings = Settings {
            traces: None,
            logs: None,
            insights: None,
            sampling: Sampling::default(),
            service: service.to_owned(),
            attributes: Vec::new(),
        };
        let mut unheard = false;
        let disabled = get(DISABLED)?.is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if !disabled {
            settings.traces = collector("TRACES", "v1/traces", get)?;
            settings.logs = collector("LOGS", "v1/logs", get)?;
            let insights = get(INSIGHTS)?;
            let heard = cfg!(feature = "application-insights");
            unheard = insights.is_some() && !heard;
            settings.insights = insights.filter(|_| heard).map(Secret::new);
        }
        if !settings.is_off() {
            settings.sampling = sampling(get)?;
            let attributes = match get(RESOURCE)? {
                Some(text) => pairs(&text)
                    .with_context(|| format!("{RESOURCE} is no list as key=value,key=value"))?,
                None => Vec::new(),
            };
            let named = attributes.iter().find(|(name, _)| name == "service.name");
            let named = named.map(|(_, value)| value.clone());
            if let Some(service) = get(SERVICE)?.or(named) {
                settings.service = service;
            }
            settings.attributes = attributes;
        }
        Ok(Self { settings, unheard })
    }
}

/// The collector of one signal.
fn collector(signal: &str, path: &str, get: Get<'_>) -> anyhow::Result<Option<Collector>> {
    let exporter = format!("OTEL_{signal}_EXPORTER");
    match get(&exporter)?.as_deref() {
        None | Some("otlp") => {}
        Some("none") => return Ok(None),
        Some(other) => bail!(
            "{exporter} is '{}': septet knows otlp and none",
            other.escape_debug()
        ),
    }
    let own = format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT");
    // A signal's own address is taken as it is; to the common one its path is added.
    let (name, text, path) = match (get(&own)?, get(ENDPOINT)?) {
        (Some(text), _) => (own.as_str(), text, None),
        (None, Some(text)) => (ENDPOINT, text, Some(path)),
        (None, None) => return Ok(None),
    };
    let url = address(&text, path)
        .with_context(|| format!("{name} can't be used: give it as http://localhost:4318"))?;
    let either = |what: &str| -> anyhow::Result<Option<(String, String)>> {
        let own = format!("OTEL_EXPORTER_OTLP_{signal}_{what}");
        let common = format!("OTEL_EXPORTER_OTLP_{what}");
        for name in [own, common] {
            if let Some(text) = get(&name)? {
                return Ok(Some((name, text)));
            }
        }
        Ok(None)
    };
    if let Some((name, protocol)) = either("PROTOCOL")? {
        ensure!(
            protocol == "http/protobuf",
            "{name} is '{}': septet sends by http/protobuf alone; set that, and the collector's port \
             for it (4318)",
            protocol.escape_debug()
        );
    }
    let headers = match either("HEADERS")? {
        // A header may be a key: no error shows it.
        Some((name, text)) => headers(&text).with_context(|| {
            format!("{name} can't be used: give headers as name=value,name=value")
        })?,
        None => Vec::new(),
    };
    Ok(Some(Collector { url, headers }))
}

fn address(text: &str, path: Option<&str>) -> anyhow::Result<Url> {
    let mut url = Url::parse(text).context("it is no address")?;
    let known = matches!(url.scheme(), "http" | "https") && url.has_host();
    ensure!(known, "it is no address of HTTP");
    if let Some(path) = path {
        let before = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{before}/{path}"));
    }
    Ok(url)
}

fn headers(text: &str) -> anyhow::Result<Vec<(String, Secret)>> {
    let pairs = pairs(text)?.into_iter();
    let checked = pairs.map(|(name, value)| {
        let fits = HeaderName::try_from(&name).is_ok() && HeaderValue::try_from(&value).is_ok();
        ensure!(fits, "a name or a value can't stand in a request");
        Ok((name, Secret::new(value)))
    });
    checked.collect()
}

/// `key=value,key=value`, the values with `%20` and the like.
fn pairs(text: &str) -> anyhow::Result<Vec<(String, String)>> {
    let parts = text.split(',').map(str::trim).filter(|p| !p.is_empty());
    let read = parts.map(|part| {
        let (name, value) = part.split_once('=').context("a part has no '='")?;
        ensure!(!name.trim().is_empty(), "a part has nothing before its '='");
        let value = decoded(value.trim()).context("a value has a '%' that means nothing")?;
        Ok((name.trim().to_owned(), value))
    });
    read.collect()
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first == b'%' {
            let (digits, behind) = rest.split_at_checked(2)?;
            let digits = std::str::from_utf8(digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = behind;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

fn sampling(get: Get<'_>) -> anyhow::Result<Sampling> {
    let argument = || -> anyhow::Result<f64> {
        let Some(text) = get(SAMPLER_ARG)? else {
            return Ok(1.0);
        };
        let share: Option<f64> = text.parse().ok();
        let share = share.filter(|share| (0.0..=1.0).contains(share));
        share.with_context(|| {
            let text = text.escape_debug();
            format!("{SAMPLER_ARG} is '{text}': give a share from 0 to 1")
        })
    };
    let named = get(SAMPLER)?;
    let (share, by_parent) = match named.as_deref() {
        None | Some("parentbased_always_on") => (1.0, true),
        Some("always_on") => (1.0, false),
        Some("always_off") => (0.0, false),
        Some("parentbased_always_off") => (0.0, true),
        Some("traceidratio") => (argument()?, false),
        Some("parentbased_traceidratio") => (argument()?, true),
        Some(other) => bail!(
            "{SAMPLER} is '{}': septet knows always_on, always_off and traceidratio, each also with \
             parentbased_ before it",
            other.escape_debug()
        ),
    };
    Ok(Sampling { share, by_parent })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> anyhow::Result<TelemetrySettings> {
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        TelemetrySettings::of("septet", &|name| {
            Ok(variables.get(name).map(|value| (*value).to_owned()))
        })
    }

    const HERE: (&str, &str) = (ENDPOINT, "http://localhost:4318/");

    #[test]
    fn without_an_endpoint_all_is_off() {
        let others = [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            (SAMPLER, "rubbish"),
            (RESOURCE, "rubbish"),
        ];
        assert!(read(&others).unwrap().settings.is_off());
        assert!(read(&[HERE, (DISABLED, "true")]).unwrap().settings.is_off());
    }

    #[test]
    fn the_standards_variables_are_read() {
        let settings = read(&[
            HERE,
            (
                "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
                "https://logs.example/in",
            ),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b, other=c"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            (RESOURCE, "service.name=mine,deployment.environment=test"),
            (SAMPLER, "traceidratio"),
            (SAMPLER_ARG, "0.25"),
        ]);
        let settings = settings.unwrap().settings;
        let traces = settings.traces.unwrap();
        assert_eq!(traces.url.as_str(), "http://localhost:4318/v1/traces");
        assert_eq!(traces.headers[0].1, Secret::new("a b".to_owned()));
        assert_eq!(
            settings.logs.unwrap().url.as_str(),
            "https://logs.example/in"
        );
        assert_eq!(settings.service, "mine");
        assert_eq!(settings.attributes.len(), 2);
        let sampling = settings.sampling;
        assert!((sampling.share - 0.25).abs() < 1e-9 && !sampling.by_parent);
        let named = read(&[HERE, (SERVICE, "n"), (RESOURCE, "service.name=m")]);
        assert_eq!(named.unwrap().settings.service, "n");
        let off = read(&[HERE, ("OTEL_LOGS_EXPORTER", "none")]).unwrap();
        assert!(off.settings.logs.is_none() && off.settings.traces.is_some());
    }

    #[test]
    fn rubbish_is_named_and_no_secret_shown() {
        for (name, value) in [
            (ENDPOINT, "localhost:4317"),
            (ENDPOINT, "rubbish"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://x"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=secret%zz"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a b=secret"),
            (RESOURCE, "secret"),
            (SAMPLER, "sometimes"),
            ("OTEL_TRACES_EXPORTER", "jaeger"),
        ] {
            let error = format!("{:#}", read(&[HERE, (name, value)]).unwrap_err());
            assert!(error.contains(name), "{error}");
            assert!(
                !error.contains("secret") && !error.contains('\n'),
                "{error}"
            );
        }
        for bad in ["2", "-1", "NaN", "half"] {
            let asked = [HERE, (SAMPLER, "traceidratio"), (SAMPLER_ARG, bad)];
            let error = read(&asked).unwrap_err().to_string();
            assert!(error.contains(SAMPLER_ARG), "{error}");
        }
    }

    #[test]
    fn insights_is_heard_where_it_is_built_in() {
        let read = read(&[(INSIGHTS, "InstrumentationKey=1")]).unwrap();
        assert_ne!(read.unheard, cfg!(feature = "application-insights"));
        assert_eq!(read.settings.is_off(), read.unheard);
        assert!(!format!("{:?}", read.settings).contains("InstrumentationKey"));
    }
}
