use super::*;
use crate::Contract;
use crate::world::entry as plain;
use vox_base::{Micros, Timestamp};

/// Compares a committed schema with the type's own; a fresh one is left beside other temporary files.
pub(crate) fn fresh(file: &str, schema: &serde_json::Value) {
    let path = format!("{}/../../contracts/orchestration/{file}", env!("CARGO_MANIFEST_DIR"));
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let rendered = format!("{}\n", serde_json::to_string_pretty(schema).unwrap());
    if committed != rendered {
        let out = std::env::temp_dir().join(file);
        std::fs::write(&out, rendered).unwrap();
        panic!("{file} is stale; the fresh one is {}", out.display());
    }
}

fn layer(source: &str, trust: Trust, entries: Vec<Entry>) -> Layer {
    Layer { source: source.into(), trust, entries }
}

fn build(layers: Vec<Layer>) -> (Catalog, Vec<Warning>) {
    Catalog::build(&Contract::builtin(), layers, &PriceOverlay::empty())
}

#[test]
fn committed_schemas_are_fresh() {
    fresh("model-catalog.v1.schema.json", &Catalog::schema());
    fresh("price-overlay.v1.schema.json", &PriceOverlay::schema());
    fresh("models.v1.schema.json", &ModelsFile::schema());
}

#[test]
fn the_shipped_catalog_fits_its_schema_and_holds_every_model_a_rule_names() {
    let schema = Catalog::schema();
    let file: serde_json::Value = serde_json::from_str(entry::BOOTSTRAP_JSON).unwrap();
    jsonschema::validator_for(&schema).unwrap().validate(&file).unwrap();
    let contract = Contract::builtin();
    let (catalog, warnings) = build(vec![Catalog::bootstrap()]);
    assert_eq!((catalog.offers().len(), warnings), (20, Vec::new()));
    for id in contract.rules().premium_alias.values().chain(contract.rules().aliases.values()) {
        assert!(catalog.serving(id).next().is_some(), "{id}");
    }
    assert!(catalog.offers().iter().all(|offer| offer.price_as_of.as_deref() == Some("2026-05")));
    let dynamic = catalog.find("openrouter", "openrouter/auto").unwrap();
    assert_eq!((dynamic.price_state, dynamic.lifecycle), (PriceState::Dynamic, Lifecycle::Provisional));
}

#[test]
fn the_shipped_overlay_is_read() {
    assert!(!PriceOverlay::builtin().prices.is_empty());
    let schema = PriceOverlay::schema();
    jsonschema::validator_for(&schema).unwrap().validate(&serde_json::to_value(PriceOverlay::builtin()).unwrap()).unwrap();
}

/// RT-01 for the price overlay.
#[test]
fn rt_01_a_broken_price_overlay_names_file_line_and_key() {
    let row = |rest: &str| {
        format!(
            "x-vox-version: 1\nprices:\n  - provider: a\n    model_glob: b\n    as_of: '2026-05'\n    source_note: n\n    prices: {rest}\n"
        )
    };
    for (text, line, key) in [
        (row("{ input: 1, output: 2, tokens: 3 }"), 7, "prices[0].prices.tokens"),
        (row("{ input: 1 }"), 7, "prices[0].prices"),
        (row("{ input: -1, output: 2 }"), 7, "prices[0].prices.input"),
        (row("{ input: 0.5, output: 2 }"), 7, "prices[0].prices.input"),
        ("x-vox-version: 3\nprices: []\n".into(), 1, "x-vox-version"),
    ] {
        let error = PriceOverlay::from_document(&vox_base::Document::parse("o.yaml", &text).unwrap()).unwrap_err();
        assert_eq!((error.file.as_str(), error.line, error.key.as_str()), ("o.yaml", line, key), "{error}");
    }
}

