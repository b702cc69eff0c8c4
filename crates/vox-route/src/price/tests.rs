use super::*;
use proptest::prelude::*;

fn prices(input: i64, output: i64) -> Prices {
    Prices { input: Some(Micros::new(input)), output: Some(Micros::new(output)), ..Prices::default() }
}

fn tokens(input: u64, output: u64) -> Usage {
    Usage { input: Some(input), output: Some(output), ..Usage::default() }
}

#[test]
fn a_cached_call_costs_the_cache_price() {
    let prices = Prices { cache_read: Some(Micros::new(300_000)), ..prices(3_000_000, 15_000_000) };
    let usage = Usage { cache_read: Some(80_000), ..tokens(1000, 100) };
    // 3 000 + 24 000 + 1 500 micro-USD.
    assert_eq!(cost(&prices, &usage), Some(NanoUsd::new(28_500_000)));
    assert_eq!(cache_savings(&prices, &usage), Some(NanoUsd::new(216_000_000)));
}

#[test]
fn a_missing_class_is_billed_as_the_dearer_one_in_its_place_or_not_at_all() {
    let known = prices(3_000_000, 15_000_000);
    assert_eq!(cost(&known, &Usage { reasoning: Some(100), ..tokens(0, 0) }), Some(NanoUsd::new(1_500_000)));
    assert_eq!(cost(&known, &Usage { cache_read: Some(100), ..tokens(0, 0) }), Some(NanoUsd::new(300_000)));
    assert_eq!(cost(&known, &Usage { cache_write_1h: Some(100), ..tokens(0, 0) }), None);
    assert_eq!(cost(&known, &Usage { cache_write_5m: Some(0), ..tokens(1, 0) }), Some(NanoUsd::new(3000)));
}

#[test]
fn what_nobody_reported_or_priced_has_no_cost() {
    assert_eq!(cost(&Prices::default(), &tokens(1, 1)), None);
    assert_eq!(cost(&prices(1, 1), &Usage::default()), None);
    assert_eq!(cost(&prices(1, 1), &Usage { output: None, ..tokens(1, 0) }), None);
    assert_eq!(upper_bound(&Prices { output: None, ..prices(1, 1) }, 1, 1), None);
    assert_eq!(cost(&Prices::FREE, &Usage { cache_write_1h: Some(9), ..tokens(9, 9) }), Some(NanoUsd::ZERO));
}

#[test]
fn writing_a_cache_nobody_reads_saves_less_than_nothing() {
    let prices = Prices { cache_write_5m: Some(Micros::new(3_750_000)), ..prices(3_000_000, 15_000_000) };
    assert_eq!(cache_savings(&prices, &Usage { cache_write_5m: Some(1000), ..tokens(0, 1) }), Some(NanoUsd::new(-750_000)));
}

#[test]
fn a_price_per_request_is_added_once() {
    let prices = Prices { request: Some(Micros::new(5000)), ..prices(1_000_000, 1_000_000) };
    assert_eq!(cost(&prices, &tokens(1, 1)), Some(NanoUsd::new(5_002_000)));
    assert_eq!(upper_bound(&prices, 1, 1), Some(NanoUsd::new(5_002_000)));
}

/// Decimal digits, least first: arithmetic that shares nothing with the one under test.
#[derive(Clone, PartialEq, Debug)]
struct Big(Vec<u8>);

impl Big {
    fn of(mut value: u64) -> Self {
        let mut digits = vec![0; 11];
        for digit in &mut digits {
            *digit = (value % 10) as u8;
            value /= 10;
        }
        Self(digits)
    }

    fn plus(&self, other: &Self) -> Self {
        let mut carry = 0;
        let digit = |big: &Self, at: usize| big.0.get(at).copied().unwrap_or(0);
        let sum = (0..=self.0.len().max(other.0.len())).map(|at| {
            let sum = digit(self, at) + digit(other, at) + carry;
            carry = sum / 10;
            sum % 10
        });
        Self(sum.collect())
    }

    fn times(&self, other: &Self) -> Self {
        let mut product = vec![0_u32; self.0.len() + other.0.len() + 1];
        for (at, &left) in self.0.iter().enumerate() {
            for (by, &right) in other.0.iter().enumerate() {
                product[at + by] += u32::from(left) * u32::from(right);
            }
        }
        let mut carry = 0;
        let digits = product.into_iter().map(|sum| {
            let sum = sum + carry;
            carry = sum / 10;
            (sum % 10) as u8
        });
        Self(digits.collect())
    }

    /// Drops three digits, half to even.
    fn thousandth(&self) -> Self {
        let dropped = u32::from(self.0[2]) * 100 + u32::from(self.0[1]) * 10 + u32::from(self.0[0]);
        let kept = Self(self.0[3..].to_vec());
        let up = dropped > 500 || (dropped == 500 && kept.0[0] % 2 == 1);
        if up { kept.plus(&Self::of(1)) } else { kept }
    }

    fn value(&self) -> i64 {
        self.0.iter().rev().fold(0_i64, |value, &digit| value * 10 + i64::from(digit))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// RT-66.
    #[test]
    fn rt_66_sums_equal_a_big_integer_reference(
        tokens in prop::array::uniform6(0_u64..5_000_000),
        micros in prop::array::uniform6(0_i64..1_000_000_000),
    ) {
        let [input, cache_read, cache_write_5m, cache_write_1h, output, reasoning] = tokens.map(Some);
        let usage = Usage { input, cache_read, cache_write_5m, cache_write_1h, output, reasoning };
        let price = micros.map(|micros| Some(Micros::new(micros)));
        let prices = Prices {
            input: price[0], cache_read: price[1], cache_write_5m: price[2], cache_write_1h: price[3], output: price[4], reasoning: price[5],
            ..Prices::default()
        };
        let sum = tokens.iter().zip(micros).fold(Big::of(0), |sum, (&n, micros)| sum.plus(&Big::of(n).times(&Big::of(micros as u64))));
        prop_assert_eq!(cost(&prices, &usage), Some(NanoUsd::new(sum.thousandth().value())));
        let bound = upper_bound(&prices, usage.total_input().unwrap(), usage.total_output().unwrap());
        prop_assert!(bound >= cost(&prices, &usage));
    }
}
