//! The words that rules are made of, each with a number. Nearly every word of a text is none of them, and that must be
//! quick to say.

use super::spoken::Word;

/// Words by number: some stand for themselves, others for everything that begins with them.
#[derive(Debug, Clone, Default)]
pub(super) struct Vocabulary {
    n_words: u16,
    exact: Table<Word>,
    /// Beginnings with the bits of theirs that count.
    beginnings: Vec<(Word, Word, u16)>,
    /// For the first three letters of a word, whether a beginning may fit.
    may_begin: Vec<u64>,
}

/// Letters that a beginning needs at least.
pub(crate) const LEAST_BEGINNING: usize = 3;
const N_BITS: usize = 4096;

impl Vocabulary {
    /// Returns the number of a word, a new one if it has none yet.
    pub(super) fn id(&mut self, word: Word, any_ending: bool) -> u16 {
        let new = self.n_words;
        let id = if any_ending { self.beginning(word, new) } else { self.exact.get_or_insert(word, new) };
        self.n_words += u16::from(id == new);
        id
    }

    fn beginning(&mut self, word: Word, new: u16) -> u16 {
        let (word, mask) = word.beginning(word.n_bytes());
        if let Some((.., id)) = self.beginnings.iter().find(|(known, known_mask, _)| (*known, *known_mask) == (word, mask)) {
            return *id;
        }
        self.beginnings.push((word, mask, new));
        self.may_begin.resize(N_BITS / 64, 0);
        let bit = bit(word);
        self.may_begin[bit / 64] |= 1 << (bit % 64);
        new
    }

    /// Calls back with the number of every entry that a word fits.
    pub(super) fn find(&self, word: Word, mut each: impl FnMut(u16)) {
        if let Some(id) = self.exact.get(word) {
            each(id);
        }
        let bit = bit(word);
        if self.may_begin.get(bit / 64).is_some_and(|bits| bits >> (bit % 64) & 1 == 1) {
            for (beginning, mask, id) in &self.beginnings {
                if (0..3).all(|at| word.0[at] & mask.0[at] == beginning.0[at]) {
                    each(*id);
                }
            }
        }
    }
}

/// A hash table with open addressing, for keys that cost nothing to compare.
#[derive(Debug, Clone)]
pub(super) struct Table<K> {
    /// As many as a power of two, at least twice the keys.
    slots: Vec<Option<(K, u16)>>,
    n_keys: usize,
}

/// What a table can hash.
pub(super) trait Key: Copy + PartialEq {
    fn mixed(self) -> u64;
}

/// Mixing by multiplication (Knuth, The Art of Computer Programming 3, 6.4).
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

impl Key for Word {
    fn mixed(self) -> u64 {
        self.0.into_iter().fold(0_u64, |mixed, part| (mixed.rotate_left(23) ^ part).wrapping_mul(MIX))
    }
}

impl Key for (u16, u16) {
    fn mixed(self) -> u64 {
        (u64::from(self.0) << 16 | u64::from(self.1)).wrapping_mul(MIX)
    }
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { slots: Vec::new(), n_keys: 0 }
    }
}

impl<K: Key> Table<K> {
    pub(super) fn get(&self, key: K) -> Option<u16> {
        if self.slots.is_empty() {
            return None;
        }
        self.slots[self.place(key)].map(|(_, value)| value)
    }

    /// Returns the value under a key, which is the one given if there was none.
    pub(super) fn get_or_insert(&mut self, key: K, value: u16) -> u16 {
        if self.slots.len() < (self.n_keys + 1) * 2 {
            let old = std::mem::replace(&mut self.slots, vec![None; ((self.n_keys + 1) * 4).next_power_of_two()]);
            for (key, value) in old.into_iter().flatten() {
                let place = self.place(key);
                self.slots[place] = Some((key, value));
            }
        }
        let place = self.place(key);
        self.n_keys += usize::from(self.slots[place].is_none());
        self.slots[place].get_or_insert((key, value)).1
    }

    /// Returns where a key is, or would be.
    fn place(&self, key: K) -> usize {
        let mask = self.slots.len() - 1;
        let mut place = usize::try_from(key.mixed() >> 33).unwrap_or(0) & mask;
        while self.slots[place].is_some_and(|(known, _)| known != key) {
            place = (place + 1) & mask;
        }
        place
    }
}

fn bit(word: Word) -> usize {
    usize::try_from((word.0[0] & 0x00ff_ffff).wrapping_mul(MIX) >> 40).unwrap_or(0) % N_BITS
}
