//! A node of its own for each test: a throw-away home, fake providers behind the shipped entries or new ones, the real
//! `vox serve`, a caller key, and the rows it writes, read with the `sqlite3` program.
//!
//! Nothing here sleeps for a fixed time: what is awaited is asked for until it is there or its time is over.

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use vox_testkit::{Answer, Client, FakeProvider, Reply, Response, TestHome};

/// The program under test.
const VOX: &str = env!("CARGO_BIN_EXE_vox");
/// How long anything may take that has no limit of its own; machines that run tests are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// What stands in for a provider's key, and must never be seen anywhere but in its header.
pub(crate) const OPENAI_KEY: &str = "sk-canary-openai-4f1d9c0b7a";
pub(crate) const ANTHROPIC_KEY: &str = "sk-ant-canary-93e5b1c2d8";

/// The two dialects, for tests that hold in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Openai,
    Anthropic,
}

impl Dialect {
    pub(crate) const BOTH: [Self; 2] = [Self::Openai, Self::Anthropic];

    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Openai => "/v1/chat/completions",
            Self::Anthropic => "/v1/messages",
        }
    }

    /// Returns a priced model of the shipped catalog whose provider speaks this dialect.
    pub(crate) const fn model(self) -> &'static str {
        match self {
            Self::Openai => "openai/gpt-5-mini",
            Self::Anthropic => "anthropic/claude-haiku-4-5",
        }
    }

    /// Returns a small request; an OpenAI stream asks for its usage, so that nothing is held back from it.
    pub(crate) fn request(self, stream: bool) -> Value {
        let mut body = json!({"model": self.model(), "messages": [{"role": "user", "content": "hi"}], "max_tokens": 64, "stream": stream});
        if self == Self::Openai && stream {
            body["stream_options"] = json!({"include_usage": true});
        }
        body
    }

    pub(crate) fn reply(self, answer: &Answer, stream: bool) -> Reply {
        match (self, stream) {
            (Self::Openai, false) => answer.openai(),
            (Self::Openai, true) => answer.openai_stream(),
            (Self::Anthropic, false) => answer.anthropic(),
            (Self::Anthropic, true) => answer.anthropic_stream(),
        }
    }

    /// Returns the stable code in an error body or error event of this dialect.
    pub(crate) fn code(self, body: &Value) -> &str {
        if self == Self::Anthropic {
            assert_eq!(body["type"], "error", "{body}");
        }
        body["error"]["code"].as_str().unwrap_or_else(|| panic!("no error of this dialect: {body}"))
    }

    /// Returns what only a complete stream of this dialect ends in.
    pub(crate) const fn end_mark(self) -> &'static str {
        match self {
            Self::Openai => "[DONE]",
            Self::Anthropic => "message_stop",
        }
    }
}

/// A home and an environment in which vox runs.
pub(crate) struct Setup {
    pub(crate) home: TestHome,
    env: Vec<(String, String)>,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self { home: TestHome::new(), env: Vec::new() }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts a fake behind the shipped `openai` entry, whose models have prices.
    pub(crate) fn openai(self, fake: &FakeProvider) -> Self {
        self.env("VOX_PROVIDER_OPENAI_BASE_URL", &format!("{}/v1", fake.url())).env("OPENAI_API_KEY", OPENAI_KEY)
    }

    /// Puts a fake behind the shipped `anthropic` entry, whose models have prices.
    pub(crate) fn anthropic(self, fake: &FakeProvider) -> Self {
        self.env("VOX_PROVIDER_ANTHROPIC_BASE_URL", &format!("{}/v1", fake.url())).env("ANTHROPIC_API_KEY", ANTHROPIC_KEY)
    }

    /// Puts one fake behind both.
    pub(crate) fn both(self, fake: &FakeProvider) -> Self {
        self.openai(fake).anthropic(fake)
    }

    /// Adds a provider of the user's own that needs no key; its models are in no catalog, so they have no price.
    pub(crate) fn provider(self, id: &str, dialect: &str, fake: &FakeProvider) -> Self {
        let entry = format!(
            "providers:\n  {id}:\n    dialect: {dialect}\n    base_url: {}/v1\n    auth: {{ kind: none }}\n    stream_usage: always\n",
            fake.url()
        );
        self.home.write(&format!("config/providers.d/{id}.yaml"), &entry);
        self
    }

