//! Who may talk to the node: keys and their life, hosts, origins, and where the node listens.

use crate::node::{Node, OPENAI_KEY, PATIENCE, Setup, envelope, stderr, stdout, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};
use vox_testkit::{Answer, FakeProvider, Response};

/// What an effect on keys may take, with a machine that compiles beside it.
const SOON: Duration = Duration::from_millis(1000);

fn node() -> (FakeProvider, Node) {
    let fake = FakeProvider::scripted([Answer::text("ok").openai()]);
    let node = Setup::new().openai(&fake).start();
    (fake, node)
}

fn ask_with(node: &Node, headers: &[(&str, &str)]) -> Response {
    let body = json!({"model": "openai/gpt-5-mini", "messages": []}).to_string();
    let headers = [&[("content-type", "application/json")], headers].concat();
    node.client().request("POST", "/v1/chat/completions", &headers, body.as_bytes()).unwrap()
}

fn ask(node: &Node, key: &str) -> (u16, String) {
    let answer = ask_with(node, &[("authorization", &format!("Bearer {key}"))]);
    (answer.status(), answer.json()["error"]["code"].as_str().unwrap_or("").to_owned())
}

/// Waits for a key to be answered so and returns how long that took.
fn wait_for(node: &Node, key: &str, status: u16, code: &str) -> Duration {
    let started = Instant::now();
    until(PATIENCE, || (ask(node, key) == (status, code.to_owned())).then(|| started.elapsed()))
        .unwrap_or_else(|| panic!("expected {status} {code}, got {:?}", ask(node, key)))
}

#[test]
fn gw_40_a_key_is_shown_once_and_its_text_is_nowhere() {
    let (_fake, node) = node();
    assert_eq!(ask(&node, &node.key).0, 200);
    let other = node.key(&["second", "--budget", "1/day"]);
    wait_for(&node, &other, 200, "");
    let _ = ask(&node, &format!("{other}x"));
    let _ = ask(&node, "vox_0123456789_not-a-key");
    let mut said = String::new();
    for arguments in [&["keys", "list"][..], &["keys", "show", "second"], &["usage", "--by", "key"], &["trace", "last"], &["doctor"]] {
        for json in [&[][..], &["--json"]] {
            let output = node.vox(&[arguments, json].concat());
            said += &(stdout(&output) + &stderr(&output));
        }
    }
    node.terminate();
    for key in [&node.key, &other] {
        let secret = &key[key.len() - 49..];
        assert!(!said.contains(secret), "a command repeats the key");
        assert_nowhere(node.home.path(), secret.as_bytes());
    }
    assert!(!said.contains(OPENAI_KEY));
    assert_nowhere(node.home.path(), OPENAI_KEY.as_bytes());
}

/// Asserts that no file below a directory holds these bytes.
fn assert_nowhere(directory: &Path, canary: &[u8]) {
    let mut n_files = 0;
    let mut left = vec![directory.to_owned()];
    while let Some(next) = left.pop() {
        for entry in std::fs::read_dir(next).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                left.push(entry.path());
                continue;
            }
            let Ok(bytes) = std::fs::read(entry.path()) else { continue };
            n_files += 1;
            assert!(!bytes.windows(canary.len()).any(|window| window == canary), "a key lies in {}", entry.path().display());
        }
    }
    assert!(n_files > 4, "the scan saw the store and the logs");
}

#[test]
fn gw_40_a_revoked_key_stops_within_a_second() {
    let (_fake, node) = node();
    assert_eq!(ask(&node, &node.key), (200, String::new()));
    assert!(node.vox(&["keys", "revoke", "test"]).status.success());
    let took = wait_for(&node, &node.key, 401, "gateway.key_revoked");
    assert!(took < SOON, "it took {took:?}");
}

#[test]
fn gw_40_a_rotated_key_works_on_until_its_grace_is_over() {
    let (_fake, node) = node();
    let second = node.json(&["keys", "rotate", "test", "--grace", "1h"])["key"].as_str().unwrap().to_owned();
    assert!(wait_for(&node, &second, 200, "") < SOON);
    assert_eq!(ask(&node, &node.key).0, 200, "the old secret is in its grace");
    let third = node.json(&["keys", "rotate", "test", "--grace", "0s"])["key"].as_str().unwrap().to_owned();
    assert!(wait_for(&node, &third, 200, "") < SOON);
    assert_eq!(ask(&node, &second), (401, "gateway.key_invalid".into()));
    assert_eq!(ask(&node, &node.key), (401, "gateway.key_invalid".into()));
}

#[test]
fn gw_40_an_expired_key_says_so() {
    let (_fake, node) = node();
    let brief = node.key(&["brief", "--expires", "1500ms"]);
    wait_for(&node, &brief, 200, "");
    wait_for(&node, &brief, 401, "gateway.key_expired");
}

#[test]
fn gw_40_two_different_keys_are_no_key() {
    let (fake, node) = node();
    let other = node.key(&["other"]);
    wait_for(&node, &other, 200, "");
    let before = fake.n_requests();
    let bearer = format!("Bearer {}", node.key);
    let both = ask_with(&node, &[("authorization", &bearer), ("x-api-key", &other)]);
    assert_eq!((both.status(), both.json()["error"]["code"].as_str()), (401, Some("gateway.key_invalid")));
    assert_eq!(fake.n_requests(), before);
    assert_eq!(ask_with(&node, &[("authorization", &bearer), ("x-api-key", &node.key)]).status(), 200, "the same twice is one");
    assert_eq!(ask_with(&node, &[("x-api-key", &node.key)]).status(), 200);
}

