use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_779_000_000_000);

fn start(contexts: &[u64], allow_fallback: bool) -> Attempt {
    let mut attempt = Attempt::new(contexts.iter().map(|&tokens| (tokens > 0).then_some(tokens)), allow_fallback, AttemptLimits::default());
    assert_eq!(attempt.handle(AttemptEvent::Start, NOW), Step::Send { offer: 0, wait_ms: 0 });
    attempt
}

fn fail(attempt: &mut Attempt, failure: Failure) -> Step {
    attempt.handle(AttemptEvent::Failed { failure, may_retry: true, random: 100 }, NOW)
}

const fn send(offer: usize) -> Step {
    Step::Send { offer, wait_ms: 0 }
}

const fn rate(retry_after_ms: u64) -> Failure {
    Failure::Rate { retry_after_ms: Some(retry_after_ms) }
}

/// GW-24, the steps: whatever happens before the first token, the next offer answers in the second call.
#[test]
fn gw_24_every_failure_of_a_provider_goes_to_the_next_offer_at_once() {
    use Failure::*;
    for failure in [Network, Server, Redirect, Rate { retry_after_ms: None }, Auth, Payment, ModelGone, Cut, Malformed, Stalled] {
        assert_eq!(fail(&mut start(&[0, 0], true), failure), send(1), "{failure:?}");
    }
}

#[test]
fn a_wrong_request_and_a_passed_deadline_stop_at_once() {
    for failure in [Failure::Request, Failure::Deadline] {
        assert_eq!(fail(&mut start(&[0, 0], true), failure), Step::Stop { failure: 0 });
    }
}

/// GW-23, the step: nothing is tried after the first token.
#[test]
fn gw_23_nothing_is_tried_once_the_caller_has_seen_the_first_token() {
    let mut attempt = start(&[0, 0], true);
    assert_eq!(attempt.handle(AttemptEvent::Committed, NOW), Step::Relay);
    assert_eq!(fail(&mut attempt, Failure::Cut), Step::Stop { failure: 0 });
}

/// GW-26, the steps.
#[test]
fn gw_26_a_sole_offer_is_called_twice_if_its_failure_may_pass() {
    use Failure::*;
    for failure in [Network, Server, Cut, Malformed] {
        let mut attempt = start(&[0], true);
        assert_eq!(fail(&mut attempt, failure), Step::Send { offer: 0, wait_ms: 100 }, "{failure:?}");
        assert_eq!(fail(&mut attempt, failure), Step::Stop { failure: 1 }, "{failure:?}");
    }
    for failure in [Redirect, Auth, Payment, ModelGone, Stalled, Context] {
        assert_eq!(fail(&mut start(&[0], true), failure), Step::Stop { failure: 0 }, "{failure:?}");
    }
}

#[test]
fn a_short_wait_is_waited_out_where_there_is_no_other_offer() {
    assert_eq!(fail(&mut start(&[0], true), rate(2000)), Step::Send { offer: 0, wait_ms: 2000 });
    assert_eq!(fail(&mut start(&[0], true), rate(2001)), Step::Stop { failure: 0 });
    assert_eq!(fail(&mut start(&[0], true), Failure::Rate { retry_after_ms: None }), Step::Stop { failure: 0 });
}

#[test]
fn without_leave_to_fall_back_only_the_pick_is_called() {
    let mut attempt = start(&[0, 0], false);
    assert!(matches!(fail(&mut attempt, Failure::Server), Step::Send { offer: 0, .. }));
    assert_eq!(fail(&mut attempt, Failure::Server), Step::Stop { failure: 1 });
}

#[test]
fn a_provider_that_forbids_it_is_not_asked_again() {
    let event = AttemptEvent::Failed { failure: Failure::Server, may_retry: false, random: 0 };
    assert_eq!(start(&[0], true).handle(event, NOW), Step::Stop { failure: 0 });
}

/// GW-29, the steps.
#[test]
fn gw_29_what_is_too_long_goes_only_to_a_larger_context() {
    let mut attempt = start(&[100, 100, 0, 200, 300], true);
    assert_eq!(fail(&mut attempt, Failure::Context), send(3));
    assert_eq!(fail(&mut attempt, Failure::Context), send(4));
    assert_eq!(fail(&mut attempt, Failure::Context), Step::Stop { failure: 2 });
}

#[test]
fn at_most_four_calls_are_made_two_to_an_offer_and_ten_seconds_waited() {
    let mut attempt = start(&[0; 9], true);
    let steps: Vec<Step> = (0..4).map(|_| fail(&mut attempt, Failure::Server)).collect();
    assert_eq!(steps, [send(1), send(2), send(3), Step::Stop { failure: 3 }]);
    let mut attempt = start(&[0, 0], true);
    assert_eq!(fail(&mut attempt, Failure::Server), send(1));
    assert_eq!(fail(&mut attempt, Failure::Server), Step::Send { offer: 0, wait_ms: 100 });
    assert_eq!(fail(&mut attempt, Failure::Server), Step::Send { offer: 1, wait_ms: 100 });
    assert_eq!(fail(&mut attempt, Failure::Server), Step::Stop { failure: 3 });
    let limits = AttemptLimits { total_wait_ms: 1999, ..AttemptLimits::default() };
    let mut attempt = Attempt::new([None], true, limits);
    attempt.handle(AttemptEvent::Start, NOW);
    assert_eq!(fail(&mut attempt, rate(2000)), Step::Stop { failure: 0 });
}

