//! Several nodes on one PostgreSQL: the same keys, the same money, and what is left when one of them dies.

use crate::node::{Node, PATIENCE, Setup, until};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use vox_testkit::{Answer, FakeProvider, Postgres, Tokens};

/// A database that several nodes share, seen from outside.
struct Team {
    server: &'static Postgres,
    url: String,
}

impl Team {
    fn new() -> Option<Self> {
        let server = Postgres::shared()?;
        Some(Self { server, url: server.fresh() })
    }

    /// Returns another home on the same database.
    fn setup(&self, fake: &FakeProvider) -> Setup {
        Setup::new().openai(fake).env("VOX_DB_URL", &self.url)
    }

    fn sql(&self, sql: &str) -> String {
        let schema = self.url.split_once("vox_schema=").expect("the address names a schema").1;
        self.server.sql(&format!("SET search_path = {schema}; {sql}")).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    fn number(&self, sql: &str) -> i64 {
        self.sql(sql).parse().unwrap_or_else(|_| panic!("no number: {sql}"))
    }

    /// What counts against every account: settled and held.
    fn counted(&self) -> i64 {
        self.number("SELECT coalesce(sum(amount_nano_usd), 0) FROM budget_entries")
    }

    fn set_aside(&self) -> i64 {
        self.number("SELECT coalesce(sum(amount_nano_usd), 0) FROM open_reservations")
    }

    fn wait(&self, sql: &str, wanted: i64) {
        until(PATIENCE, || (self.number(sql) == wanted).then_some(()))
            .unwrap_or_else(|| panic!("{} and not {wanted}: {sql}", self.sql(sql)));
    }
}

/// An answer of so many output tokens, at 2000 nano-USD each; ten input tokens cost 2500 more. A provider that counts much
/// more than there is to be seen is not believed, so there is as much.
fn answer(output: u64) -> Answer {
    Answer::text(&"word ".repeat(output as usize)).tokens(Tokens { input: 10, cached: 0, cache_write: 0, output, reasoning: 0 })
}

fn body(output: u64) -> String {
    json!({"model": "openai/gpt-5-mini", "max_tokens": output, "messages": []}).to_string()
}

/// Sends requests to the nodes in turn, all at once, and returns status and body of each that was answered.
fn all_at_once(nodes: &[&Node], key: &str, n_requests: usize, body: &str) -> Vec<(u16, Value)> {
    let headers = [("x-api-key", key), ("content-type", "application/json")];
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..n_requests)
            .map(|n| {
                let node = nodes[n % nodes.len()];
                scope.spawn(move || {
                    let mut client = vox_testkit::Client::connect(node.address).ok()?;
                    client.read_timeout(PATIENCE).ok()?;
                    let answer = client.request("POST", "/v1/chat/completions", &headers, body.as_bytes()).ok()?;
                    Some((answer.status(), answer.json()))
                })
            })
            .collect();
        callers.into_iter().filter_map(|caller| caller.join().expect("no caller panics")).collect()
    })
}

#[test]
fn gw_36_two_nodes_on_one_database_never_overspend_a_hard_budget() {
    let Some(team) = Team::new() else { return };
    let fake = FakeProvider::scripted([answer(199).openai()]);
    let setup = team.setup(&fake);
    let key = setup.key(&["tight", "--budget", "0.01/day"]);
    let (one, other) = (setup.start(), team.setup(&fake).start());
    let answers = all_at_once(&[&one, &other], &key, 200, &body(199));
    assert_eq!(answers.len(), 200);
    let n_answered = answers.iter().filter(|(status, _)| *status == 200).count();
    // One call is reserved and settled at about 400 500 nano-USD; the budget holds 24 of them.
    assert!((20..=24).contains(&n_answered), "{n_answered} calls fit");
    for (status, body) in answers.iter().filter(|(status, _)| *status != 200) {
        assert_eq!((*status, body["error"]["code"].as_str()), (402, Some("gateway.budget_exceeded")), "{body}");
        let message = body["error"]["message"].as_str().unwrap();
        assert!(["0.01", "spent", "reserved", "needed", "window resets"].iter().all(|part| message.contains(part)), "{message}");
    }
    team.wait("SELECT count(*) FROM llm_interactions", 200);
    assert_eq!(team.counted(), n_answered as i64 * 400_500);
    assert!(team.counted() <= 10_000_000);
    assert_eq!(team.number("SELECT count(*) FROM open_reservations"), 0, "no reservation is left open");
    assert_eq!(fake.n_requests(), n_answered);
    // Either node tells what both have spent.
    for node in [&one, &other] {
        let spent = node.json(&["keys", "show", "tight"])["budgets"][0]["spent_nano_usd"].clone();
        assert_eq!(spent, team.counted());
    }
}

