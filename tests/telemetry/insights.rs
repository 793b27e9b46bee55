//! Application Insights, without a collector between.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::Value;

use super::{
    collector::{Collector, Manner},
    working::{command, place},
};
use crate::support::septet::Ran;

const KEY: &str = "00000000-1111-2222-3333-444444444444";

/// What was sent compressed.
fn unzipped(body: &[u8]) -> Vec<u8> {
    let mut gzip = Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip can be run");
    gzip.stdin.take().unwrap().write_all(body).unwrap();
    gzip.wait_with_output().unwrap().stdout
}

#[test]
fn application_insights_is_told_by_its_connection_string() {
    let collector = Collector::new(Manner::Takes);
    let connection = format!(
        "InstrumentationKey={KEY};IngestionEndpoint={}/",
        collector.endpoint()
    );
    let set = [("APPLICATIONINSIGHTS_CONNECTION_STRING", connection.as_str())];
    let place = place();
    let arguments = ["run", "penguins.csv", "--target", "sex", "--json"];
    let ran: Ran = command(&place, &arguments, &set).output().unwrap().into();
    let ran = ran.ok();
    assert!(!ran.stderr.contains(KEY), "{}", ran.stderr);
    let run: Value = serde_json::from_str(&ran.stdout).unwrap();
    let run = run["run"].as_str().unwrap();
    let got = collector.got();
    let mut sent: Vec<Value> = Vec::new();
    for (path, body) in &got.others {
        assert_eq!(path, "/v2/track");
        let read: Vec<Value> = serde_json::from_slice(&unzipped(body)).unwrap();
        sent.extend(read);
    }
    let train = sent.iter().find(|item| {
        let data = &item["data"]["baseData"];
        data["name"] == "train" && item["data"]["baseType"] == "RequestData"
    });
    let train = train.unwrap_or_else(|| panic!("{sent:#?}"));
    assert_eq!(train["iKey"], KEY);
    assert_eq!(train["tags"]["ai.operation.id"], run.replace('-', ""));
    assert_eq!(train["tags"]["ai.cloud.role"], "septet");
    assert_eq!(train["data"]["baseData"]["success"], true);
    assert_eq!(train["data"]["baseData"]["properties"]["septet.run"], run);
}

#[test]
fn a_connection_string_that_is_none_is_one_line() {
    let place = place();
    let set = [("APPLICATIONINSIGHTS_CONNECTION_STRING", "secret")];
    let ran = command(&place, &["runs"], &set).output().unwrap();
    let line = Ran::from(ran).refused();
    assert!(
        line.contains("APPLICATIONINSIGHTS_CONNECTION_STRING"),
        "{line}"
    );
    assert!(!line.contains("secret"), "{line}");
}