#[test]
fn gw_43_foreign_pages_hosts_and_bodies_are_refused() {
    let (fake, node) = node();
    let bearer = format!("Bearer {}", node.key);
    let key = ("authorization", bearer.as_str());
    let port = node.address.port();
    let refused = |headers: &[(&str, &str)]| {
        let answer = ask_with(&node, headers);
        (answer.status(), answer.json()["error"]["code"].as_str().unwrap_or("").to_owned())
    };
    for origin in ["https://evil.test", "http://127.0.0.1:1", "null", "file://"] {
        assert_eq!(refused(&[key, ("origin", origin)]), (403, "gateway.origin_refused".into()), "{origin}");
    }
    let foreign = [
        "evil.test".to_owned(),
        format!("evil.test:{port}"),
        "127.0.0.1:1".to_owned(),
        format!("127.0.0.1.evil.test:{port}"),
        "localhost".to_owned(),
    ];
    for host in foreign {
        assert_eq!(refused(&[key, ("host", &host)]), (403, "gateway.host_refused".into()), "{host}");
    }
    for host in [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")] {
        assert_eq!(refused(&[key, ("host", &host)]).0, 200, "{host}");
    }
    let before = fake.n_requests();
    assert_eq!(refused(&[]), (401, "gateway.key_missing".into()), "loopback needs a key too");
    let text = node.client().request("POST", "/v1/chat/completions", &[key, ("content-type", "text/plain")], b"{}").unwrap();
    assert_eq!((text.status(), text.json()["error"]["code"].as_str()), (415, Some("gateway.content_type")));
    let asked = [("origin", "https://evil.test"), ("access-control-request-method", "POST")];
    let preflight = node.client().request("OPTIONS", "/v1/chat/completions", &asked, b"").unwrap();
    assert!(preflight.status() >= 400);
    assert!(preflight.head.headers.iter().all(|(name, _)| !name.to_lowercase().starts_with("access-control")));
    assert_eq!(fake.n_requests(), before);
}

#[test]
fn gw_43_an_origin_and_a_host_of_the_settings_may_talk() {
    let fake = FakeProvider::scripted([Answer::text("ok").openai()]);
    let node =
        Setup::new().openai(&fake).settings("allowed_origins: [\"https://mine.test\"]\nallowed_hosts: [\"vox.home.test\"]\n").start();
    let bearer = format!("Bearer {}", node.key);
    let headers = [("authorization", bearer.as_str()), ("origin", "https://mine.test"), ("host", "vox.home.test")];
    assert_eq!(ask_with(&node, &headers).status(), 200);
}

#[test]
fn gw_43_a_caller_key_does_not_open_the_nodes_own_api() {
    let (_fake, node) = node();
    for path in ["/api/v1/keys", "/api/v1/traces/last"] {
        let answer = node.get(path);
        assert_eq!((answer.status(), answer.json()["error"]["code"].as_str()), (403, Some("gateway.admin_only")), "{path}");
    }
    assert_eq!(node.get("/api/v1/keys/self").json()["name"], "test");
    let token = std::fs::read_to_string(node.home.state().join("admin-token")).unwrap();
    let admin = |path: &str| node.client().request("GET", path, &[("authorization", &format!("Bearer {}", token.trim()))], b"").unwrap();
    assert_eq!(node.post("/v1/chat/completions", &json!({"model": "openai/gpt-5-mini", "messages": []})).status(), 200);
    let _ = node.last_call(1);
    assert_eq!(admin("/api/v1/traces/last").status(), 200);
    assert_eq!(admin("/api/v1/nothing").status(), 404);
    let nobody = node.client().request("GET", "/api/v1/nothing", &[], b"").unwrap();
    assert_eq!(nobody.status(), 401, "without a key nobody learns what there is");
}

#[test]
fn gw_44_only_loopback_is_listened_on() {
    let setup = Setup::new();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let output = setup.vox(&["serve", "--listen", address, "--json"]);
        assert_eq!(
            (output.status.code(), envelope(&output)["error"]["code"].as_str()),
            (Some(3), Some("gateway.bind_refused")),
            "{address}"
        );
    }
    let node = setup.settings("listen: \"127.0.0.1:0\"\n").start();
    let listening = listening(node.pid());
    assert!(!listening.is_empty() && listening.iter().all(|address| address.starts_with("0100007F:")), "{listening:?}");
    assert!(listening.contains(&format!("0100007F:{:04X}", node.address.port())));
}

/// Returns the local addresses on which a process listens, as the kernel's socket table writes them.
fn listening(pid: u32) -> BTreeSet<String> {
    let links = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let sockets: BTreeSet<String> = links
        .filter_map(|entry| std::fs::read_link(entry.path()).ok()?.to_str()?.strip_prefix("socket:[")?.strip_suffix(']').map(str::to_owned))
        .collect();
    let tables =
        ["tcp", "tcp6", "udp", "udp6"].map(|table| std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default());
    let lines = tables.iter().flat_map(|table| table.lines().skip(1)).map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.filter(|words| matches!(words[3], "0A" | "07") && sockets.contains(words[9])).map(|words| words[1].to_owned()).collect()
}

#[test]
fn a_full_hard_budget_refuses_with_the_numbers_and_calls_nobody() {
    let fake = FakeProvider::scripted([Answer::text("ok").openai()]);
    let setup = Setup::new().openai(&fake);
    let tight = setup.key(&["tight", "--budget", "0.00001/day"]);
    let node = setup.start();
    let (status, code) = ask(&node, &tight);
    assert_eq!((status, code.as_str()), (402, "gateway.budget_exceeded"));
    let answer: Value = ask_with(&node, &[("x-api-key", &tight)]).json();
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("0.00001") && message.contains("needed") && message.contains("vox keys set"), "{message}");
    assert_eq!(fake.n_requests(), 0);
}
