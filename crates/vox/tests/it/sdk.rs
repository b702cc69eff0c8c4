//! The official clients of OpenAI and Anthropic, in Python and JavaScript, unmodified but for base URL and key.
//!
//! They are too big to be vendored: `.ci/run` installs them and says where by `VOX_TEST_CLIENTS`. Without it these tests
//! say that they did not run; in CI they fail.

mod fixture;

use crate::node::{Dialect, Setup, stderr, stdout};
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use vox_testkit::FakeProvider;

/// Returns where the clients are, or says on stderr that there are none.
#[expect(clippy::disallowed_methods, reason = "a test reads its own environment")]
fn clients() -> Option<PathBuf> {
    if let Some(directory) = std::env::var_os("VOX_TEST_CLIENTS") {
        return Some(directory.into());
    }
    assert!(std::env::var_os("CI").is_none(), "VOX_TEST_CLIENTS is not set: .ci/run installs the official clients");
    // Past the test runner, which keeps to itself what a test that passes prints.
    let _ = std::io::stderr().write_all(b"NOT RUN: the official clients; .ci/run installs them and sets VOX_TEST_CLIENTS\n");
    None
}

/// Runs one client's script and expects it to have made all of its checks.
fn run(program: impl Fn(&Path) -> PathBuf, script: &str, base_path: &str, checks: &[&str]) {
    let Some(clients) = clients() else { return };
    let fake = FakeProvider::start();
    fixture::script(&fake);
    let setup = Setup::new().both(&fake).settings("retries: { per_offer: 1 }\n");
    let limited = setup.key(&["limited", "--models", "ollama/*"]);
    let node = setup.start();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
    let mut command = node.home.command(program(&clients));
    command.arg(script);
    let settings: [(&str, OsString); 4] = [
        ("BASE_URL", format!("http://{}{base_path}", node.address).into()),
        ("KEY", (&node.key).into()),
        ("LIMITED_KEY", limited.into()),
        ("CLIENTS", clients.into()),
    ];
    let output = command.envs(settings).output().expect("the client's language is installed");
    assert!(output.status.success(), "{}\n{}", stdout(&output), stderr(&output));
    let done: Vec<String> = stdout(&output).lines().filter_map(|line| line.strip_prefix("ok ").map(str::to_owned)).collect();
    assert_eq!(done, checks, "{}", stdout(&output));
    let complete = node.number("SELECT count(*) AS n FROM llm_interactions WHERE outcome = 'complete'");
    assert!(complete >= 3, "the calls went through vox");
}

const OPENAI: [&str; 8] = ["chat", "stream", "tools", "embeddings", "models", "errors", "retry-after", "broken stream"];
const ANTHROPIC: [&str; 7] = ["chat", "stream", "tools", "models", "errors", "retry-after", "broken stream"];

fn python(clients: &Path) -> PathBuf {
    clients.join("venv/bin/python")
}

fn node(_: &Path) -> PathBuf {
    "node".into()
}

#[test]
fn gw_63_openai_for_python() {
    run(python, "openai_python.py", "/v1", &OPENAI);
}

#[test]
fn gw_63_anthropic_for_python() {
    run(python, "anthropic_python.py", "", &ANTHROPIC);
}

#[test]
fn gw_63_openai_for_javascript() {
    run(node, "openai_javascript.mjs", "/v1", &OPENAI);
}

#[test]
fn gw_63_anthropic_for_javascript() {
    run(node, "anthropic_javascript.mjs", "", &ANTHROPIC);
}

#[test]
fn the_fixture_answers_in_both_dialects() {
    let fake = FakeProvider::start();
    fixture::script(&fake);
    let node = Setup::new().both(&fake).start();
    for dialect in Dialect::BOTH {
        assert_eq!(node.post(dialect.path(), &dialect.request(false)).status(), 200);
    }
}
