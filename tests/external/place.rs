//! A folder with settings whose deploy is external, and scripts for it.

use std::path::Path;

use serde_json::Value;

use crate::support::septet::{Ran, Workplace, demo};

/// What every script begins with: the invocation, and a way to propose its model.
const HEAD: &str = r#"
import json, os, sys, time
call = json.load(open("invocation.json"))
bundle = next(i for i in call["inputs"] if i["name"] == "bundle")
pinned = call["aliases"][0]
there = pinned["version"]
good = {
    "proposals": [{
        "model": pinned["model"], "bundle": bundle["digest"], "summary": {"algorithm": "theirs"},
        "change": {
            "alias": pinned["alias"], "expected": there and there["bundle"], "reason": "better",
        },
    }],
}
def write(outcome):
    json.dump(outcome, open("outcome.json", "w"))
"#;

/// A folder where deploy is what a script does.
pub(super) struct Place {
    pub(super) here: Workplace,
}

impl Place {
    /// The script's end is `script`; `more` are lines of the settings.
    pub(super) fn deploy(script: &str, more: &str) -> Self {
        let here = Workplace::new();
        here.write("deploy.py", format!("{HEAD}\n{script}\n"));
        let path = here.path("");
        let settings = format!(
            "[deploy]\nexternal = {{ command = [\"python3\", \"deploy.py\", {:?}], files = [\"deploy.py\"] }}\n{more}",
            path.display()
        );
        here.write("septet.toml", settings);
        Self { here }
    }

    /// Trains on the demo's data.
    pub(super) fn run(&self) -> Ran {
        let data = demo("penguins.csv");
        let data = data.to_str().unwrap();
        self.here
            .septet(&["run", data, "--target", "sex", "--json"])
    }

    /// Trains, and the run must come to nothing, with this in its one line.
    #[track_caller]
    pub(super) fn fails(&self, why: &str) {
        let ran = self.run();
        assert_ne!(ran.code, Some(0), "{ran:?}");
        let line = ran.stderr.trim_end().lines().last().unwrap_or_default();
        assert!(line.contains(why), "{line}");
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        // Nothing is lost: what came to nothing is set apart with its reason, and no version is there.
        let models = self.here.septet(&["models", "--json"]);
        assert!(!models.stdout.contains("champion"), "{}", models.stdout);
        let poison = self.poison();
        assert!(poison.contains("deploy"), "{poison}");
    }

    pub(super) fn poison(&self) -> String {
        self.here.septet(&["queues", "--json"]).ok().stdout
    }

    /// The notes of a stage of a finished run.
    pub(super) fn notes(report: &Value, stage: &str) -> Vec<String> {
        let stages = report["stages"].as_array().unwrap();
        let row = stages.iter().find(|row| row["stage"] == stage).unwrap();
        let notes = row["notes"].as_array().unwrap();
        notes
            .iter()
            .map(|note| note.as_str().unwrap().to_owned())
            .collect()
    }
}

/// How many lines a file has; none is none.
pub(super) fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}
