//! The few functions of a real number that evidence needs, made of nothing but `+ − × ÷ √` and bits.
//!
//! Those operations are rounded the same way by every machine that follows IEEE 754, and the compiler does not fuse or
//! reorder them. A system's own `exp` and `ln` differ between versions, and an old decision must come out bit for bit.

const LN_2: f64 = std::f64::consts::LN_2;

/// Returns 2 to the power of `x`.
pub(crate) fn exp2(x: f64) -> f64 {
    let x = x.clamp(-1000.0, 1000.0);
    let whole = x.round_ties_even();
    let rest = (x - whole) * LN_2;
    // Taylor's series of e^rest with |rest| ≤ 0.35: the thirteenth term is below one part in 10^16.
    let series = (1..=13).rev().fold(1.0, |sum, n| 1.0 + sum * rest / f64::from(n));
    series * power_of_two(whole as i64)
}

/// Returns the natural logarithm of a positive number.
pub(crate) fn ln(x: f64) -> f64 {
    let x = x.max(f64::MIN_POSITIVE);
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) as i64) - 1023;
    let mut mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    // ln m = 2 artanh((m − 1) / (m + 1)), whose argument is at most 0.172 here.
    let z = (mantissa - 1.0) / (mantissa + 1.0);
    let square = z * z;
    let series = (0..11).rev().fold(0.0, |sum, n| sum * square + 1.0 / f64::from(2 * n + 1));
    2.0 * z * series + exponent as f64 * LN_2
}

/// Returns e to the power of `x`.
pub(crate) fn exp(x: f64) -> f64 {
    exp2(x / LN_2)
}

/// Returns e to the power of `x` to about one part in 100 000, for draws, of which there are many.
#[inline]
pub(crate) fn exp_fast(x: f32) -> f32 {
    let x = (x * std::f32::consts::LOG2_E).clamp(-120.0, 120.0);
    // Adding and taking away 1.5 × 2^23 rounds to a whole number without a call.
    const ROUND: f32 = 12_582_912.0;
    let whole = (x + ROUND) - ROUND;
    let rest = (x - whole) * std::f32::consts::LN_2;
    let series = 1.0 + rest * (1.0 + rest * (0.5 + rest * (1.0 / 6.0 + rest * (1.0 / 24.0 + rest / 120.0))));
    f32::from_bits(((whole as i32 + 127) << 23).cast_unsigned()) * series
}

/// Returns mean and standard deviation of the log-odds of a share that is Beta(`a`, `b`) distributed.
pub(crate) fn log_odds(a: f64, b: f64) -> (f64, f64) {
    let (mean_a, variance_a) = log_gamma_moments(a);
    let (mean_b, variance_b) = log_gamma_moments(b);
    (mean_a - mean_b, (variance_a + variance_b).sqrt())
}

/// Returns the point below which a share of the standard normal distribution lies.
pub(crate) fn normal_quantile(share: f64) -> f64 {
    // Newton's method on the distribution function, begun at the logistic curve that is nearest to it.
    let share = share.clamp(1e-12, 1.0 - 1e-12);
    let mut x = ln(share / (1.0 - share)) / 1.702;
    for _ in 0..12 {
        let density = exp(-x * x / 2.0) / (2.0 * std::f64::consts::PI).sqrt();
        x += ((share - normal_share(x)) / density.max(1e-300)).clamp(-1.0, 1.0);
    }
    x
}

/// Returns the share of the standard normal distribution below `x`, from its Taylor series.
fn normal_share(x: f64) -> f64 {
    let square = x * x;
    let (mut term, mut sum) = (x, x);
    for n in 1..80 {
        term *= square / f64::from(2 * n + 1);
        sum += term;
    }
    0.5 + sum * exp(-square / 2.0) / (2.0 * std::f64::consts::PI).sqrt()
}

/// Returns mean and variance of the logarithm of a Gamma(`a`) variable: the digamma and trigamma functions.
fn log_gamma_moments(a: f64) -> (f64, f64) {
    // Their recurrences lead from any a > 0 to at least 4, where few terms of the asymptotic series are enough.
    let (mut a, mut mean, mut variance) = (a.max(1e-3), 0.0, 0.0);
    while a < 4.0 {
        mean -= 1.0 / a;
        variance += 1.0 / (a * a);
        a += 1.0;
    }
    let inverse = 1.0 / a;
    let square = inverse * inverse;
    mean += ln(a) - inverse / 2.0 - square * (1.0 / 12.0 - square * (1.0 / 120.0 - square / 252.0));
    variance += inverse * (1.0 + inverse / 2.0 + square * (1.0 / 6.0 - square * (1.0 / 30.0 - square / 42.0)));
    (mean, variance)
}

fn power_of_two(exponent: i64) -> f64 {
    f64::from_bits(((exponent + 1023).clamp(1, 2046) as u64) << 52)
}

#[cfg(test)]
mod tests;
