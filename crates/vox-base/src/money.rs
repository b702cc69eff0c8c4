//! Money as integers with the unit in the name; no float ever holds an amount.
//!
//! Prices are micro-USD per million tokens, amounts are summed in pico-USD (one token at a price of one micro-USD per
//! million costs exactly one pico-USD) and rounded once, half to even, to the nano-USD in which calls are settled.

use std::fmt;

/// A price in micro-USD, per million tokens or per unit as the field that holds it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Micros(i64);

/// A settled amount in nano-USD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct NanoUsd(i64);

/// An exact running sum in pico-USD, rounded only when it is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Pico(i128);

/// The text is not a decimal amount that fits.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected a decimal amount in USD, for example `0.10`")]
pub struct InvalidAmount;

impl Micros {
    /// Returns a price of this many micro-USD.
    #[must_use]
    pub const fn new(micros: i64) -> Self {
        Self(micros)
    }

    /// Returns the micro-USD.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Returns the price per million tokens of a decimal price in USD per token, such as `0.00000015` or `1.5e-7`,
    /// and whether digits below one micro-USD per million had to be rounded away (half to even).
    ///
    /// # Errors
    /// The text is not a decimal number, or the price does not fit.
    pub fn per_mtok_from_usd_per_token(text: &str) -> Result<(Self, bool), InvalidAmount> {
        let (micros, rounded) = scaled_decimal(text, 12)?;
        Ok((Self(micros), rounded))
    }

    /// Returns the price in micro-USD of a decimal price in USD, such as `0.004` per image.
    ///
    /// # Errors
    /// The text is not a decimal number, or the price does not fit.
    pub fn from_usd(text: &str) -> Result<(Self, bool), InvalidAmount> {
        let (micros, rounded) = scaled_decimal(text, 6)?;
        Ok((Self(micros), rounded))
    }
}

impl NanoUsd {
    /// No money at all, which is not the same as an unknown amount.
    pub const ZERO: Self = Self(0);

    /// Returns an amount of this many nano-USD.
    #[must_use]
    pub const fn new(nano_usd: i64) -> Self {
        Self(nano_usd)
    }

    /// Returns the nano-USD.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Returns the amount written as decimal USD, rounded half to even below a nano-USD.
    ///
    /// # Errors
    /// The text is not a decimal number, or the amount does not fit.
    pub fn from_usd(text: &str) -> Result<Self, InvalidAmount> {
        scaled_decimal(text, 9).map(|(nano, _)| Self(nano))
    }

    /// Returns the sum, or the largest amount if it does not fit.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Returns the difference, or the smallest amount if it does not fit.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl std::iter::Sum for NanoUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::saturating_add)
    }
}

impl fmt::Display for NanoUsd {
    /// Writes USD with all nine digits that count, without trailing zeros below the cent: `$0.10`, `$0.000004`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nano = self.0.unsigned_abs();
        let fraction = format!("{:09}", nano % 1_000_000_000);
        let shown = fraction.trim_end_matches('0').len().max(2);
        f.pad(&format!("{sign}${}.{}", nano / 1_000_000_000, &fraction[..shown]))
    }
}

impl Pico {
    /// Nothing yet.
    pub const ZERO: Self = Self(0);

    /// Adds the exact cost of some tokens at a price per million tokens.
    #[must_use]
    pub const fn plus_tokens(self, n_tokens: u64, per_mtok: Micros) -> Self {
        Self(self.0.saturating_add((n_tokens as i128).saturating_mul(per_mtok.0 as i128)))
    }

    /// Adds the exact cost of some units (requests, images, searches) at a price each.
    #[must_use]
    pub const fn plus_units(self, n_units: u64, each: Micros) -> Self {
        Self(self.0.saturating_add((n_units as i128).saturating_mul(each.0 as i128).saturating_mul(1_000_000)))
    }

    /// Returns the pico-USD.
    #[must_use]
    pub const fn get(self) -> i128 {
        self.0
    }

    /// Returns the sum rounded once, half to even, to nano-USD; a sum out of range stops at the largest amount.
    #[must_use]
    pub fn settle(self) -> NanoUsd {
        NanoUsd(i64::try_from(divide_half_even(self.0, 1000)).unwrap_or(if self.0 < 0 { i64::MIN } else { i64::MAX }))
    }
}

fn divide_half_even(value: i128, by: i128) -> i128 {
    let (quotient, remainder) = (value.div_euclid(by), value.rem_euclid(by));
    match (remainder * 2).cmp(&by) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + quotient.rem_euclid(2),
    }
}

/// Returns `text × 10^places` as an integer, and whether digits were rounded away. Accepts a sign and an exponent.
fn scaled_decimal(text: &str, places: i32) -> Result<(i64, bool), InvalidAmount> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| InvalidAmount)?),
        None => (text, 0),
    };
    let (negative, mantissa) = match mantissa.as_bytes().first() {
        Some(b'-') => (true, &mantissa[1..]),
        Some(b'+') => (false, &mantissa[1..]),
        _ => (false, mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 || whole.len() + fraction.len() > 60 || exponent.abs() > 60 {
        return Err(InvalidAmount);
    }
    let digits = whole.bytes().chain(fraction.bytes());
    let shift = exponent + places - i32::try_from(fraction.len()).map_err(|_| InvalidAmount)?;
    let (value, rounded) = shift_decimal(digits, shift)?;
    let value = i64::try_from(value).map_err(|_| InvalidAmount)?;
    Ok((if negative { -value } else { value }, rounded))
}

fn shift_decimal(digits: impl Iterator<Item = u8>, shift: i32) -> Result<(i128, bool), InvalidAmount> {
    let mut digits: Vec<u8> =
        digits.map(|digit| if digit.is_ascii_digit() { Ok(digit - b'0') } else { Err(InvalidAmount) }).collect::<Result<_, _>>()?;
    let dropped = if shift < 0 {
        let kept = digits.len().saturating_sub(shift.unsigned_abs() as usize);
        let padding = (shift.unsigned_abs() as usize).saturating_sub(digits.len());
        let mut dropped = vec![0; padding];
        dropped.extend(digits.drain(kept..));
        dropped
    } else {
        digits.extend(std::iter::repeat_n(0, shift.unsigned_abs() as usize));
        Vec::new()
    };
    let mut value: i128 = 0;
    for digit in digits {
        value = value.checked_mul(10).and_then(|v| v.checked_add(i128::from(digit))).ok_or(InvalidAmount)?;
    }
    let inexact = dropped.iter().any(|&digit| digit != 0);
    let half = dropped.first() == Some(&5) && dropped[1..].iter().all(|&digit| digit == 0);
    let up = if half { value % 2 == 1 } else { dropped.first().is_some_and(|&digit| digit >= 5) };
    Ok((value + i128::from(up), inexact))
}

#[cfg(test)]
mod tests;