#[test]
fn the_wait_before_a_second_call_is_full_jitter_up_to_four_seconds() {
    let wait = |n_before: usize, random: u64| {
        let limits = AttemptLimits { per_offer: 99, per_interaction: 99, total_wait_ms: u64::MAX };
        let mut attempt = Attempt::new([None], true, limits);
        attempt.handle(AttemptEvent::Start, NOW);
        for _ in 0..n_before {
            fail(&mut attempt, Failure::Server);
        }
        match attempt.handle(AttemptEvent::Failed { failure: Failure::Server, may_retry: true, random }, NOW) {
            Step::Send { wait_ms, .. } => wait_ms,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([wait(0, 250), wait(0, 251), wait(1, 500), wait(4, 4000), wait(9, 4000), wait(9, 4001)], [250, 0, 500, 4000, 4000, 0]);
}

#[test]
fn the_most_useful_failure_is_answered() {
    let last = |failures: &[Failure]| {
        let mut attempt = start(&[0; 4], true);
        let steps: Vec<Step> = failures.iter().map(|failure| fail(&mut attempt, *failure)).collect();
        *steps.last().unwrap()
    };
    assert_eq!(last(&[rate(9000), Failure::Server, rate(5000), Failure::Network]), Step::Stop { failure: 2 });
    assert_eq!(last(&[Failure::Network, Failure::Server, Failure::Network, Failure::Network]), Step::Stop { failure: 1 });
    assert_eq!(last(&[Failure::Network, Failure::Request]), Step::Stop { failure: 1 });
}

#[test]
fn failures_are_recognised_by_status_and_text() {
    use Failure::*;
    for (status, text, failure) in [
        (302, "", Redirect),
        (400, "invalid_request_error: temperature", Request),
        (400, "This model's maximum context length is 8192 tokens", Context),
        (400, "code: context_length_exceeded", Context),
        (400, "prompt is too long: 210000 tokens > 200000 maximum", Context),
        (400, "Your credit balance is too low to access the API", Payment),
        (401, "", Auth),
        (402, "", Payment),
        (403, "", Auth),
        (404, "model_not_found", ModelGone),
        (408, "", Server),
        (413, "", Request),
        (415, "", Request),
        (422, "", Request),
        (429, "slow down", Rate { retry_after_ms: Some(7) }),
        (429, "type: insufficient_quota", Payment),
        (500, "", Server),
        (529, "overloaded_error", Server),
        (200, "<html>", Malformed),
    ] {
        assert_eq!(classify(status, text, Some(7)), failure, "{status} {text}");
    }
}

/// GW-27, the forms.
#[test]
fn gw_27_each_form_of_retry_after_is_read() {
    let read = |headers: &[(&str, &str)]| {
        let find = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        retry_after(&find, "2026-05-17T06:40:00Z".parse().unwrap())
    };
    for (name, value, ms) in [
        ("retry-after", "20", Some(20_000)),
        ("retry-after", "1.5", Some(1500)),
        ("retry-after", "0", Some(1000)),
        ("retry-after", "99999", Some(600_000)),
        ("retry-after", "Sun, 17 May 2026 06:40:30 GMT", Some(30_000)),
        ("retry-after", "Sun, 17 May 2026 06:00:00 GMT", Some(1000)),
        ("retry-after", "soon", None),
        ("retry-after-ms", "2500", Some(2500)),
        ("x-ratelimit-reset-requests", "6m0s", Some(360_000)),
        ("x-ratelimit-reset-tokens", "120ms", Some(1000)),
        ("x-ratelimit-reset-tokens", "7.66s", Some(7660)),
        ("x-ratelimit-reset-tokens", "1h2m", Some(600_000)),
        ("x-ratelimit-reset-tokens", "5x", None),
        ("anthropic-ratelimit-tokens-reset", "2026-05-17T06:41:00Z", Some(60_000)),
        ("anthropic-ratelimit-input-tokens-reset", "2026-05-17T06:41:00+00:00", Some(60_000)),
        ("x-other", "9", None),
    ] {
        assert_eq!(read(&[(name, value)]), ms, "{name}: {value}");
    }
    let limits = [("x-ratelimit-reset-requests", "6m0s"), ("x-ratelimit-remaining-requests", "90"), ("x-ratelimit-reset-tokens", "3s")];
    assert_eq!(read(&limits), Some(3000), "a limit with something left is not the one that was hit");
    assert_eq!(read(&[("retry-after", "2"), ("x-ratelimit-reset-tokens", "9s")]), Some(9000));
}
