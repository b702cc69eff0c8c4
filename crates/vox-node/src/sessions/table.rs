//! Which conversation a request continues, and what is known of it. Pure: time and new ids are given.
//!
//! Where a request ended and where its last assistant's turn ended are remembered. A request that begins with such a
//! place continues it; one that leaves the conversation at a place where it went on before is a child. The answer to a
//! first request is not known here, so a first request waits as an *opening*, and the first that continues it takes it.

use super::chain::Link;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use vox_base::Timestamp;

/// Most conversations, and most places, that are remembered.
pub(super) const CAPACITY: usize = 65_536;
/// Most places of one conversation.
pub(super) const MAX_PLACES: usize = 240;
/// Most first requests that are alike and wait.
const MAX_ALIKE: usize = 16;

/// All conversations.
#[derive(Default)]
pub(super) struct Table {
    records: HashMap<u128, Record>,
    places: HashMap<u128, Continued>,
    openings: HashMap<u128, Vec<u128>>,
    /// What changed since it was last taken to be stored.
    dirty: Vec<u128>,
}

/// A remembered place: whose it is, and whether the conversation went on behind it.
#[derive(Debug, Clone, Copy)]
struct Continued {
    record: u128,
    went_on: bool,
}

/// What is known of one conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// What callers see.
    pub(super) id: Arc<str>,
    /// The conversation it left.
    pub(super) parent: Option<Arc<str>>,
    /// Its places, oldest first.
    pub(super) places: Vec<Place>,
    /// The offer that answered last.
    pub(super) offer: Option<Arc<str>>,
    /// What of it that offer is likely to have cached, and until when.
    pub(super) cached_tokens: u64,
    pub(super) cached_until: Timestamp,
    /// Requests that were answered.
    pub(super) n_turns: u32,
    /// What the last one was about.
    pub(super) task: Option<Arc<str>>,
    pub(super) first_at: Timestamp,
    pub(super) last_at: Timestamp,
    /// Whether it differs from what is stored.
    pub(super) is_dirty: bool,
}

/// A place as a record keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) digest: u128,
    pub(super) went_on: bool,
    pub(super) is_opening: bool,
}

impl Record {
    pub(super) fn new(id: Arc<str>, parent: Option<Arc<str>>, now: Timestamp) -> Self {
        Self {
            id,
            parent,
            places: Vec::new(),
            offer: None,
            cached_tokens: 0,
            cached_until: now,
            n_turns: 0,
            task: None,
            first_at: now,
            last_at: now,
            is_dirty: false,
        }
    }
}

impl Table {
    pub(super) fn get(&self, key: u128) -> Option<&Record> {
        self.records.get(&key)
    }

    /// Returns a record to be changed.
    pub(super) fn change(&mut self, key: u128) -> Option<&mut Record> {
        let record = self.records.get_mut(&key)?;
        if !record.is_dirty {
            record.is_dirty = true;
            self.dirty.push(key);
        }
        Some(record)
    }

    /// Returns the record under a key that a caller's own name makes.
    pub(super) fn named(&mut self, key: u128, id: &str, now: Timestamp) -> &Record {
        let record = self.records.entry(key).or_insert_with(|| Record::new(id.into(), None, now));
        record.last_at = record.last_at.max(now);
        record
    }

    /// Returns the key of the conversation that a chain continues; a new one has the id that is given.
    pub(super) fn continued(&mut self, chain: &[Link], new: (u128, &dyn Fn() -> Arc<str>), now: Timestamp) -> Option<u128> {
        let (whole, before) = chain.split_last()?;
        if whole.has_assistant
            && let Some(same) = self.places.get(&whole.digest)
        {
            return Some(same.record);
        }
        let longest = before.iter().rev().take_while(|link| link.has_assistant).find(|link| self.places.contains_key(&link.digest));
        let record = match longest.and_then(|link| self.go_on(link.digest)) {
            Some((record, false)) => record,
            Some((left, true)) => {
                let parent = self.records.get(&left).map(|record| record.id.clone());
                self.begin(new, parent, now)
            }
            None => self.opened(before).unwrap_or_else(|| self.begin(new, None, now)),
        };
        self.remember(record, chain, now);
        Some(record)
    }

    /// Notes that a conversation goes on behind a place; returns whose it is, and whether it went on there before.
    fn go_on(&mut self, digest: u128) -> Option<(u128, bool)> {
        let place = self.places.get_mut(&digest)?;
        let went_on = std::mem::replace(&mut place.went_on, true);
        let record = place.record;
        let kept = self.records.get_mut(&record).and_then(|record| record.places.iter_mut().find(|kept| kept.digest == digest));
        kept.into_iter().for_each(|kept| kept.went_on = true);
        Some((record, went_on))
    }

