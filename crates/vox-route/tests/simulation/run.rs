//! One run: requests one after another, decided by what earlier outcomes say.

use crate::world::{Change, Random, Shape, World};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use vox_base::{Document, Micros, Timestamp};
use vox_route::board::BoardState;
use vox_route::catalog::PriceOverlay;
use vox_route::decide::Account;
use vox_route::evidence::{Evidence, OfferKey, Unit};
use vox_route::{Ask, Board, Catalog, Contract, Entry, Layer, Lifecycle, Prices, ProviderState, Tier, Trust, Wanted, decide};

pub(crate) const REQUESTS: usize = 6000;
const TASKS: [&str; 3] = ["code_gen", "review", "parsing"];
const SEEDS: u64 = 40;
const BEGIN: Timestamp = Timestamp::from_millis(1_795_000_000_000);
/// Seven hundred and twenty requests a day.
const BETWEEN_MS: i64 = 120_000;
/// Outcomes are known a few requests later; then a board is published.
const PUBLISHED_EVERY: usize = 5;

/// What came of one run, request by request.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) ratio: Vec<f64>,
    pub(crate) cost: Vec<f64>,
    pub(crate) best_cost: Vec<f64>,
    pub(crate) charge: Vec<f64>,
    pub(crate) success: Vec<f64>,
    /// Success and charge of the one offer that succeeds most over all tasks, called for every request.
    pub(crate) single: (f64, f64),
}

/// Returns the runs of a world for every seed, on two threads.
pub(crate) fn runs(shape: &Shape) -> Vec<Run> {
    let first: u64 = std::env::var("VOX_SIMULATION_FIRST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let half = |from: u64| (from..from + SEEDS / 2).map(|seed| run(shape, seed)).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| half(first + SEEDS / 2));
        half(first).into_iter().chain(other.join().unwrap()).collect()
    })
}

struct Tools {
    contract: Contract,
    providers: BTreeMap<Arc<str>, ProviderState>,
}

fn run(shape: &Shape, seed: u64) -> Run {
    let mut random = Random(seed.wrapping_mul(0x1234_5678_9abc_def1));
    let mut world = World::new(shape, &mut random);
    let tools = Tools { contract: contract(shape), providers: [("p".into(), ProviderState::ready("openai"))].into() };
    let rules = &tools.contract.rules().evidence.clone();
    let mut catalog = catalog(&tools.contract, &world.price_micros);
    let places: HashMap<Arc<str>, usize> = (0..shape.n_offers).map(|at| (name(at).into(), at)).collect();
    let (mut evidence, mut account, mut outcomes) = (Evidence::default(), Account::default(), Vec::new());
    let mut board = tools.board(&evidence, BEGIN);
    let mut run = Run::default();
    let mut used = vec![[0_u32; 3]; shape.n_offers];
    for at in 0..REQUESTS {
        if at == REQUESTS / 2 {
            match shape.change {
                Change::Regression(factor) => (0..3).for_each(|task| {
                    let most = (0..shape.n_offers).max_by_key(|offer| used[*offer][task]).unwrap();
                    world.regress(most, task, factor);
                }),
                Change::PriceCut => {
                    *world.price_micros.last_mut().unwrap() /= 10;
                    catalog = self::catalog(&tools.contract, &world.price_micros);
                }
                _ => {}
            }
        }
        if let Change::Walk(deviation) = shape.change {
            world.walk(deviation, &mut random);
        }
        let now = BEGIN.plus_millis(BETWEEN_MS * at as i64);
        if at % PUBLISHED_EVERY == 0 && !outcomes.is_empty() {
            outcomes.drain(..).for_each(|unit: Unit| evidence.observe(rules, &unit));
            board = tools.board(&evidence, now);
        }
        let task = random.next() as usize % 3;
        let mut ask = Ask::new(&tools.contract, Wanted::Auto { task: Some(TASKS[task].into()) });
        ask.complexity = 5;
        ask.exploring = shape.explore.then(|| account.state(now));
        let decision = decide(&tools.contract, &catalog, &board, &ask, now, random.next());
        account.decided(&decision, now);
        account.ended();
        let pick = decision.pick().unwrap();
        let offer = places[&pick.offer.native_id];
        let success = random.share() < world.success(offer, task);
        outcomes.push(Unit {
            offer: OfferKey { provider: "p".into(), model_id: pick.offer.model_id.clone() },
            task: TASKS[task].into(),
            caller: None,
            success,
            weight_ppm: 1_000_000,
            at: now,
        });
        used[offer][task] += 1;
        let cost = |offer: usize| tools.cost(shape, &world, offer, task);
        let best = (0..shape.n_offers).map(cost).fold(f64::INFINITY, f64::min);
        run.ratio.push(cost(offer) / best);
        run.cost.push(cost(offer));
        run.best_cost.push(best);
        run.charge.push(world.price_micros[offer] as f64);
        run.success.push(f64::from(u8::from(success)));
    }
    let of_all = |offer: usize| (0..3).map(|task| world.success(offer, task)).sum::<f64>() / 3.0;
    let single = (0..shape.n_offers).max_by(|a, b| of_all(*a).total_cmp(&of_all(*b))).unwrap();
    run.single = (of_all(single), world.price_micros[single] as f64);
    run
}

