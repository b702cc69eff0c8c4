//! `kill -9` at random moments, round after round on one store.

use crate::child::command;
use crate::sample::{self, NOON};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use vox_base::{Id, InteractionId};

/// What a child said before it died.
#[derive(Default)]
struct Said {
    intended: BTreeSet<u64>,
    handed_over: BTreeSet<u64>,
    durable_through: u64,
}

pub(crate) fn st_16_gw_37_nothing_acknowledged_is_lost_to_a_kill(rounds: u32) {
    let home = tempfile::tempdir().expect("a directory");
    let mut seed = 0x5eed_u64;
    let mut said = Said::default();
    for round in 0..u64::from(rounds) {
        let first = round * 100_000 + 1;
        said.durable_through = 0;
        run_and_kill(home.path(), first, next(&mut seed) % 1500, Duration::from_micros(next(&mut seed) % 6000), &mut said);
        judge(home.path(), first, &said);
    }
    println!("     {} calls over {rounds} kills", said.intended.len());
}

fn run_and_kill(home: &Path, first: u64, lines: u64, spin: Duration, said: &mut Said) {
    let mut child = command(&[], "load", home, first).stdout(Stdio::piped()).spawn().expect("the child starts");
    let mut out = BufReader::new(child.stdout.take().expect("its output is piped"));
    let mut line = String::new();
    for _ in 0..=lines {
        line.clear();
        out.read_line(&mut line).expect("the child speaks");
        said.hear(&line);
    }
    let started = Instant::now();
    while started.elapsed() < spin {
        std::hint::spin_loop();
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it is dead");
    loop {
        line.clear();
        if out.read_line(&mut line).expect("the pipe is read to its end") == 0 {
            return;
        }
        said.hear(&line);
    }
}

impl Said {
    fn hear(&mut self, line: &str) {
        // A line that was cut by the kill was not said.
        let Some((what, number)) = line.strip_suffix('\n').and_then(|line| line.split_once(' ')) else { return };
        let number = number.parse().expect("a number");
        match what {
            "i" => drop(self.intended.insert(number)),
            "s" => drop(self.handed_over.insert(number)),
            _ => self.durable_through = number,
        }
    }
}

/// Opens the store as the next node would, and counts.
fn judge(home: &Path, first: u64, said: &Said) {
    let started = Instant::now();
    let store = sample::open(home);
    assert!(started.elapsed() < Duration::from_secs(2), "it opens within two seconds");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(store.hold_unsettled()).expect("what was left is held");
    let held: BTreeSet<InteractionId> =
        runtime.block_on(store.held()).expect("it reads").into_iter().map(|held| held.interaction_id).collect();
    store.close();
    let settled = settled(home);
    for &n in &said.intended {
        let id = sample::interaction_id(n, NOON);
        assert!(settled.contains(&id) != held.contains(&id), "call {n} is settled or held, and not both");
    }
    for &n in said.handed_over.range(first..=said.durable_through.max(first)).filter(|&&n| n <= said.durable_through) {
        assert!(settled.contains(&sample::interaction_id(n, NOON)), "call {n} was durable");
    }
}

/// Returns the stored calls, after the deep check of the engine and the count of what each call must have beside it.
fn settled(home: &Path) -> BTreeSet<InteractionId> {
    let connection = Connection::open(home.join("vox.db")).expect("it opens");
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("it is checked");
    assert_eq!(verdict, "ok");
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("it reads");
    let calls = count("SELECT count(*) FROM llm_interactions");
    assert_eq!(count("SELECT count(*) FROM llm_attempts"), calls);
    assert_eq!(count("SELECT count(*) FROM route_decisions"), calls);
    assert_eq!(count("SELECT count(*) FROM budget_entries WHERE kind = 'settle'"), calls);
    let held = count("SELECT count(*) FROM reservations WHERE state = 'held'");
    assert_eq!(count("SELECT count(*) FROM budget_entries WHERE kind = 'held'"), held);
    let mut statement = connection.prepare("SELECT interaction_id FROM llm_interactions").expect("it prepares");
    let ids = statement.query_map([], |row| row.get::<_, String>(0)).expect("it reads");
    ids.map(|id| id.expect("it reads").parse::<Id<_>>().expect("an id")).collect()
}

/// The next number of a splitmix64 sequence.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
