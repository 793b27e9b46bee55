//! A handler's life under the Functions host: how many calls at once, when it is killed, when it is
//! started again, and what becomes of a message that nobody can deal with.

use std::{
    fs, net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path, sync::atomic::Ordering,
    thread,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    handler::{cache, on_clock, on_queue, until, write_app},
    simulator::{
        app::App,
        process::{Host, Verdict},
        queue::Listener,
        storage::Storage,
        timer,
    },
};
use crate::support::azurite;

/// Changes host.json of an app.
fn change(root: &Path, change: impl FnOnce(&mut Value)) {
    let path = root.join("host.json");
    let mut host = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut host);
    fs::write(path, host.to_string()).unwrap();
}

/// Has the app run a script instead of the binary.
fn run_instead(root: &Path, script: &str) {
    let path = root.join("handler");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    change(root, |host| {
        host["customHandler"]["description"]["defaultExecutablePath"] = json!(path);
    });
}

/// An app that works off the queue `ingest`.
fn worker(queues: Value) -> TempDir {
    let folder = TempDir::new().unwrap();
    let functions = [("ingest", on_queue("ingest", "binary"))];
    write_app(folder.path(), &functions, queues, "");
    folder
}

#[test]
fn as_many_calls_are_made_at_once_as_are_allowed() {
    let Some(account) = azurite::account() else {
        return;
    };
    let storage = Storage::new(account);
    let folder = worker(json!({"batchSize": 4, "newBatchThreshold": 2, "maxDequeueCount": 5}));
    storage.make_queue("ingest");
    for number in 0..20 {
        let body = json!({"job": number}).to_string();
        storage.put("ingest", &BASE64_STANDARD.encode(body));
    }
    let connection = storage.connection_string();
    let settings = [
        ("PipelineStorage", connection.as_str()),
        ("SEPTET_CACHE", cache()),
    ];
    let host = Host::start(App::read(folder.path()), &settings);
    host.ready();
    let listener = Listener::start(&host, &storage, "ingest");
    let counts = &listener.counts;
    until("all are done", || {
        counts.succeeded.load(Ordering::SeqCst) == 20
    });
    // None of them is one of ours: each is set aside with a reason, and no call has failed.
    assert_eq!(counts.failed.load(Ordering::SeqCst), 0);
    assert_eq!(storage.peek("ingest-poison").len(), 20);
    let most = counts.most.load(Ordering::SeqCst);
    assert!((2..=6).contains(&most), "{most} at once");
}

#[test]
fn a_call_without_end_ends_the_process_and_all_its_calls() {
    // An account that takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let connection = format!(
        "AccountName=silent;AccountKey=c2lsZW50;BlobEndpoint=http://{address}/silent;\
         QueueEndpoint=http://{address}/silent"
    );
    let folder = TempDir::new().unwrap();
    write_app(folder.path(), &[("sweep", on_clock())], json!({}), "");
    change(folder.path(), |host| {
        host["functionTimeout"] = json!("00:00:02");
    });
    let settings = [("PipelineStorage", connection.as_str())];
    let host = Host::start(App::read(folder.path()), &settings);
    host.ready();
    let port = host.port();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let outcome = host.invoke("sweep", &timer::payload(&host, "sweep"), None);
                assert!(format!("{outcome:?}").contains("did not answer"));
            });
        }
    });
    // There again on the same port, and it answers although its store does not.
    until("it is started again", || host.starts() >= 2);
    host.ready();
    assert_eq!(host.port(), port);
    assert!(!host.is_over());
}

#[test]
fn an_exit_is_judged_by_its_code() {
    for (codes, starts, verdict) in [
        (&["0"][..], 1, Verdict::Left),
        (&["200", "0"], 2, Verdict::Left),
        (&["200", "1", "200", "1", "1"], 5, Verdict::Down),
    ] {
        let folder = TempDir::new().unwrap();
        write_app(folder.path(), &[("sweep", on_clock())], json!({}), "");
        // The n-th start exits with the n-th code.
        let script = format!(
            "#!/bin/sh\necho >>starts\nset -- {}\nshift $(($(wc -l <starts) - 1))\nexit $1\n",
            codes.join(" ")
        );
        run_instead(folder.path(), &script);
        let host = Host::start(App::read(folder.path()), &[]);
        until("it is over", || host.is_over());
        assert_eq!((host.starts(), host.verdict()), (starts, Some(verdict)));
    }
}

#[test]
fn a_message_that_always_fails_is_set_aside_by_the_host() {
    let Some(account) = azurite::account() else {
        return;
    };
    let storage = Storage::new(account);
    let queues = json!({"batchSize": 1, "newBatchThreshold": 0, "maxDequeueCount": 2,
        "visibilityTimeout": "00:00:00"});
    let folder = worker(queues);
    let script = "#!/usr/bin/env python3\n\
        import os\n\
        from http.server import BaseHTTPRequestHandler, HTTPServer\n\
        class Handler(BaseHTTPRequestHandler):\n\
        \x20   def do_GET(self):\n\
        \x20       self.send_response(200); self.end_headers()\n\
        \x20   def do_POST(self):\n\
        \x20       self.send_response(500); self.end_headers()\n\
        port = int(os.environ['FUNCTIONS_CUSTOMHANDLER_PORT'])\n\
        HTTPServer(('127.0.0.1', port), Handler).serve_forever()\n";
    run_instead(folder.path(), script);
    storage.make_queue("ingest");
    let text = BASE64_STANDARD.encode("{}");
    storage.put("ingest", &text);
    let host = Host::start(App::read(folder.path()), &[]);
    host.ready();
    let listener = Listener::start(&host, &storage, "ingest");
    until("it is set aside", || {
        !storage.peek("ingest-poison").is_empty()
    });
    assert_eq!(listener.counts.failed.load(Ordering::SeqCst), 2);
    assert_eq!(storage.peek("ingest-poison")[0].text, text);
    until("it is gone", || storage.peek("ingest").is_empty());
}
