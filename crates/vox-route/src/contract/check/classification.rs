//! Rules of classification: they must be able to match, and to matter when they do.

use super::Check;
use crate::classify::{LEAST_BEGINNING, LONGEST_WORD, MAX_RULES};
use crate::contract::classification::{Rule, When};
use vox_base::InvalidConfig;

/// Longest entry of a list of words.
const MAX_ENTRY_BYTES: usize = 80;
/// Most entries in one list of words.
const MAX_ENTRIES: usize = 128;
/// Longest text of all lists together; the automata grow with it.
const MAX_TEXT_BYTES: usize = 65_536;

impl Check<'_> {
    pub(super) fn classification(&self) -> Result<(), InvalidConfig> {
        let classification = &self.rules.classification;
        self.range("classification.min_weight", classification.min_weight, 0.001..=10.0)?;
        self.range("classification.session_margin", classification.session_margin, 0.0..=10.0)?;
        self.entries("classification.research_tools", &classification.research_tools)?;
        self.entries("classification.foreign_tags", &classification.foreign_tags)?;
        let ids: Vec<String> = classification.rules.iter().map(|rule| rule.id.clone()).collect();
        if let Some(at) = (0..ids.len()).find(|at| ids[..*at].contains(&ids[*at])) {
            return self.fault(&format!("classification.rules[{at}].id"), format!("`{}` stands twice", ids[at]));
        }
        if ids.len() > MAX_RULES {
            return self.fault("classification.rules", format!("expected at most {MAX_RULES} rules, found {}", ids.len()));
        }
        let n_bytes: usize =
            classification.rules.iter().flat_map(|rule| lists(&rule.when)).flat_map(|(_, list)| list).map(String::len).sum();
        if n_bytes > MAX_TEXT_BYTES {
            return self.fault("classification.rules", format!("expected at most {MAX_TEXT_BYTES} bytes of words, found {n_bytes}"));
        }
        classification.rules.iter().enumerate().try_for_each(|(at, rule)| self.rule(&format!("classification.rules[{at}]"), rule))
    }

    fn rule(&self, place: &str, rule: &Rule) -> Result<(), InvalidConfig> {
        let key = |field: &str| format!("{place}.{field}");
        let is_id = |id: &str| {
            (1..=40).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_lowercase() || b"._".contains(&byte) || byte.is_ascii_digit())
        };
        if !is_id(&rule.id) {
            return self.fault(&key("id"), "expected 1 to 40 of a-z 0-9 . _");
        }
        if rule.when == When::default() {
            return self.fault(&key("when"), "expected at least one condition");
        }
        match &rule.task {
            Some(task) => {
                self.one_of(&key("task"), task, &self.rules.task_categories)?;
                self.range(&key("weight"), rule.weight, 0.001..=10.0)?;
            }
            None if rule.complexity_add.is_none() => return self.fault(place, "expected a task, or a change of complexity"),
            None => self.range(&key("weight"), rule.weight, 0.0..=0.0)?,
        }
        if let Some(add) = rule.complexity_add {
            self.range(&key("complexity_add"), add, -3..=3)?;
        }
        lists(&rule.when).iter().try_for_each(|(name, list)| {
            let key = format!("{place}.when.{name}");
            self.entries(&key, list)?;
            if *name == "marks" { Ok(()) } else { self.words(&key, list) }
        })
    }

    /// Each word is as long as is read, and one with any ending is long enough to mean something.
    fn words(&self, key: &str, list: &[String]) -> Result<(), InvalidConfig> {
        let is_word = |letter: char| letter.is_alphanumeric() || "_'".contains(letter);
        let fits = |entry: &String| {
            let mut words = entry.split(|letter| !is_word(letter) && letter != '*').filter(|word| !word.is_empty()).peekable();
            words.peek().is_some()
                && words.all(|word| {
                    let letters = word.trim_end_matches('*');
                    let least = if letters.len() < word.len() { LEAST_BEGINNING } else { 1 };
                    !letters.contains('*') && (least..=LONGEST_WORD).contains(&letters.len())
                })
        };
        match list.iter().position(|entry| !fits(entry)) {
            Some(at) => self.fault(
                &format!("{key}[{at}]"),
                format!("expected words of at most {LONGEST_WORD} bytes, and `*` only behind {LEAST_BEGINNING} letters or more"),
            ),
            None => Ok(()),
        }
    }

    fn entries(&self, key: &str, list: &[String]) -> Result<(), InvalidConfig> {
        if list.len() > MAX_ENTRIES {
            return self.fault(key, format!("expected at most {MAX_ENTRIES} entries, found {}", list.len()));
        }
        let fits = |entry: &String| (1..=MAX_ENTRY_BYTES).contains(&entry.trim_end_matches('*').len());
        match list.iter().position(|entry| !fits(entry)) {
            Some(at) => self.fault(&format!("{key}[{at}]"), format!("expected 1 to {MAX_ENTRY_BYTES} bytes")),
            None => Ok(()),
        }
    }
}

const fn lists(when: &When) -> [(&'static str, &Vec<String>); 6] {
    [
        ("words", &when.words),
        ("also", &when.also),
        ("without", &when.without),
        ("opens", &when.opens),
        ("system", &when.system),
        ("marks", &when.marks),
    ]
}