#[test]
fn gw_36_when_one_of_two_nodes_is_killed_what_is_settled_and_held_stays_below_the_limit() {
    let Some(team) = Team::new() else { return };
    const LIMIT: i64 = 1_000_000_000;
    let fake = FakeProvider::scripted([answer(5000).openai().wait_before_headers(Duration::from_millis(300))]);
    let setup = team.setup(&fake);
    let key = setup.key(&["dollar", "--budget", "1/day"]);
    let (killed, other) = (setup.start(), team.setup(&fake).start());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            until(PATIENCE, || (fake.n_requests() >= 30).then_some(())).expect("calls come through");
            killed.kill_hard();
        });
        let answers = all_at_once(&[&killed, &other], &key, 400, &body(5000));
        assert!(answers.iter().all(|(status, _)| matches!(status, 200 | 402)), "{answers:?}");
    });
    assert!(team.set_aside() > 0, "the node was killed in the middle");
    assert!(team.counted() + team.set_aside() <= LIMIT, "{} + {}", team.counted(), team.set_aside());
    // The killed node's home comes back: what it had under way is held, and nothing is open any more.
    let again = killed.kill().restart();
    team.wait("SELECT count(*) FROM open_reservations", 0);
    assert!(team.counted() <= LIMIT, "{}", team.counted());
    let held = again.json(&["usage", "--held"])["held"].as_array().unwrap().len();
    let calls = team.number("SELECT count(*) FROM llm_interactions WHERE cost_nano_usd IS NOT NULL AND cost_nano_usd > 0") as usize;
    // Some had set their amount aside and were not sent yet.
    let n_seen = fake.n_requests();
    assert!(held + calls >= n_seen, "every call the provider saw is settled or held: {held} and {calls} of {n_seen}");
    // The other node hears of it, and refuses what does not fit.
    let more = all_at_once(&[&other, &again], &key, 100, &body(5000));
    assert!(more.iter().all(|(status, _)| matches!(status, 200 | 402)), "{more:?}");
    until(PATIENCE, || (team.set_aside() == 0).then_some(())).expect("all settle");
    assert!((LIMIT - 10_100_000..=LIMIT).contains(&team.counted()), "{}", team.counted());
}

#[test]
fn gw_36_two_hundred_parallel_calls_at_a_node_with_a_file_of_its_own() {
    let fake = FakeProvider::scripted([answer(199).openai()]);
    let setup = Setup::new().openai(&fake);
    let key = setup.key(&["tight", "--budget", "0.01/day"]);
    let node = setup.start();
    let answers = all_at_once(&[&node], &key, 200, &body(199));
    let n_answered = answers.iter().filter(|(status, _)| *status == 200).count();
    assert!((20..=24).contains(&n_answered), "{n_answered} calls fit");
    assert_eq!(answers.iter().filter(|(status, _)| *status == 402).count(), 200 - n_answered);
    node.wait_number("SELECT count(*) AS n FROM llm_interactions", 200);
    let spent = node.number("SELECT sum(amount_nano_usd) AS n FROM budget_entries");
    assert!(spent <= 10_000_000, "{spent}");
    assert_eq!(node.number("SELECT count(*) AS n FROM open_reservations"), 0);
}

#[test]
fn st_56_calls_without_a_hard_limit_go_on_while_the_database_is_away_and_are_written_when_it_is_back() {
    let Some(mut server) = Postgres::start() else { return };
    let fake = FakeProvider::scripted([answer(5).openai()]);
    let setup = Setup::new().openai(&fake).env("VOX_DB_URL", &server.address("vox"));
    let (free, tight) = (setup.key(&["free"]), setup.key(&["tight", "--budget", "1/day"]));
    let node = setup.start();
    let ask = |key: &str| all_at_once(&[&node], key, 1, &body(5)).pop().expect("the node answers");
    assert_eq!((ask(&free).0, ask(&tight).0), (200, 200));
    server.kill();
    for _ in 0..5 {
        assert_eq!(ask(&free).0, 200);
    }
    let (status, body) = ask(&tight);
    assert_eq!((status, body["error"]["code"].as_str()), (503, Some("gateway.ledger_unavailable")), "{body}");
    server.start_again();
    // One more call was refused, and is written with the others.
    let written = || server.sql("SELECT count(*) FROM vox.llm_interactions WHERE cost_nano_usd > 0").ok()?.parse::<i64>().ok();
    until(PATIENCE, || (written() == Some(7)).then_some(())).unwrap_or_else(|| panic!("{:?} calls are written", written()));
    until(PATIENCE, || (ask(&tight).0 == 200).then_some(())).expect("hard limits can be asked again");
}

#[test]
fn a_key_made_or_revoked_at_one_node_is_known_to_the_other() {
    let Some(team) = Team::new() else { return };
    let fake = FakeProvider::scripted([answer(5).openai()]);
    let (one, other) = (team.setup(&fake).start(), team.setup(&fake).start());
    let key = one.key(&["shared"]);
    let ask = |node: &Node| all_at_once(&[node], &key, 1, &body(5))[0].0;
    until(PATIENCE, || (ask(&other) == 200).then_some(())).expect("the other node takes the key in");
    assert!(one.vox(&["keys", "revoke", "shared"]).status.success());
    until(PATIENCE, || (ask(&other) == 401).then_some(())).expect("and its end");
}

