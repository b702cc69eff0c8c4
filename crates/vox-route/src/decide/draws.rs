//! Seeded draws from what is believed: how often would each offer turn out to be the best?
//!
//! The log-odds of a Beta variable are close to normal, so a draw is one number of a fixed table of normal quantiles,
//! stretched. With log-odds x the expected cost until a success is `fixed + slope × e^−x`: no division, no branch, and the
//! compiler works on several draws at once. Only `+ − × ÷` of IEEE 754 take part, so a draw is the same everywhere.

use super::Ranked;
use crate::math::{exp_fast, normal_quantile};
use std::sync::LazyLock;
use vox_base::NanoUsd;

/// Draws that are made together; each block of them has one value from each of as many strata.
const BLOCK: usize = 64;

/// Normal quantiles: as many blocks as a block has values, each written twice in a row so that it can begin anywhere.
static NORMAL: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let mut table = vec![0.0; BLOCK * BLOCK * 2];
    for (block, values) in table.chunks_mut(BLOCK * 2).enumerate() {
        let mut left: Vec<usize> = (0..BLOCK).collect();
        for place in 0..BLOCK {
            let stratum = left.swap_remove(below(mixed(block as u64, place as u64), left.len() as u64) as usize);
            // Steps of odd length give each block another value of a stratum.
            let rank = stratum * BLOCK + (block * 27 + stratum * 11) % BLOCK;
            let value = normal_quantile((rank as f64 + 0.5) / (BLOCK * BLOCK) as f64) as f32;
            (values[place], values[BLOCK + place]) = (value, value);
        }
    }
    table
});

/// How an offer's expected cost depends on its log-odds of success.
struct Curve {
    mean: f32,
    deviation: f32,
    fixed: f32,
    slope: f32,
}

/// Returns in how many of `n_draws` each offer has the lowest expected cost until a success.
pub(super) fn wins(ranked: &[Ranked], failing: NanoUsd, n_draws: u32, seed: u64) -> Vec<u32> {
    let curves: Vec<Curve> = ranked.iter().map(|ranked| Curve::new(ranked, failing)).collect();
    let mut wins = vec![0; ranked.len()];
    let n_draws = n_draws as usize;
    for begin in (0..n_draws).step_by(BLOCK) {
        let len = BLOCK.min(n_draws - begin);
        let mut best = [f32::INFINITY; BLOCK];
        let mut who = [0_u32; BLOCK];
        for (at, curve) in (0_u32..).zip(&curves) {
            let random = mixed(seed, (u64::from(at) << 32) | begin as u64);
            let start = (random as usize % BLOCK) * BLOCK * 2 + (random >> 32) as usize % BLOCK;
            let normal = &NORMAL[start..start + BLOCK];
            for draw in 0..BLOCK {
                let cost = curve.fixed + curve.slope * exp_fast(-(curve.mean + curve.deviation * normal[draw]));
                let better = cost < best[draw];
                best[draw] = if better { cost } else { best[draw] };
                who[draw] = if better { at } else { who[draw] };
            }
        }
        who[..len].iter().for_each(|at| wins[*at as usize] += 1);
    }
    wins
}

impl Curve {
    fn new(ranked: &Ranked, failing: NanoUsd) -> Self {
        let (mean, deviation) = ranked.posterior.log_odds();
        let terms = &ranked.terms;
        let once = terms.cost.get() + terms.wait.get() + terms.outage.get();
        let favour = terms.favour_ppm as f32 / 1e6;
        Self {
            mean: mean as f32,
            deviation: deviation as f32,
            fixed: (once + terms.switch.get()) as f32 * favour,
            slope: (once + failing.get()) as f32 * favour,
        }
    }
}

/// Returns a number that depends on every bit of the seed and of what it is for (SplitMix64's finaliser).
pub(super) fn mixed(seed: u64, purpose: u64) -> u64 {
    let mut z = seed ^ purpose.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Returns a whole number below `bound`, evenly.
pub(super) fn below(random: u64, bound: u64) -> u64 {
    ((u128::from(random) * u128::from(bound)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_every_value_twice_and_each_block_one_of_each_stratum() {
        let mut all: Vec<f32> = NORMAL.clone();
        all.sort_by(f32::total_cmp);
        assert!(all.chunks(2).all(|pair| pair[0] == pair[1]) && all.windows(3).all(|three| three[0] < three[2]));
        for block in NORMAL.chunks(BLOCK * 2) {
            let mut values = block[..BLOCK].to_vec();
            assert_eq!(&block[..BLOCK], &block[BLOCK..]);
            values.sort_by(f32::total_cmp);
            assert!(values.iter().sum::<f32>().abs() < 1.0 && values[31] < 0.0 && values[32] > 0.0);
        }
    }
}
