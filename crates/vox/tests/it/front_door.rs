//! The first things a person does: `vox up`, and `vox chat` with and without a node, a pipe, a terminal or a network.

use crate::node::{Dialect, PATIENCE, Setup, envelope, stderr, stdout, until};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};
use vox_testkit::{Answer, FakeProvider, Reply};

/// A home without keys, in which no engine of this machine is found, whatever runs on it.
fn bare() -> Setup {
    ["OLLAMA", "LLAMACPP", "VLLM", "LMSTUDIO"].iter().fold(Setup::new(), |setup, engine| {
        setup.env(&format!("VOX_PROVIDER_{engine}_BASE_URL"), &format!("{}/v1", FakeProvider::refusing_url()))
    })
}

/// Ends the node in the background, however the test ends.
struct Downed<'a>(&'a Setup);

impl Drop for Downed<'_> {
    fn drop(&mut self) {
        let _ = self.0.vox(&["down"]);
    }
}

/// Returns every file below a home with the time it was changed and its length; the index files of an open store are
/// its own affair.
fn files(home: &Path) -> BTreeMap<PathBuf, (SystemTime, u64)> {
    let mut found = BTreeMap::new();
    let mut left = vec![home.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let (path, meta) = (entry.path(), entry.metadata().unwrap());
            if meta.is_dir() {
                left.push(path);
            } else if !path.to_string_lossy().ends_with("-shm") {
                found.insert(path, (meta.modified().unwrap(), meta.len()));
            }
        }
    }
    found
}

#[test]
fn gw_59_up_in_an_empty_home_answers_from_the_offline_model_and_says_what_to_do_next() {
    let setup = bare();
    let _downed = Downed(&setup);
    let started = Instant::now();
    let output = setup.vox(&["up", "--detach", "--port", "0", "--json"]);
    let took = started.elapsed();
    assert_eq!(output.status.code(), Some(0), "{} {}", stdout(&output), stderr(&output));
    assert!(took < Duration::from_secs(3), "it took {took:?}");
    let data = envelope(&output)["data"].clone();
    assert_eq!(data["request"]["model"], "offline/echo", "{data}");
    assert!(data["request"]["next"].as_str().unwrap().starts_with("vox secrets set"), "{data}");

    let (address, key) = (data["address"].as_str().unwrap(), data["key"].as_str().unwrap());
    let body = json!({"model": "offline/echo", "messages": [{"role": "user", "content": "is anybody there"}]}).to_string();
    let mut client = vox_testkit::Client::connect(address.strip_prefix("http://").unwrap().parse().unwrap()).unwrap();
    let answer = client
        .request("POST", "/v1/chat/completions", &[("x-api-key", key), ("content-type", "application/json")], body.as_bytes())
        .unwrap();
    assert_eq!((answer.status(), answer.head.header("x-vox-offline")), (200, Some("1")), "the printed address and key work");
    assert!(answer.json()["choices"][0]["message"]["content"].as_str().unwrap().starts_with("[offline]"));
    let _ = setup.call(&crate::node::interaction(&answer.head));

    let before = files(setup.home.path());
    let again = setup.vox(&["up", "--detach", "--port", "0"]);
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert!(stdout(&again).contains(address), "{}", stdout(&again));
    assert_eq!(files(setup.home.path()), before, "a second run changes nothing");
}

#[test]
fn gw_59_up_tells_people_everything_they_need() {
    let setup = bare();
    let _downed = Downed(&setup);
    let output = setup.vox(&["up", "--detach", "--port", "0"]);
    let said = stdout(&output);
    for part in [
        "address  http://127.0.0.1:",
        "key      vox_",
        "offline/echo",
        "vox secrets set",
        "OPENAI_BASE_URL=http://127.0.0.1:",
        "ANTHROPIC_BASE_URL=http://127.0.0.1:",
    ] {
        assert!(said.contains(part), "`{part}` is missing:\n{said}");
    }
    assert!(stdout(&setup.vox(&["status"])).contains("http://127.0.0.1:"));
    assert!(setup.vox(&["down"]).status.success());
    assert!(stdout(&setup.vox(&["status"])).contains("not running"));
}

