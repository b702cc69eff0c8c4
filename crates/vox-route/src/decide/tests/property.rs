//! Laws of the decision over random catalogs, boards and asks.

use super::*;
use crate::catalog::{Layer, PriceOverlay, Trust};
use crate::explain::Explanation;

fn offers() -> impl Strategy<Value = Vec<Entry>> {
    let one = (0..4_usize, 0..12_u32, 0..5_usize, 0..20_i64, prop::option::of(0..6000_u64), prop::option::of(1000..300_000_u64), 0..4_u8);
    let all = prop::collection::vec(one, 1..14);
    all.prop_map(|all| {
        let entry = |(provider, model, tier, price, p50_ms, context_tokens, odd)| {
            let mut entry = entry(
                &format!("{}/m{model}", ["aa", "bb", "cc", "openrouter"][provider]),
                Tier::ALL[tier],
                price * 250_000,
                price * 1_000_000,
            );
            entry.availability.p50_ms = p50_ms;
            entry.context_tokens = context_tokens;
            match odd {
                0 => entry.prices = Prices::default(),
                1 => entry.strengths = Some(vec!["codegen".into(), "logic".into()]),
                2 => entry.model_id = Some("anthropic/claude-opus-4.7".into()),
                _ => entry.capabilities = Some(Capabilities::NONE),
            }
            entry
        };
        let mut entries: Vec<Entry> = all.into_iter().map(entry).collect();
        // In one layer the last of two equal names would win, which depends on their order.
        entries.sort_by(|a, b| (&a.provider, &a.native_id).cmp(&(&b.provider, &b.native_id)));
        entries.dedup_by(|a, b| (&a.provider, &a.native_id) == (&b.provider, &b.native_id));
        entries
    })
}

fn asks() -> impl Strategy<Value = Ask> {
    let wanted = prop_oneof![
        4 => Just(auto()),
        1 => Just(explicit("aa/m3")),
        1 => Just(Wanted::Bare("m1".into())),
        1 => Just(Wanted::Alias("best".into())),
    ];
    let prefer = prop_oneof![
        Just(Prefer::None),
        Just(Prefer::Cost),
        Just(Prefer::Quality),
        Just(Prefer::Speed),
        Just(Prefer::Local),
        Just(Prefer::Family("bb".into()))
    ];
    let task = 0..13_usize;
    let numbers =
        (1..=10_u8, 0..150_000_u64, prop::option::of(1..9000_u64), prop::option::of(1..50_000_000_i64), prop::option::of(1..6000_u64));
    (wanted, prefer, task, numbers, any::<[bool; 4]>()).prop_map(|(wanted, prefer, task, numbers, flags)| {
        let contract = &contracts()[0];
        let mut ask = Ask::new(contract, wanted);
        ask.prefer = prefer;
        ask.task = Some(contract.rules().task_categories[task].clone());
        (ask.complexity, ask.input_tokens, ask.max_output_tokens, _, ask.max_latency_ms) = numbers;
        ask.ceiling = numbers.3.map(NanoUsd::new);
        [ask.fallback, ask.forced, ask.allow_unpriced, _] = flags;
        ask.needs = if flags[3] { [Capability::ToolUse].into_iter().collect() } else { Capabilities::NONE };
        ask
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// RT-23: equal inputs give a bit-equal decision, also from snapshots and from a shuffled catalog.
    #[test]
    fn rt_23_equal_inputs_decide_equally_whatever_the_order(entries in offers(), ask in asks(), keyless in 0..5_usize, turn in 0..14_usize, seed in any::<u64>()) {
        let [contract, restored] = contracts();
        let (catalog, board) = (catalog(entries.clone()), board(&entries, keyless));
        let first = decide(contract, &catalog, &board, &ask, NOW, seed);
        let mut turned = entries;
        let n_entries = turned.len();
        turned.rotate_left(turn % n_entries);
        turned.reverse();
        let snapshot = self::catalog(turned).to_snapshot();
        prop_assert_eq!(&snapshot, &catalog.to_snapshot());
        let again = decide(
            restored,
            &Catalog::from_snapshot(&snapshot).unwrap(),
            &Board::from_snapshot(&board.to_snapshot()).unwrap(),
            &serde_json::from_slice(&serde_json::to_vec(&ask).unwrap()).unwrap(),
            NOW,
            seed,
        );
        prop_assert_eq!(&first, &again);
        let text = |decision| serde_json::to_vec(&Explanation::new(contract, &catalog, &board, &ask, decision)).unwrap();
        if seed % 16 == 0 {
            prop_assert_eq!(text(&first), text(&again));
        }
        lawful((contract, &catalog, &board, &ask), &first)?;
    }
}

/// What is ranked passes every filter that was not lifted; what is not ranked has a reason; a ceiling is never passed.
fn lawful((contract, catalog, board, ask): (&Contract, &Catalog, &Board, &Ask), decision: &Decision) -> Result<(), TestCaseError> {
    for (offer, reasons) in all_reasons((contract, catalog, board), ask, NOW, decision.ranked.iter().map(|ranked| &ranked.offer)) {
        let lifted = |reason: &RefusalReason| {
            let named = matches!(&ask.wanted, Wanted::Explicit { .. });
            reason.waiver().is_some_and(|waiver| named || decision.waived.contains(&waiver))
        };
        prop_assert!(reasons.iter().all(lifted), "{} {:?}", offer.id, reasons);
    }
    prop_assert!(decision.ranked.iter().all(|ranked| ranked.j > NanoUsd::ZERO));
    let n_seen = decision.ranked.len() + decision.refused.len() + decision.n_not_wanted + decision.n_beyond;
    prop_assert!(n_seen >= catalog.offers().len(), "every offer is accounted for");
    if matches!(decision.mode, Mode::Scored) && ask.prefer != Prefer::Local {
        prop_assert!(decision.ranked.windows(2).all(|pair| pair[0].j.get() / 1000 <= pair[1].j.get() / 1000));
    }
    Ok(())
}

/// Returns the shipped contract and its like from a snapshot.
fn contracts() -> &'static [Contract; 2] {
    static CONTRACTS: std::sync::OnceLock<[Contract; 2]> = std::sync::OnceLock::new();
    CONTRACTS.get_or_init(|| [Contract::builtin(), Contract::from_snapshot(&Contract::builtin().to_snapshot()).unwrap()])
}

fn catalog(entries: Vec<Entry>) -> Catalog {
    let layer = Layer { source: "test".into(), trust: Trust::Bootstrap, entries };
    Catalog::build(&contracts()[0], vec![layer], &PriceOverlay::empty()).0
}

fn board(entries: &[Entry], keyless: usize) -> Board {
    let state = |entry: &Entry| {
        let missing = ["aa", "bb", "cc"].get(keyless) == Some(&entry.provider.as_str());
        ProviderState { credential: if missing { Credential::Missing } else { Credential::Present }, ..ProviderState::ready("openai") }
    };
    let providers = entries.iter().map(|entry| (entry.provider.as_str().into(), state(entry)));
    Board::new(providers.collect(), std::collections::BTreeMap::new())
}