/// RT-20, without observed prices.
#[test]
fn rt_20_each_field_comes_from_the_most_trusted_source_that_states_it() {
    let price = |input| Prices { input: Some(Micros::new(input)), output: Some(Micros::new(10)), ..Prices::default() };
    let base = || Entry::new("groq", "m-1");
    let bootstrap = Entry { tier: Some(Tier::Light), context_tokens: Some(1000), max_output_tokens: Some(10), prices: price(1), ..base() };
    let list = Entry { context_tokens: Some(2000), max_output_tokens: Some(20), ..base() };
    let own = Entry { max_output_tokens: Some(30), ..base() };
    let overlay = PriceOverlay {
        version: 1,
        prices: vec![OverlayRow {
            provider: "groq".into(),
            model_glob: "m-*".into(),
            prices: price(2),
            as_of: "2026-05".into(),
            source_note: "test".into(),
            origin: None,
        }],
    };
    let layers = |list: Entry| {
        vec![
            layer("models.toml", Trust::Override, vec![own.clone()]),
            layer("groq", Trust::ProviderList, vec![list]),
            layer("bootstrap", Trust::Bootstrap, vec![bootstrap.clone()]),
        ]
    };
    let (catalog, _) = Catalog::build(&Contract::builtin(), layers(list.clone()), &overlay);
    let offer = catalog.find("groq", "m-1").unwrap();
    assert_eq!((offer.tier, offer.context_tokens, offer.max_output_tokens), (Tier::Light, Some(2000), Some(30)));
    assert_eq!(offer.prices, price(2));
    let source = |field: &str| offer.provenance[field].to_string();
    assert_eq!(
        ["tier", "context_tokens", "max_output_tokens", "prices.input", "lifecycle"].map(source),
        ["bootstrap", "groq", "models.toml", "price_overlay", "models.toml"]
    );
    let (catalog, _) = Catalog::build(&Contract::builtin(), layers(Entry { prices: price(3), ..list }), &overlay);
    assert_eq!(catalog.find("groq", "m-1").unwrap().prices, price(3));
}

#[test]
fn a_dynamic_price_of_the_list_makes_the_shipped_price_void() {
    let list = Entry { price_state: Some(PriceState::Dynamic), ..Entry::new("one", "pro") };
    let layers = vec![layer("b", Trust::Bootstrap, vec![plain("one/pro", Tier::Pro, 1, 2)]), layer("l", Trust::ProviderList, vec![list])];
    let (catalog, _) = build(layers);
    assert_eq!((catalog.offers()[0].price_state, catalog.offers()[0].prices), (PriceState::Dynamic, Prices::default()));
}

#[test]
fn what_a_local_engine_lists_is_free_confirmed_and_local() {
    let listed = Entry { locality: Some(Locality::Local), ..Entry::new("ollama", "qwen3-coder-next") };
    let (catalog, _) = build(vec![Catalog::bootstrap(), layer("ollama", Trust::OwnEngine, vec![listed])]);
    let offer = catalog.find("ollama", "qwen3-coder-next").unwrap();
    assert_eq!((offer.lifecycle, offer.price_state, offer.tier), (Lifecycle::Confirmed, PriceState::Free, Tier::Local));
    assert_eq!(catalog.find("ollama", "qwen3.6:27b").unwrap().lifecycle, Lifecycle::Provisional, "nobody listed it");
}

#[test]
fn a_curated_model_is_confirmed_at_every_provider_that_lists_it() {
    let list = ["anthropic/claude-opus-4.7", "someone/new"].map(|id| Entry::new("openrouter", id));
    let (catalog, _) = build(vec![Catalog::bootstrap(), layer("openrouter", Trust::ProviderList, list.to_vec())]);
    assert_eq!(catalog.find("openrouter", "anthropic/claude-opus-4.7").unwrap().lifecycle, Lifecycle::Confirmed);
    assert_eq!(catalog.find("openrouter", "someone/new").unwrap().lifecycle, Lifecycle::Provisional);
}

#[test]
fn bad_ids_are_left_out_and_absurd_numbers_count_as_unknown() {
    let absurd = Entry { context_tokens: Some(100_000_001), ..plain("one/pro", Tier::Pro, 3_000_000_000, 1) };
    let odd = Entry { strengths: Some(vec!["cooking".into(), "logic".into()]), ..plain("one/odd", Tier::Pro, 1, 1) };
    let (catalog, warnings) =
        build(vec![layer("l", Trust::Bootstrap, vec![absurd, odd, Entry::new("one", "a b"), Entry::new("one", &"x".repeat(201))])]);
    assert_eq!(catalog.offers().len(), 2);
    let offer = catalog.find("one", "pro").unwrap();
    assert_eq!((offer.context_tokens, offer.price_state), (None, PriceState::Unknown));
    assert_eq!(*catalog.find("one", "odd").unwrap().strengths, [Arc::from("logic")]);
    assert_eq!(warnings.len(), 5, "{warnings:?}");
}

