//! `tribunal verify`, as it is typed.

mod support;

use std::fs;
use std::path::Path;

use support::{json, tribunal};
use tempfile::TempDir;

const HEADER: &str = r#"{"format":"tribunal-history","version":1,"workload":"register"}"#;
const WRITE: &str = r#"{"index":0,"time":0,"process":0,"type":"invoke","f":"write","value":1}
{"index":1,"time":1,"process":0,"type":"ok","f":"write","value":1}
"#;

/// A folder of runs: one whose history is valid, though the run was not.
fn runs() -> (TempDir, String) {
    let out = tempfile::tempdir().expect("a folder");
    let run = out.path().join("raft-0001-seed5");
    fs::create_dir(&run).expect("the folder is mine");
    let write = |name: &str, text: &str| fs::write(run.join(name), text).expect("it is mine");
    write("history.jsonl", &format!("{HEADER}\n{WRITE}"));
    let crashed = r#"{"command":"run","verdict":"invalid","checks":[
        {"checker":"linearizability","verdict":"valid","witness":null},
        {"checker":"crash","verdict":"invalid","witness":{}}]}"#;
    write("verdict.json", crashed);
    std::os::unix::fs::symlink("raft-0001-seed5", out.path().join("latest")).expect("a link");
    let path = out.path().to_string_lossy().into_owned();
    (out, path)
}

#[test]
fn what_the_run_concluded_stands_beside_the_verdict() {
    let (_out, path) = runs();
    let run = format!("{path}/latest");
    let (code, report, stderr) = json(&["verify", &run]);
    assert_eq!(code, 0, "{stderr}");
    let recorded = &report["files"][0]["recorded"];
    assert_eq!(recorded["verdict"], "invalid");
    assert_eq!(recorded["checks"][1]["checker"], "crash");
    assert!(
        recorded["differs"].to_string().contains("crash invalid"),
        "{recorded}"
    );
    let human = tribunal(&["verify", &run]).stdout;
    assert!(
        human.contains("the run's verdict is invalid (crash invalid)"),
        "{human}"
    );
    assert!(human.contains("in its run"), "{human}");
    let (_, report, _) = json(&["verify", &format!("{run}/history.jsonl")]);
    assert!(report["files"][0].get("recorded").is_none());
}

#[test]
fn one_file_that_cannot_be_read_leaves_the_others_judged() {
    let (_out, path) = runs();
    let run = format!("{path}/latest");
    let broken = Path::new(&path).join("broken.jsonl");
    fs::write(&broken, format!("{HEADER}\n?\n{WRITE}")).expect("the folder is mine");
    let files = [
        "verify",
        "/no/such/file",
        &run,
        broken.to_str().expect("a path"),
    ];
    let done = tribunal(&files);
    assert_eq!(done.code, 254, "{}", done.stderr);
    assert!(
        done.stdout.contains(&run) && !done.stdout.contains("verdict:"),
        "{}",
        done.stdout
    );
    assert!(
        done.stderr.contains("cannot read /no/such/file"),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("broken.jsonl:2:"), "{}", done.stderr);
    assert!(
        done.stderr.contains("2 of 3 files could not be judged"),
        "{}",
        done.stderr
    );
    let (code, object, stderr) = json(&files);
    assert_eq!((code, object.is_null()), (254, true));
    assert!(stderr.contains(&run), "{stderr}");
}

#[test]
fn a_folder_of_runs_is_refused_with_its_runs() {
    let (_out, path) = runs();
    let done = tribunal(&["verify", &path]);
    assert_eq!(done.code, 254, "{}", done.stderr);
    assert!(
        done.stderr
            .contains(&format!("try `tribunal verify {path}/latest`")),
        "{}",
        done.stderr
    );
    assert!(
        done.stderr.contains("runs here: latest, raft-0001-seed5"),
        "{}",
        done.stderr
    );
}

#[test]
fn the_traces_of_a_run_without_any_are_asked_for_in_vain() {
    let (_out, path) = runs();
    let asked = format!("{path}/latest/campaign.toml");
    fs::write(asked, "system = \"raft\"\n").expect("it is mine");
    let done = tribunal(&["verify", "--trace", &format!("{path}/latest")]);
    assert_eq!(done.code, 254, "{}", done.stderr);
    assert!(
        done.stderr.contains("try `tribunal run raft --trace`"),
        "{}",
        done.stderr
    );
    let done = tribunal(&["verify", "--trace", "--spec", "kv", &path]);
    assert_eq!(done.code, 254, "{}", done.stderr);
}
