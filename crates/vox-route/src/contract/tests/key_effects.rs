//! For every leaf key of the contract a fixture in which changing only that key changes what comes out.

use crate::catalog::{Catalog, Entry, Layer, Observed, PriceConfidence, PriceOverlay, Prices, Tier, Trust};
use crate::contract::{Contract, SourceRules};
use crate::evidence::{Evidence, Unit};
use crate::filling::{Filled, Fillings};
use crate::source::{ListMapping, Past, Reading, SourceKind, Subject, due, is_stale};
use crate::world::{NOW, World, entry, explicit, unit};
use crate::{Decision, Exploring, Features, Prefer, Wanted, decide, parse_name};
use std::collections::BTreeSet;
use vox_base::{Document, NanoUsd};

type Probe = Box<dyn Fn(&Contract) -> String>;

/// A key, another value for it, and what to look at.
struct Row(String, String, Probe);

fn row(key: impl Into<String>, value: impl Into<String>, probe: impl Fn(&Contract) -> String + 'static) -> Row {
    Row(key.into(), value.into(), Box::new(probe))
}

fn shown(decision: &Decision) -> String {
    let ranked: Vec<String> = decision.ranked.iter().map(|r| format!("{} {} {:?}", r.offer.id, r.j, r.terms)).collect();
    let refused: Vec<String> = decision.refused.iter().map(|r| format!("{} {}", r.offer.id, r.reason)).collect();
    format!("{:?} {} {ranked:?} {refused:?} {:?} {}", decision.mode, decision.task, decision.waived, decision.n_beyond)
}

/// Decides among one offer of each tier, each tagged with what the shipped task wants or with nothing.
fn scored(contract: &Contract, task: &str, complexity: u8, prefer: Prefer) -> String {
    let strength = Contract::builtin().task(task).unwrap().strength.clone();
    let mut world = World::tiers(contract.clone()).asked(task, complexity, prefer);
    world.entry("one/pro").strengths = Some(vec![strength]);
    world.entry("two/light").strengths = Some(vec!["visus".into(), "parsing".into()]);
    world.entry("two/light").context_tokens = Some(20_000);
    shown(&world.decide())
}

fn plain(contract: &Contract) -> String {
    scored(contract, "code_gen", 4, Prefer::None)
}

fn demanding(contract: &Contract) -> String {
    scored(contract, "code_gen", 8, Prefer::None)
}

/// Decides between this model, confirmed because a rule names it, and another one.
fn premium(contract: &Contract, task: &str, model_id: &str) -> String {
    let named = Entry {
        model_id: Some(model_id.into()),
        strengths: Some(vec!["generalist".into()]),
        ..entry("one/named", Tier::Pro, 9_000_000, 9_000_000)
    };
    let world = World::of(contract.clone(), vec![named, entry("two/cheap", Tier::Pro, 1000, 1000)]);
    shown(&world.asked(task, 9, Prefer::None).decide())
}

fn alias(contract: &Contract, name: &str) -> String {
    let shipped = Contract::builtin().rules().aliases[name].clone();
    let named = Entry { model_id: Some(shipped), ..entry("one/named", Tier::Pro, 1000, 1000) };
    let mut world = World::of(contract.clone(), vec![named]);
    world.ask.wanted = Wanted::Alias(name.into());
    shown(&world.decide())
}

/// Decides where only the number of the offers of `provider` and two equals matter.
fn fallback(contract: &Contract, provider: &str) -> String {
    let next = Contract::builtin().rules().fallback_graph[provider][0].clone();
    let equal = |provider: &str| entry(&format!("{provider}/same"), Tier::Pro, 1000, 1000);
    let mut world = World::of(contract.clone(), vec![equal(provider), equal("aaa"), equal(&next)]);
    world.ask.wanted = explicit(&format!("{provider}/same"));
    world.ask.fallback = true;
    shown(&world.decide())
}

fn with(contract: &Contract, change: impl Fn(&mut World)) -> String {
    let mut world = World::tiers(contract.clone());
    change(&mut world);
    shown(&world.decide())
}

/// When a list of each age is fetched, within which limits, and whether it counts as stale.
fn schedule(rules: &SourceRules, force_min_s: u32) -> String {
    let past = |age_s: i64| Past { fetched_at: Some(NOW.plus_millis(-age_s * 1000)), seed: 7, ..Past::default() };
    let fetched_at = NOW.plus_millis(-150_000_000);
    format!(
        "{:?} {:?} {:?} {}",
        due("one", rules, &Past::default(), None, NOW),
        due("one", rules, &past(10), None, NOW),
        due("one", rules, &past(10), Some(force_min_s), NOW),
        is_stale(rules, fetched_at, NOW)
    )
}