#[test]
fn gw_59_a_dry_run_writes_nothing() {
    let setup = bare();
    let (output, trace) = traced(
        &setup,
        "openat,open,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,symlink,link,linkat",
        &["up", "--dry-run"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("nothing was done"), "{}", stdout(&output));
    let home = setup.home.path().display().to_string();
    let changing = |line: &&str| {
        line.contains(&home) && (!line.contains("open") || ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|flag| line.contains(flag)))
    };
    let changes: Vec<&str> = trace.lines().filter(changing).collect();
    assert!(changes.is_empty(), "{changes:#?}");
    assert!(trace.contains("openat("), "the trace saw something");
    assert_eq!(setup.home.listing(), [PathBuf::from("trace")]);
}

const LIST: &str = r#"{"object":"list","data":[{"id":"local-model","object":"model"}]}"#;

/// An engine closes a connection when it is asked to, whichever way it tells the length of its list.
fn check_engine(list: &str) {
    let engine = FakeProvider::start();
    engine.on("/v1/models", [Reply::raw(list)]);
    engine.on("/v1/chat/completions", [Answer::text("hello").openai()]);
    let setup = bare().env("VOX_PROVIDER_LMSTUDIO_BASE_URL", &format!("{}/v1", engine.url()));
    let _downed = Downed(&setup);
    let data = setup.json(&["up", "--detach", "--port", "0"]);
    assert_eq!(data["engines"], json!(["lmstudio"]), "{data}");
    assert_eq!(data["request"]["model"], "lmstudio/local-model", "{data}");
    assert_eq!(setup.value("SELECT cost_source AS s FROM llm_interactions"), "local");
}

