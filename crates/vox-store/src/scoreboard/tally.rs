//! What one scan of calls, failures and outcomes adds up to, kept so that every grain and every window follows from it.
//!
//! The windows of a survey end at one moment, so each holds the shorter ones: what happened is counted in the *ring* of
//! the shortest window it is in, and a window is the sum of the rings up to its own. Percentiles stay exact: a tally
//! counts how often each value occurred, so it grows with the number of different values and not with that of calls.

use super::{Grain, Measured, Measurements, ScoreKey};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use vox_base::{NanoUsd, Timestamp};

/// The windows of a survey: where each begins, the shortest first, and where all end.
#[derive(Debug, Clone)]
pub(super) struct Rings {
    after: Vec<Timestamp>,
    until: Timestamp,
}

impl Rings {
    pub(super) fn new(mut after: Vec<Timestamp>, until: Timestamp) -> Self {
        after.sort_unstable_by(|a, b| b.cmp(a));
        after.dedup();
        Self { after, until }
    }

    /// Returns the ring of a moment; `None` outside of every window.
    pub(super) fn of(&self, at: Timestamp) -> Option<usize> {
        if at > self.until { None } else { self.after.iter().position(|after| at > *after) }
    }

    /// Returns how many rings the window that begins here is.
    pub(super) fn within(&self, after: Timestamp) -> usize {
        self.after.iter().take_while(|boundary| **boundary >= after).count()
    }
}

/// Names of lines with the numbers they are counted under.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<ScoreKey, usize>,
    keys: Vec<ScoreKey>,
    sought: ScoreKey,
}

impl Names {
    /// Returns the number of a line; only a name that is new is copied.
    pub(super) fn number(&mut self, [provider, model, task, caller]: [&str; 4]) -> usize {
        let write = |place: &mut String, name: &str| {
            place.clear();
            place.push_str(name);
        };
        write(&mut self.sought.provider, provider);
        write(&mut self.sought.model, model);
        write(&mut self.sought.task, task);
        write(&mut self.sought.caller, caller);
        if let Some(number) = self.numbers.get(&self.sought) {
            return *number;
        }
        let number = self.keys.len();
        self.numbers.insert(self.sought.clone(), number);
        self.keys.push(self.sought.clone());
        number
    }

    /// Returns for each number here the number of the same line there.
    fn translated(&self, to: &mut Self) -> Vec<usize> {
        self.keys.iter().map(|key| to.number([&key.provider, &key.model, &key.task, &key.caller])).collect()
    }
}

/// One call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) line: usize,
    pub(super) ring: usize,
    pub(super) cost: Option<i64>,
    pub(super) cache_savings: Option<i64>,
    pub(super) output_tokens: Option<i64>,
    pub(super) was_answered: bool,
    pub(super) latency_ms: Option<i64>,
    pub(super) ttft_ms: Option<i64>,
    pub(super) context_utilization_bp: Option<i64>,
}

/// One outcome that counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    /// Outcomes of one unit follow each other and have the same number, which means nothing outside its page.
    pub(super) unit: usize,
    pub(super) line: usize,
    pub(super) ring: usize,
    pub(super) success: bool,
    pub(super) weight_ppm: i64,
}

/// What was read at once.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) names: Names,
    pub(super) calls: Vec<Call>,
    /// Failed attempts by line and ring. Their lines name the provider's entry.
    pub(super) failures: Vec<(usize, usize)>,
    /// The name that statistics have for each provider's entry, in each ring.
    pub(super) canonical: BTreeMap<usize, BTreeMap<String, String>>,
    pub(super) outcomes: Vec<Outcome>,
}