/// The other node hears nothing of a change, and finds it by looking.
#[test]
fn st_56_a_change_is_found_within_two_seconds_where_notifications_are_suppressed() {
    let Some(team) = Team::new() else { return };
    let fake = FakeProvider::scripted([answer(5).openai()]);
    let port = team.server.port();
    let muted = team.url.replace(&format!(":{port}/"), &format!(":{}/", vox_testkit::muted(port)));
    let one = team.setup(&fake).start();
    let other = Setup::new().openai(&fake).env("VOX_DB_URL", &muted).start();
    let key = one.key(&["shared"]);
    let made = Instant::now();
    let ask = || all_at_once(&[&other], &key, 1, &body(5))[0].0;
    until(PATIENCE, || (ask() == 200).then_some(())).expect("the other node takes the key in");
    assert!(made.elapsed() < Duration::from_secs(2), "{:?}", made.elapsed());
}

#[test]
fn st_56_nodes_whose_listeners_are_ended_find_changes_all_the_same_and_listen_again() {
    let Some(team) = Team::new() else { return };
    let fake = FakeProvider::scripted([answer(5).openai()]);
    let (one, other) = (team.setup(&fake).start(), team.setup(&fake).start());
    let schema = team.url.split_once("vox_schema=").expect("the address names a schema").1;
    let channel = format!("vox_{}", team.sql(&format!("SELECT encode(substr(sha256('vox {schema}'), 1, 4), 'hex')")));
    let listening = format!("FROM pg_stat_activity WHERE query LIKE 'LISTEN {channel}%' OR query LIKE 'NOTIFY {channel}%'");
    team.wait(&format!("SELECT count(*) {listening}"), 2);
    let key = one.key(&["shared"]);
    let ask = || all_at_once(&[&other], &key, 1, &body(5))[0].0;
    team.sql(&format!("SELECT pg_terminate_backend(pid) {listening}"));
    until(PATIENCE, || (ask() == 200).then_some(())).expect("the other node takes the key in");
    team.wait(&format!("SELECT count(*) {listening}"), 2);
}

#[test]
fn st_57_the_password_is_in_no_output_and_no_log() {
    let Some(team) = Team::new() else { return };
    let fake = FakeProvider::scripted([answer(5).openai()]);
    let password = "pw-canary-5d0c71e2";
    let url = team.url.replace("vox@", &format!("vox:{password}@"));
    let node = Setup::new().openai(&fake).env("VOX_DB_URL", &url).start();
    let mut said = Vec::new();
    for arguments in [&["db", "path"][..], &["db", "status"], &["db", "verify"], &["status"], &["doctor"], &["usage"]] {
        for json in [&[][..], &["--json"]] {
            let output = node.vox(&[arguments, json].concat());
            said.extend([output.stdout, output.stderr]);
        }
    }
    let status = node.json(&["db", "status"]);
    assert_eq!((&status["engine"], &status["server"]["pending_migrations"]), (&json!("postgres"), &json!(0)));
    // A server that is not there is told by its address.
    let gone = url.replace(&team.server.port().to_string(), "1");
    let refused = node.command(&["db", "status"]).env("VOX_DB_URL", &gone).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    said.extend([refused.stdout, refused.stderr]);
    drop(node.post("/v1/chat/completions", &serde_json::from_str(&body(5)).unwrap()));
    let logs = node.home.state().join("logs");
    said.extend(std::fs::read_dir(logs).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap()));
    for text in said.iter().map(|bytes| String::from_utf8_lossy(bytes)) {
        assert!(!text.contains(password), "{text}");
    }
}

#[test]
fn an_engine_that_there_is_not_is_a_mistake_of_usage() {
    let setup = Setup::new();
    let refused = setup.vox(&["db", "status", "--db", "mysql://ada:secret@host/vox"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = crate::node::stderr(&refused);
    assert!(said.contains("store.engine_unknown") && !said.contains("secret"), "{said}");
    assert!(setup.home.listing().is_empty());
}

/// ST-57: an old program at a schema of a later one.
#[test]
fn st_57_a_schema_of_a_later_release_is_refused_with_5_and_left_alone() {
    let Some(team) = Team::new() else { return };
    let setup = Setup::new().env("VOX_DB_URL", &team.url);
    setup.key(&["made"]);
    let verified = setup.vox(&["db", "verify", "--json"]);
    assert_eq!(verified.status.code(), Some(0), "ST-23: {}", crate::node::stderr(&verified));
    team.sql("ALTER TABLE schema_migration DISABLE TRIGGER USER; INSERT INTO schema_migration VALUES (99, 'later', repeat('0', 64), 0, '9.9.9', 0)");
    let dump = || team.sql("SELECT string_agg(schema_migration::text, ',' ORDER BY number) FROM schema_migration");
    let before = dump();
    for arguments in [&["db", "status", "--json"][..], &["keys", "create", "x", "--json"]] {
        let refused = setup.vox(arguments);
        assert_eq!(refused.status.code(), Some(5), "{arguments:?}: {}", crate::node::stderr(&refused));
        assert_eq!(crate::node::envelope(&refused)["error"]["code"], "store.newer", "{arguments:?}");
    }
    assert_eq!((dump(), team.number("SELECT count(*) FROM caller_keys")), (before, 1));
}