#[test]
fn gw_59_an_engine_on_this_machine_answers_at_once() {
    check_engine(&format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{LIST}", LIST.len()));
}

#[test]
fn gw_59_an_engine_that_sends_its_list_in_chunks_is_found_too() {
    let (head, tail) = LIST.split_at(20);
    let chunks = format!("{:x}\r\n{head}\r\n{:x}\r\n{tail}\r\n0\r\n\r\n", head.len(), tail.len());
    check_engine(&format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"));
}

/// Runs `vox` under strace and returns what it did, too.
fn traced(setup: &Setup, calls: &str, arguments: &[&str]) -> (Output, String) {
    let log = setup.home.path().join("trace");
    let plain = setup.command(arguments);
    let mut command = setup.home.command("strace");
    command
        .args(["-f", "-qq", "-e", &format!("trace={calls}"), "-o"])
        .arg(&log)
        .arg(plain.get_program())
        .args(arguments)
        .stdin(Stdio::null());
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().expect("the strace program is installed");
    (output, std::fs::read_to_string(log).unwrap())
}

#[test]
fn gw_60_one_question_gives_one_answer_and_only_it_on_stdout() {
    let fake = FakeProvider::scripted([Answer::text("forty two").openai_stream()]);
    let setup = Setup::new().openai(&fake);
    let output = setup.vox(&["chat", "-m", "openai/gpt-5-mini", "what is it?"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), "forty two\n");
    let cost = stderr(&output);
    assert!(cost.contains("openai/gpt-5-mini") && cost.contains("0.0000125") && cost.contains("vox trace "), "{cost}");
    let body = fake.requests()[0].json();
    assert_eq!(body["messages"], json!([{"role": "user", "content": "what is it?"}]));
    assert_eq!(setup.number("SELECT count(*) AS n FROM llm_interactions WHERE key_id IS NULL AND outcome = 'complete'"), 1);
}

#[test]
fn gw_60_a_pipe_is_the_question_and_json_has_its_schema() {
    let fake = FakeProvider::start();
    let setup = Setup::new().openai(&fake);
    fake.script([Answer::text("piped").openai_stream()]);
    let piped = with_stdin(&setup, &["chat", "-m", "openai/gpt-5-mini", "sum this up"], "some text");
    assert_eq!(stdout(&piped), "piped\n", "{}", stderr(&piped));
    assert_eq!(fake.requests()[0].json()["messages"][0]["content"], "sum this up\n\nsome text");

    fake.script([Answer::text("as json").openai()]);
    let output = with_stdin(&setup, &["chat", "-m", "openai/gpt-5-mini", "--json"], "hello?");
    let envelope = envelope(&output);
    assert_eq!((envelope["schema"].as_str(), envelope["ok"].as_bool()), (Some("vox.chat.v1"), Some(true)), "{}", stderr(&output));
    let data = envelope["data"].as_object().unwrap();
    let mut keys: Vec<&str> = data.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["cost_nano_usd", "cost_source", "interaction_id", "model", "provider", "stop_reason", "text", "trace_id", "usage"]);
    assert_eq!(
        (&data["text"], &data["model"], &data["provider"], &data["cost_nano_usd"], &data["cost_source"]),
        (&json!("as json"), &json!("gpt-5-mini"), &json!("openai"), &json!(12_500), &json!("computed"))
    );
    assert_eq!(data["stop_reason"], "end");

    let nothing = setup.vox(&["chat"]);
    assert_eq!(nothing.status.code(), Some(2), "nothing to ask");
}

fn with_stdin(setup: &Setup, arguments: &[&str], text: &str) -> Output {
    let mut child = setup.command(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn gw_60_beside_a_running_node_nothing_of_its_calls_is_taken() {
    let gate = vox_testkit::Gate::new();
    let fake =
        FakeProvider::scripted([Answer::text("one two").openai_stream().hold_piece(2, &gate), Answer::text("me too").openai_stream()]);
    let node = Setup::new().openai(&fake).start();
    let mut client = node.client();
    node.send(&mut client, Dialect::Openai.path(), &[], Dialect::Openai.request(true).to_string().as_bytes());
    client.read_head().unwrap();
    let output = node.vox(&["chat", "-m", "openai/gpt-5-mini", "hi"]);
    assert_eq!(stdout(&output), "me too\n", "{}", stderr(&output));
    assert_eq!(node.json(&["usage", "--held"])["held"], json!([]), "the node's open call is not a dead one's");
    gate.open();
    assert!(client.events().unwrap().0.last().unwrap().raw.contains("[DONE]"));
    node.wait_number("SELECT count(*) AS n FROM llm_interactions WHERE outcome = 'complete'", 2);
}

#[test]
fn gw_60_a_stream_that_breaks_off_is_no_answer() {
    let fake = FakeProvider::scripted([Answer::text("half an answer").openai_stream().cut_after_pieces(3)]);
    let setup = Setup::new().openai(&fake);
    let output = setup.vox(&["chat", "-m", "openai/gpt-5-mini", "hi"]);
    assert_eq!((output.status.code(), stdout(&output).trim_end()), (Some(1), "half an"));
    assert!(stderr(&output).contains("gateway.upstream_cut"), "{}", stderr(&output));
}

#[test]
fn gw_60_a_missing_key_is_told_with_the_command_that_sets_it() {
    let output = Setup::new().vox(&["chat", "-m", "openai/gpt-5-mini", "hi"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("vox secrets set openai.api_key"), "{}", stderr(&output));
}

#[test]
fn gw_60_offline_a_remote_model_opens_no_socket() {
    let setup = Setup::new().env("VOX_OFFLINE", "1").env("OPENAI_API_KEY", "sk-x");
    let (output, trace) = traced(&setup, "socket,connect,sendto,sendmsg", &["chat", "-m", "openai/gpt-5-mini", "hi"]);
    assert_eq!(output.status.code(), Some(6), "{}", stderr(&output));
    let inet: Vec<&str> = trace.lines().filter(|line| line.contains("AF_INET") || line.contains("/run/systemd/resolve")).collect();
    assert!(inet.is_empty(), "{inet:#?}");
}

#[test]
fn gw_39_a_ceiling_below_every_bound_ends_the_command_and_a_free_model_passes() {
    let fake = FakeProvider::scripted([Answer::text("cheap").openai_stream()]);
    let setup = Setup::new().openai(&fake);
    for model in ["vox/auto", "openai/gpt-5.4"] {
        let output = setup.vox(&["chat", "-m", model, "--max-usd", "0.0000001", "hi"]);
        assert_eq!(output.status.code(), Some(3), "{model}: {}", stderr(&output));
        assert!(stderr(&output).contains("$0.0"), "the cheapest bound is shown: {}", stderr(&output));
    }
    assert_eq!(fake.n_requests(), 0);
    let free = Setup::new().env("VOX_PROVIDER_LMSTUDIO_BASE_URL", &format!("{}/v1", fake.url()));
    let output = free.vox(&["chat", "-m", "lmstudio/some-model", "--max-usd", "0.0000001", "hi"]);
    assert_eq!(stdout(&output), "cheap\n", "{}", stderr(&output));
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).unwrap();
}

/// Reads a child's output as it comes until it holds a text.
struct Heard {
    text: std::sync::Arc<std::sync::Mutex<String>>,
}

impl Heard {
    fn of(mut pipe: impl std::io::Read + Send + 'static) -> Self {
        let text = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
        let sink = text.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(n @ 1..) = pipe.read(&mut buffer) {
                sink.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..n]));
            }
        });
        Self { text }
    }

    fn now(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    fn wait_for(&self, part: &str) {
        until(PATIENCE, || self.now().contains(part).then_some(())).unwrap_or_else(|| panic!("`{part}` did not come: {:?}", self.now()));
    }
}