    /// Takes the newest conversation that waits behind the messages before the first answer.
    fn opened(&mut self, before: &[Link]) -> Option<u128> {
        let opening = before.iter().take_while(|link| !link.has_assistant).last()?;
        let waiting = self.openings.get_mut(&opening.digest)?;
        let record = waiting.pop();
        if waiting.is_empty() {
            self.openings.remove(&opening.digest);
        }
        record.filter(|record| self.records.contains_key(record))
    }

    fn begin(&mut self, (key, id): (u128, &dyn Fn() -> Arc<str>), parent: Option<Arc<str>>, now: Timestamp) -> u128 {
        self.records.insert(key, Record::new(id(), parent, now));
        key
    }

    /// Remembers where a request ends, and where its last assistant's turn does.
    fn remember(&mut self, key: u128, chain: &[Link], now: Timestamp) {
        let Some(whole) = chain.last() else { return };
        let answer = chain.iter().rev().find(|link| link.is_assistant).filter(|answer| answer.digest != whole.digest);
        let Some(record) = self.change(key) else { return };
        record.last_at = now;
        record.places.retain(|place| !place.is_opening);
        if !whole.has_assistant {
            record.places.push(Place { digest: whole.digest, went_on: false, is_opening: true });
            let waiting = self.openings.entry(whole.digest).or_default();
            waiting.push(key);
            let gone = (waiting.len() > MAX_ALIKE).then(|| waiting.remove(0));
            gone.into_iter().for_each(|gone| drop(self.records.remove(&gone)));
            return;
        }
        let Some(record) = self.records.get_mut(&key) else { return };
        for (link, went_on) in answer.map(|answer| (answer, true)).into_iter().chain([(whole, false)]) {
            if let Entry::Vacant(place) = self.places.entry(link.digest) {
                place.insert(Continued { record: key, went_on });
                record.places.push(Place { digest: link.digest, went_on, is_opening: false });
            }
        }
        let n_gone = record.places.len().saturating_sub(MAX_PLACES);
        for gone in record.places.drain(..n_gone) {
            self.places.remove(&gone.digest);
        }
    }

    /// Takes a stored record back, unless a newer one is here.
    pub(super) fn restore(&mut self, key: u128, record: Record) {
        if self.records.get(&key).is_some_and(|known| known.last_at >= record.last_at) {
            return;
        }
        for place in &record.places {
            if place.is_opening {
                let waiting = self.openings.entry(place.digest).or_default();
                if !waiting.contains(&key) {
                    waiting.push(key);
                }
            } else {
                self.places.insert(place.digest, Continued { record: key, went_on: place.went_on });
            }
        }
        self.records.insert(key, record);
    }

    /// Returns the records that changed and are to be stored, and takes them for stored: those with so many turns, or all.
    pub(super) fn take_dirty(&mut self, least_turns: u32, all: bool) -> Vec<(u128, Record)> {
        let changed = std::mem::take(&mut self.dirty);
        let keys: Vec<u128> = if all { self.records.keys().copied().collect() } else { changed };
        let mut taken = Vec::new();
        for key in keys {
            let Some(record) = self.records.get_mut(&key) else { continue };
            let is_young = record.n_turns < least_turns;
            if std::mem::take(&mut record.is_dirty) && !is_young || is_young && all {
                taken.push((key, record.clone()));
            }
        }
        taken
    }

    /// Forgets the conversations that were silent longest until an eighth of the room is free, once there is none.
    pub(super) fn make_room(&mut self) {
        if self.records.len() <= CAPACITY && self.places.len() <= CAPACITY {
            return;
        }
        let mut by_age: Vec<(Timestamp, u128)> = self.records.iter().map(|(key, record)| (record.last_at, *key)).collect();
        by_age.sort_unstable();
        let keep = CAPACITY - CAPACITY / 8;
        for (_, key) in by_age {
            if self.records.len() <= keep && self.places.len() <= keep {
                return;
            }
            self.forget(key);
        }
    }

    fn forget(&mut self, key: u128) {
        for place in self.records.remove(&key).into_iter().flat_map(|record| record.places) {
            self.places.remove(&place.digest);
            if let Some(waiting) = self.openings.get_mut(&place.digest) {
                waiting.retain(|waiting| *waiting != key);
                if waiting.is_empty() {
                    self.openings.remove(&place.digest);
                }
            }
        }
    }
}