/// Everything a survey has counted.
#[derive(Debug)]
pub(super) struct Tallies {
    rings: Rings,
    names: Names,
    /// By the number of a line, for each ring in which anything happened.
    lines: Vec<BTreeMap<usize, Tally>>,
    failures: BTreeMap<(usize, usize), i64>,
    canonical: BTreeMap<usize, BTreeMap<String, String>>,
    /// How many units have their outcomes in these lines and rings. A unit may be shared by several, and where they are
    /// put together it is still one.
    units: HashMap<Vec<(usize, usize)>, i64>,
}

impl Tallies {
    pub(super) fn new(rings: Rings) -> Self {
        let (names, lines, failures) = (Names::default(), Vec::new(), BTreeMap::new());
        Self { rings, names, lines, failures, canonical: BTreeMap::new(), units: HashMap::new() }
    }

    /// Takes in what was read at once.
    pub(super) fn absorb(&mut self, page: &Page) {
        let numbers = page.names.translated(&mut self.names);
        self.lines.resize_with(self.names.keys.len(), BTreeMap::new);
        for call in &page.calls {
            self.lines[numbers[call.line]].entry(call.ring).or_default().count(call);
        }
        for (line, ring) in &page.failures {
            *self.failures.entry((numbers[*line], *ring)).or_default() += 1;
        }
        for (ring, names) in &page.canonical {
            let known = self.canonical.entry(*ring).or_default();
            names.iter().for_each(|(entry, canonical)| know(known, entry, canonical));
        }
        for unit in page.outcomes.chunk_by(|one, next| one.unit == next.unit) {
            self.credit(unit, &numbers);
        }
    }

    fn credit(&mut self, unit: &[Outcome], numbers: &[usize]) {
        let mut places: Vec<(usize, usize)> = Vec::with_capacity(unit.len());
        for outcome in unit {
            let line = numbers[outcome.line];
            places.push((line, outcome.ring));
            let sums = &mut self.lines[line].entry(outcome.ring).or_default().sums;
            let weight = if outcome.success { &mut sums.success_w_ppm } else { &mut sums.fail_w_ppm };
            *weight += outcome.weight_ppm;
        }
        places.sort_unstable();
        places.dedup();
        *self.units.entry(places).or_default() += 1;
    }

    /// Returns the lines of a grain in the window that begins here.
    pub(super) fn lines(&self, grain: Grain, after: Timestamp) -> Measurements {
        let rings = self.rings.within(after);
        let mut lines: BTreeMap<ScoreKey, Tally> = BTreeMap::new();
        for (key, tallies) in self.names.keys.iter().zip(&self.lines) {
            for (_, tally) in tallies.range(..rings) {
                lines.entry(grain.of(key)).or_default().add(tally);
            }
        }
        let mut canonical = BTreeMap::new();
        for (_, names) in self.canonical.range(..rings) {
            names.iter().for_each(|(entry, name)| know(&mut canonical, entry, name));
        }
        for ((line, _), n) in self.failures.iter().filter(|((_, ring), _)| *ring < rings) {
            let mut key = self.names.keys[*line].clone();
            if let Some(name) = canonical.get(&key.provider) {
                key.provider.clone_from(name);
            }
            lines.entry(grain.of(&key)).or_default().sums.failed += n;
        }
        for (places, n) in &self.units {
            let within = places.iter().filter(|(_, ring)| *ring < rings);
            let keys: BTreeSet<ScoreKey> = within.map(|(line, _)| grain.of(&self.names.keys[*line])).collect();
            for key in keys {
                lines.entry(key).or_default().sums.n_units += n;
            }
        }
        lines.into_iter().map(|(key, tally)| (key, tally.measured())).collect()
    }
}

/// Notes the name of a provider's entry; of several the last in the order of bytes.
pub(super) fn know(names: &mut BTreeMap<String, String>, entry: &str, canonical: &str) {
    match names.get_mut(entry) {
        Some(known) if known.as_str() >= canonical => {}
        Some(known) => canonical.clone_into(known),
        None => drop(names.insert(entry.to_owned(), canonical.to_owned())),
    }
}

