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

/// A folder with this file in it, and its path.
fn file(name: &str, text: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    fs::write(&path, text).expect("the folder is mine");
    let path = path.to_string_lossy().into_owned();
    (folder, path)
}

/// What is concluded of a file, with these flags, and how it was read.
fn verdict(path: &str, flags: &[&str]) -> (String, String) {
    let (_, report, stderr) = json(&[&["verify", path], flags].concat());
    let of = |field: &str| report["files"][0][field].as_str().map(str::to_owned);
    let both = of("verdict").zip(of("format"));
    both.unwrap_or_else(|| panic!("no verdict: {stderr}"))
}

/// What is said of a file that cannot be judged, with these flags.
fn refused(path: &str, flags: &[&str]) -> String {
    let done = tribunal(&[&["verify", path], flags].concat());
    assert_eq!(done.code, 254, "{}{}", done.stdout, done.stderr);
    done.stderr
}

const EDN: &str = "{:process 0, :type :invoke, :f :write, :value 1}
{:process 0, :type :ok, :f :write, :value 1}
{:process 1, :type :invoke, :f :read, :value nil}
{:process 1, :type :ok, :f :read, :value nil}
";

#[test]
fn a_read_of_nothing_means_what_the_dialect_says() {
    let (_folder, path) = file("history.edn", EDN);
    let is = |flags: &[&str], wanted: &str, format: &str| {
        let both = (wanted.to_owned(), format.to_owned());
        assert_eq!(verdict(&path, flags), both, "{flags:?}");
    };
    is(&[], "invalid", "edn");
    is(&["--nil", "unknown"], "valid", "edn");
    is(&["--from", "knossos"], "valid", "knossos");
    is(
        &["--from", "knossos", "--nil", "initial"],
        "invalid",
        "knossos",
    );
    is(&["--initial", "1", "--nil", "initial"], "valid", "edn");
    let human = tribunal(&["verify", &path, "--from", "edn"]).stdout;
    assert!(human.contains("read as"), "{human}");
    assert!(human.contains("--from edn --format json"), "{human}");
}

#[test]
fn a_cas_that_failed_means_what_the_dialect_says() {
    let log = "INFO  jepsen.util - 0\t:invoke\t:write\t3
INFO  jepsen.util - 0\t:ok\t:write\t3
INFO  jepsen.util - 1\t:invoke\t:cas\t[3 4]
INFO  jepsen.util - 1\t:fail\t:cas\t[3 4]
INFO  jepsen.util - 2\t:invoke\t:write\t5
INFO  jepsen.util - 2\t:info\t:write\t:timed-out
INFO  jepsen.util - 3\t:invoke\t:read\tnil
INFO  jepsen.util - 3\t:ok\t:read\t5
";
    let (_folder, path) = file("etcd.log", log);
    let is = |flags: &[&str], wanted: &str| {
        let both = (wanted.to_owned(), "porcupine-etcd".to_owned());
        assert_eq!(verdict(&path, flags), both, "{flags:?}");
    };
    is(&[], "valid");
    is(&["--failed-cas", "observed"], "invalid");
    is(&["--failed-cas", "fail"], "valid");
}

#[test]
fn flags_of_values_outrank_the_header_and_are_refused_where_they_say_nothing() {
    let header = HEADER.replace(
        '}',
        r#","initial":7,"nil":"unknown","failed_cas":"observed"}"#,
    );
    let read = r#"{"index":0,"time":0,"process":0,"type":"invoke","f":"read"}
{"index":1,"time":1,"process":0,"type":"ok","f":"read","value":VALUE}"#;
    let (_folder, path) = file(
        "h.jsonl",
        &format!("{header}\n{read}").replace("VALUE", "-1"),
    );
    let is = |flags: &[&str], wanted: &str| {
        assert_eq!(verdict(&path, flags).0, wanted, "{flags:?}");
    };
    is(&[], "invalid");
    is(&["--initial", "-1"], "valid");
    for (flags, about) in [
        (
            &["--failed-cas", "fail", "--level", "serializable"][..],
            "--failed-cas is about",
        ),
        (
            &["--failed-cas", "fail", "--spec", "register"],
            "--failed-cas is about",
        ),
        (&["--nil", "initial", "--spec", "bank"], "--nil is about"),
        (
            &["--initial", "1", "--spec", "local-reads"],
            "--initial is about",
        ),
        (&["--initial", "one"], "expected JSON such as"),
    ] {
        let why = refused(&path, flags);
        assert!(why.contains(about), "{flags:?}: {why}");
    }
}