#[test]
fn gw_60_ctrl_c_ends_a_question_with_130_and_keeps_what_was_said() {
    let fake = FakeProvider::scripted([Answer::text("one two three").openai_stream().stall_after_pieces(3)]);
    let setup = Setup::new().openai(&fake);
    let mut child =
        setup.command(&["chat", "-m", "openai/gpt-5-mini", "count"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let said = Heard::of(child.stdout.take().unwrap());
    said.wait_for("one two");
    signal(&child, rustix::process::Signal::INT);
    let status = until(PATIENCE, || child.try_wait().unwrap()).expect("it ends");
    assert_eq!(status.code(), Some(130));
    assert_eq!(said.now().trim_end(), "one two");
    assert!(fake.wait_closed(PATIENCE).is_some(), "the provider is told");
    assert_eq!(setup.last_call(1)["outcome"], "client_cancelled");
}

#[test]
fn gw_60_at_a_terminal_the_first_ctrl_c_cancels_the_turn_and_the_second_ends() {
    let fake = FakeProvider::scripted([Answer::text("one two three").openai_stream().stall_after_pieces(3)]);
    let setup = Setup::new().openai(&fake).env("TERM", "xterm");
    let vox = setup.command(&[]);
    let line = format!("{} chat -m openai/gpt-5-mini", vox.get_program().to_str().unwrap());
    let mut command: Command = setup.home.command("script");
    command.args(["-q", "-e", "-f", "-c", &line, "/dev/null"]).envs(vox.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the script program is installed");
    let (mut typed, screen) = (child.stdin.take().unwrap(), Heard::of(child.stdout.take().unwrap()));
    screen.wait_for("you:");
    typed.write_all(b"count for me\r").unwrap();
    screen.wait_for("one two");
    typed.write_all(b"\x03").unwrap();
    screen.wait_for("what was said is kept");
    assert!(fake.wait_closed(PATIENCE).is_some(), "the provider is told");
    let is_asked = || screen.now().rsplit("what was said is kept").next().is_some_and(|after| after.contains("you:"));
    until(PATIENCE, || is_asked().then_some(())).expect("it asks again");
    typed.write_all(b"\x03").unwrap();
    let status = until(PATIENCE, || child.try_wait().unwrap());
    if status.is_none() {
        let _ = child.kill();
    }
    assert_eq!(status.expect("it ends").code(), Some(130), "{}", screen.now());
}
