use super::*;
use proptest::prelude::*;

#[test]
fn prices_are_parsed_exactly() {
    for (text, micros, rounded) in [
        ("0.00000015", 150_000, false),
        ("1.5e-7", 150_000, false),
        ("1e-7", 100_000, false),
        ("0", 0, false),
        ("0.000003", 3_000_000, false),
        ("0.0000000000005", 0, true),
        ("0.0000000000015", 2, true),
        ("-1", -1_000_000_000_000, false),
    ] {
        assert_eq!(Micros::per_mtok_from_usd_per_token(text), Ok((Micros::new(micros), rounded)), "{text}");
    }
}

#[test]
fn amounts_that_are_no_numbers_are_refused() {
    for text in ["", ".", "-", "1,5", "0x10", "1e", "1e99", "NaN", "inf", "99999999999999999999", "1 "] {
        assert_eq!(NanoUsd::from_usd(text), Err(InvalidAmount), "{text}");
    }
}

#[test]
fn amounts_print_every_digit_that_counts() {
    for (nano, text) in [(0, "$0.00"), (100_000_000, "$0.10"), (4_000, "$0.000004"), (1, "$0.000000001"), (-1_500_000_000, "-$1.50")] {
        assert_eq!(NanoUsd::new(nano).to_string(), text);
    }
}

#[test]
fn settling_rounds_half_to_even() {
    for (pico, nano) in [(499, 0), (500, 0), (501, 1), (1_500, 2), (2_500, 2), (-500, 0), (-1_500, -2)] {
        assert_eq!(Pico(pico).settle(), NanoUsd::new(nano), "{pico}");
    }
}

/// Rounds a rational number of nano-USD half to even, by comparing remainders instead of dividing pico-USD.
fn reference(lines: &[(u32, u32)]) -> i64 {
    let pico: i128 = lines.iter().map(|&(tokens, price)| i128::from(tokens) * i128::from(price)).sum();
    let (below, twice) = (pico / 1000, pico % 1000 * 2);
    let nano = if twice > 1000 || (twice == 1000 && below % 2 == 1) { below + 1 } else { below };
    i64::try_from(nano).unwrap_or(i64::MAX)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    /// GW-35 and RT-66: integer cost equals exact arithmetic rounded once.
    #[test]
    fn gw_35_rt_66_integer_cost_equals_exact_arithmetic(lines in prop::collection::vec((any::<u32>(), any::<u32>()), 0..8)) {
        let sum = lines.iter().fold(Pico::ZERO, |sum, &(tokens, price)| sum.plus_tokens(u64::from(tokens), Micros::new(i64::from(price))));
        prop_assert_eq!(sum.settle().get(), reference(&lines));
    }

    #[test]
    fn a_decimal_amount_reads_back(nano in 0_i64..1_000_000_000_000_000) {
        let text = NanoUsd::new(nano).to_string();
        prop_assert_eq!(NanoUsd::from_usd(&text[1..]), Ok(NanoUsd::new(nano)));
    }
}
