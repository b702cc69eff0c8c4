//! Sessions in the store: written now and then, beside the requests, and read when a node opens.

use super::table::{CAPACITY, Place, Record};
use super::{Sessions, hex};
use std::sync::Arc;
use vox_base::{Coded, Digest, Entropy, Timestamp};
use vox_store::Store;
use vox_store::rows::gateway::SessionRow;

const PLACE_BYTES: usize = 17;
const WENT_ON: u8 = 1;
const IS_OPENING: u8 = 2;
/// Sessions of one answer are so many that they are written only when the node ends.
const LEAST_TURNS: u32 = 2;

impl Sessions {
    /// Returns the sessions that a store remembers, with the key that is the store's.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub(crate) async fn open(store: &Store, entropy: &dyn Entropy) -> Result<Self, Coded> {
        let mut fresh = [0; 32];
        entropy.fill(&mut fresh);
        let sessions = Self::new(store.session_key(Digest::from_bytes(fresh)).await?.as_bytes());
        let rows = store.sessions(CAPACITY).await?;
        let mut table = sessions.table.lock();
        for (key, record) in rows.into_iter().filter_map(record) {
            table.restore(key, record);
        }
        drop(table);
        Ok(sessions)
    }

    /// Writes what changed, and forgets what there is no room for.
    ///
    /// # Errors
    /// The store cannot be written; what was to be written is not tried again until it changes.
    pub(crate) async fn keep(&self, store: &Store, is_end: bool) -> Result<(), Coded> {
        let dirty = {
            let mut table = self.table.lock();
            table.make_room();
            table.take_dirty(LEAST_TURNS, is_end)
        };
        if dirty.is_empty() {
            return Ok(());
        }
        Ok(store.keep_sessions(dirty.into_iter().map(row).collect()).await?)
    }
}

fn row((key, record): (u128, Record)) -> SessionRow {
    let flags = |place: &Place| u8::from(place.went_on) * WENT_ON + u8::from(place.is_opening) * IS_OPENING;
    let places: Vec<u8> = record.places.iter().flat_map(|place| place.digest.to_le_bytes().into_iter().chain([flags(place)])).collect();
    let text = |text: Option<Arc<str>>| text.map(|text| text.to_string().into());
    SessionRow {
        session_key: hex(&key.to_be_bytes()).into(),
        session_id: record.id.to_string().into(),
        parent_session_id: text(record.parent),
        places,
        offer: text(record.offer),
        task: text(record.task),
        cached_tokens: i64::try_from(record.cached_tokens).unwrap_or(i64::MAX),
        cached_until: record.cached_until,
        turns: record.n_turns.into(),
        first_at: record.first_at,
        last_at: record.last_at,
    }
}

fn record(row: SessionRow) -> Option<(u128, Record)> {
    let key = u128::from_str_radix(&row.session_key, 16).ok()?;
    let place = |bytes: &[u8]| {
        let digest = u128::from_le_bytes(bytes[..16].try_into().ok()?);
        Some(Place { digest, went_on: bytes[16] & WENT_ON != 0, is_opening: bytes[16] & IS_OPENING != 0 })
    };
    let places = row.places.chunks_exact(PLACE_BYTES).filter_map(place).collect();
    let arc = |text: Option<_>| text.map(|text: vox_store::Text| Arc::from(&*text));
    let record = Record {
        parent: arc(row.parent_session_id),
        places,
        offer: arc(row.offer),
        cached_tokens: u64::try_from(row.cached_tokens).unwrap_or(0),
        cached_until: row.cached_until,
        n_turns: u32::try_from(row.turns).unwrap_or(u32::MAX),
        task: arc(row.task),
        is_dirty: false,
        first_at: row.first_at,
        last_at: row.last_at,
        ..Record::new(Arc::from(&*row.session_id), None, Timestamp::from_millis(0))
    };
    Some((key, record))
}