impl Grain {
    /// Returns the line of this grain in which that one is.
    fn of(self, key: &ScoreKey) -> ScoreKey {
        let name = |wanted: bool, name: &String| if wanted { name.clone() } else { "*".to_owned() };
        ScoreKey {
            provider: name(self.provider, &key.provider),
            model: name(self.model, &key.model),
            task: name(self.task, &key.task),
            caller: name(self.caller, &key.caller),
        }
    }
}

/// Sums, and how often each value occurred.
#[derive(Debug, Default)]
struct Tally {
    sums: Measured,
    latency_ms: Occurrences,
    ttft_ms: Occurrences,
    context_utilization_bp: Occurrences,
}

impl Tally {
    fn count(&mut self, call: &Call) {
        let sums = &mut self.sums;
        sums.n_calls += 1;
        sums.unpriced_calls += i64::from(call.cost.is_none());
        sums.answered += i64::from(call.was_answered);
        sums.cost = sum(sums.cost, call.cost.map(NanoUsd::new), NanoUsd::saturating_add);
        sums.cache_savings = sum(sums.cache_savings, call.cache_savings.map(NanoUsd::new), NanoUsd::saturating_add);
        sums.output_tokens = sum(sums.output_tokens, call.output_tokens, i64::saturating_add);
        self.latency_ms.count(call.latency_ms);
        self.ttft_ms.count(call.ttft_ms);
        self.context_utilization_bp.count(call.context_utilization_bp);
    }

    /// Adds everything but units and failures, which are not kept by line and ring.
    fn add(&mut self, other: &Self) {
        let (sums, more) = (&mut self.sums, &other.sums);
        sums.n_calls += more.n_calls;
        sums.unpriced_calls += more.unpriced_calls;
        sums.answered += more.answered;
        sums.success_w_ppm += more.success_w_ppm;
        sums.fail_w_ppm += more.fail_w_ppm;
        sums.cost = sum(sums.cost, more.cost, NanoUsd::saturating_add);
        sums.cache_savings = sum(sums.cache_savings, more.cache_savings, NanoUsd::saturating_add);
        sums.output_tokens = sum(sums.output_tokens, more.output_tokens, i64::saturating_add);
        self.latency_ms.add(&other.latency_ms);
        self.ttft_ms.add(&other.ttft_ms);
        self.context_utilization_bp.add(&other.context_utilization_bp);
    }

    fn measured(self) -> Measured {
        Measured {
            p50_latency_ms: self.latency_ms.at_percent(50),
            p99_latency_ms: self.latency_ms.at_percent(99),
            p50_ttft_ms: self.ttft_ms.at_percent(50),
            context_utilization_bp_p50: self.context_utilization_bp.at_percent(50),
            ..self.sums
        }
    }
}

/// Adds what is known; nothing known stays unknown.
fn sum<T>(one: Option<T>, other: Option<T>, add: fn(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(add(one, other)),
        (one, other) => one.or(other),
    }
}

/// How often each value occurred.
#[derive(Debug, Default)]
struct Occurrences {
    n: u64,
    values: BTreeMap<i64, u32>,
}

impl Occurrences {
    fn count(&mut self, value: Option<i64>) {
        if let Some(value) = value {
            self.n += 1;
            *self.values.entry(value).or_default() += 1;
        }
    }

    fn add(&mut self, other: &Self) {
        self.n += other.n;
        for (value, n) in &other.values {
            *self.values.entry(*value).or_default() += n;
        }
    }

    /// Returns the value at place ⌈n · percent / 100⌉ of the ascending list; `None` of an empty one.
    fn at_percent(&self, percent: u64) -> Option<i64> {
        let place = (self.n * percent).div_ceil(100);
        let mut passed = 0;
        let reached = self.values.iter().find(|(_, n)| {
            passed += u64::from(**n);
            passed >= place
        });
        reached.map(|(value, _)| *value)
    }
}
