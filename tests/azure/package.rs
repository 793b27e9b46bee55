//! `septet azure package` and `septet azure check`: what is written, that it is the same each time,
//! and that no edit that matters goes unseen.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use septet::contract::Stage;
use serde_json::Value;

use crate::support::septet::Workplace;

/// The least program: an ELF header for a machine, one segment, and no library.
fn program(machine: u16) -> Vec<u8> {
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    elf.extend(2_u16.to_le_bytes());
    elf.extend(machine.to_le_bytes());
    elf.resize(32, 0);
    elf.extend(64_u64.to_le_bytes());
    elf.resize(54, 0);
    elf.extend(56_u16.to_le_bytes());
    elf.extend(1_u16.to_le_bytes());
    elf.resize(64, 0);
    elf.extend(1_u32.to_le_bytes());
    elf.resize(64 + 56, 0);
    elf
}

/// A workplace with a small program for x86-64.
fn place() -> Workplace {
    let here = Workplace::new();
    here.write("program", program(62));
    here
}

/// Every file below a folder: its mode and its bytes.
fn tree(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<PathBuf, (u32, Vec<u8>)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                let mode = path.metadata().unwrap().permissions().mode() & 0o777;
                let name = path.strip_prefix(root).unwrap().to_owned();
                found.insert(name, (mode, fs::read(&path).unwrap()));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}

fn json(place: &Workplace, file: &str) -> Value {
    serde_json::from_slice(&fs::read(place.path(file)).unwrap()).unwrap()
}

const PACKAGE: [&str; 6] = ["azure", "package", "--binary", "program", "--out", "out"];

#[test]
fn a_package_is_whole_and_the_same_each_time_and_no_edit_goes_unseen() {
    let here = place();
    here.write(
        "septet.toml",
        "[limits]\nwall_seconds = 600\n[[timer]]\nname = 't'\ncron = '0 6 * * *'\nrun = 'monitor'\n\
         model = 'm'\ndata = ['d']\n[ingest]\nschema = 's.json'\n",
    );
    here.write("s.json", "{}");
    here.septet(&PACKAGE).ok();
    let checked = here.septet(&["azure", "check", "out"]).ok();
    assert_eq!(checked.stdout, "out: nothing is wrong with it\n");

    let first = tree(&here.path("out"));
    let mode = |file: &str| first[Path::new(file)].0;
    for app in Stage::ALL {
        assert_eq!(mode(&format!("apps/{app}/septet")), 0o755);
        assert_eq!(mode(&format!("apps/{app}/host.json")), 0o644);
        assert!(first.contains_key(Path::new(&format!("apps/{app}/native/{app}.cwasm"))));
        assert!(first.contains_key(Path::new(&format!("apps/{app}/s.json"))));
        let host = json(&here, &format!("out/apps/{app}/host.json"));
        assert_eq!(host["functionTimeout"], "00:15:00");
    }
    assert_eq!(mode("infra/verify.sh"), 0o755);
    assert!(first.contains_key(Path::new("apps/deploy/timers/function.json")));
    let train = json(&here, "out/apps/train/host.json");
    assert_eq!(train["extensions"]["queues"]["batchSize"], 1);
    assert_eq!(train["extensions"]["queues"]["newBatchThreshold"], 0);

    // Never over what somebody may have edited, unless told so.
    let refused = here.septet(&PACKAGE).refused();
    assert!(refused.contains("has a package already"), "{refused}");
    let forced = [&PACKAGE[..], &["--force"]].concat();
    here.write("out/apps/train/stale.txt", "");
    here.septet(&forced).ok();
    assert!(tree(&here.path("out")) == first, "two packages differ");

    edits(&here);
    assert!(tree(&here.path("out")) == first, "an edit was not undone");
}