/// Reads a list of two pages, and an Ollama model that says nothing but how long it was made.
fn readings(contract: &Contract) -> String {
    let discovery = &contract.rules().discovery;
    let subject = |kind, path: &str| Subject {
        provider: "one".into(),
        kind,
        local: true,
        mapping: ListMapping::default(),
        path: path.into(),
        max_pages: discovery.max_pages,
        ollama_num_ctx_cap: discovery.ollama_num_ctx_cap,
        at: NOW,
    };
    let mut paged = Reading::new(subject(SourceKind::Anthropic, "/models"));
    let page = paged.take(br#"{"data":[],"has_more":true,"last_id":"a"}"#);
    let mut ollama = Reading::new(subject(SourceKind::Ollama, "/api/tags"));
    let show = br#"{"model_info":{"general.architecture":"x","x.context_length":99999}}"#;
    for body in [&br#"{"models":[{"name":"m"}]}"#[..], br#"{"models":[]}"#, show] {
        ollama.take(body).unwrap();
    }
    format!("{page:?} {:?}", ollama.finish().unwrap().entries[0].context_effective_tokens)
}

/// What follows from three calls that fill a small context.
fn escalations(contract: &Contract) -> String {
    let rules = &contract.rules().context;
    let offer = crate::OfferKey { provider: "one".into(), model_id: "small".into() };
    let mut fillings = Fillings::default();
    for at in 0..3 {
        let at = NOW.plus_millis(at);
        let call = Filled { offer: offer.clone(), context_tokens: 30_000, used_bp: 8100, task: "review".into(), caller: None, at };
        fillings.observe(rules, &call);
    }
    format!("{:?}", fillings.escalations(rules, NOW.plus_millis(2)))
}

fn task_rows(rows: &mut Vec<Row>) {
    let contract = Contract::builtin();
    for (name, task) in contract.rules().tasks.clone() {
        let probe = {
            let name = name.clone();
            move |contract: &Contract| scored(contract, &name, 8, Prefer::None)
        };
        let mut add = |field: &str, value: String| rows.push(row(format!("tasks.{name}.{field}"), value, probe.clone()));
        add("strength", "security".into());
        add("preferred_tier", if task.preferred_tier == Tier::Elite { "light" } else { "elite" }.into());
        add("context_floor_tokens", "300000".into());
        add("failure_cost_micros", (task.failure_cost_micros + 1000).to_string());
        add("expected_output_tokens", (task.expected_output_tokens + 100).to_string());
        add("latency_slo_ms", "1000".into());
        add("wait_micros_per_slo", (task.wait_micros_per_slo + 1000).to_string());
        // A task without a premium key gets one, the others lose theirs.
        let (value, key) = match &task.premium_key {
            Some(key) => ("null", key.clone()),
            None => ("logic", "logic".into()),
        };
        let model_id = contract.rules().premium_alias[&key].clone();
        rows.push(row(format!("tasks.{name}.premium_key"), value, move |contract: &Contract| premium(contract, &name, &model_id)));
    }
}

fn scoring_rows(rows: &mut Vec<Row>) {
    for field in ["efficiency", "precision", "latency", "availability"] {
        rows.push(row(format!("scoring.weights.{field}"), "7", plain));
        for (preset, prefer) in [("cost_first", Prefer::Cost), ("quality_first", Prefer::Quality), ("fast", Prefer::Speed)] {
            rows.push(row(format!("scoring.presets.{preset}.{field}"), "7", move |c: &Contract| scored(c, "code_gen", 4, prefer.clone())));
        }
    }
    rows.push(row("scoring.latency_bands.excellent_ms", "600", plain));
    rows.push(row("scoring.latency_bands.poor_ms", "9000", plain));
    rows.push(row("scoring.failover_cost_micros", "3000", plain));
    rows.push(row("scoring.success_floor_ppm", "500000", |c: &Contract| scored(c, "general", 6, Prefer::None)));
    rows.push(row("scoring.unknown_price_quantile_ppm", "100000", plain));
    rows.push(row("scoring.premium_min_complexity", "10", |c: &Contract| premium(c, "code_gen", "anthropic/claude-opus-4.7")));
    for (tier, elsewhere) in [("unknown", "1"), ("local", "2"), ("light", "3"), ("pro", "4"), ("elite", "5")] {
        rows.push(row(format!("priors.tier_success_ppm.{tier}"), format!("70{elsewhere}000"), |c: &Contract| {
            scored(c, "parsing", 4, Prefer::None)
        }));
        rows.push(row(format!("priors.complexity_slope_ppm.{tier}"), "-1000", |c: &Contract| scored(c, "parsing", 4, Prefer::None)));
    }
    rows.push(row("priors.strength_match_ppm", "50000", plain));
    rows.push(row("priors.strength_waived_ppm", "-90000", |c: &Contract| with(c, only_strange)));
    rows.push(row("priors.tier_shortfall_ppm", "-40000", plain));
    rows.push(row("priors.availability_ppm", "980000", plain));
}

/// Leaves one offer that has another strength than any task asked for here.
fn only_strange(world: &mut World) {
    world.entries.retain(|entry| entry.native_id == "pro");
    world.entry("one/pro").strengths = Some(vec!["visus".into()]);
}

fn rule_rows(rows: &mut Vec<Row>) {
    let names = |c: &Contract| format!("{:?}", parse_name("vox/auto:x", &|_| false, c, &World::tiers(c.clone()).catalog()));
    let shipped = Contract::builtin().rules().clone();
    let mut turned = shipped.task_categories.clone();
    turned.reverse();
    rows.push(row("x-vox-version", "2", plain));
    rows.push(row("tiers", "[unknown, local, pro, light, elite]", demanding));
    rows.push(row("strengths", "{ add: [cooking] }", |c: &Contract| warnings(c, "cooking")));
    rows.push(row("task_categories", format!("[{}]", turned.join(", ")), names));
    rows.push(row("default_task", "parsing", |c: &Contract| with(c, |_| {})));
    rows.push(row("complexity.min", "2", |c: &Contract| format!("{:?}", c.complexity(Some(1), 0))));
    rows.push(row("complexity.max", "9", |c: &Contract| format!("{:?}", c.complexity(Some(99), 0))));
    rows.push(row("complexity.default", "5", |c: &Contract| format!("{:?}", c.complexity(None, 0))));
    rows.push(row("complexity.tool_hint_floor.min_tools", "3", |c: &Contract| format!("{:?}", c.complexity(None, 2))));
    rows.push(row("complexity.tool_hint_floor.complexity", "8", |c: &Contract| format!("{:?}", c.complexity(None, 2))));
    rows.push(row("complexity.tier_floors", "[]", demanding));
    classification_rows(rows);
    rows.push(row("context.output_reserve_tokens", "199500", plain));
    rows.push(row("context.ladder_tokens", "[40000]", escalations));
    rows.push(row("context.escalate.utilisation_bp", "8100", escalations));
    rows.push(row("context.escalate.times", "4", escalations));
    rows.push(row("context.escalate.window_s", "7200", escalations));
    rows.push(row("penalties.abstain_confidence_ppm", "490000", |c: &Contract| format!("{:?}", c.penalty_until(490_000, NOW))));
    rows.push(row("penalties.ttl_s", "60", |c: &Contract| format!("{:?}", c.penalty_until(0, NOW))));
    rows.push(row("waiver_order", "[]", |c: &Contract| with(c, only_strange)));
    rows.push(row("retired_ids", "[one/pro]", plain));
    rows.push(row("prefer", "speed", |c: &Contract| with(c, |_| {})));
    rows.push(row("economy_ceiling_micros_per_mtok", "100", |c: &Contract| scored(c, "code_gen", 4, Prefer::Cost)));
    rows.push(row("safety.max_cost_micros_per_request", "100", plain));
    rows.push(row("admission.mode", "all", |c: &Contract| with(c, |world| world.entry("one/pro").lifecycle = None)));
    rows.push(row("admission.max_candidates", "2", plain));
    rows.push(row("policy.default_profile", "restricted", plain));
    for profile in ["balanced", "restricted"] {
        for field in ["provider_network", "local_model_http"] {
            let value = if profile == "balanced" { "false" } else { "true" };
            rows.push(row(format!("policy.profiles.{profile}.{field}"), value, move |c: &Contract| {
                with(c, |world| world.ask.profile = Some(profile.into()))
            }));
        }
    }
    for (name, task) in
        shipped.premium_alias.keys().map(|key| (key, shipped.tasks.iter().find(|(_, task)| task.premium_key.as_ref() == Some(key))))
    {
        let (task, model_id) = (task.expect("a task uses the key").0.clone(), shipped.premium_alias[name].clone());
        rows.push(row(format!("premium_alias.{name}"), "some/other", move |c: &Contract| premium(c, &task, &model_id)));
    }
    for name in shipped.aliases.into_keys() {
        rows.push(row(format!("aliases.{name}"), "some/other", move |c: &Contract| alias(c, &name)));
    }
    for provider in shipped.fallback_graph.into_keys() {
        rows.push(row(format!("fallback_graph.{provider}"), "[]", move |c: &Contract| fallback(c, &provider)));
    }
}

fn classification_rows(rows: &mut Vec<Row>) {
    let said = |c: &Contract, user_text: &str| c.classifier().classify(&Features { user_text, n_messages: 1, ..Features::default() });
    rows.push(row("classification.min_weight", "9", move |c: &Contract| format!("{:?}", said(c, "review my branch").task)));
    rows.push(row("classification.rules", "[]", move |c: &Contract| format!("{:?}", said(c, "review my branch"))));
    rows.push(row("classification.foreign_tags", "[]", move |c: &Contract| {
        format!("{:?}", said(c, "<system-reminder>review my branch</system-reminder> hello"))
    }));
    rows.push(row("classification.session_margin", "0.1", move |c: &Contract| {
        format!("{}", c.leads(&said(c, "explain what you should add"), "code_gen"))
    }));
    rows.push(row("classification.research_tools", "[]", |c: &Contract| format!("{:?}", c.task_of_tools(&["web_search".into()]))));
}

fn discovery_rows(rows: &mut Vec<Row>) {
    type Rules = fn(&Contract) -> &SourceRules;
    let sources: [(&str, Rules); 6] = [
        ("openrouter", |c| c.rules().discovery.rules(SourceKind::Openrouter, false)),
        ("openai_compatible", |c| c.rules().discovery.rules(SourceKind::OpenaiCompatible, false)),
        ("anthropic", |c| c.rules().discovery.rules(SourceKind::Anthropic, false)),
        ("google", |c| c.rules().discovery.rules(SourceKind::Google, false)),
        ("ollama", |c| c.rules().discovery.rules(SourceKind::Ollama, true)),
        ("local", |c| c.rules().discovery.rules(SourceKind::OpenaiCompatible, true)),
    ];
    rows.push(row("discovery.force_min_s", "60", |c: &Contract| {
        schedule(&c.rules().discovery.openrouter, c.rules().discovery.force_min_s)
    }));
    rows.push(row("discovery.max_pages", "1", readings));
    rows.push(row("discovery.ollama_num_ctx_cap", "65536", readings));
    for (name, rules) in sources {
        let shipped = rules(&Contract::builtin()).clone();
        let mut add = |field: &str, value: String| {
            rows.push(row(format!("discovery.{name}.{field}"), value, move |c: &Contract| schedule(rules(c), 30)));
        };
        add("enabled", "false".into());
        add("ttl_s", "100000".into());
        add("min_refresh_s", "90000".into());
        add("jitter_ms", (shipped.jitter_ms + 50_000).to_string());
        add("max_age_s", if shipped.max_age_s > 150_000 { "140000" } else { "160000" }.into());
        add("timeout_ms", "1234".into());
        add("max_body_bytes", "65536".into());
    }
}

/// What is inferred about two models of which a list says a little.
fn inferred(contract: &Contract) -> String {
    let words = |all: &[&str]| Some(all.iter().map(|word| (*word).to_owned()).collect());
    let told = Entry {
        supported_parameters: words(&["tools"]),
        input_modalities: words(&["image"]),
        output_modalities: words(&["audio"]),
        ..entry("one/qwen-coder", Tier::Pro, 1, 1)
    };
    let layer = Layer { source: "test".into(), trust: Trust::Bootstrap, entries: vec![told, entry("one/x", Tier::Pro, 1, 1)] };
    let (catalog, _) = Catalog::build(contract, vec![layer], &PriceOverlay::empty());
    catalog.offers().iter().map(|offer| format!("{:?} {:?}; ", offer.strengths, offer.capabilities)).collect()
}

/// The price expected of an offer that was seen to charge a tenth more.
fn observed(contract: &Contract) -> String {
    let seen = Observed { ratio_ppm: 1_100_000, confidence: PriceConfidence::High };
    let catalog = World::tiers(contract.clone()).catalog().observing(contract, &[("one/pro".into(), seen)].into());
    format!("{:?}", catalog.find("one", "pro").unwrap().expected_prices())
}

fn inference_rows(rows: &mut Vec<Row>) {
    rows.push(row("pricing.ignore_below_ppm", "200000", observed));
    let sure = |n| move |c: &Contract| format!("{:?}", PriceConfidence::of(&c.rules().pricing, n, n));
    rows.push(row("pricing.medium_min_calls", "21", sure(20)));
    rows.push(row("pricing.high_min_calls", "101", sure(100)));
    rows.push(row("strength_inference", "[{ kind: default, strengths: [review] }]", inferred));
    for list in ["parameters", "input", "output"] {
        rows.push(row(format!("capability_inference.{list}"), "[]", inferred));
    }
}

fn warnings(contract: &Contract, strength: &str) -> String {
    let tagged = Entry { strengths: Some(vec![strength.into()]), prices: Prices::default(), ..entry("one/pro", Tier::Pro, 0, 0) };
    let layer = Layer { source: "test".into(), trust: Trust::Bootstrap, entries: vec![tagged] };
    format!("{:?}", Catalog::build(contract, vec![layer], &PriceOverlay::empty()).1)
}

/// Decides where three offers have units of their own, of other tasks, and of one caller.
fn with_evidence(contract: &Contract) -> String {
    let mut world = World::tiers(contract.clone()).asked("general", 5, Prefer::None);
    world.ask.caller = Some("key".into());
    let rules = &contract.rules().evidence;
    let mut evidence = Evidence::default();
    for (n, id, task, caller) in [
        (40, "one/pro", "general", Some("key")),
        (40, "two/light", "general", None),
        (20, "one/elite", "review", None),
        (20, "one/elite", "parsing", None),
    ] {
        (0..n).for_each(|at| evidence.observe(rules, &unit(id, task, caller, at % 4 != 0, NOW.plus_millis(i64::from(at) - 86_400_000))));
    }
    world.standings = evidence.standings(rules, NOW);
    shown(&world.decide())
}

/// Observes a long run of successes, and then as many failures as it takes.
fn drifting(contract: &Contract) -> String {
    let rules = &contract.rules().evidence;
    let units: Vec<Unit> = (0..70).map(|at| unit("one/pro", "general", None, at < 40 || at % 4 == 0, NOW)).collect();
    format!("{:?}", Evidence::from_units(rules, &units).standings(rules, NOW))
}

fn evidence_rows(rows: &mut Vec<Row>) {
    for (key, value) in [
        ("priors.pseudo_counts.global", "20"),
        ("priors.pseudo_counts.task", "16"),
        ("priors.pseudo_counts.caller", "12"),
        ("evidence.min_units", "41"),
        ("evidence.forget_per_unit_ppm", "990000"),
        ("evidence.half_life_days", "1"),
    ] {
        rows.push(row(key, value, with_evidence));
    }
    rows.push(row("complexity.evidence_lift_ppm", "10000", |c: &Contract| {
        let mut world = World::tiers(c.clone()).asked("general", 8, Prefer::None);
        let units: Vec<Unit> = (0..40).map(|at| unit("two/light", "general", None, at % 2 == 0, NOW)).collect();
        world.standings = Evidence::from_units(&c.rules().evidence, &units).standings(&c.rules().evidence, NOW);
        shown(&world.decide())
    }));
    rows.push(row("evidence.drift.slack_ppm", "700000", drifting));
    rows.push(row("evidence.drift.alarm_milli", "50000", drifting));
    rows.push(row("evidence.drift.keep_ppm", "500000", drifting));
}

/// Decides for twenty seeds with something to learn.
fn explored(contract: &Contract, change: impl Fn(&mut World)) -> String {
    let mut world = World::tiers(contract.clone()).asked("parsing", 8, Prefer::None);
    let units: Vec<Unit> = (0..4).map(|at| unit("one/pro", "parsing", None, at != 1, NOW)).collect();
    world.standings = Evidence::from_units(&contract.rules().evidence, &units).standings(&contract.rules().evidence, NOW);
    world.ask.exploring = Some(Exploring { leaders: NanoUsd::new(100_000_000), ..Exploring::default() });
    change(&mut world);
    let chance = |seed| {
        let decision = decide(contract, &world.catalog(), &world.board(), &world.ask, NOW, seed);
        format!("{} {:?}", decision.epsilon_ppm, decision.ranked.iter().map(|ranked| ranked.propensity_ppb).collect::<Vec<_>>())
    };
    (0..20).map(chance).collect()
}

/// Decides between a premium alias and a challenger of which forty units are known.
fn challenged(contract: &Contract, price: i64, n_bad: u32) -> String {
    let alias = Entry { model_id: Some("anthropic/claude-opus-4.7".into()), ..entry("one/opus", Tier::Elite, 1_000_000, 1_000_000) };
    let entries = vec![alias, entry("two/other", Tier::Elite, price, price)];
    let mut world = World::of(contract.clone(), entries).asked("code_gen", 9, Prefer::None);
    let rules = &contract.rules().evidence;
    let units: Vec<Unit> = (0..40).map(|at| unit("two/other", "code_gen", None, at >= n_bad, NOW)).collect();
    world.standings = Evidence::from_units(rules, &units).standings(rules, NOW);
    format!("{:?} ", world.decide().mode)
}

fn exploration_rows(rows: &mut Vec<Row>) {
    for (key, value) in [
        ("enabled", "false"),
        ("epsilon_ceiling_ppm", "20000"),
        ("min_units_per_arm", "10"),
        ("novel_bonus_ppm", "100000"),
        ("draws", "128"),
        ("max_concurrent", "0"),
        ("budget_micros_per_day", "0"),
        ("max_complexity", "7"),
    ] {
        rows.push(row(format!("exploration.{key}"), value, |c: &Contract| explored(c, |_| {})));
    }
    rows.push(row("exploration.epsilon_floor_ppm", "110000", |c: &Contract| {
        explored(c, |world| {
            let units = ["one/pro", "one/elite", "new/beta"]
                .into_iter()
                .flat_map(|id| (0..60).map(move |_| unit(id, "parsing", None, id == "one/pro", NOW)));
            let units: Vec<Unit> = units.collect();
            world.ask.exploring = Some(Exploring { leaders: NanoUsd::new(1_000_000_000_000_000), ..Exploring::default() });
            world.standings = Evidence::from_units(&c.rules().evidence, &units).standings(&c.rules().evidence, NOW);
        })
    }));
    rows.push(row("exploration.loss_allowance_ppm", "900000", |c: &Contract| {
        explored(c, |world| {
            let spent = Exploring { debt: NanoUsd::new(150_000_000), leaders: NanoUsd::new(200_000_000), ..Exploring::default() };
            world.ask.exploring = Some(spent);
        })
    }));
    rows.push(row("scoring.switch_confidence_ppm", "990000", |c: &Contract| {
        (1..10).flat_map(|price| [0, 2, 4, 8].map(|n_bad| challenged(c, price * 100_000, n_bad))).collect()
    }));
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    task_rows(&mut rows);
    scoring_rows(&mut rows);
    rule_rows(&mut rows);
    evidence_rows(&mut rows);
    inference_rows(&mut rows);
    exploration_rows(&mut rows);
    discovery_rows(&mut rows);
    rows
}

fn changed(key: &str, value: &str) -> Document {
    let segments: Vec<&str> = key.split('.').collect();
    let mut text = String::new();
    for (depth, segment) in segments.iter().enumerate() {
        let last = depth + 1 == segments.len();
        text += &format!("{}{segment}:{}\n", "  ".repeat(depth), if last { format!(" {value}") } else { String::new() });
    }
    Contract::document().overlaid(Document::parse("routing.yaml", &text).unwrap())
}

/// RT-02.
#[test]
fn every_key_has_a_row() {
    let mut keys = BTreeSet::new();
    Contract::document().root().leaves("", &mut |key, _| {
        keys.insert(key);
    });
    let proven: BTreeSet<String> = rows().into_iter().map(|Row(key, ..)| key).collect();
    assert_eq!(keys, proven);
}

/// RT-02.
#[test]
fn every_key_changes_what_comes_out() {
    let shipped = Contract::builtin();
    for Row(key, value, probe) in rows() {
        let after = match Contract::from_document(&changed(&key, &value)) {
            Ok(contract) => probe(&contract),
            Err(error) if key == "x-vox-version" => error.to_string(),
            Err(error) => panic!("{key}: {value} is refused: {error}"),
        };
        assert_ne!(probe(&shipped), after, "{key}: {value}");
    }
}