impl Tools {
    fn board(&self, evidence: &Evidence, now: Timestamp) -> Board {
        let standings = evidence.standings(&self.contract.rules().evidence, now);
        Board::of(BoardState { providers: self.providers.clone(), standings, ..BoardState::default() })
    }

    /// Returns the true expected cost until a success, in micro-USD, with the contract's weights.
    fn cost(&self, shape: &Shape, world: &World, offer: usize, task: usize) -> f64 {
        let weights = self.contract.rules().scoring.weights;
        let weight = |weight: u32| 4.0 * f64::from(weight) / f64::from(weights.sum());
        let success = world.success(offer, task);
        let charge = weight(weights.efficiency) * world.price_micros[offer] as f64;
        (charge + weight(weights.precision) * (1.0 - success) * shape.failure_micros as f64) / success
    }
}

fn name(at: usize) -> String {
    format!("m{at:02}")
}

/// Returns the shipped contract with this world's priors and cost of failing, and nothing but charge and failing.
fn contract(shape: &Shape) -> Contract {
    let (low, high) = shape.prior;
    let prior = |step: f64| ((low + (high - low) * step / 4.0) * 1e6).round();
    let mut text = format!(
        "priors:\n  tier_success_ppm: {{ unknown: {}, local: {}, light: {}, pro: {}, elite: {} }}\n",
        prior(0.0),
        prior(1.0),
        prior(2.0),
        prior(3.0),
        prior(4.0)
    );
    text += "scoring:\n  failover_cost_micros: 0\ntasks:\n";
    for task in TASKS {
        text += &format!(
            "  {task}: {{ preferred_tier: unknown, context_floor_tokens: 0, wait_micros_per_slo: 0, failure_cost_micros: {} }}\n",
            shape.failure_micros
        );
    }
    Contract::from_document(&Contract::document().overlaid(Document::parse("world.yaml", &text).unwrap())).unwrap()
}

fn catalog(contract: &Contract, price_micros: &[i64]) -> Catalog {
    let entries = price_micros.iter().enumerate().map(|(at, price)| Entry {
        tier: Some(Tier::ALL[at * 5 / price_micros.len()]),
        prices: Prices {
            input: Some(Micros::new(0)),
            output: Some(Micros::new(0)),
            request: Some(Micros::new(*price)),
            ..Prices::default()
        },
        lifecycle: Some(Lifecycle::Confirmed),
        context_tokens: Some(1_000_000),
        // Nothing is known of what they are good at; inference would tell them by their context.
        strengths: Some(vec!["generalist".into()]),
        ..Entry::new("p", &name(at))
    });
    let layer = Layer { source: "world".into(), trust: Trust::Bootstrap, entries: entries.collect() };
    Catalog::build(contract, vec![layer], &PriceOverlay::empty()).0
}