/// A file, what is replaced in it by what, and what the check says then.
const REPLACED: &[(&str, &str, &str, &str)] = &[
    (
        "apps/train/host.json",
        "\"batchSize\": 1",
        "\"batchSize\": 4",
        "batchSize 1",
    ),
    (
        "apps/train/host.json",
        "00:15:00",
        "00:10:00",
        "limit wall_seconds of septet.toml is",
    ),
    (
        "apps/infer/host.json",
        "\"base64\"",
        "\"none\"",
        "messageEncoding",
    ),
    (
        "apps/infer/host.json",
        "\"maxDequeueCount\": 100",
        "\"maxDequeueCount\": 5",
        "more than deliveries",
    ),
    (
        "apps/infer/host.json",
        "\"batchSize\": 4",
        "\"batchSize\": 31",
        "limit concurrent_calls is 16",
    ),
    (
        "apps/infer/host.json",
        "\"routePrefix\": \"\"",
        "\"routePrefix\": \"api\"",
        "routePrefix",
    ),
    (
        "apps/infer/host.json",
        "\"septet\"",
        "\"python\"",
        "defaultExecutablePath",
    ),
    ("apps/infer/host.json", "{", "[", "it is no JSON"),
    (
        "apps/train/train/function.json",
        "\"queueName\": \"train\"",
        "\"queueName\": \"deploy\"",
        "it takes messages of queue 'deploy'",
    ),
    (
        "apps/train/train/function.json",
        "\"binary\"",
        "\"string\"",
        "binary",
    ),
    (
        "apps/train/train/function.json",
        "queueTrigger",
        "blobTrigger",
        "blobTrigger",
    ),
    (
        "apps/ingest/runs/function.json",
        "\"function\"",
        "\"anonymous\"",
        "lets anybody in",
    ),
    (
        "apps/ingest/runs/function.json",
        "api/runs",
        "admin/runs",
        "keeps for itself",
    ),
    (
        "apps/train/.funcignore",
        "local.settings.json",
        "",
        "would be deployed",
    ),
    (
        "apps/train/septet.toml",
        "600",
        "90000000000",
        "wall_seconds",
    ),
    (
        "apps/train/septet.toml",
        "[limits]",
        "[limits",
        "it is no TOML",
    ),
    (
        "apps/train/septet.toml",
        "[limits]",
        "[grants]\ntrain = ['models']\n[limits]",
        "can't be granted models",
    ),
    (
        "apps/monitor/septet.toml",
        "[limits]",
        "[grants]\nmonitor = ['blob-read']\n[limits]",
        "app monitor has role Storage Blob Data Reader on registry, which is wider",
    ),
    (
        "apps/train/native/manifest.json",
        "train.cwasm",
        "../train.cwasm",
        "damaged",
    ),
    (
        "apps/train/local.settings.json",
        "UseDevelopmentStorage=true",
        "AccountName=a;AccountKey=c2VjcmV0",
        "holds an account key",
    ),
    (
        "infra/rights.json",
        "\"prefix\": \"septet\"",
        "\"prefix\": \"mypipeline\"",
        "shorten prefix",
    ),
    (
        "infra/rights.json",
        "2a2b9908",
        "b7e6dc6d",
        "not the identifier of role",
    ),
    (
        "infra/main.bicep",
        "loadJsonContent('rights.json')",
        "{}",
        "does not load rights.json",
    ),
    (
        "infra/modules/data.bicep",
        "allowSharedKeyAccess: false",
        "allowSharedKeyAccess: true",
        "every right",
    ),
    (
        "infra/modules/data.bicep",
        "output name",
        "resource rule 'Microsoft.Storage/storageAccounts/managementPolicies@2023-05-01' = {}\noutput name",
        "lifecycle rule",
    ),
    (
        "infra/modules/app.bicep",
        "httpsOnly: true",
        "httpsOnly: false",
        "set it to true",
    ),
    (
        "infra/modules/identity.bicep",
        "output id",
        "resource r 'Microsoft.Authorization/roleAssignments@2022-04-01' = {}\noutput id",
        "assigns a role that infra/rights.json does not say",
    ),
    (
        "azure.yaml",
        "./apps/train",
        "./apps/infer",
        "service of app train",
    ),
    (
        ".github/workflows/deploy.yml",
        "a457da9ea143d694b1b9c7c869ebb04ebe844ef5",
        "v2",
        "is not pinned",
    ),
    (
        ".github/workflows/deploy.yml",
        "client-id: ${{ vars.AZURE_CLIENT_ID }}",
        "creds: ${{ secrets.AZURE_CREDENTIALS }}",
        "stored credential",
    ),
];

