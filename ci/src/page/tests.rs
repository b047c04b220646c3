use tribunal_checker::{Limits, Options, Spec, Verdict};
use tribunal_histories::History;

use super::*;

const HEADER: &str = r#"{"format":"tribunal-history","version":1,"workload":"register"}"#;

/// The page of a history with these lines.
fn page(lines: &str, about: About) -> Page {
    let text = format!("{HEADER}\n{lines}");
    let history = History::read(text.as_bytes(), Path::new("h.jsonl")).expect("a history");
    page_of(&history, about)
}

fn page_of(history: &History, about: About) -> Page {
    let options = Options {
        spec: Spec::CasRegister,
        nil: None,
        engine: None,
        limits: Limits::default(),
    };
    let report = tribunal_checker::check(history, &options).expect("a history of registers");
    let Verdict::Invalid(witness) = report.verdict else {
        panic!("not refuted: {:?}", report.verdict)
    };
    Page::new(history, &witness, about).expect("it was judged")
}

/// A write of `value`, and then a read that saw something else.
fn lost(value: &str) -> String {
    format!(
        r#"{{"index":0,"time":1000,"process":0,"type":"invoke","f":"write","value":{value},"node":"n1"}}
{{"index":1,"time":2000,"process":0,"type":"ok","f":"write","value":{value},"node":"n2"}}
{{"index":2,"time":3000,"process":1,"type":"invoke","f":"read"}}
{{"index":4,"time":4000,"process":2,"type":"invoke","f":"cas","value":[1,2]}}
{{"index":5,"time":5000,"process":1,"type":"ok","f":"read","value":null}}
{{"index":6,"time":6000,"process":2,"type":"info","f":"cas","value":[1,2],"error":"no answer"}}
"#
    )
}

