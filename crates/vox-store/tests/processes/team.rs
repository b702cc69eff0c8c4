//! Several processes on one PostgreSQL: the ledger under load, and who leads when the leader stands still.

use crate::child::command;
use crate::sample::{self, DAY_MS, NOON};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};
use vox_base::{Id, NanoUsd, Timestamp};
use vox_store::{HardLimit, OpenOptions, Place, Reserve, SettledCall, Store, StoreError};
use vox_testkit::Postgres;

const PROCESSES: u64 = 4;
/// Writers in each.
const WRITERS: u64 = 16;
const TOMORROW: Timestamp = NOON.plus_millis(DAY_MS);

/// Opens the store of this directory whose shared tables are where the directory says.
pub(crate) fn open(home: &str) -> Store {
    let url = std::fs::read_to_string(format!("{home}/url")).expect("the directory says where");
    let db = Some(Place::parse(&url, None).expect("the address is sound"));
    Store::open(OpenOptions { db, ..sample::options(std::path::Path::new(home)) }).expect("the store opens")
}

/// Returns a directory whose shared tables are there.
fn home(url: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a directory");
    std::fs::write(home.path().join("url"), url).expect("it can be written");
    home
}

/// 64 writers in four processes settle calls while another rolls up; every amount is counted once, to the nano. `rounds`
/// is the time in tenths of a second: 20 unless told, 1200 are the whole two minutes.
pub(crate) fn st_53_the_ledger_of_four_processes_adds_up(rounds: u32) {
    let Some(server) = Postgres::shared() else { return };
    let url = server.fresh();
    let (homes, own) = ((0..PROCESSES).map(|_| home(&url)).collect::<Vec<_>>(), home(&url));
    let store = open(own.path().to_str().expect("the path is text"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let children: Vec<Child> = homes
        .iter()
        .enumerate()
        .map(|(n, home)| {
            let number = (n as u64 + 1) * 1_000_000 + u64::from(rounds) * 100;
            command(&[], "ledger", home.path(), number).stdout(Stdio::piped()).spawn().expect("the child starts")
        })
        .collect();
    let until = Instant::now() + Duration::from_millis(u64::from(rounds) * 100);
    while Instant::now() < until {
        runtime.block_on(store.roll_up(TOMORROW)).expect("the roll-up is written or left for later");
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut settled = 0_i64;
    for child in children {
        let done = child.wait_with_output().expect("the child ends");
        assert!(done.status.success(), "no error reaches a writer");
        settled += String::from_utf8_lossy(&done.stdout).trim().parse::<i64>().expect("it says how many it settled");
    }
    let counted = || runtime.block_on(store.spent(None)).expect("it reads").iter().map(|spent| spent.nano_usd.get()).sum::<i64>();
    let expected = settled * 1250;
    assert_eq!(counted(), expected, "the sum of rolled days and of what is behind them");
    runtime.block_on(store.roll_up(TOMORROW)).expect("it rolls up");
    assert_eq!(counted(), expected);
    let rows = server.sql(&format!("SELECT sum(amount_nano_usd) FROM {}.budget_entries", schema(&url))).expect("it reads");
    assert_eq!(rows, expected.to_string(), "the sum of the rows");
    let sum = |from: &str| server.sql(&format!("SELECT sum(amount_nano_usd) FROM {}.{from}", schema(&url))).expect("it reads");
    let of_rows = sum(&format!("budget_entries WHERE at < {}", TOMORROW.start_of_day().millis()));
    assert_eq!(sum("budget_daily"), of_rows, "the sums of the days that are over");
    assert_eq!(server.sql(&format!("SELECT count(*) FROM {}.open_reservations", schema(&url))).expect("it reads"), "0");
    println!("     {settled} calls of four processes in {} s", f64::from(rounds) / 10.0);
}

/// Another client writes a call's entry and keeps its transaction open while the day is to be rolled up. `rounds` is the
/// time in tenths of a second: 20 unless told, 300 are the whole half minute.
pub(crate) fn st_54_who_commits_late_is_counted_exactly_once(rounds: u32) {
    let Some(server) = Postgres::shared() else { return };
    let url = server.fresh();
    let (own, held) = (home(&url), Duration::from_millis(u64::from(rounds) * 100));
    let store = open(own.path().to_str().expect("the path is text"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let settle = |n| {
        store.settle(sample::call(n, NOON));
        runtime.block_on(store.flush()).expect("it is written");
    };
    let roll_up = || runtime.block_on(store.roll_up(TOMORROW)).expect("the roll-up is written or left for later");
    let spent = || runtime.block_on(store.spent(None)).expect("it reads").first().map_or(0, |spent| spent.nano_usd.get() / 1250);
    let rolled = || server.sql(&format!("SELECT coalesce(sum(entries), 0) FROM {}.budget_daily", schema(&url))).expect("it reads");
    (1..=4).for_each(settle);
    std::thread::scope(|scope| {
        let late = scope.spawn(|| server.sql(&late_entry(&url, held + Duration::from_secs(1))).expect("it commits"));
        while server.sql(&writers(&url)).expect("it reads") == "0" {
            assert!(!late.is_finished(), "its entry is written long before it commits");
        }
        // Its rows cannot be seen yet, so the day stays open; what is shown goes on being right.
        let (until, mut n) = (Instant::now() + held, 0);
        while Instant::now() < until {
            roll_up();
            assert_eq!(spent(), 4);
            n += 1;
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(!late.is_finished());
        assert_eq!(rolled(), "0");
        println!("     rolled up {n} times beside a transaction of {} s", f64::from(rounds) / 10.0);
    });
    assert_eq!(spent(), 5);
    roll_up();
    assert_eq!((rolled().as_str(), spent()), ("5", 5));
    // One more of that day goes into the sums at once, and into them once.
    settle(10);
    roll_up();
    assert_eq!((rolled().as_str(), spent()), ("6", 6));
}

/// Returns a transaction that writes an entry and commits so much later.
fn late_entry(url: &str, after: Duration) -> String {
    let entry = sample::entry(9, sample::interaction_id(9, NOON), NOON);
    format!(
        "BEGIN; INSERT INTO {}.budget_entries (entry_id, account, kind, amount_nano_usd, call_id, at) \
         VALUES ('{}', '{}', 'settle', 1250, '{}', {}); SELECT pg_sleep({}); COMMIT",
        schema(url),
        entry.entry_id,
        entry.account,
        entry.call_id,
        NOON.millis(),
        after.as_secs_f64()
    )
}

/// Returns the question how many transactions are writing entries.
fn writers(url: &str) -> String {
    format!("SELECT count(*) FROM pg_locks WHERE relation = '{}.budget_entries'::regclass AND mode = 'RowExclusiveLock'", schema(url))
}

fn schema(url: &str) -> &str {
    url.split_once("vox_schema=").expect("the address names a schema").1
}

/// Sixteen writers set amounts aside at two shared accounts and settle calls of yesterday and today until the time is over;
/// says how many.
pub(crate) async fn ledger(store: &Store, number: u64) {
    let (process, rounds) = (number / 1_000_000, number % 1_000_000 / 100);
    let until = Instant::now() + Duration::from_millis(rounds * 100);
    let writers = (0..WRITERS).map(|writer| write(store, (process * WRITERS + writer) * 1_000_000_000, until));
    let settled: u64 = futures_util::future::join_all(writers).await.into_iter().sum();
    store.flush().await.expect("everything is written");
    assert_eq!(store.settles_refused(), 0);
    let mut out = std::io::stdout().lock();
    writeln!(out, "{settled}").expect("somebody listens");
}

/// One writer: every eighth of its calls is against a hard limit, at the same two accounts as everybody's and in either
/// order, so that who waits for whom is left to chance.
async fn write(store: &Store, first: u64, until: Instant) -> u64 {
    let mut n = first;
    while Instant::now() < until {
        let at = if n.is_multiple_of(2) { NOON } else { TOMORROW };
        let is_reserved = n.is_multiple_of(8);
        if is_reserved {
            let covered = store.reserve(reserve(n, at)).await.expect("no error reaches a writer");
            assert_eq!(covered, Ok(()), "the limit is far away");
        }
        store.settle(SettledCall { is_reserved, ..sample::call(n, at) });
        n += 1;
        while store.settle_depth() > 1024 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    n - first
}

fn reserve(n: u64, now: Timestamp) -> Reserve {
    let limit = HardLimit { since: NOON.start_of_day(), amount: NanoUsd::new(i64::MAX / 2) };
    let mut accounts = [1, 2].map(|key| (sample::key_id(key), vec![limit])).to_vec();
    if n.is_multiple_of(16) {
        accounts.reverse();
    }
    let (interaction_id, key_id) = (sample::interaction_id(n, now), sample::key_id(1));
    Reserve { interaction_id, key_id, incarnation: Id::new(NOON, [3; 10]), amount: NanoUsd::new(5000), accounts, now }
}

/// Says `leads` or `follows` whenever that changes; told by a line on standard input, tries a leader's work.
pub(crate) async fn lead(store: &Store) {
    let mut before = None;
    loop {
        let leads = store.leads(TOMORROW).await;
        let now = matches!(leads, Ok(true));
        if before != Some(now) {
            let mut out = std::io::stdout().lock();
            if writeln!(out, "{}", if now { "leads" } else { "follows" }).is_err() {
                return;
            }
            before = Some(now);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

struct Node {
    child: Child,
    said: std::sync::mpsc::Receiver<String>,
    _home: tempfile::TempDir,
}

impl Node {
    fn start(url: &str) -> Self {
        let home = home(url);
        let mut child = command(&[], "lead", home.path(), 0).stdout(Stdio::piped()).spawn().expect("the child starts");
        let out: ChildStdout = child.stdout.take().expect("its output is piped");
        let (send, said) = std::sync::mpsc::channel();
        std::thread::spawn(move || BufReader::new(out).lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { child, said, _home: home }
    }

    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).expect("it lives");
    }

    fn says(&self, wanted: &str, within: Duration) -> bool {
        let until = Instant::now() + within;
        while let Ok(line) = self.said.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if line == wanted {
                return true;
            }
        }
        false
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn st_55_another_leads_when_the_leader_stands_still(_: u32) {
    let Some(server) = Postgres::shared() else { return };
    let url = server.fresh();
    let epoch = || server.sql(&format!("SELECT epoch FROM {}.leader", schema(&url))).unwrap_or_default();
    let first = Node::start(&url);
    assert!(first.says("leads", Duration::from_secs(10)), "the only node leads");
    let second = Node::start(&url);
    assert!(second.says("follows", Duration::from_secs(10)), "and the other does not");
    assert_eq!(epoch(), "1");
    first.signal(rustix::process::Signal::STOP);
    let stood = Instant::now();
    assert!(second.says("leads", Duration::from_secs(15)), "another takes over within fifteen seconds");
    println!("     taken over after {:.1} s", stood.elapsed().as_secs_f64());
    assert_eq!(epoch(), "2");
    first.signal(rustix::process::Signal::CONT);
    assert!(first.says("follows", Duration::from_secs(10)), "who comes back sees that he is no leader");
    assert_eq!(epoch(), "2");
}

/// A leader that lost the office between asking and writing changes nothing.
pub(crate) fn st_55_the_work_of_a_past_epoch_changes_nothing(_: u32) {
    let Some(server) = Postgres::shared() else { return };
    let url = server.fresh();
    let own = home(&url);
    let store = open(own.path().to_str().expect("the path is text"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    store.settle(sample::call(1, NOON));
    runtime.block_on(store.flush()).expect("it is written");
    assert_eq!(runtime.block_on(store.leads(NOON)), Ok(true));
    let schema = schema(&url);
    server.sql(&format!("UPDATE {schema}.leader SET epoch = epoch + 1, holder = '{}'", Id::<()>::from_bytes([9; 16]))).expect("it writes");
    assert_eq!(runtime.block_on(store.roll_up(TOMORROW)), Err(StoreError::NotLeading));
    assert_eq!(server.sql(&format!("SELECT count(*) FROM {schema}.budget_daily")).expect("it reads"), "0");
    assert_eq!(runtime.block_on(store.prune(TOMORROW.plus_millis(900 * DAY_MS))), Err(StoreError::NotLeading));
    assert_eq!(runtime.block_on(store.count_calls()), Ok(1));
}
