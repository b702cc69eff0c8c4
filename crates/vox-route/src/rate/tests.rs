use super::*;
use proptest::prelude::*;
use vox_base::{Id, Timestamp};

const NOW: Duration = Duration::from_secs(1000);

fn limit(key: u8, counted: Counted, per_minute: u32) -> RateLimit {
    RateLimit { key: Id::new(Timestamp::from_millis(0), [key; 10]), counted, per_minute }
}

/// GW-42: three a minute; the fourth hears exactly when it may come.
#[test]
fn gw_42_the_fourth_of_three_waits_twenty_seconds() {
    let limits = [limit(1, Counted::Requests, 3)];
    let mut rates = Rates::default();
    for left in [2, 1, 0] {
        rates.admit(&limits, 10, NOW).unwrap();
        assert_eq!(rates.standing(&limits[0], NOW).remaining, left);
    }
    let refused = rates.admit(&limits, 10, NOW).unwrap_err();
    assert_eq!((refused.retry_after_ms, refused.per_minute), (20_000, 3));
    assert_eq!(rates.admit(&limits, 10, NOW + Duration::from_millis(19_999)).unwrap_err().retry_after_ms, 1);
    rates.admit(&limits, 10, NOW + Duration::from_millis(20_000)).unwrap();
    assert_eq!(rates.standing(&limits[0], NOW + Duration::from_millis(80_000)), Standing { limit: 3, remaining: 3, reset_ms: 0 });
}

/// GW-42: what was set aside for tokens becomes what they were.
#[test]
fn gw_42_tokens_are_corrected_when_a_call_has_settled() {
    let limits = [limit(1, Counted::Tokens, 1000)];
    let mut rates = Rates::default();
    rates.admit(&limits, 900, NOW).unwrap();
    assert_eq!(rates.admit(&limits, 200, NOW).unwrap_err().retry_after_ms, 6000);
    rates.correct(&limits, 900, 100, NOW);
    assert_eq!(rates.standing(&limits[0], NOW).remaining, 900);
    rates.admit(&limits, 900, NOW).unwrap();
    rates.correct(&limits, 900, 1900, NOW);
    assert_eq!(rates.admit(&limits, 1, NOW).unwrap_err().retry_after_ms, 60_060, "what was used over the minute is waited for");
}

#[test]
fn a_chain_admits_together_or_not_at_all() {
    let (parent, child) = (limit(1, Counted::Requests, 1), limit(2, Counted::Requests, 5));
    let mut rates = Rates::default();
    rates.admit(&[child, parent], 0, NOW).unwrap();
    assert_eq!(rates.admit(&[child, parent], 0, NOW).unwrap_err().key, parent.key);
    assert_eq!(rates.standing(&child, NOW).remaining, 4, "a refused call counts nowhere");
}

#[test]
fn a_call_larger_than_a_minute_is_admitted_once_and_paid_for() {
    let limits = [limit(1, Counted::Tokens, 100)];
    let mut rates = Rates::default();
    rates.admit(&limits, 250, NOW).unwrap();
    assert_eq!(rates.admit(&limits, 1, NOW).unwrap_err().retry_after_ms, 90_600);
}

proptest! {
    /// However calls come, no window of a minute sees more than two minutes' worth, and no admitted call is late.
    #[test]
    fn never_more_than_the_burst_and_the_rate(per_minute in 1_u32..50, gaps in prop::collection::vec(0_u64..5_000, 1..200)) {
        let limits = [limit(1, Counted::Requests, per_minute)];
        let mut rates = Rates::default();
        let mut now = NOW;
        let mut admitted: Vec<Duration> = Vec::new();
        for gap in gaps {
            now += Duration::from_millis(gap);
            if rates.admit(&limits, 0, now).is_ok() {
                admitted.push(now);
            }
        }
        for (at, from) in admitted.iter().enumerate() {
            let until = *from + Duration::from_secs(60);
            let n = admitted[at..].iter().take_while(|moment| **moment < until).count();
            prop_assert!(n <= 2 * per_minute as usize);
        }
    }
}
