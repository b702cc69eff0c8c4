//! The contract's rules, made ready: every phrase of every rule in one tree, so that a text is read once.

use super::phrases::{Found, N_LISTS, OPENS, Phrases};
use super::{Features, Verdict, spoken};
use crate::contract::classification::{Classification, Rule, When};
use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError};
use spoken::Said;
use std::sync::Arc;

/// The classification rules of a contract, ready to be applied.
#[derive(Debug, Clone)]
pub struct Classifier {
    rules: Vec<Ready>,
    tasks: Vec<Arc<str>>,
    foreign_tags: Vec<String>,
    min_weight: i64,
    user: Phrases,
    system: Phrases,
    marks: AhoCorasick,
    /// For each mark, the rules that have it.
    marked: Vec<u128>,
}

#[derive(Debug, Clone)]
struct Ready {
    id: Arc<str>,
    task: Option<usize>,
    weight: i64,
    complexity_add: i64,
    when: When,
}

/// What was found of the rules' texts, a bit for each rule.
struct Hits {
    user: Found,
    system: u128,
    marks: u128,
}

const WORDS: usize = 0;
const ALSO: usize = 1;
const WITHOUT: usize = 2;

/// Most rules a contract may have: one bit each.
pub(crate) const MAX_RULES: usize = 128;

impl Classifier {
    /// Makes rules ready; `tasks` in the order in which ties are decided.
    ///
    /// # Errors
    /// The rules hold more text than an automaton can.
    pub(crate) fn compile(classification: &Classification, tasks: &[String]) -> Result<Self, BuildError> {
        let tasks: Vec<Arc<str>> = tasks.iter().map(|task| task.as_str().into()).collect();
        let ready = |rule: &Rule| Ready {
            id: rule.id.as_str().into(),
            task: rule.task.as_ref().and_then(|task| tasks.iter().position(|known| **known == **task)),
            weight: thousandths(rule.weight),
            complexity_add: rule.complexity_add.unwrap_or(0).into(),
            when: rule.when.clone(),
        };
        let rules: Vec<Ready> = classification.rules.iter().map(ready).collect();
        let (mut user, mut system) = (Phrases::new(), Phrases::new());
        let mut marks: Vec<(&str, u128)> = Vec::new();
        for (at, rule) in rules.iter().enumerate() {
            for (list, phrases) in spoken_lists(&rule.when).into_iter().enumerate() {
                phrases.iter().for_each(|phrase| user.add(phrase, list, at));
            }
            rule.when.system.iter().for_each(|phrase| system.add(phrase, WORDS, at));
            for mark in &rule.when.marks {
                match marks.iter_mut().find(|(known, _)| known == mark) {
                    Some((_, rules)) => *rules |= 1 << at,
                    None => marks.push((mark, 1 << at)),
                }
            }
        }
        let (marks, marked): (Vec<&str>, Vec<u128>) = marks.into_iter().unzip();
        let marks = AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(marks)?;
        let (foreign_tags, min_weight) = (classification.foreign_tags.clone(), thousandths(classification.min_weight));
        Ok(Self { rules, tasks, foreign_tags, min_weight, user, system, marks, marked })
    }

    /// Says what a request is about.
    #[must_use]
    pub fn classify(&self, features: &Features<'_>) -> Verdict {
        let (hits, said) = self.hits(features);
        let mut sums = vec![0; self.tasks.len()];
        let mut verdict = Verdict::default();
        let matches = |(at, rule): &(usize, &Ready)| hits.meets(1 << at, &rule.when) && counts_fit(&rule.when, features, said);
        for (_, rule) in self.rules.iter().enumerate().filter(matches) {
            verdict.rules.push(rule.id.clone());
            verdict.complexity_add += rule.complexity_add;
            if let Some(task) = rule.task {
                sums[task] += rule.weight;
            }
        }
        let heaviest = sums.iter().copied().max().unwrap_or(0);
        let first = sums.iter().position(|sum| *sum == heaviest).filter(|_| heaviest >= self.min_weight);
        verdict.task = first.map(|task| self.tasks[task].clone());
        let some = self.tasks.iter().zip(sums).filter(|(_, sum)| *sum != 0);
        verdict.weights = some.map(|(task, sum)| (task.clone(), sum)).collect();
        verdict
    }

    fn hits(&self, features: &Features<'_>) -> (Hits, Said) {
        let (mut user, mut system) = (self.user.search(), self.system.search());
        let said = spoken::words(features.user_text, features.is_cut, &self.foreign_tags, |word| user.word(word));
        spoken::words(features.system_text, false, &[], |word| system.word(word));
        let marks = self.marks.find_overlapping_iter(features.user_text).map(|found| self.marked[found.pattern()]);
        (Hits { user: user.found, system: system.found[WORDS], marks: marks.fold(0, |all, rules| all | rules) }, said)
    }
}

impl Hits {
    /// Returns whether a rule's conditions about text hold.
    fn meets(&self, rule: u128, when: &When) -> bool {
        let lists = [
            (&when.words, self.user[WORDS]),
            (&when.also, self.user[ALSO]),
            (&when.opens, self.user[OPENS]),
            (&when.system, self.system),
            (&when.marks, self.marks),
        ];
        lists.iter().all(|(list, hits)| list.is_empty() || hits & rule != 0) && self.user[WITHOUT] & rule == 0
    }
}

/// Returns the lists of words that are looked for in the user's text, in the order of [`Found`].
const fn spoken_lists(when: &When) -> [&Vec<String>; N_LISTS] {
    [&when.words, &when.also, &when.without, &when.opens]
}

/// Returns whether a rule's conditions about numbers and flags hold.
fn counts_fit(when: &When, features: &Features<'_>, said: Said) -> bool {
    let at_most = |bound: Option<u32>, number: usize| bound.is_none_or(|bound| number <= bound as usize);
    let at_least = |bound: Option<u32>, number: usize| bound.is_none_or(|bound| number >= bound as usize);
    let is = |wanted: Option<bool>, is: bool| wanted.is_none_or(|wanted| wanted == is);
    at_most(when.max_text_bytes, said.n_bytes)
        && at_least(when.min_text_bytes, said.n_bytes)
        && is(when.question, said.is_question)
        && at_most(when.max_messages, features.n_messages)
        && at_most(when.max_tools, features.n_tools)
        && at_least(when.min_tools, features.n_tools)
        && at_least(when.min_images, features.n_images)
        && when.max_output_tokens.is_none_or(|bound| features.max_output_tokens.is_some_and(|max| max <= bound))
        && is(when.tool_loop, features.in_tool_loop)
        && is(when.tool_failed, features.tool_failed)
        && is(when.json, features.json)
        && is(when.web_search, features.web_search)
}

#[expect(clippy::cast_possible_truncation, reason = "the contract's check keeps weights between 0 and 10")]
pub(crate) fn thousandths(weight: f64) -> i64 {
    (weight * 1000.0).round() as i64
}
