//! Callers whose requests keep filling a context: noticed here, and told to a board as escalations.

use crate::board::Escalation;
use crate::contract::ContextRules;
use crate::evidence::OfferKey;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use vox_base::Timestamp;

/// How far one call filled the context of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    /// Who answered.
    pub offer: OfferKey,
    /// The context it has.
    pub context_tokens: u64,
    /// What was used of it, in ten-thousandths.
    pub used_bp: u32,
    /// On which task.
    pub task: Arc<str>,
    /// For whom.
    pub caller: Option<Arc<str>>,
    /// When.
    pub at: Timestamp,
}

/// Recent full calls.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fillings {
    full: BTreeMap<Who, VecDeque<Timestamp>>,
    /// Of one caller and task, each larger one ends before the next smaller one.
    escalated: BTreeMap<CallerTask, Vec<Escalated>>,
}

type CallerTask = (Option<Arc<str>>, Arc<str>);

#[derive(Debug, Clone, PartialEq)]
struct Escalated {
    above_tokens: u64,
    until: Timestamp,
}

type Who = (OfferKey, Arc<str>, Option<Arc<str>>);

impl Fillings {
    /// Takes a call in, and returns whether it escalates.
    pub fn observe(&mut self, rules: &ContextRules, call: &Filled) -> bool {
        if call.used_bp <= rules.escalate.utilisation_bp {
            return false;
        }
        let window_ms = i64::from(rules.escalate.window_s) * 1000;
        let who = (call.offer.clone(), call.task.clone(), call.caller.clone());
        let times = self.full.entry(who).or_default();
        times.retain(|at| at.millis() > call.at.millis() - window_ms && *at <= call.at);
        times.push_back(call.at);
        if times.len() < rules.escalate.times as usize {
            return false;
        }
        let until = call.at.plus_millis(window_ms);
        let escalated = Escalated { above_tokens: rung(rules, call.context_tokens), until };
        let of_caller = self.escalated.entry((call.caller.clone(), call.task.clone())).or_default();
        // Each holds for its own window: a smaller one does not end a larger, nor does it prolong it.
        of_caller.retain(|other| {
            let holds = other.until > call.at && other.until <= until;
            holds && other.above_tokens > escalated.above_tokens
        });
        of_caller.push(escalated);
        true
    }

    /// Returns the escalations that hold at a moment. One that would hold longer than the window was set by a clock that
    /// has been set back since.
    #[must_use]
    pub fn escalations(&self, rules: &ContextRules, at: Timestamp) -> Vec<Escalation> {
        let latest = at.plus_millis(i64::from(rules.escalate.window_s) * 1000);
        let all = self.escalated.iter().flat_map(|(of, escalated)| escalated.iter().map(move |escalated| (of, escalated)));
        all.filter(|(_, escalated)| escalated.until > at && escalated.until <= latest)
            .map(|((caller, task), Escalated { above_tokens, until })| Escalation {
                caller: caller.clone(),
                task: task.clone(),
                above_tokens: *above_tokens,
                until: *until,
            })
            .collect()
    }
}

/// Returns the step of the ladder that a context is on: a larger one has more than that.
fn rung(rules: &ContextRules, context_tokens: u64) -> u64 {
    rules.ladder_tokens.iter().copied().find(|rung| *rung >= context_tokens).unwrap_or(context_tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_millis(1_795_262_400_000);

    fn rules() -> ContextRules {
        crate::Contract::builtin().rules().context.clone()
    }

    fn call(used_bp: u32, after_s: i64) -> Filled {
        Filled {
            offer: OfferKey { provider: "one".into(), model_id: "small".into() },
            context_tokens: 30_000,
            used_bp,
            task: "review".into(),
            caller: None,
            at: NOON.plus_millis(after_s * 1000),
        }
    }

    fn escalated(calls: &[Filled]) -> Vec<u64> {
        let mut fillings = Fillings::default();
        calls.iter().for_each(|call| {
            fillings.observe(&rules(), call);
        });
        let last = calls.last().map_or(NOON, |call| call.at);
        fillings.escalations(&rules(), last).into_iter().map(|escalation| escalation.above_tokens).collect()
    }

    #[test]
    fn rt_29_three_full_calls_within_the_window_escalate() {
        assert_eq!(escalated(&[call(8100, 0), call(8100, 1), call(8100, 2)]), [32_000]);
        assert_eq!(escalated(&[call(8100, 0), call(8100, 1)]), [] as [u64; 0], "two do not");
        assert_eq!(escalated(&[call(8000, 0), call(8000, 1), call(8000, 2)]), [] as [u64; 0], "exactly 80 % is not full");
        assert_eq!(escalated(&[call(8100, 0), call(8100, 1), call(8100, 3601)]), [] as [u64; 0], "the first is too long ago");
    }

    #[test]
    fn rt_29_an_escalation_is_of_one_caller_and_task_and_ends() {
        let mut fillings = Fillings::default();
        let other = |at| Filled { caller: Some("key".into()), ..call(9000, at) };
        for at in 0..2 {
            assert!(!fillings.observe(&rules(), &call(9000, at)) && !fillings.observe(&rules(), &other(at)));
        }
        assert!(fillings.observe(&rules(), &other(2)));
        let open = |after_s: i64| fillings.escalations(&rules(), NOON.plus_millis(after_s * 1000));
        assert_eq!(open(2)[0].caller.as_deref(), Some("key"));
        assert_eq!((open(3601).len(), open(3602).len()), (1, 0));
        assert_eq!(open(-86_400).len(), 0, "a clock set back does not prolong it");
    }

    #[test]
    fn rt_29_full_calls_to_a_smaller_model_do_not_lower_what_a_larger_one_asked_for() {
        let mut fillings = Fillings::default();
        let large = |at| Filled { context_tokens: 200_000, ..call(9000, at) };
        (0..3).for_each(|at| assert_eq!(fillings.observe(&rules(), &large(at)), at == 2));
        let small = |at| Filled { offer: OfferKey { provider: "two".into(), model_id: "other".into() }, ..call(9000, at) };
        (3..6).for_each(|at| assert_eq!(fillings.observe(&rules(), &small(at)), at == 5));
        let above = |after_s: i64| {
            fillings.escalations(&rules(), NOON.plus_millis(after_s * 1000)).iter().map(|open| open.above_tokens).collect::<Vec<_>>()
        };
        assert_eq!(above(6), [200_000, 32_000]);
        assert_eq!(above(3602), [32_000], "the larger one has ended, and the smaller did not prolong it");
        assert_eq!(above(3605), [] as [u64; 0]);
        (6..8).for_each(|at| assert!(fillings.observe(&rules(), &large(at)), "with the two before"));
        let again = fillings.escalations(&rules(), NOON.plus_millis(8000));
        assert_eq!(again.iter().map(|open| open.above_tokens).collect::<Vec<_>>(), [200_000], "the larger one outlasts the smaller");
    }
}