/// Makes every edit, asks the check, and undoes it. Edits of different files are made together.
fn edits(here: &Workplace) {
    let mut open: Vec<_> = REPLACED.to_vec();
    while !open.is_empty() {
        let mut batch: BTreeMap<&str, _> = BTreeMap::new();
        open.retain(|edit| {
            let taken = batch.contains_key(edit.0);
            batch.entry(edit.0).or_insert(*edit);
            taken
        });
        let good: Vec<_> = batch
            .values()
            .map(|(file, from, to, _)| {
                let path = here.path(&format!("out/{file}"));
                let good = fs::read_to_string(&path).unwrap();
                assert!(good.contains(from), "{file} has no {from}");
                fs::write(&path, good.replacen(from, to, 1)).unwrap();
                (path, good)
            })
            .collect();
        let told: Vec<_> = batch.values().map(|edit| (edit.0, edit.3)).collect();
        expect(here, &told);
        for (path, good) in good {
            fs::write(path, good).unwrap();
        }
    }
    let missing = [
        ("apps/evaluate/septet", "it can't be read"),
        ("apps/train/train.wasm", "it can't be read"),
        ("apps/infer/native/infer.cwasm", "it can't be read"),
        ("apps/deploy/sweep/function.json", "it is missing"),
        ("apps/deploy/timers/function.json", "it is missing"),
        ("infra/modules/vault.bicep", "it is missing"),
    ];
    for (number, (file, _)) in missing.iter().enumerate() {
        let aside = here.path(&format!("aside{number}"));
        fs::rename(here.path(&format!("out/{file}")), aside).unwrap();
    }
    expect(here, &missing);
    for (number, (file, _)) in missing.iter().enumerate() {
        let aside = here.path(&format!("aside{number}"));
        fs::rename(aside, here.path(&format!("out/{file}"))).unwrap();
    }
    let flip = |file: &str| {
        let path = here.path(&format!("out/{file}"));
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
    };
    let flipped = [
        (
            "apps/train/train.wasm",
            "not the component that train.cwasm was compiled from",
        ),
        (
            "apps/infer/native/infer.cwasm",
            "not the file that was packed",
        ),
        ("apps/train/septet", "chmod 755"),
        ("apps/infer/septet", "function apps run on x86-64"),
        ("apps/extra", "take it away"),
    ];
    let mode = |mode| {
        let binary = here.path("out/apps/train/septet");
        fs::set_permissions(binary, fs::Permissions::from_mode(mode)).unwrap();
    };
    flip("apps/train/train.wasm");
    flip("apps/infer/native/infer.cwasm");
    mode(0o644);
    here.write("out/apps/infer/septet", program(183));
    fs::create_dir(here.path("out/apps/extra")).unwrap();
    expect(here, &flipped);
    flip("apps/train/train.wasm");
    flip("apps/infer/native/infer.cwasm");
    mode(0o755);
    here.write("out/apps/infer/septet", program(62));
    fs::remove_dir(here.path("out/apps/extra")).unwrap();
}

/// The check must fail, with a line that says so for each file, and with hardly more than that.
#[track_caller]
fn expect(here: &Workplace, told: &[(&str, &str)]) {
    let ran = here.septet(&["azure", "check", "out"]);
    assert_eq!(ran.code, Some(1), "{told:?}: {}", ran.stdout);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    for (file, told) in told {
        assert!(
            lines.iter().any(|line| line.contains(told)),
            "{file}: nothing says '{told}': {lines:#?}"
        );
    }
    // One edit may have several consequences: a queue that is another's is also not this app's.
    assert!(
        lines.len() <= told.len() * 2,
        "more is said than was edited: {lines:#?}"
    );
    assert!(!ran.stdout.contains("c2VjcmV0"), "a secret is shown");
}

