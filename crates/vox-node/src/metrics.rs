//! The gateway's numbers, counted in memory and written as Prometheus text. Labels are closed sets: no key, session,
//! trace or model name is ever one.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use vox_base::{CostSource, NanoUsd, Usage};

/// Upper bounds of the time histograms, in microseconds.
const BOUNDS_US: [u64; 12] = [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000, 10_000_000];

/// The gateway's numbers.
#[derive(Default)]
pub struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    attempts: Mutex<BTreeMap<(String, &'static str), u64>>,
    overhead: Histogram,
    first_token: Histogram,
    in_flight: AtomicI64,
    tokens: [AtomicU64; 6],
    cost_nano_usd: Mutex<BTreeMap<CostSource, i64>>,
    unpriced: AtomicU64,
}

#[derive(Default)]
struct Histogram {
    buckets: [AtomicU64; BOUNDS_US.len()],
    sum_us: AtomicU64,
    count: AtomicU64,
}

impl Histogram {
    fn record(&self, value: Duration) {
        let micros = u64::try_from(value.as_micros()).unwrap_or(u64::MAX);
        if let Some(at) = BOUNDS_US.iter().position(|bound| micros <= *bound) {
            self.buckets[at].fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(micros, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    fn render(&self, name: &str, text: &mut String) {
        let _ = writeln!(text, "# TYPE {name} histogram");
        let mut below = 0;
        for (bound, bucket) in BOUNDS_US.iter().zip(&self.buckets) {
            below += bucket.load(Ordering::Relaxed);
            let _ = writeln!(text, "{name}_bucket{{le=\"{}\"}} {below}", seconds(*bound));
        }
        let count = self.count.load(Ordering::Relaxed);
        let _ = writeln!(
            text,
            "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {}\n{name}_count {count}",
            seconds(self.sum_us.load(Ordering::Relaxed))
        );
    }
}

fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// The end of one call, as the numbers see it.
pub(crate) struct Ended<'a> {
    pub(crate) endpoint: &'static str,
    pub(crate) outcome: &'static str,
    pub(crate) overhead: Duration,
    pub(crate) first_token: Option<Duration>,
    pub(crate) usage: &'a Usage,
    pub(crate) cost: Option<NanoUsd>,
    pub(crate) source: CostSource,
}

impl Metrics {
    pub(crate) fn begun(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn attempt(&self, provider: &str, class: &'static str) {
        let mut attempts = self.attempts.lock();
        if let Some(count) = attempts.iter_mut().find(|((known, of), _)| known == provider && *of == class).map(|(_, count)| count) {
            *count += 1;
        } else {
            attempts.insert((provider.to_owned(), class), 1);
        }
    }

    pub(crate) fn ended(&self, call: &Ended<'_>) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        *self.requests.lock().entry((call.endpoint, call.outcome)).or_default() += 1;
        self.overhead.record(call.overhead);
        if let Some(first_token) = call.first_token {
            self.first_token.record(first_token);
        }
        for (counter, count) in self.tokens.iter().zip(classes(call.usage)) {
            counter.fetch_add(count.1.unwrap_or(0), Ordering::Relaxed);
        }
        match call.cost {
            Some(cost) => *self.cost_nano_usd.lock().entry(call.source).or_default() += cost.get(),
            None => {
                self.unpriced.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Returns all numbers as Prometheus text.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(4096);
        let _ = writeln!(text, "# TYPE vox_gateway_requests_total counter");
        for ((endpoint, outcome), count) in self.requests.lock().iter() {
            let _ = writeln!(text, "vox_gateway_requests_total{{endpoint=\"{endpoint}\",outcome=\"{outcome}\"}} {count}");
        }
        let _ = writeln!(text, "# TYPE vox_gateway_attempts_total counter");
        for ((provider, class), count) in self.attempts.lock().iter() {
            let _ = writeln!(text, "vox_gateway_attempts_total{{provider=\"{provider}\",class=\"{class}\"}} {count}");
        }
        self.overhead.render("vox_gateway_overhead_seconds", &mut text);
        self.first_token.render("vox_gateway_ttft_seconds", &mut text);
        let _ = writeln!(text, "# TYPE vox_gateway_inflight gauge\nvox_gateway_inflight {}", self.in_flight.load(Ordering::Relaxed));
        let _ = writeln!(text, "# TYPE vox_gateway_tokens_total counter");
        for (counter, (class, _)) in self.tokens.iter().zip(classes(&Usage::default())) {
            let _ = writeln!(text, "vox_gateway_tokens_total{{class=\"{class}\"}} {}", counter.load(Ordering::Relaxed));
        }
        let _ = writeln!(text, "# TYPE vox_gateway_cost_nano_usd_total counter");
        for (source, cost) in self.cost_nano_usd.lock().iter() {
            let _ = writeln!(text, "vox_gateway_cost_nano_usd_total{{source=\"{}\"}} {cost}", source.as_str());
        }
        let _ = writeln!(
            text,
            "# TYPE vox_gateway_unpriced_total counter\nvox_gateway_unpriced_total {}",
            self.unpriced.load(Ordering::Relaxed)
        );
        text
    }
}

const fn classes(usage: &Usage) -> [(&'static str, Option<u64>); 6] {
    [
        ("input", usage.input),
        ("cache_read", usage.cache_read),
        ("cache_write_5m", usage.cache_write_5m),
        ("cache_write_1h", usage.cache_write_1h),
        ("output", usage.output),
        ("reasoning", usage.reasoning),
    ]
}
