//! Application Insights, told without a collector between.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use opentelemetry_application_insights::Exporter;
use reqwest::blocking::Client;
use url::Url;

use super::{
    Secret,
    client::{client, is_here, shown},
    troubles::{Troubles, Watched},
};

/// Where data go that no other place is named for.
const EVERYWHERE: &str = "https://dc.services.visualstudio.com";

/// What sends spans, and what sends lines.
type Exporters = (Watched<Exporter<Client>>, Watched<Exporter<Client>>);

/// Exporters for the resource that the connection string names.
pub(super) fn exporters(connection: &Secret, share: f64) -> anyhow::Result<Exporters> {
    let made = make(connection, share);
    made.context("APPLICATIONINSIGHTS_CONNECTION_STRING can't be used: copy it from its resource")
}

fn make(connection: &Secret, share: f64) -> anyhow::Result<Exporters> {
    let endpoint = endpoint(connection.reveal())?;
    let troubles = Troubles::new(format!("traces and logs for {}", shown(&endpoint)));
    let troubles = Arc::new(troubles);
    let one = || {
        let told = Arc::clone(&troubles);
        let made = Exporter::new_from_connection_string(connection.reveal(), client(&endpoint)?);
        // What it says may be the key.
        let exporter = made
            .map_err(|_| anyhow!("it has no InstrumentationKey, or is no list of NAME=VALUE"))?
            .with_sample_rate(share)
            .with_retry_notify(move |error, _| told.failed(&line(error)));
        let inner = if endpoint.scheme() == "http" && is_here(&endpoint) {
            // It would be asked by TLS, which nobody on this machine has a certificate for.
            #[expect(deprecated, reason = "nothing else leaves the scheme as it is")]
            let here = exporter.with_endpoint(endpoint.as_str());
            here.map_err(|_| anyhow!("its IngestionEndpoint is no address"))?
        } else {
            exporter
        };
        let troubles = Arc::clone(&troubles);
        anyhow::Ok(Watched { inner, troubles })
    };
    Ok((one()?, one()?))
}

/// The error's kind: its text may hold what the other side said.
fn line(error: &opentelemetry_application_insights::Error) -> &'static str {
    use opentelemetry_application_insights::Error;
    match error {
        Error::UploadConnection(_) => "it can't be reached",
        Error::Upload(_) => "it refuses them",
        _ => "they can't be written or its answer can't be read",
    }
}

fn endpoint(connection: &str) -> anyhow::Result<Url> {
    let mut named = None;
    for part in connection.split(';').filter(|part| !part.is_empty()) {
        let (name, value) = part
            .split_once('=')
            .context("it is no list of NAME=VALUE")?;
        if name.eq_ignore_ascii_case("IngestionEndpoint") {
            named = Some(value.trim());
        }
    }
    let url = Url::parse(named.unwrap_or(EVERYWHERE)).context("its IngestionEndpoint is none")?;
    let known = matches!(url.scheme(), "http" | "https") && url.host().is_some();
    anyhow::ensure!(known, "its IngestionEndpoint is no address of HTTP");
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_is_read_and_never_shown() {
        let key = "00000000-1111-2222-3333-444444444444";
        let named = format!("InstrumentationKey={key};IngestionEndpoint=https://w.example/");
        assert_eq!(endpoint(&named).unwrap().as_str(), "https://w.example/");
        let plain = format!("InstrumentationKey={key}");
        assert_eq!(
            endpoint(&plain).unwrap().host_str().unwrap(),
            "dc.services.visualstudio.com"
        );
        for bad in [
            "secret",
            "InstrumentationKey=secret;IngestionEndpoint=secret",
            "IngestionEndpoint=https://w.example/;x=secret",
            "InstrumentationKey=secret;IngestionEndpoint=ftp://w.example/",
        ] {
            let secret = Secret::new(bad.to_owned());
            let error = format!("{:#}", exporters(&secret, 1.0).unwrap_err());
            assert!(
                error.contains("APPLICATIONINSIGHTS_CONNECTION_STRING"),
                "{error}"
            );
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