#[test]
fn one_app_and_a_job_are_packed_and_told_of() {
    let here = place();
    let one = [
        &PACKAGE[..],
        &[
            "--apps",
            "one",
            "--train",
            "job",
            "--secret",
            "SEPTET_HTTP_KEY=http-key@all",
        ],
    ]
    .concat();
    let written = here.septet(&[&one[..], &["--json"]].concat()).json();
    assert_eq!(written["apps"], serde_json::json!(["all", "train"]));
    let notes = written["notes"].to_string();
    assert!(notes.contains("only the sandbox separates them"), "{notes}");
    assert!(notes.contains("does not carry the components"), "{notes}");
    let table = json(&here, "out/infra/rights.json");
    assert_eq!(table["apps"][0]["secrets"]["SEPTET_HTTP_KEY"], "http-key");
    assert!(here.path("out/jobs/train/Dockerfile").exists());
    assert!(!here.path("out/apps/all/train").exists());
    here.septet(&["azure", "check", "out"]).ok();

    // With schemas of others, which are read and held to as well.
    fs::create_dir(here.path("schemas")).unwrap();
    for name in ["host", "function"] {
        here.write(
            &format!("schemas/{name}.json"),
            "{\"required\": [\"nothing\"]}",
        );
    }
    let schemas = ["azure", "check", "out", "--schemas", "schemas"];
    let ran = here.septet(&schemas);
    assert!(
        ran.stdout.contains("\"nothing\" is a required property"),
        "{ran:?}"
    );
    here.write("schemas/host.json", "[");
    let refused = here.septet(&schemas).refused();
    assert!(
        refused.contains("schemas/host.json can't be used"),
        "{refused}"
    );
}

#[test]
fn what_can_not_be_packed_is_refused_in_one_line_and_nothing_is_written() {
    let here = place();
    here.write("arm", program(183));
    here.write("script", "#!/bin/sh\n");
    here.write("key.toml", "store = 'x;AccountKey=c2VjcmV0c2VjcmV0'\n");
    here.write("file.toml", "[http]\nkey_file = 'k'\n");
    here.write("long.toml", "[limits]\nwall_seconds = 86400\n");
    for (more, told) in [
        (&["--binary", "arm"][..], "function apps run on x86-64"),
        (&["--binary", "script"], "no 64-bit"),
        (&["--binary", "missing"], "missing: it can't be read"),
        (&["--glibc", "new"], "is no version"),
        (
            &["--secret", "SEPTET_HTTP_KEY=c2VjcmV0/c2VjcmV0"],
            "and not its value",
        ),
        (&["--secret", "A=a@nobody"], "no app 'nobody'"),
        (&["--config", "key.toml"], "holds an account key"),
        (&["--config", "file.toml"], "--secret SEPTET_HTTP_KEY"),
        (&["--config", "long.toml"], "at most 86099"),
    ] {
        let base = match more[0] {
            "--binary" => &["azure", "package", "--out", "out"][..],
            _ => &PACKAGE[..],
        };
        let refused = here.septet(&[base, more].concat()).refused();
        assert!(refused.contains(told), "{refused}");
        assert!(!refused.contains("c2VjcmV0"), "{refused}");
        assert!(!here.path("out").exists(), "{more:?} wrote something");
    }
    fs::create_dir(here.path("out")).unwrap();
    here.write("out/mine.txt", "mine");
    let forced = [&PACKAGE[..], &["--force"]].concat();
    let refused = here.septet(&forced).refused();
    assert!(refused.contains("has other files in it"), "{refused}");
    assert!(here.path("out/mine.txt").exists());
    let refused = here.septet(&["azure", "check", "out"]).refused();
    assert!(refused.contains("is no package"), "{refused}");
}

#[test]
fn a_program_for_a_newer_glibc_is_refused_by_its_list_of_versions() {
    let here = place();
    // The septet under test asks for that of the machine that built it.
    let base = ["azure", "package", "--out", "out"];
    let refused = here.septet(&[&base[..], &["--glibc", "2.5"]].concat());
    if cfg!(target_env = "gnu") {
        let refused = refused.refused();
        assert!(refused.contains("it asks for glibc 2."), "{refused}");
        assert!(refused.contains("the platform's may be 2.5"), "{refused}");
    }
}