#[test]
fn at_most_five_thousand_offers_are_kept_and_confirmed_ones_stay() {
    let mut entries: Vec<Entry> = (0..5003).map(|n| Entry::new("one", &format!("m-{n:05}"))).collect();
    entries[5002].lifecycle = Some(Lifecycle::Confirmed);
    let (catalog, warnings) = build(vec![layer("l", Trust::Bootstrap, entries)]);
    assert_eq!((catalog.offers().len(), warnings.len()), (5000, 1));
    assert!(catalog.find("one", "m-05002").is_some());
}

#[test]
fn a_snapshot_restores_the_same_catalog() {
    let (catalog, _) = build(vec![Catalog::bootstrap()]);
    let restored = Catalog::from_snapshot(&catalog.to_snapshot()).unwrap();
    assert_eq!(restored.to_snapshot(), catalog.to_snapshot());
    assert_eq!(restored.digest(), catalog.digest());
    assert_eq!(restored.confirmed().len(), catalog.confirmed().len());
}

#[test]
fn an_offer_is_found_by_the_providers_name_and_by_the_model_id() {
    let (catalog, _) = build(vec![Catalog::bootstrap()]);
    for native in ["claude-opus-4-7", "claude-opus-4.7", "anthropic/claude-opus-4.7"] {
        assert_eq!(catalog.find("anthropic", native).map(|offer| &*offer.id), Some("anthropic/claude-opus-4-7"), "{native}");
    }
    assert_eq!(catalog.find("anthropic", "claude-opus-4"), None);
    assert_eq!(catalog.find("google", "claude-opus-4.7"), None);
}

/// RT-14.
#[test]
fn rt_14_a_damaged_cache_is_recognised_and_a_good_one_comes_back() {
    let mut file = CacheFile::default();
    let source = CachedSource { fetched_at: Timestamp::from_millis(5), entries: vec![plain("groq/a", Tier::Pro, 1, 2)] };
    file.sources.insert("groq".into(), source);
    let bytes = file.render();
    assert_eq!(CacheFile::parse(&bytes).unwrap(), file);
    assert_eq!(file.layers()[0].trust, Trust::ProviderList);
    let future = String::from_utf8(bytes.clone()).unwrap().replace("\"x-vox-version\":1", "\"x-vox-version\":2");
    for bad in [&bytes[..bytes.len() / 2], b"", b"{}", b"[]", future.as_bytes()] {
        assert!(CacheFile::parse(bad).is_err());
    }
}

