//! How long it takes to cut the ends out of a parsed conversation: 1 MiB against 16 KiB.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use bytes::Bytes;
use std::hint::black_box;
use std::time::Instant;
use vox_wire::{Chat, Dialect, Endpoint};

const ROUNDS: usize = 2000;

fn main() {
    for (name, n_bytes, message_bytes) in [
        ("16 KiB, 1 KiB messages", 16 << 10, 1 << 10),
        ("1 MiB, 1 KiB messages", 1 << 20, 1 << 10),
        ("1 MiB, 100 B messages", 1 << 20, 100),
        ("1 MiB, one message", 1 << 20, 1 << 20),
    ] {
        let chat = conversation(n_bytes, message_bytes);
        let mut rounds: Vec<u128> = (0..ROUNDS)
            .map(|_| {
                let start = Instant::now();
                black_box(black_box(&chat).excerpt(8 << 10, 4 << 10));
                start.elapsed().as_nanos()
            })
            .collect();
        rounds.sort_unstable();
        println!("excerpt, {name:<24} {:>8.2} us", rounds[ROUNDS / 2] as f64 / 1000.0);
    }
}

/// A conversation whose texts have a line break every so often, as they do.
fn conversation(n_bytes: usize, message_bytes: usize) -> Chat {
    let text: String = "a line of forty letters and a few spaces\\n".chars().cycle().take(message_bytes - 30).collect();
    let text = text.trim_end_matches('\\');
    let roles = ["user", "assistant"];
    let messages: Vec<String> =
        (0..n_bytes / message_bytes).map(|at| format!(r#"{{"role":"{}","content":"{text}"}}"#, roles[at % 2])).collect();
    let body = format!(r#"{{"model":"vox/auto","messages":[{}]}}"#, messages.join(","));
    Chat::parse(Dialect::Openai, Endpoint::Chat, Bytes::from(body)).expect("it is a request")
}
