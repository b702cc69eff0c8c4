//! How long one decision takes: 24 candidates, a named model, and 400 offers against 25.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;
use vox_base::{Micros, Timestamp};
use vox_route::catalog::{Availability, PriceOverlay};
use vox_route::{Ask, Board, Catalog, Contract, Entry, Layer, Lifecycle, Prices, ProviderState, Tier, Trust, Wanted, decide};

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const ROUNDS: usize = 2000;
const PER_ROUND: u32 = 20;

fn main() {
    let document = vox_base::Document::parse("bench.yaml", "admission: { max_candidates: 512 }").expect("it is YAML");
    let contract = Contract::from_document(&Contract::document().overlaid(document)).expect("it is a contract");
    let auto = Wanted::Auto { task: None };
    let named = Wanted::Explicit { provider: "p1".into(), native_id: "model-001".into() };
    let of_24 = median_ns(&contract, 24, &auto);
    let of_25 = median_ns(&contract, 25, &auto);
    let of_400 = median_ns(&contract, 400, &auto);
    println!("decide, 24 candidates      {:>8.2} us", of_24 as f64 / 1000.0);
    println!("decide, named among 400    {:>8.2} us", median_ns(&contract, 400, &named) as f64 / 1000.0);
    println!("decide, 400 candidates     {:>8.2} us", of_400 as f64 / 1000.0);
    println!("400 against 25             {:>8.1} x (bound 20)", of_400 as f64 / of_25 as f64);
}

/// Returns the median time of one decision among this many offers at eight providers.
fn median_ns(contract: &Contract, n_offers: usize, wanted: &Wanted) -> u64 {
    let entries = (0..n_offers).map(|n| {
        let price = Some(Micros::new(100_000 + 7919 * n as i64 % 3_000_000));
        Entry {
            tier: Some([Tier::Light, Tier::Pro, Tier::Elite][n % 3]),
            strengths: Some(["codegen", "review", "logic"].map(String::from).to_vec()),
            context_tokens: Some(200_000),
            prices: Prices { input: price, output: price, ..Prices::default() },
            lifecycle: Some(Lifecycle::Confirmed),
            availability: Availability { uptime_ppm: None, p50_ms: Some(1000 + n as u64) },
            ..Entry::new(&format!("p{}", n % 8), &format!("model-{n:03}"))
        }
    });
    let layer = Layer { source: "bench".into(), trust: Trust::Bootstrap, entries: entries.collect() };
    let (catalog, _) = Catalog::build(contract, vec![layer], &PriceOverlay::empty());
    let providers = (0..8).map(|n| (format!("p{n}").into(), ProviderState::ready("openai")));
    let board = Board::new(providers.collect(), BTreeMap::new());
    let mut ask = Ask::new(contract, wanted.clone());
    ask.input_tokens = 2000;
    let mut rounds: Vec<u64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for seed in 0..PER_ROUND {
                black_box(decide(contract, &catalog, &board, black_box(&ask), NOW, u64::from(seed)));
            }
            u64::try_from(start.elapsed().as_nanos() / u128::from(PER_ROUND)).unwrap_or(u64::MAX)
        })
        .collect();
    rounds.sort_unstable();
    rounds[ROUNDS / 2]
}