    /// Writes the user's `gateway.yaml`.
    pub(crate) fn settings(self, yaml: &str) -> Self {
        self.home.write("config/gateway.yaml", yaml);
        self
    }

    /// Returns `vox` with these arguments, ready to be started here.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.command(VOX);
        // What is tried by chance has tests of its own.
        command.env("VOX_ROUTE_EXPLORE", "off");
        command.args(arguments).envs(self.env.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        command
    }

    /// Runs `vox` to its end.
    pub(crate) fn vox(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("vox can be started")
    }

    /// Runs `vox … --json` and returns its data.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.vox(&[arguments, &["--json"]].concat());
        let envelope = envelope(&output);
        assert_eq!(envelope["ok"], true, "vox {arguments:?}: {envelope} {}", stderr(&output));
        envelope["data"].clone()
    }

    /// Makes a caller key and returns its text.
    pub(crate) fn key(&self, arguments: &[&str]) -> String {
        let data = self.json(&[&["keys", "create"], arguments].concat());
        data["key"].as_str().expect("a new key is shown").to_owned()
    }

    /// Starts `vox serve` on a free port and returns once it is healthy.
    pub(crate) fn start(self) -> Node {
        self.start_with(&[])
    }

    pub(crate) fn start_with(self, arguments: &[&str]) -> Node {
        let key = self.key(&["test"]);
        Node::start(self, key, arguments)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.home.data().join("vox.db")
    }

    /// Reads rows with the `sqlite3` program while the node runs.
    #[expect(clippy::disallowed_methods, reason = "rows are read with a program that is not vox")]
    pub(crate) fn rows(&self, sql: &str) -> Vec<Value> {
        let output = Command::new("sqlite3").args(["-readonly", "-json", "-cmd", ".timeout 5000"]).arg(self.database()).arg(sql).output();
        let output = output.expect("the sqlite3 program is installed");
        assert!(output.status.success(), "{sql}: {}", stderr(&output));
        if output.stdout.is_empty() {
            return Vec::new();
        }
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{sql}: {error}: {}", stdout(&output)))
    }

    /// Returns the one value of a query.
    pub(crate) fn value(&self, sql: &str) -> Value {
        let rows = self.rows(sql);
        let row = rows.first().and_then(Value::as_object).unwrap_or_else(|| panic!("no row: {sql}"));
        row.values().next().cloned().unwrap_or_default()
    }

    /// Returns a query's number.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.value(sql).as_i64().unwrap_or_else(|| panic!("no number: {sql}"))
    }

    /// Waits for a query's number to be this one.
    pub(crate) fn wait_number(&self, sql: &str, wanted: i64) {
        until(PATIENCE, || (self.number(sql) == wanted).then_some(()))
            .unwrap_or_else(|| panic!("expected {wanted}, got {}: {sql}", self.number(sql)));
    }

    /// Waits for the settled row of a call.
    pub(crate) fn call(&self, interaction: &str) -> Value {
        let sql = format!("SELECT * FROM llm_interactions WHERE interaction_id = '{interaction}'");
        until(PATIENCE, || self.rows(&sql).pop()).unwrap_or_else(|| panic!("call {interaction} has no row"))
    }

    /// Waits for the settled row of the latest call, when there are this many.
    pub(crate) fn last_call(&self, n_calls: i64) -> Value {
        self.wait_number("SELECT count(*) AS n FROM llm_interactions", n_calls);
        let sql = "SELECT * FROM llm_interactions ORDER BY created_at DESC, interaction_id DESC LIMIT 1";
        self.rows(sql).pop().expect("there is a call")
    }

    /// Returns the attempts of a call in order.
    pub(crate) fn attempts(&self, interaction: &str) -> Vec<Value> {
        self.rows(&format!("SELECT * FROM llm_attempts WHERE interaction_id = '{interaction}' ORDER BY attempt_number"))
    }
}

/// A running node; killed when dropped.
pub(crate) struct Node {
    pub(crate) setup: Setup,
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
    child: Child,
}

impl std::ops::Deref for Node {
    type Target = Setup;

    fn deref(&self) -> &Setup {
        &self.setup
    }
}

