//! Commands that do everything wrong: the right end each time, and nothing lost.

use std::{thread, time::Duration};

use super::place::{Place, lines};

#[test]
fn the_exit_code_decides() {
    Place::deploy("write({'rejected': 'no gold'}); sys.exit(65)", "").fails("no gold");
    Place::deploy("sys.exit('the last line')", "").fails("it ended with 1: the last line");
    Place::deploy("print('why', file=sys.stderr); sys.exit(65)", "").fails("why");
    Place::deploy("write(good); sys.exit(3)", "").fails("it ended with 3");
    Place::deploy("os.kill(os.getpid(), 9)", "").fails("ended by signal 9");
    let missing = Place::deploy("", "");
    let settings = std::fs::read_to_string(missing.here.path("septet.toml")).unwrap();
    missing
        .here
        .write("septet.toml", settings.replace("python3", "no-such-python"));
    missing.fails("the command 'no-such-python' can't be started");
}

#[test]
fn what_asks_to_be_tried_again_is() {
    let script = r#"
count = sys.argv[1] + "/count"
open(count, "a").write("x\n")
if len(open(count).readlines()) < 3:
    write({"retry": {"milliseconds": 20, "reason": "busy"}})
    sys.exit(75)
assert call["attempt"] == 3, call
write(good)
"#;
    let place = Place::deploy(script, "");
    let report = place.run().json();
    assert_eq!(report["deployed"]["alias"], "champion");
    assert_eq!(lines(&place.here.path("count")), 3);
}

#[test]
fn rubbish_is_no_outcome() {
    let cases = [
        ("pass", "there is no 'outcome.json'"),
        ("open('outcome.json', 'w').write('{')", "is no outcome"),
        (
            "open('outcome.json', 'wb').write(b'\\xff' * 100)",
            "is no outcome",
        ),
        (
            "open('outcome.json', 'w').write('[' * 100000)",
            "is no outcome",
        ),
        (
            "open('outcome.json', 'w').write('x' * (5 << 20))",
            "at most 4194304",
        ),
        ("os.symlink('/etc/passwd', 'outcome.json')", "no plain file"),
        ("write({'failed': 'a'})", "but its outcome is an error"),
        (
            "write({'outputs': [{'name': 'a', 'path': '../../etc/passwd'}]})",
            "no path below",
        ),
        (
            "write({'outputs': [{'name': 'a', 'path': 'outputs/none'}]})",
            "there is no",
        ),
        (
            "os.symlink('/etc/passwd', 'outputs/a'); write({'outputs': [{'name': 'a', 'path': 'outputs/a'}]})",
            "no plain file",
        ),
        (
            "write({'outputs': [{'name': '../a', 'data': ''}]})",
            "badly named",
        ),
        (
            "write({'outputs': [{'name': 'a', 'data': '!'}]})",
            "no base64",
        ),
        (
            "write({'metrics': [{'name': 'a', 'value': float('nan')}]})",
            "no outcome",
        ),
        (
            "write({'messages': [{'label': 'train', 'body': 'x'}]})",
            "no such queue",
        ),
        (
            "good['proposals'][0]['model'] = 'other'; write(good)",
            "those of the invocation",
        ),
        (
            "good['proposals'][0]['bundle'] = '0' * 64; write(good)",
            "those of the invocation",
        ),
        (
            "good['proposals'][0]['summary'] = 5; write(good)",
            "not a JSON object",
        ),
        ("good['proposals'] *= 2; write(good)", "not its to propose"),
    ];
    // Each is tried again before it is given up: side by side they take a fraction of the time.
    for some in cases.chunks(6) {
        thread::scope(|scope| {
            for (script, why) in some {
                scope.spawn(|| Place::deploy(script, "").fails(why));
            }
        });
    }
}

#[test]
fn one_that_hangs_is_ended_with_all_that_it_began() {
    let script = r#"
import subprocess
subprocess.Popen(["sh", "-c", "sleep 4; touch " + sys.argv[1] + "/alive"])
time.sleep(3600)
"#;
    let place = Place::deploy(script, "[limits]\nwall_seconds = 1\n");
    place.fails("limit wall_seconds allows 1");
    thread::sleep(Duration::from_secs(5));
    assert!(!place.here.path("alive").exists(), "a process went on");
}

#[test]
fn one_that_writes_without_end_is_ended() {
    let script = r#"
with open("outputs/huge", "wb") as file:
    while True:
        file.write(b"x" * (1 << 20))
        time.sleep(0.01)
"#;
    let limits = "[limits]\nwritten_bytes = 8000000\n";
    Place::deploy(script, limits).fails("limit written_bytes allows 8000000");
    let large = "open('outputs/a', 'wb').write(b'x' * 9000000)\n\
                 write({'outputs': [{'name': 'a', 'path': 'outputs/a'}]})";
    Place::deploy(large, limits).fails("at most 8000000 are taken");
}

#[test]
fn ten_thousand_lines_harm_nothing() {
    let script = r#"
for n in range(10000):
    print("line", n, "x" * 100, file=sys.stderr)
    print("line", n)
sys.stderr.buffer.write(b"\xff" * 1000000 + b"\n")
write(good)
"#;
    let place = Place::deploy(script, "");
    let ran = place.run().ok();
    assert!(ran.stderr.lines().count() < 1100, "{}", ran.stderr.len());
}

#[test]
fn what_it_does_ends_with_the_process_that_asked() {
    let script = r#"
open(sys.argv[1] + "/begun", "w").write("x")
time.sleep(3)
open(sys.argv[1] + "/alive", "w").write("x")
"#;
    let place = Place::deploy(script, "");
    let data = crate::support::septet::demo("penguins.csv");
    let arguments = ["run", data.to_str().unwrap(), "--target", "sex"];
    let mut run = place.here.command(&arguments).spawn().unwrap();
    for _ in 0..600 {
        if place.here.path("begun").exists() {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    assert!(place.here.path("begun").exists());
    run.kill().unwrap();
    run.wait().unwrap();
    thread::sleep(Duration::from_secs(4));
    assert!(!place.here.path("alive").exists(), "it went on");
    // Another process takes the work up and does it to its end.
    let script = std::fs::read_to_string(place.here.path("deploy.py")).unwrap();
    assert!(script.contains("alive"));
}
