//! How long rolling up a million calls takes, and how long a writer waits meanwhile.
//!
//! Fills a store with calls of 90 days at 24 models, eight tasks and twenty keys, a tenth of them saved by a second
//! provider, and with outcomes; then rolls three windows up twice while a writer measures how long each of its rows waits.
//! Fails over a bound. `cargo bench -p vox-node --bench rollup -- calls=100000 engine=postgres` says otherwise.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

#[path = "../../vox-store/tests/sample.rs"]
#[expect(dead_code, reason = "shared with the tests of the store, which use more of it")]
mod sample;

use sample::{DAY_MS, NOON};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use vox_node::rollup::{Keep, WINDOWS, roll_up};
use vox_node::snapshot::Snapshot;
use vox_node::{Config, Variables, discovery};
use vox_store::rows::routing::OutcomeRow;
use vox_store::{NewOutcome, OpenOptions, Place, SettledCall, Store};

/// Calls, and a tenth of them: ten times the rows may take fourteen times as long.
const CALLS: u64 = 1_000_000;
/// Seconds for a million calls, on SQLite.
const MOST_SECONDS: f64 = 60.0;
const MOST_TIMES: f64 = 14.0;
/// What a writer may wait longer than it does anyway.
const MOST_BLOCKED: Duration = Duration::from_millis(50);
const WRITE_EVERY: Duration = Duration::from_millis(2);
const ALONE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let told = |name: &str| arguments.iter().find_map(|argument| argument.strip_prefix(name));
    let calls = told("calls=").and_then(|calls| calls.parse().ok()).unwrap_or(CALLS);
    let on_server = told("engine=") == Some("postgres");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let snapshot = snapshot();
    let few = runtime.block_on(measure(calls / 10, on_server, &snapshot));
    let many = runtime.block_on(measure(calls, on_server, &snapshot));
    let (Some(few), Some(many)) = (few, many) else { return ExitCode::FAILURE };
    let times = many.seconds / few.seconds;
    println!("{calls} calls against {}: {times:.1}x (at most {MOST_TIMES}x)", calls / 10);
    let bound = MOST_SECONDS * calls as f64 / CALLS as f64;
    let holds = many.seconds <= bound && times <= MOST_TIMES && many.blocked <= MOST_BLOCKED;
    println!("{}", if holds { "every bound held" } else { "a bound was missed" });
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Figures {
    seconds: f64,
    blocked: Duration,
}

/// Returns the figures of one store; `None` without a server.
async fn measure(calls: u64, on_server: bool, snapshot: &Snapshot) -> Option<Figures> {
    let home = tempfile::Builder::new().prefix("vox-rollup").tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the directory can be written");
    let db = match on_server {
        true => Some(Place::parse(&vox_testkit::Postgres::shared()?.fresh(), None).expect("the address is sound")),
        false => None,
    };
    let store = Store::open(OpenOptions { db, ..sample::options(home.path()) }).expect("the store opens");
    let started = Instant::now();
    fill(&store, calls).await;
    println!("{calls} calls with {} outcomes written in {:.1} s", calls / 20, started.elapsed().as_secs_f64());
    let waits_alone = waits(&store, 1, tokio::time::sleep(ALONE)).await;
    // The first fills the tables, the second replaces what is in them.
    roll_up(&store, snapshot, &WINDOWS, NOON, Keep::Asked).await.expect("it rolls up");
    let mut report = None;
    let room = high_water();
    let started = Instant::now();
    let waits = waits(&store, 2, async { report = roll_up(&store, snapshot, &WINDOWS, NOON, Keep::Asked).await.ok() }).await;
    let seconds = started.elapsed().as_secs_f64();
    let report = report.expect("it rolls up");
    for window in &report.windows {
        println!("  {:>2} days: {:>7} calls, {:>6} units, {:>5} rows", window.days, window.n_calls, window.n_units, window.n_rows);
    }
    println!("  rolled up in {seconds:.2} s, three windows; at most {} MiB resident in all ({room} MiB before)", high_water());
    let longest = |waits: &[Duration]| waits.iter().max().copied().unwrap_or_default();
    let middle = |waits: &[Duration]| waits.get(waits.len() / 2).copied().unwrap_or_default();
    for (name, waits) in [("alone", &waits_alone), ("beside it", &waits)] {
        let (n, middle, longest) = (waits.len(), middle(waits).as_secs_f64() * 1e3, longest(waits).as_secs_f64() * 1e3);
        println!("  a writer {name}: {n} rows, waited {middle:.1} ms in the middle, {longest:.1} ms at most");
    }
    store.close();
    Some(Figures { seconds, blocked: longest(&waits).saturating_sub(longest(&waits_alone)) })
}

