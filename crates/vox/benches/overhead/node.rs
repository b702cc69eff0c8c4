//! The node under load: the real binary in a home of its own, with one priced provider and one budgeted key.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use vox_testkit::TestHome;

/// A running node.
pub(crate) struct Node {
    home: TestHome,
    child: Child,
    pub(crate) port: u16,
    pub(crate) key: String,
}

const VOX: &str = env!("CARGO_BIN_EXE_vox");

impl Node {
    /// Starts a node whose provider `mock` is on that port.
    pub(crate) fn start(mock_port: u16) -> Self {
        let home = TestHome::new();
        let provider = format!(
            "providers:\n  mock:\n    dialect: openai\n    base_url: http://127.0.0.1:{mock_port}/v1\n    local: true\n    auth: {{ kind: none }}\n    stream_usage: on_request\n"
        );
        home.write("config/providers.d/mock.yaml", &provider);
        let output = home.command(VOX).args(["keys", "create", "bench", "--budget", "100/day", "--json"]).output().expect("vox runs");
        let created: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
        let key = created["data"]["key"].as_str().expect("the key is printed once").to_owned();
        let child = home
            .command(VOX)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("vox serves");
        let port = wait_for_port(&home);
        Self { home, child, port, key }
    }

    /// Ends the node and returns how many calls its store holds.
    pub(crate) fn finish(mut self) -> u64 {
        let stopped = self.home.command(VOX).arg("down").output().expect("vox runs");
        assert!(stopped.status.success(), "{}", String::from_utf8_lossy(&stopped.stderr));
        let _ = self.child.wait();
        let count = std::process::Command::new("sqlite3")
            .arg(self.home.data().join("vox.db"))
            .arg("SELECT count(*) FROM llm_interactions")
            .output();
        String::from_utf8_lossy(&count.expect("sqlite3 is installed").stdout).trim().parse().expect("a count")
    }
}

fn wait_for_port(home: &TestHome) -> u16 {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let running =
            std::fs::read(home.state().join("node.json")).ok().and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
        if let Some(address) = running.as_ref().and_then(|running| running["address"].as_str()) {
            return address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("an address with a port");
        }
        assert!(Instant::now() < until, "the node does not start");
        std::thread::sleep(Duration::from_millis(10));
    }
}