impl Node {
    fn start(setup: Setup, key: String, arguments: &[&str]) -> Self {
        let arguments = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
        let log = std::fs::File::create(setup.home.path().join("serve.log")).expect("a log file can be made");
        let mut child = setup.command(&arguments).stdout(Stdio::null()).stderr(log).spawn().expect("vox can be started");
        let address = ready(&setup, &mut child);
        Self { setup, address, key, child }
    }

    /// Kills the node as `kill -9` does; its callers see their connections end.
    pub(crate) fn kill_hard(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("the node lives");
    }

    /// Kills the node as `kill -9` does and returns its home with the key.
    pub(crate) fn kill(mut self) -> Stopped {
        let _ = self.child.kill();
        self.child.wait().expect("the node ends");
        Stopped { key: self.key.clone(), setup: std::mem::replace(&mut self.setup, Setup::new()) }
    }

    /// Asks the node to stop, as a service manager does.
    pub(crate) fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("the node lives");
    }

    /// Waits for the end of the node and returns its exit code.
    pub(crate) fn wait(&mut self) -> i32 {
        let status = until(PATIENCE, || self.child.try_wait().expect("the child can be asked")).expect("the node ends in time");
        status.code().unwrap_or(-1)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Opens a connection.
    pub(crate) fn client(&self) -> Client {
        let client = Client::connect(self.address).expect("the node listens");
        client.read_timeout(PATIENCE).expect("the socket takes the option");
        client
    }

    /// Sends a request on a connection, with the key and as JSON.
    pub(crate) fn send(&self, client: &mut Client, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        let bearer = format!("Bearer {}", self.key);
        let own = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        client.send("POST", path, &[&own, headers].concat(), body).expect("the request can be sent");
    }

    /// Posts a body and reads the whole answer.
    pub(crate) fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let mut client = self.client();
        self.send(&mut client, path, headers, body);
        finish(&mut client)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Response {
        self.post_with(path, &[], body.to_string().as_bytes())
    }

    /// Gets a page with the key.
    pub(crate) fn get(&self, path: &str) -> Response {
        let bearer = format!("Bearer {}", self.key);
        self.client().request("GET", path, &[("authorization", bearer.as_str())], b"").expect("the node answers")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.setup.home.path().join("serve.log")).unwrap_or_default();
            eprintln_log(&log);
        }
    }
}

#[expect(clippy::print_stderr, reason = "a failed test shows what its node said")]
fn eprintln_log(log: &str) {
    eprintln!("--- the node said ---\n{log}");
}

/// A home whose node was killed.
pub(crate) struct Stopped {
    pub(crate) setup: Setup,
    pub(crate) key: String,
}

impl Stopped {
    /// Starts a node on the same home, with the same key.
    pub(crate) fn restart(self) -> Node {
        Node::start(self.setup, self.key, &[])
    }
}

/// Waits until the node has left word of itself and answers.
fn ready(setup: &Setup, child: &mut Child) -> SocketAddr {
    let path = setup.home.state().join("node.json");
    let pid = child.id();
    let found = until(PATIENCE, || {
        if let Some(status) = child.try_wait().expect("the child can be asked") {
            let log = std::fs::read_to_string(setup.home.path().join("serve.log")).unwrap_or_default();
            panic!("vox serve ended with {status}: {log}");
        }
        let running: Value = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
        let address: SocketAddr = running["address"].as_str()?.parse().ok()?;
        if running["pid"] != pid {
            return None;
        }
        let answer = Client::connect(address).ok()?.request("GET", "/healthz", &[], b"").ok()?;
        (answer.status() == 200).then_some(address)
    });
    found.expect("the node is ready in time")
}

/// Reads the answer that is due on a connection.
pub(crate) fn finish(client: &mut Client) -> Response {
    let head = client.read_head().expect("the node answers");
    let (body, end) = client.read_body().expect("the answer goes on");
    Response { head, body, end }
}

/// Asks until there is something or the time is over.
pub(crate) fn until<T>(timeout: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(found) = ask() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// Returns the id of the call that a response belongs to.
pub(crate) fn interaction(head: &vox_testkit::Head) -> String {
    head.header("x-vox-interaction").expect("every answer names its call").to_owned()
}

/// Returns the JSON document on stdout.
pub(crate) fn envelope(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {} {}", stdout(output), stderr(output)))
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
