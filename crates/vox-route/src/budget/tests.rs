use super::*;

fn key(n: u8) -> KeyId {
    KeyId::from_bytes([n; 16])
}

fn usd(cents: i64) -> NanoUsd {
    NanoUsd::new(cents * 10_000_000)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const SPRING: &str = "2026-05-15T12:00:00Z";

fn limit(window: Window, cents: i64, mode: Mode) -> Limit {
    Limit { window, amount: usd(cents), mode }
}

fn accounts(limits: &[(u8, Limit)]) -> Accounts {
    let mut accounts = Accounts::new();
    for (n, limit) in limits {
        accounts.set(key(*n), &[*limit], at(SPRING), |_, _| NanoUsd::ZERO);
    }
    accounts
}

#[test]
fn reservations_and_spending_together_never_pass_a_hard_limit() {
    let mut accounts = accounts(&[(1, limit(Window::Day, 100, Mode::Hard))]);
    let now = at(SPRING);
    let first = accounts.reserve(&[key(1)], usd(60), now).unwrap();
    let refused = accounts.reserve(&[key(1)], usd(41), now).unwrap_err();
    assert_eq!((refused.limit, refused.spent, refused.reserved, refused.needed), (usd(100), usd(0), usd(60), usd(41)));
    assert_eq!(refused.resets_at, Some(at("2026-05-16")));
    accounts.settle(first.id, usd(10), now);
    assert!(accounts.reserve(&[key(1)], usd(90), now).is_ok(), "exactly the limit is covered");
    assert!(accounts.reserve(&[key(1)], NanoUsd::new(1), now).is_err());
}

/// GW-36, the arithmetic.
#[test]
fn gw_36_many_small_reservations_stop_at_the_limit() {
    let mut accounts = accounts(&[(1, limit(Window::Total, 1, Mode::Hard))]);
    let granted = (0..200).filter(|_| accounts.reserve(&[key(1)], NanoUsd::new(400_000), at(SPRING)).is_ok()).count();
    assert_eq!(granted, 25);
}

#[test]
fn a_chain_is_granted_as_a_whole_or_not_at_all() {
    let mut accounts = accounts(&[(1, limit(Window::Day, 100, Mode::Hard)), (2, limit(Window::Day, 50, Mode::Hard))]);
    let chain = [key(1), key(2)];
    let refused = accounts.reserve(&chain, usd(60), at(SPRING)).unwrap_err();
    assert_eq!(refused.key, key(2));
    assert!(accounts.reserve(&[key(1)], usd(100), at(SPRING)).is_ok(), "nothing stayed reserved at the lower key");
}

#[test]
fn a_child_without_limits_still_counts_at_its_parent() {
    let mut accounts = accounts(&[(2, limit(Window::Day, 50, Mode::Hard))]);
    let chain = [key(1), key(2)];
    let open = accounts.reserve(&chain, usd(30), at(SPRING)).unwrap();
    accounts.settle(open.id, usd(40), at(SPRING));
    assert!(accounts.reserve(&chain, usd(11), at(SPRING)).is_err());
    assert!(accounts.has_hard_limit(&chain) && !accounts.has_hard_limit(&[key(1)]));
}

#[test]
fn a_new_window_is_empty_and_a_clock_set_back_reopens_none() {
    for (window, next) in [(Window::Day, "2026-05-16"), (Window::Week, "2026-05-18"), (Window::Month, "2026-06-01")] {
        let mut accounts = accounts(&[(1, limit(window, 100, Mode::Hard))]);
        accounts.charge(&[key(1)], usd(100), at(SPRING));
        let refused = accounts.reserve(&[key(1)], usd(1), at(SPRING)).unwrap_err();
        assert_eq!(refused.resets_at, Some(at(next)), "{window}");
        assert!(accounts.reserve(&[key(1)], usd(1), at(next).plus_millis(-1)).is_err(), "{window}");
        let open = accounts.reserve(&[key(1)], usd(100), at(next)).unwrap();
        accounts.settle(open.id, usd(100), at(SPRING));
        assert!(accounts.reserve(&[key(1)], usd(1), at("2026-05-14")).is_err(), "{window}");
        assert!(accounts.reserve(&[key(1)], usd(1), at("2025-01-01")).is_err(), "{window}");
    }
    let mut accounts = accounts(&[(1, limit(Window::Total, 100, Mode::Hard))]);
    accounts.charge(&[key(1)], usd(100), at(SPRING));
    assert_eq!(accounts.reserve(&[key(1)], usd(1), at("2099-01-01")).unwrap_err().resets_at, None);
}

#[test]
fn held_counts_as_spent_until_it_is_corrected() {
    let mut accounts = accounts(&[(1, limit(Window::Total, 100, Mode::Hard))]);
    let open = accounts.reserve(&[key(1)], usd(100), at(SPRING)).unwrap();
    accounts.hold(open.id, at(SPRING));
    accounts.settle(open.id, usd(1), at(SPRING));
    assert_eq!(accounts.reserve(&[key(1)], usd(1), at(SPRING)).unwrap_err().spent, usd(100));
    accounts.charge(&[key(1)], usd(-90), at(SPRING));
    assert!(accounts.reserve(&[key(1)], usd(90), at(SPRING)).is_ok());
}

#[test]
fn a_reservation_grows_only_as_far_as_the_budget_and_comes_back_when_released() {
    let mut accounts = accounts(&[(1, limit(Window::Total, 100, Mode::Hard))]);
    let open = accounts.reserve(&[key(1)], usd(50), at(SPRING)).unwrap();
    assert!(accounts.extend(open.id, usd(100), at(SPRING)).is_ok());
    assert!(accounts.extend(open.id, usd(101), at(SPRING)).is_err());
    accounts.release(open.id);
    assert!(accounts.reserve(&[key(1)], usd(100), at(SPRING)).is_ok());
}

#[test]
fn a_soft_limit_notes_and_then_refuses_new_work() {
    let mut accounts = accounts(&[(1, limit(Window::Day, 100, Mode::Soft))]);
    let reach = |accounts: &mut Accounts| {
        let reserved = accounts.reserve(&[key(1)], usd(500), at(SPRING)).unwrap();
        accounts.release(reserved.id);
        reserved.notices.first().map(|notice| notice.reached_percent)
    };
    assert_eq!(reach(&mut accounts), None);
    accounts.charge(&[key(1)], usd(80), at(SPRING));
    assert_eq!(reach(&mut accounts), Some(80));
    accounts.charge(&[key(1)], usd(20), at(SPRING));
    assert_eq!(reach(&mut accounts), Some(100));
    accounts.charge(&[key(1)], NanoUsd::new(1), at(SPRING));
    assert!(accounts.reserve(&[key(1)], NanoUsd::ZERO, at(SPRING)).is_err());
}

#[test]
fn limits_are_loaded_with_what_the_ledger_holds_and_keep_what_is_reserved() {
    let mut accounts = accounts(&[(1, limit(Window::Day, 100, Mode::Hard))]);
    accounts.reserve(&[key(1)], usd(30), at(SPRING)).unwrap();
    accounts.set(key(1), &[limit(Window::Month, 200, Mode::Hard)], at(SPRING), |window, from| {
        assert_eq!((window, from), (Window::Month, at("2026-05-01")));
        usd(150)
    });
    let refused = accounts.reserve(&[key(1)], usd(21), at(SPRING)).unwrap_err();
    assert_eq!((refused.spent, refused.reserved), (usd(150), usd(30)));
    accounts.remove(key(1));
    assert!(accounts.reserve(&[key(1)], usd(1000), at(SPRING)).is_ok());
    assert_eq!(Coded::from(refused).code, "gateway.budget_exceeded");
}