/// RT-06: every declared strength and every capability follows from some rule.
#[test]
fn rt_06_every_strength_and_capability_can_be_inferred() {
    use crate::contract::StrengthRule;
    let contract = Contract::builtin();
    let rules = contract.rules();
    let fitting = |rule: &StrengthRule| {
        let named = |name: &str| Entry::new("one", name);
        match rule {
            StrengthRule::Capability { r#match, .. } => Entry { capabilities: Some(r#match.iter().copied().collect()), ..named("x") },
            StrengthRule::Family { r#match, .. } => named(&format!("{}/x", r#match[0])),
            StrengthRule::NameWord { r#match, .. } => named(&format!("x-{}-9", r#match[0])),
            StrengthRule::Context { min_tokens, .. } => Entry { context_tokens: Some(*min_tokens), ..named("x") },
            StrengthRule::Tier { r#match, capability, .. } => {
                Entry { tier: Some(r#match[0]), capabilities: Some([*capability].into_iter().collect()), ..named("x") }
            }
            StrengthRule::Default { .. } => named("x"),
        }
    };
    let mut reached = std::collections::BTreeSet::new();
    for rule in &rules.strength_inference {
        let (catalog, _) = build(vec![layer("list", Trust::ProviderList, vec![fitting(rule)])]);
        let offer = &catalog.offers()[0];
        for strength in rule.strengths() {
            assert!(offer.strengths.iter().any(|tag| **tag == **strength), "{rule:?}: {:?}", offer.strengths);
            reached.insert(strength.clone());
        }
        let lines = why_strengths(&contract, offer);
        assert!(lines.iter().any(|reason| reason.strengths == rule.strengths()), "{rule:?}: {lines:?}");
    }
    assert_eq!(reached, rules.strengths.iter().cloned().collect());

    let inference = &rules.capability_inference;
    let all = [&inference.parameters, &inference.input, &inference.output].into_iter().flatten().map(|rule| rule.capability);
    assert_eq!(all.collect::<Capabilities>(), Capability::ALL.into_iter().collect());
    let words = |all: &[&str]| Some(all.iter().map(|word| (*word).to_owned()).collect());
    // A list that says only the first word of a rule, in the field that the rule reads, tells of that capability alone.
    type Telling = fn(Vec<String>) -> Entry;
    let telling: [(_, Telling); 3] = [
        (&inference.parameters, |words| Entry { supported_parameters: Some(words), ..Entry::new("one", "x") }),
        (&inference.input, |words| Entry { input_modalities: Some(words), ..Entry::new("one", "x") }),
        (&inference.output, |words| Entry { output_modalities: Some(words), ..Entry::new("one", "x") }),
    ];
    for (rules, entry) in telling {
        for rule in rules {
            let word = rule.r#match[0].replace('*', "_options");
            let (catalog, _) = build(vec![layer("list", Trust::ProviderList, vec![entry(vec![word])])]);
            assert_eq!(catalog.offers()[0].capabilities, Some([rule.capability].into_iter().collect()), "{rule:?}");
        }
    }
    let told = Entry { supported_parameters: words(&["web_search_options", "temperature"]), ..Entry::new("one", "x") };
    let (catalog, _) = build(vec![layer("list", Trust::ProviderList, vec![told.clone()])]);
    assert_eq!(catalog.offers()[0].capabilities, Some([Capability::WebSearch].into_iter().collect()));
    let stated = Entry { capabilities: Some(Capabilities::NONE), strengths: Some(vec!["review".into()]), ..told };
    let (catalog, _) = build(vec![layer("list", Trust::ProviderList, vec![stated])]);
    let offer = &catalog.offers()[0];
    assert_eq!(
        (offer.capabilities, &*offer.strengths),
        (Some(Capabilities::NONE), &[Arc::from("review")][..]),
        "what a source says counts"
    );
}

/// RT-20: the whole order, for one field after another.
#[test]
fn rt_20_override_beats_observed_beats_list_beats_overlay_beats_bootstrap() {
    let price = |input| Prices { input: Some(Micros::new(input)), output: Some(Micros::new(10)), ..Prices::default() };
    let stating = |input| Entry { prices: price(input), ..Entry::new("groq", "m-1") };
    let row = |input| OverlayRow {
        provider: "groq".into(),
        model_glob: "m-*".into(),
        prices: price(input),
        as_of: "2026-05".into(),
        source_note: "test".into(),
        origin: None,
    };
    let overlay = |rows: Vec<OverlayRow>| PriceOverlay { version: 1, prices: rows };
    let mut layers = Vec::new();
    let mut seen = Vec::new();
    let mut look = |layers: &[Layer], overlay: &PriceOverlay, observed: bool| {
        let (catalog, _) = Catalog::build(&Contract::builtin(), layers.to_vec(), overlay);
        let ratio = Observed { ratio_ppm: 2_000_000, confidence: PriceConfidence::High };
        let observed = if observed { [("groq/m-1".into(), ratio)].into() } else { std::collections::BTreeMap::new() };
        let catalog = catalog.observing(&Contract::builtin(), &observed);
        let offer = catalog.find("groq", "m-1").unwrap();
        seen.push((offer.provenance["prices.input"].to_string(), offer.expected_prices().input.unwrap().get()));
    };
    layers.push(layer("bootstrap", Trust::Bootstrap, vec![stating(1)]));
    look(&layers, &PriceOverlay::empty(), false);
    look(&layers, &overlay(vec![row(3)]), false);
    look(&layers, &overlay(vec![row(4)]).over(overlay(vec![row(3)]), "price-overlay.yaml"), false);
    layers.push(layer("groq", Trust::ProviderList, vec![stating(5)]));
    look(&layers, &overlay(vec![row(3)]), false);
    layers.push(layer("shed", Trust::OwnEngine, vec![stating(6)]));
    look(&layers, &overlay(vec![row(3)]), false);
    look(&layers, &overlay(vec![row(3)]), true);
    layers.push(layer("models.yaml", Trust::Override, vec![stating(7)]));
    look(&layers, &overlay(vec![row(3)]), true);
    let expected =
        [("bootstrap", 1), ("price_overlay", 3), ("price-overlay.yaml", 4), ("groq", 5), ("shed", 6), ("observed", 12), ("models.yaml", 7)];
    assert_eq!(seen, expected.map(|(source, price)| (source.to_owned(), price)));
}

#[test]
fn an_observed_price_moves_what_is_expected_and_never_lowers_a_bound() {
    let (catalog, _) = build(vec![layer("b", Trust::Bootstrap, vec![plain("one/pro", Tier::Pro, 1000, 2001)])]);
    let seen = |ratio_ppm| {
        let observed = [("one/pro".into(), Observed { ratio_ppm, confidence: PriceConfidence::Medium })].into();
        let offer = catalog.clone().observing(&Contract::builtin(), &observed).find("one", "pro").unwrap().clone();
        let price = |prices: Prices| (prices.input.unwrap().get(), prices.output.unwrap().get());
        (price(offer.prices), price(offer.expected_prices()), price(offer.bounding_prices()))
    };
    assert_eq!(seen(1_500_000), ((1000, 2001), (1500, 3002), (1500, 3002)));
    assert_eq!(seen(1_019_999), ((1000, 2001), (1000, 2001), (1000, 2001)), "too little to matter");
    assert_eq!(seen(500_000), ((1000, 2001), (500, 1001), (1000, 2001)));
    assert_eq!(seen(1_000_000_000), ((1000, 2001), (1000, 2001), (1000, 2001)), "a thousandfold price is a mistake");
    let restored = Catalog::from_snapshot(&catalog.to_snapshot()).unwrap();
    assert_eq!(restored.digest(), catalog.digest());
}

fn models(text: &str) -> Result<ModelsFile, vox_base::InvalidConfig> {
    ModelsFile::from_document(&vox_base::Document::parse("models.yaml", text).unwrap())
}

#[test]
fn an_override_reaches_all_offers_of_a_model_or_one_or_makes_a_new_one() {
    assert_eq!(models(ModelsFile::YAML), Ok(ModelsFile { version: 1, ..ModelsFile::default() }), "shipped empty");
    let file = models(
        "x-vox-version: 1\noverrides:\n  anthropic/claude-opus-4.7: { tier: pro }\n  openrouter/anthropic/claude-opus-4.7: { context_tokens: 9000 }\n  \
         shed/own: { strengths: [review], prices: { input: 5, output: 6 } }\n  nobody/x: { tier: pro }\n",
    )
    .unwrap();
    let list = layer("openrouter", Trust::ProviderList, vec![Entry::new("openrouter", "anthropic/claude-opus-4.7")]);
    let mut layers = vec![Catalog::bootstrap(), list];
    let (own, warnings) = file.layer(&layers, &|provider| provider == "shed");
    assert_eq!((warnings.len(), warnings[0].entry.as_str()), (1, "nobody/x"));
    layers.push(own);
    let (catalog, _) = build(layers);
    let offer = |provider, native| catalog.find(provider, native).unwrap();
    let (direct, routed) = (offer("anthropic", "claude-opus-4-7"), offer("openrouter", "anthropic/claude-opus-4.7"));
    assert_eq!((direct.tier, routed.tier), (Tier::Pro, Tier::Pro), "a model id reaches every offer of it");
    assert_eq!((direct.context_tokens, routed.context_tokens), (Some(1_000_000), Some(9000)), "an offer's id only that one");
    assert_eq!((&*direct.provenance["tier"], &*routed.provenance["context_tokens"]), (OVERRIDES, OVERRIDES));
    let new = offer("shed", "own");
    assert_eq!((new.price_state, new.lifecycle, &*new.strengths), (PriceState::Known, Lifecycle::Confirmed, &[Arc::from("review")][..]));
}

#[test]
fn rt_01_a_broken_models_file_names_file_line_and_key() {
    for (text, line, key) in [
        ("x-vox-version: 1\noverrides:\n  a/b:\n    cost: 3\n", 4, "overrides.a/b.cost"),
        ("x-vox-version: 1\noverrides:\n  a/b: { tier: best }\n", 3, "overrides.a/b.tier"),
        ("x-vox-version: 1\noverrides:\n  a/b: { prices: { input: -1, output: 1 } }\n", 2, "overrides"),
        ("x-vox-version: 2\n", 1, "x-vox-version"),
        ("x-vox-version: 1\nmodels: []\n", 2, "models"),
    ] {
        let error = models(text).unwrap_err();
        assert_eq!((error.file.as_str(), error.line, error.key.as_str()), ("models.yaml", line, key), "{error}");
    }
}
