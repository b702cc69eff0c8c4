//! Phrases of whole words, looked for all at once while a text is read word by word.

use super::spoken::{self, Word};
use super::vocabulary::{Table, Vocabulary};

/// For each list of conditions, the rules of which an entry was found: a bit each.
pub(super) type Found = [u128; N_LISTS];
/// Lists of conditions that a phrase can stand in.
pub(super) const N_LISTS: usize = 4;
/// Of these, the one whose phrases count only where the text begins.
pub(super) const OPENS: usize = 3;

/// A tree of phrases by their words.
#[derive(Debug, Clone)]
pub(super) struct Phrases {
    vocabulary: Vocabulary,
    /// From a node and the number of the next word to a node.
    steps: Table<(u16, u16)>,
    /// For each node, the rules whose phrase ends there.
    ends: Vec<Option<Box<Found>>>,
}

/// How far into the tree the last words lead, and how many words that is.
#[derive(Debug, Clone, Copy)]
struct Path {
    node: u16,
    n_words: usize,
}

const ROOT: Path = Path { node: 0, n_words: 0 };

impl Phrases {
    /// Returns a tree of nothing.
    pub(super) fn new() -> Self {
        Self { vocabulary: Vocabulary::default(), steps: Table::default(), ends: vec![None] }
    }

    /// Adds a phrase of a rule; `*` behind a word stands for any ending.
    pub(super) fn add(&mut self, phrase: &str, list: usize, rule: usize) {
        let mut node = 0;
        for part in phrase.split_inclusive(['*', ' ']) {
            let mut words = Vec::new();
            spoken::words(part, false, &[], |word| words.push(word));
            let n_words = words.len();
            for (at, word) in words.into_iter().enumerate() {
                let id = self.vocabulary.id(word, at + 1 == n_words && part.ends_with('*'));
                node = self.child(node, id);
            }
        }
        self.ends[usize::from(node)].get_or_insert_default()[list] |= 1 << rule;
    }

    fn child(&mut self, node: u16, word: u16) -> u16 {
        let new = u16::try_from(self.ends.len()).expect("the check of the contract bounds the text of all rules");
        let child = self.steps.get_or_insert((node, word), new);
        if child == new {
            self.ends.push(None);
        }
        child
    }

    /// Returns a reader of one text.
    pub(super) const fn search(&self) -> Search<'_> {
        Search { phrases: self, paths: Vec::new(), next_paths: Vec::new(), n_words: 0, found: [0; N_LISTS] }
    }
}

/// Reads one text word by word.
pub(super) struct Search<'a> {
    phrases: &'a Phrases,
    paths: Vec<Path>,
    next_paths: Vec<Path>,
    n_words: usize,
    pub(super) found: Found,
}

impl Search<'_> {
    pub(super) fn word(&mut self, word: Word) {
        self.n_words += 1;
        self.next_paths.clear();
        let phrases = self.phrases;
        phrases.vocabulary.find(word, |id| {
            for path in std::iter::once(ROOT).chain(self.paths.iter().copied()) {
                if let Some(node) = phrases.steps.get((path.node, id)) {
                    self.next_paths.push(Path { node, n_words: path.n_words + 1 });
                }
            }
        });
        std::mem::swap(&mut self.paths, &mut self.next_paths);
        for path in &self.paths {
            if let Some(ends) = &phrases.ends[usize::from(path.node)] {
                let begins = path.n_words == self.n_words;
                for list in (0..N_LISTS).filter(|list| *list != OPENS || begins) {
                    self.found[list] |= ends[list];
                }
            }
        }
    }
}
