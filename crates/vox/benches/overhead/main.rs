//! What the gateway adds to a call, beside a bare proxy, in one interleaved run with everything on: key, routing,
//! reservation, intent, durable ledger, metrics (GW-48).
//!
//! `cargo bench -p vox --bench overhead [-- ROUNDS SECONDS]` starts a mock provider, the bare proxy and `vox serve` as
//! processes of their own, loads them in turn, prints one table and fails if a bound is missed.
//! Ratios count, never one absolute figure.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a bench talks to whoever runs it and starts programs"
)]

mod floor;
mod load;
mod mock;
mod node;

use load::{Case, Measured};
use std::process::{Child, Command, ExitCode, Stdio};

const CASES: [Case; 4] = [
    Case::new("plain c=1", false, 1),
    Case::new("plain c=32", false, 32),
    Case::new("stream c=1", true, 1),
    Case::new("stream c=8", true, 8),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["mock", port] => mock::serve(number(port)),
        ["floor", port, upstream] => floor::serve(number(port), number(upstream)),
        [] => compare(5, 2),
        [rounds, seconds] => compare(number(rounds), number(seconds)),
        _ => usage(),
    }
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no number"))
}

fn usage() -> ExitCode {
    eprintln!("usage: overhead [ROUNDS SECONDS]");
    ExitCode::from(2)
}

/// A process that ends with this one.
struct Helper(Child);

impl Helper {
    fn start(arguments: &[&str]) -> Self {
        let program = std::env::current_exe().expect("the bench knows its own path");
        Self(Command::new(program).args(arguments).stdout(Stdio::null()).spawn().expect("the bench can start itself"))
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound listener has an address").port()
}

fn compare(rounds: usize, seconds: u64) -> ExitCode {
    let (mock_port, floor_port) = (free_port(), free_port());
    let _mock = Helper::start(&["mock", &mock_port.to_string()]);
    let _floor = Helper::start(&["floor", &floor_port.to_string(), &mock_port.to_string()]);
    let node = node::Node::start(mock_port);
    let targets = [("direct", mock_port, None), ("floor", floor_port, None), ("vox", node.port, Some(node.key.as_str()))];
    for (_, port, _) in &targets {
        load::wait_for(*port);
    }
    let mut measured: Vec<Vec<Vec<Measured>>> = vec![vec![Vec::new(); targets.len()]; CASES.len()];
    let mut n_sent = 0;
    for _ in 0..rounds {
        for (at, case) in CASES.iter().enumerate() {
            for (target, (name, port, key)) in targets.iter().enumerate() {
                let result = load::run(case, *port, *key, seconds);
                n_sent += if *name == "vox" { result.n_requests } else { 0 };
                measured[at][target].push(result);
            }
        }
    }
    let failures = report(&measured);
    let n_rows = node.finish();
    println!("rows in the store {n_rows}, requests sent {n_sent}");
    if failures == 0 && n_rows == n_sent { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints the table and returns how many bounds were missed.
fn report(measured: &[Vec<Vec<Measured>>]) -> usize {
    println!("{:12} {:>10} {:>10} {:>10} {:>12} {:>12}  bound", "case", "direct us", "floor +us", "vox +us", "floor ratio", "vox ratio");
    let mut failures = 0;
    for (case, targets) in CASES.iter().zip(measured) {
        let [direct, floor, vox] = [0, 1, 2].map(|at| Summary::of(&targets[at]));
        let (floor_added, vox_added) = (floor.p50_us - direct.p50_us, vox.p50_us - direct.p50_us);
        let (floor_ratio, vox_ratio) = (direct.rate / floor.rate, direct.rate / vox.rate);
        let (bound, held) = match (case.stream, case.connections) {
            (false, 1) => ("added p50 <= 2x the floor's", vox_added <= 2.0 * floor_added),
            (false, _) => ("throughput >= 0.62 of the floor's", vox.rate >= 0.62 * floor.rate),
            (true, _) => ("added p50 <= 1.6x the floor's", vox_added <= 1.6 * floor_added),
        };
        failures += usize::from(!held);
        println!(
            "{:12} {:>10.0} {floor_added:>10.0} {vox_added:>10.0} {floor_ratio:>11.2}x {vox_ratio:>11.2}x  {bound}: {}",
            case.name,
            direct.p50_us,
            if held { "held" } else { "MISSED" }
        );
    }
    failures
}

struct Summary {
    rate: f64,
    p50_us: f64,
}

impl Summary {
    fn of(rounds: &[Measured]) -> Self {
        let median = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        Self {
            rate: median(rounds.iter().map(|round| round.rate).collect()),
            p50_us: median(rounds.iter().map(|round| round.p50_us).collect()),
        }
    }
}
