//! What does one settled call cost the writer, and one intent the request path?
//!
//! Settles calls of four rows each (call of 47 columns, attempt, decision, budget entry) as fast as the queue takes
//! them, and prints calls a second and processor time per call of the whole process; then appends intents. The baseline
//! is one write with a sync to a file beside the store.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

#[path = "../tests/sample.rs"]
#[expect(dead_code, reason = "shared with the tests, which use more of it")]
mod sample;

use std::io::Write as _;
use std::time::{Duration, Instant};
use vox_base::{Id, NanoUsd};
use vox_store::{Intent, SettledCall};

const CALLS: u64 = 40_000;

fn main() {
    let home =
        tempfile::Builder::new().prefix("vox-settle").tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target directory can be written");
    println!("write+sync of 4 KiB: {:.0} µs", sync_micros(home.path()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let store = sample::open(home.path());
    for (name, calls_per_second) in [("12,000 calls/s", Some(12_000)), ("1,000 calls/s", Some(1000)), ("unbounded", None)] {
        settle(&runtime, &store, name, calls_per_second);
    }
    intents(&store);
}

fn settle(runtime: &tokio::runtime::Runtime, store: &vox_store::Store, name: &str, calls_per_second: Option<u32>) {
    let first = u64::try_from(runtime.block_on(store.count_calls()).expect("the store reads")).expect("a count");
    let n = calls_per_second.map_or(CALLS, |rate| u64::from(rate) * 3);
    let calls: Vec<SettledCall> = (first..first + n).map(|n| sample::call(n, sample::NOON.plus_millis(n as i64 / 10))).collect();
    let (started, cpu) = (Instant::now(), cpu());
    let pause = Duration::from_millis(1);
    let per_round = calls_per_second.map_or(200, |rate| rate / 1000);
    for (at, call) in calls.into_iter().enumerate() {
        store.settle(call);
        if (at as u32 + 1).is_multiple_of(per_round) {
            match calls_per_second {
                Some(_) => std::thread::sleep((started + pause * (at as u32 / per_round + 1)).saturating_duration_since(Instant::now())),
                None => {
                    while store.settle_depth() > 2000 {
                        std::thread::sleep(Duration::from_micros(200))
                    }
                }
            }
        }
    }
    runtime.block_on(store.flush()).expect("the store writes");
    let (wall, used) = (started.elapsed(), self::cpu() - cpu);
    let per_call = used.as_secs_f64() * 1e6 / n as f64;
    println!(
        "{name}: {n} calls in {:.2} s = {:.0} calls/s, {per_call:.1} µs CPU per call",
        wall.as_secs_f64(),
        n as f64 / wall.as_secs_f64()
    );
}

fn intents(store: &vox_store::Store) {
    store.open_intents(Id::new(sample::NOON, [1; 10])).expect("intents open");
    let log = store.intents().expect("just opened");
    let started = Instant::now();
    for n in 0..200_000 {
        let interaction_id = sample::interaction_id(n, sample::NOON);
        let intent = Intent { interaction_id, key_id: Some(sample::key_id(1)), amount: NanoUsd::new(5000), at: sample::NOON };
        log.append(&intent).expect("the intent is written");
        if n >= 32 {
            log.release(sample::interaction_id(n - 32, sample::NOON)).expect("the release is written");
        }
    }
    println!("intent appended and released: {:.0} ns", started.elapsed().as_secs_f64() * 1e9 / 200_000.0);
}

fn sync_micros(dir: &std::path::Path) -> f64 {
    let mut file = std::fs::File::create(dir.join("sync")).expect("a file");
    let started = Instant::now();
    for _ in 0..50 {
        file.write_all(&[1; 4096]).expect("a write");
        file.sync_data().expect("a sync");
    }
    started.elapsed().as_secs_f64() * 1e6 / 50.0
}

/// Processor time of this process so far.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