/// The data that a page embeds, as its scripts read them.
fn embedded(text: &str) -> serde_json::Value {
    let (_, rest) = text
        .split_once(r#"<script type="application/json" id="data">"#)
        .expect("a block of data");
    let (data, _) = rest.split_once("</script>").expect("its end");
    serde_json::from_str(data).expect("it is JSON")
}

#[test]
fn a_page_shows_the_operations_and_the_furthest_order() {
    let text = render(&page(&lost("1"), About::default()));
    let data = embedded(&text);
    let labels: Vec<&str> = data["operations"]
        .as_array()
        .expect("operations")
        .iter()
        .map(|operation| operation["label"].as_str().expect("a label"))
        .collect();
    // Where the prefix ends, the cas is not over.
    assert_eq!(labels, ["write 1", "read -> nothing", "cas 1 -> 2"]);
    assert_eq!(data["operations"][0]["answered_by"], "n2");
    assert_eq!(data["operations"][2]["ending"], "open");
    assert_eq!(data["operations"][2]["later"], "info");
    assert_eq!(data["operations"][2]["error"], "no answer");
    assert_eq!(data["operations"][1]["completed_ns"], 5000);
    assert_eq!(data["refuted"], 1);
    let order = &data["orders"][0];
    assert_eq!(order["missing"], serde_json::json!([1]));
    assert_eq!(order["steps"][0]["operation"], 0);
    assert_eq!(order["steps"][0]["state"], "1");
    assert_eq!(order["states"], serde_json::json!(["1"]));
    // The write alone makes the read wrong, and begins where the window does.
    assert_eq!(data["needed"], serde_json::json!([0, 1]));
    assert_eq!(data["window"]["first"], 0);
    assert_eq!(data["window"]["last"], 5);
}

#[test]
fn what_a_history_holds_is_never_markup() {
    let evil = "</script><script>alert(1)</script><!-- {{script}} & \u{2028}\"'é";
    let value = serde_json::to_string(evil).expect("a text");
    let about = || About {
        title: evil.to_owned(),
        facts: vec![Fact::new("file", evil)],
        next: vec![Next {
            about: "again",
            command: evil.to_owned(),
        }],
    };
    let text = render(&page(&lost(&value), about()));
    let plain = render(&page(&lost("1"), About::default()));
    for mark in ["<script", "</script", "<!--", "<meta", "<svg"] {
        assert_eq!(
            text.matches(mark).count(),
            plain.matches(mark).count(),
            "{mark}"
        );
    }
    let data = embedded(&text);
    assert_eq!(data["title"], evil);
    assert_eq!(data["facts"][0]["value"], evil);
    assert_eq!(data["next"][0]["command"], evil);
    let written = data["operations"][0]["value"].as_str().expect("a value");
    assert_eq!(serde_json::from_str::<String>(written).expect("JSON"), evil);
}

#[test]
fn a_page_refers_to_nothing_outside_of_it() {
    let text = render(&page(&lost("1"), About::default()));
    let text = text.replace("http-equiv", "");
    for reference in [
        "http", "src=", "srcset", "href", "url(", "@import", "//cdn", "fetch(", "import(", "<link",
        "<img", "<iframe", "<object",
    ] {
        assert!(!text.contains(reference), "{reference}");
    }
    assert!(text.contains("default-src 'none'"));
    assert!(!text.contains("{{"), "a name was not filled in");
    // The scripts make text nodes.
    assert!(!SCRIPTS.concat().contains("innerHTML"));
    assert!(!SCRIPTS.concat().contains("</"));
}

#[test]
fn of_a_long_history_the_end_is_on_the_page() {
    let mut lines = String::new();
    let mut line = |index: u64, process: u64, kind: &str, f: &str, value: &str| {
        lines += &format!(
            r#"{{"index":{index},"time":{index},"process":{process},"type":"{kind}","f":"{f}","value":{value}}}"#
        );
        lines.push('\n');
    };
    // An old write of unknown outcome, and then many that are known.
    line(0, 9_000, "invoke", "write", "-7");
    for number in 1..=2_500 {
        let value = number.to_string();
        line(2 * number, 1, "invoke", "write", &value);
        line(2 * number + 1, 1, "ok", "write", &value);
    }
    line(6_000, 2, "invoke", "read", "null");
    line(6_001, 2, "ok", "read", "-8");
    line(6_002, 1, "invoke", "read", "null");
    let data = embedded(&render(&page(&lines, About::default())));
    let operations = data["operations"].as_array().expect("operations");
    assert_eq!(operations.len(), 2_000);
    assert_eq!(operations[0]["label"], "write 502");
    assert_eq!(
        data["left_out"],
        serde_json::json!({ "before": 502, "after": 1 })
    );
}

#[test]
fn only_a_page_is_written_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = page(&lost("1"), About::default());
    let path = folder.path().join("page.html");
    write(&path, &page).expect("it is new");
    write(&path, &page).expect("it is a page");
    let other = folder.path().join("history.jsonl");
    fs::write(&other, HEADER).expect("the folder is mine");
    let error = write(&other, &page).expect_err("it is a history");
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read_to_string(&other).expect("it is there"), HEADER);
    assert!(write(folder.path(), &page).is_err());
}

#[test]
fn what_failed_is_silent_unless_it_observed_something() {
    let failed = r#"{"index":7,"time":7000,"process":3,"type":"invoke","f":"cas","value":[9,2]}
{"index":8,"time":8000,"process":3,"type":"fail","f":"cas","value":[9,2]}
{"index":9,"time":9000,"process":4,"type":"invoke","f":"read"}
{"index":10,"time":9500,"process":4,"type":"ok","f":"read","value":-1}
"#;
    let first = lost("1").replace(r#""value":null"#, r#""value":1"#);
    let lines = format!("{first}{failed}");
    let is_silent = |header: &str| {
        let text = format!("{header}\n{lines}");
        let history = History::read(text.as_bytes(), Path::new("h.jsonl")).expect("a history");
        embedded(&render(&page_of(&history, About::default())))["operations"][3]["silent"].clone()
    };
    assert_eq!(is_silent(HEADER), true);
    let observed = HEADER.replace('}', r#","failed_cas":"observed"}"#);
    assert_eq!(is_silent(&observed), serde_json::Value::Null);
}
