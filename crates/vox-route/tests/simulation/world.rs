//! A world: what offers charge and how often they succeed, and how that changes.

/// How a world is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) n_offers: usize,
    /// Charge of one call by the cheapest and by the dearest offer.
    pub(crate) price_micros: (f64, f64),
    /// Log-odds of success of the cheapest and of the dearest offer, before chance.
    pub(crate) log_odds: (f64, f64),
    /// Deviation of each offer's log-odds on each task from that line.
    pub(crate) spread: f64,
    /// Share of that deviation's variance that an offer has in common on all tasks.
    pub(crate) shared: f64,
    /// What each task takes off the log-odds.
    pub(crate) hardness: [f64; 3],
    /// What is believed of the cheapest and of the dearest before anything is known.
    pub(crate) prior: (f64, f64),
    /// What noticing and redoing a failed attempt costs.
    pub(crate) failure_micros: u64,
    pub(crate) change: Change,
    pub(crate) explore: bool,
}

/// What happens to a world.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Change {
    None,
    /// Halfway the most used offer of every task succeeds less often, by this factor.
    Regression(f64),
    /// Halfway the dearest offer costs a tenth.
    PriceCut,
    /// With every call all log-odds take a step of this deviation.
    Walk(f64),
}

/// The world of the specification.
pub(crate) const SHAPE: Shape = Shape {
    n_offers: 11,
    price_micros: (200.0, 60_000.0),
    log_odds: (-0.6, 2.6),
    spread: 0.7,
    shared: 0.0,
    hardness: [0.0, 0.4, 0.9],
    prior: (0.55, 0.90),
    failure_micros: 50_000,
    change: Change::None,
    explore: true,
};

pub(crate) struct World {
    pub(crate) price_micros: Vec<i64>,
    log_odds: Vec<[f64; 3]>,
    factor: Vec<[f64; 3]>,
}

impl World {
    pub(crate) fn new(shape: &Shape, random: &mut Random) -> Self {
        let last = (shape.n_offers - 1) as f64;
        let along = |(from, to): (f64, f64), at: usize| from + (to - from) * at as f64 / last;
        let (cheap, dear) = shape.price_micros;
        let log_odds = (0..shape.n_offers).map(|at| {
            let common = random.normal() * shape.shared.sqrt();
            shape.hardness.map(|hardness| {
                let own = random.normal() * (1.0 - shape.shared).sqrt();
                along(shape.log_odds, at) + shape.spread * (common + own) - hardness
            })
        });
        let log_odds = log_odds.collect();
        Self {
            price_micros: (0..shape.n_offers).map(|at| along((cheap.ln(), dear.ln()), at).exp().round() as i64).collect(),
            log_odds,
            factor: vec![[1.0; 3]; shape.n_offers],
        }
    }

    pub(crate) fn success(&self, offer: usize, task: usize) -> f64 {
        (1.0 / (1.0 + (-self.log_odds[offer][task]).exp())).clamp(0.03, 0.97) * self.factor[offer][task]
    }

    pub(crate) fn regress(&mut self, offer: usize, task: usize, factor: f64) {
        self.factor[offer][task] *= factor;
    }

    pub(crate) fn walk(&mut self, deviation: f64, random: &mut Random) {
        self.log_odds.iter_mut().flatten().for_each(|log_odds| *log_odds += deviation * random.normal());
    }
}

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn share(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Returns a draw of the standard normal distribution (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * self.share().ln()).sqrt() * (std::f64::consts::TAU * self.share()).cos()
    }
}