/// A read of what was overwritten before it began, as `seen` has it.
fn stale(seen: &str) -> String {
    let read = r#"{"index":2,"time":2,"process":1,"type":"invoke","f":"read"}
{"index":3,"time":3,"process":1,"type":"ok","f":"read","value":"#;
    format!("{HEADER}\n{WRITE}{read}{seen}}}\n")
}

/// The data that a page embeds.
fn drawn(page: &Path) -> serde_json::Value {
    let text = fs::read_to_string(page).expect("a page");
    assert!(text.starts_with("<!doctype html>"), "{text}");
    let data = text.split_once(r#"id="data">"#).expect("data").1;
    let data = data.split_once("</script>").expect("their end").0;
    serde_json::from_str(data).expect("the data are JSON")
}

#[test]
fn what_is_refuted_is_drawn_on_a_page() {
    let (folder, path) = file("h.jsonl", &stale(r#""</script>""#));
    let page = folder.path().join("h.html");
    let html = page.to_string_lossy().into_owned();
    let done = tribunal(&["verify", &path, "--html", &html]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    let place = format!("\npage:    {html}\nagain:");
    assert!(done.stdout.contains(&place), "{}", done.stdout);
    let data = drawn(&page);
    assert_eq!(data["operations"][0]["label"], "write 1");
    assert_eq!(data["operations"][1]["label"], r#"read -> "</script>""#);
    assert_eq!(data["refuted"], 1);
    // One's own page is written over, and nothing else.
    let (code, report, stderr) = json(&["verify", &path, "--html", &html]);
    assert_eq!(code, 1, "{stderr}");
    assert_eq!(report["files"][0]["page"], html.as_str());
    let why = refused(&path, &["--html", &path]);
    assert!(why.contains("no page of this program"), "{why}");
    assert!(drawn(&page)["next"].to_string().contains("tribunal verify"));
    let why = refused(&path, &["--html", "/no/such/folder/h.html"]);
    assert!(why.contains("cannot write the page /no/such"), "{why}");
    let why = refused(&path, &["--html", &html, "--spec", "bank"]);
    assert!(why.contains("--html is about"), "{why}");
}

#[test]
fn no_page_is_written_of_what_is_valid() {
    let (folder, path) = file("h.jsonl", &stale("1"));
    let page = folder.path().join("h.html");
    let done = tribunal(&["verify", &path, "--html", &page.to_string_lossy()]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains("page:    none"), "{}", done.stdout);
    assert!(!page.exists());
}

#[test]
fn of_several_histories_each_has_its_own_page() {
    let (_runs, runs) = runs();
    let (_one, one) = file("h.jsonl", &stale("2"));
    let (other, same_name) = file("h.jsonl", &stale("3"));
    let run = format!("{runs}/latest");
    let pages = other.path().join("pages");
    let html = pages.to_string_lossy().into_owned();
    let (code, report, stderr) = json(&["verify", &one, &run, &same_name, "--html", &html]);
    assert_eq!(code, 1, "{stderr}");
    let page = |file: usize| report["files"][file]["page"].as_str();
    assert_eq!(page(0), pages.join("h.html").to_str());
    assert_eq!(page(1), None);
    assert_eq!(page(2), pages.join("h-2.html").to_str());
    let seen = |name: &str| drawn(&pages.join(name))["operations"][1]["seen"].clone();
    assert_eq!((seen("h.html"), seen("h-2.html")), ("2".into(), "3".into()));
    assert_eq!(fs::read_dir(&pages).expect("it was made").count(), 2);
}

#[test]
fn every_history_is_judged_by_what_its_operations_show() {
    let (_folder, path) = file(
        "bank.edn",
        "{:process 0, :type :invoke, :f :read, :value nil}
         {:process 0, :type :ok, :f :read, :value {0 5, 1 16}}",
    );
    let why = refused(&path, &[]);
    assert!(why.contains("--initial"), "{why}");
    let accounts = ["--initial", r#"{"0":10,"1":10}"#];
    assert_eq!(verdict(&path, &accounts).0, "invalid");

    let (_folder, path) = file(
        "kv.txt",
        "{:process 0, :type :invoke, :f :append, :key \"4\", :value \"ab\"}
{:process 0, :type :ok, :f :append, :key \"4\", :value \"ab\"}
{:process 1, :type :invoke, :f :get, :key \"4\", :value nil}
{:process 1, :type :ok, :f :get, :key \"4\", :value \"\"}\n",
    );
    let invalid = ("invalid".to_owned(), "porcupine-kv".to_owned());
    assert_eq!(verdict(&path, &[]), invalid);

    let (_folder, path) = file(
        "g1a.json",
        r#"[{"index":0,"process":0,"type":"invoke","value":[["append",1,1]]},
            {"index":1,"process":0,"type":"fail","value":[["append",1,1]]},
            {"index":2,"process":1,"type":"invoke","value":[["r",1,null]]},
            {"index":3,"process":1,"type":"ok","value":[["r",1,[1]]]}]"#,
    );
    let invalid = ("invalid".to_owned(), "json".to_owned());
    assert_eq!(verdict(&path, &[]), invalid);

    let (_folder, path) = file("m.edn", "{:process 0, :type :invoke, :f :acquire}");
    let why = refused(&path, &[]);
    assert!(why.contains("judge the workload `acquire`"), "{why}");
}

#[test]
fn a_wrong_guess_can_be_mended() {
    let (_folder, path) = file("history.txt", "[1] {}");
    let why = refused(&path, &[]);
    assert!(why.contains("history.txt:1:1: expected a line"), "{why}");
    assert!(
        why.contains("read as limo, which is a guess; --from names"),
        "{why}"
    );
    let why = refused(&path, &["--from", "edn"]);
    assert!(
        why.contains("history.txt:1:2: expected a map such as"),
        "{why}"
    );
    assert!(!why.contains("guess"), "{why}");
}

#[test]
fn a_history_is_the_same_in_another_format() {
    let (folder, path) = file("history.edn", EDN);
    let to = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let lines = to("history.jsonl");
    let convert = [
        "convert", &path, "--from", "knossos", "--to", "jsonl", "--out", &lines,
    ];
    let (code, report, stderr) = json(&convert);
    assert_eq!((code, &report["events"]), (0, &4.into()), "{stderr}");
    // What Knossos means by nil went into the header.
    assert_eq!(
        verdict(&lines, &[]),
        ("valid".to_owned(), "jsonl".to_owned())
    );
    let again = tribunal(&["convert", &lines, "--to", "edn"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    let edn = to("again.edn");
    fs::write(&edn, &again.stdout).expect("the folder is mine");
    assert_eq!(verdict(&edn, &[]), ("valid".to_owned(), "edn".to_owned()));
    // Nothing is written over, and stdout is one object or a history.
    assert_eq!(tribunal(&convert).code, 254);
    assert_eq!(json(&["convert", &lines, "--to", "edn"]).0, 254);
}

/// Two clients that see the same two writes in different orders, and one that
/// reads what was replaced before it began.
const DISAGREE: &str = r#"{:process 0, :type :invoke, :f :write, :key :x, :value 1}
{:process 0, :type :ok, :f :write, :key :x, :value 1}
{:process 1, :type :invoke, :f :write, :key :x, :value 2}
{:process 1, :type :ok, :f :write, :key :x, :value 2}
{:process 2, :type :invoke, :f :read, :key :x, :value nil}
{:process 2, :type :ok, :f :read, :key :x, :value 1}
{:process 2, :type :invoke, :f :read, :key :x, :value nil}
{:process 2, :type :ok, :f :read, :key :x, :value 2}
{:process 3, :type :invoke, :f :read, :key :x, :value nil}
{:process 3, :type :ok, :f :read, :key :x, :value 2}
{:process 3, :type :invoke, :f :read, :key :x, :value nil}
{:process 3, :type :ok, :f :read, :key :x, :value 1}
"#;

#[test]
fn weaker_properties_are_judged_by_their_names() {
    let (_folder, path) = file("history.edn", DISAGREE);
    for (spec, wanted) in [
        ("sequential", "invalid"),
        ("per-key-sequential", "invalid"),
        ("causal-convergence", "invalid"),
        ("causal-memory", "valid"),
        ("causal", "valid"),
        ("monotonic-writes", "invalid"),
        ("writes-follow-reads", "invalid"),
        ("monotonic-reads", "invalid"),
        ("read-your-writes", "valid"),
        ("k-atomicity", "invalid"),
        ("regular", "invalid"),
        ("safe", "invalid"),
    ] {
        let (code, report, stderr) = json(&["verify", &path, "--spec", spec]);
        let file = &report["files"][0];
        assert_eq!(file["verdict"], wanted, "{spec}: {stderr}");
        assert_eq!(code, i32::from(wanted == "invalid"));
        assert_eq!(
            (&file["spec"], &file["checker"]),
            (&spec.into(), &spec.into())
        );
        if wanted == "invalid" {
            assert_eq!(file["witness"]["property"], spec);
            let operations = &file["witness"]["operations"];
            assert!(operations[0]["process"].is_u64(), "{operations}");
            let human = tribunal(&["verify", &path, "--spec", spec]).stdout;
            assert!(
                human.contains(&format!("does not have the property {spec}:")),
                "{human}"
            );
        }
    }
    let listed = tribunal(&["list", "specs"]).stdout;
    assert!(listed.contains("writes-follow-reads"), "{listed}");
}

#[test]
fn how_stale_reads_are_is_told() {
    let (_folder, path) = file("history.edn", DISAGREE);
    let judged = |flags: &[&str]| {
        let (_, report, _) = json(&[&["verify", &path, "--spec", "k-atomicity"], flags].concat());
        report["files"][0].clone()
    };
    let two = serde_json::json!({ "at_least": 2, "at_most": 2 });
    let stale = judged(&[]);
    assert_eq!(
        (&stale["verdict"], &stale["staleness"]),
        (&"invalid".into(), &two)
    );
    assert_eq!(stale["witness"]["staleness"], two);
    let allowed = judged(&["--staleness", "2"]);
    assert_eq!(
        (&allowed["verdict"], &allowed["staleness"]),
        (&"valid".into(), &two)
    );
    let typed = ["verify", &path, "--spec", "k-atomicity", "--staleness", "2"];
    let human = tribunal(&typed).stdout;
    assert!(human.contains("the smallest k is 2"), "{human}");
}

#[test]
fn flags_that_say_nothing_to_a_weaker_property_are_refused() {
    let (_folder, path) = file("history.edn", DISAGREE);
    for (flags, about) in [
        (
            &["--spec", "regular", "--timeout", "1s"][..],
            "--timeout is about",
        ),
        (&["--spec", "safe", "--memory", "1MiB"], "--memory is about"),
        (
            &["--spec", "causal", "--staleness", "2"],
            "--staleness is about",
        ),
        (&["--staleness", "2"], "--staleness is about"),
        (
            &["--spec", "k-atomicity", "--staleness", "0"],
            "--staleness",
        ),
        (&["--spec", "sequentiel"], "did you mean `sequential`"),
    ] {
        let why = refused(&path, flags);
        assert!(why.contains(about), "{flags:?}: {why}");
    }
    let unread = DISAGREE.replace(":x, :value 2}", ":x, :value 1}");
    let (_folder, path) = file("history.edn", &unread);
    let typed = [
        "--spec",
        "sequential",
        "--nil",
        "initial",
        "--initial",
        "0",
        "--timeout",
        "9s",
    ];
    assert_eq!(verdict(&path, &typed).0, "valid");
    let append = DISAGREE.replace(":f :write", ":f :append");
    let (_folder, path) = file("history.edn", &append);
    let why = refused(&path, &["--spec", "causal"]);
    assert!(why.contains("an operation of registers"), "{why}");
}

#[test]
fn an_unknown_verdict_names_its_limit_and_the_flag_that_raises_it() {
    let (_folder, path) = file("history.edn", DISAGREE);
    let again = |typed: &[&str], reason: &str| {
        let done = tribunal(&[&["verify", &path], typed].concat());
        assert_eq!(done.code, 2, "{}", done.stdout);
        assert!(done.stdout.contains(reason), "{}", done.stdout);
        let again = done.stdout.lines().find(|line| line.starts_with("again:"));
        again.expect("what to type next").to_owned()
    };
    let time = again(&["--timeout", "1ns"], "the time limit of 1 ns was met");
    assert!(
        time.contains("--timeout") && !time.contains("--memory"),
        "{time}"
    );
    let memory = again(&["--memory", "1B"], "the memory limit of 1 bytes was met");
    assert!(
        memory.contains("--memory") && !memory.contains("--timeout"),
        "{memory}"
    );
    // What did not run out stays as it was typed.
    let both = again(&["--timeout", "1ns", "--memory", "64MiB"], "the time limit");
    assert!(both.contains("--memory 64MiB"), "{both}");
}

#[test]
fn what_reads_do_not_tell_is_unknown_with_the_reason() {
    // Both clients wrote the same value: which one was seen is not told, and
    // no order of all explains the read of nothing.
    let repeated = DISAGREE.replace(":value 2}", ":value 1}").replacen(
        "{:process 3, :type :ok, :f :read, :key :x, :value 1}",
        "{:process 3, :type :ok, :f :read, :key :x, :value nil}",
        2,
    );
    let after = "{:process 3, :type :invoke, :f :write, :key :x, :value 1}
{:process 3, :type :ok, :f :write, :key :x, :value 1}
{:process 3, :type :invoke, :f :read, :key :x, :value nil}
{:process 3, :type :ok, :f :read, :key :x, :value nil}
";
    let (_folder, path) = file("history.edn", &format!("{repeated}{after}"));
    assert_eq!(verdict(&path, &["--spec", "read-your-writes"]).0, "invalid");
    let (code, report, _) = json(&["verify", &path, "--spec", "monotonic-reads"]);
    assert_eq!(code, 2);
    let reason = report["files"][0]["reason"].to_string();
    assert!(
        reason.contains("do not tell which write they saw"),
        "{reason}"
    );
}
