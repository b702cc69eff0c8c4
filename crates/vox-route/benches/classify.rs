//! How long the rules take over the most text they ever read.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::hint::black_box;
use std::time::Instant;
use vox_route::classify::{SYSTEM_TEXT_BYTES, USER_TEXT_BYTES};
use vox_route::{Contract, Features};

const ROUNDS: usize = 2000;

fn main() {
    let contract = Contract::builtin();
    let start = Instant::now();
    let classifier = contract.classifier();
    println!("rules made ready once      {:>8.2} ms", start.elapsed().as_secs_f64() * 1000.0);
    let prose = "please look at how the importer reads its rows, then add a flag that skips the broken ones and tell me why it fails\n";
    let user_text: String = prose.chars().cycle().take(USER_TEXT_BYTES).collect();
    let system_text: String =
        "you work in a terminal beside a developer and may call tools\n".chars().cycle().take(SYSTEM_TEXT_BYTES).collect();
    for (name, user_bytes, system_bytes) in [
        ("a line", 120, 0),
        ("system text", 0, SYSTEM_TEXT_BYTES),
        ("user text", USER_TEXT_BYTES, 0),
        ("both texts full", USER_TEXT_BYTES, SYSTEM_TEXT_BYTES),
    ] {
        let features = Features {
            user_text: &user_text[..user_bytes],
            system_text: &system_text[..system_bytes],
            n_messages: 1,
            ..Features::default()
        };
        let mut rounds: Vec<u128> = (0..ROUNDS)
            .map(|_| {
                let start = Instant::now();
                black_box(classifier.classify(black_box(&features)));
                start.elapsed().as_nanos()
            })
            .collect();
        rounds.sort_unstable();
        println!("classify, {name:<16} {:>8.2} us", rounds[ROUNDS / 2] as f64 / 1000.0);
    }
}