/// Writes a row every few milliseconds until something is done, and returns how long each one took, in order of time.
async fn waits(store: &Store, round: u64, until: impl Future<Output = ()>) -> Vec<Duration> {
    let is_done = Arc::new(AtomicBool::new(false));
    let (writing, done) = (store.clone(), is_done.clone());
    let writer = tokio::spawn(async move {
        let mut waits = Vec::new();
        while !done.load(Ordering::Relaxed) {
            let fetch = sample::fetch(round * 10_000_000 + waits.len() as u64);
            let started = Instant::now();
            writing.record_fetch(fetch).await.expect("the row is written");
            waits.push(started.elapsed());
            tokio::time::sleep(WRITE_EVERY).await;
        }
        waits
    });
    until.await;
    is_done.store(true, Ordering::Relaxed);
    let mut waits = writer.await.expect("the writer ends");
    waits.sort_unstable();
    waits
}

async fn fill(store: &Store, calls: u64) {
    for n in 0..calls {
        store.settle(call(n, calls));
        while store.settle_depth() > 4000 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    store.flush().await.expect("the calls are written");
    let writers = (0..64).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in (writer..calls / 20).step_by(64) {
                let new = NewOutcome { rows: vec![outcome(n, calls)], penalties: Vec::new(), precedence: vec!["tests"] };
                store.post_outcome(new).await.expect("the outcome is written");
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("the writer ends");
    }
}

/// Numbers that look like chance and are always the same.
fn chance(n: u64, among: u64) -> u64 {
    (n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) % among
}

fn at(n: u64, calls: u64) -> vox_base::Timestamp {
    NOON.plus_millis(-90 * DAY_MS + (n as i64 + 1) * 90 * DAY_MS / calls as i64)
}

fn call(n: u64, calls: u64) -> SettledCall {
    let mut call = sample::call(n, at(n, calls));
    (call.decision, call.interaction.decision_id) = (None, None);
    call.entries.clear();
    let row = &mut call.interaction;
    row.model = Some(format!("model-{}", chance(n, 24)).into());
    row.task_category = Some(format!("task-{}", chance(n + 1, 8)).into());
    row.key_id = Some(sample::key_id(chance(n + 2, 20)));
    row.latency_ms = Some(200 + (chance(n + 3, 300) * chance(n + 4, 300)) as i64);
    row.ttft_ms = Some(100 + chance(n + 5, 3000) as i64);
    row.context_utilization_bp = Some(chance(n + 6, 10_000) as i64);
    if n.is_multiple_of(10) {
        let second = vox_store::rows::gateway::Attempt { attempt_number: 2, ..call.attempts[0].clone() };
        call.attempts[0].error_class = Some("server".into());
        call.attempts[0].outcome = "failed".into();
        call.attempts.push(second);
    }
    call
}

fn outcome(n: u64, calls: u64) -> OutcomeRow {
    let (call_at, of) = (at(n * 20, calls), n * 20);
    OutcomeRow {
        outcome_id: sample::interaction_id(n, call_at).cast(),
        version: 1,
        posted_by: "admin".into(),
        idempotency_key: n.to_string().into(),
        part: 0,
        unit_kind: "call".into(),
        unit_id: sample::interaction_id(of, call_at).to_string().into(),
        interaction_id: Some(sample::interaction_id(of, call_at)),
        provider_canonical: "openrouter".into(),
        model: format!("model-{}", chance(of, 24)).into(),
        task: format!("task-{}", chance(of + 1, 8)).into(),
        caller_ref: Some(sample::key_id(chance(of + 2, 20)).to_string().into()),
        source: "tests".into(),
        success: Some(!n.is_multiple_of(4)),
        score_ppm: None,
        weight_ppm: 1_000_000,
        share_ppm: 1_000_000,
        confidence_ppm: None,
        decision: None,
        evidence_ref: None,
        comment: None,
        superseded_by: None,
        observed_at: call_at,
    }
}

fn snapshot() -> Snapshot {
    let dir = tempfile::tempdir().expect("a directory");
    let config =
        Config::read(dir.path(), None, &Variables::default(), &vox_vault::Registry::builtin()).expect("the defaults hold together");
    discovery::assemble(config, &|_| None, dir.path(), &[], NOON).expect("the defaults hold together").0
}

/// Returns the most memory that this process has had resident, in MiB.
fn high_water() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap_or(0) / 1024
}
