//! What a node is about to spend, on disk before the first byte goes to a provider.
//!
//! One record of 64 bytes per call, one `write` without a sync: it survives `kill -9`, not a power cut. The file is
//! locked while its process lives; a file whose lock is free belongs to a dead one and is read by `held`. Files are
//! never read on the request path; which calls are open is known in memory.

use crate::{StoreError, fs};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use vox_base::{Digest, Id, IncarnationId, InteractionId, KeyId, NanoUsd, Timestamp};

/// A file this long is left to empty itself, and a new one is begun.
const SEGMENT_BYTES: u64 = 1024 * 1024;
/// A file without open calls is cut only when it is at least this long, so that one call after another costs nothing.
const WORTH_CUTTING_BYTES: u64 = 64 * 1024;
const RECORD_BYTES: usize = 64;
const INTENDED: u8 = 1;
const RELEASED: u8 = 2;

/// One amount set aside for one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intent {
    /// The call.
    pub interaction_id: InteractionId,
    /// The caller's key, if it has one.
    pub key_id: Option<KeyId>,
    /// The most it should cost; zero where nothing is set aside.
    pub amount: NanoUsd,
    /// When.
    pub at: Timestamp,
}

/// The intents of this process.
pub struct IntentLog {
    dir: PathBuf,
    incarnation: IncarnationId,
    state: Mutex<State>,
}

struct State {
    open: HashMap<InteractionId, u32>,
    segments: Vec<Segment>,
    begun: u32,
}

/// The last segment of the list is the one that is written.
struct Segment {
    number: u32,
    path: PathBuf,
    file: File,
    bytes: u64,
    open: usize,
}

impl IntentLog {
    /// Begins the log of this process.
    ///
    /// # Errors
    /// The directory or file cannot be made.
    pub fn open(data_dir: &Path, incarnation: IncarnationId) -> Result<Self, StoreError> {
        let dir = directory(data_dir)?;
        fs::make_dir(&dir)?;
        let state = State { open: HashMap::new(), segments: Vec::new(), begun: 0 };
        let log = Self { dir, incarnation, state: Mutex::new(state) };
        log.begin_segment(&mut log.state.lock())?;
        Ok(log)
    }

    /// Writes an intent; when this returns, the call may go out.
    ///
    /// # Errors
    /// It cannot be written: the call must not go out.
    pub fn append(&self, intent: &Intent) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        if state.segments.last().is_none_or(|segment| segment.bytes >= SEGMENT_BYTES) {
            self.begin_segment(&mut state)?;
        }
        let Some(segment) = state.segments.last_mut() else { return Err(StoreError::Closed) };
        segment.write(&encode(INTENDED, intent))?;
        segment.open += 1;
        let number = segment.number;
        if let Some(earlier) = state.open.insert(intent.interaction_id, number) {
            // The call was noted before, for an offer that costs less; the newest note counts.
            state.forget(earlier);
        }
        Ok(())
    }

    /// Takes back the intent of a call that never went out and is not settled.
    ///
    /// # Errors
    /// It cannot be written; the call would be found as held after a kill.
    pub fn release(&self, id: InteractionId) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        let Some(&number) = state.open.get(&id) else { return Ok(()) };
        let nothing = Intent { interaction_id: id, key_id: None, amount: NanoUsd::ZERO, at: id.timestamp() };
        if let Some(segment) = state.segments.iter_mut().find(|segment| segment.number == number) {
            segment.write(&encode(RELEASED, &nothing))?;
        }
        state.closed(id);
        Ok(())
    }

    /// Hears that calls are durable in the store.
    pub(crate) fn settled(&self, ids: impl Iterator<Item = InteractionId>) {
        let mut state = self.state.lock();
        for id in ids {
            state.closed(id);
        }
    }

    /// Returns how many calls are open.
    #[must_use]
    pub fn open_calls(&self) -> usize {
        self.state.lock().open.len()
    }

    /// Removes the files without open calls. Those with some stay, and their calls become held at the next start.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        for segment in state.segments.drain(..).filter(|segment| segment.open == 0) {
            segment.remove();
        }
    }

    fn begin_segment(&self, state: &mut State) -> Result<(), StoreError> {
        state.begun += 1;
        let number = state.begun;
        let path = self.dir.join(format!("{}.{number:06}.log", self.incarnation));
        let file = make_locked(&path)?;
        state.segments.push(Segment { number, path, file, bytes: 0, open: 0 });
        Ok(())
    }
}

impl State {
    fn closed(&mut self, id: InteractionId) {
        if let Some(number) = self.open.remove(&id) {
            self.forget(number);
        }
    }

    /// Takes one open call off a segment; one without any is removed, or emptied if it is the one being written.
    fn forget(&mut self, number: u32) {
        let newest = self.segments.len().saturating_sub(1);
        let Some(at) = self.segments.iter().position(|segment| segment.number == number) else { return };
        let segment = &mut self.segments[at];
        segment.open -= 1;
        if segment.open > 0 {
            return;
        }
        if at < newest {
            self.segments.remove(at).remove();
        } else if segment.bytes >= WORTH_CUTTING_BYTES && segment.file.set_len(0).is_ok() {
            segment.bytes = 0;
        }
    }
}

impl Segment {
    /// A record that is cut short by a full disk is cut off again, so that the next one starts on its boundary.
    fn write(&mut self, record: &[u8; RECORD_BYTES]) -> Result<(), StoreError> {
        match self.file.write(record) {
            Ok(RECORD_BYTES) => {
                self.bytes += RECORD_BYTES as u64;
                Ok(())
            }
            Ok(_) => {
                self.file.set_len(self.bytes)?;
                Err(StoreError::Full)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn remove(self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), "an intent file stays: {error}");
        }
    }
}

/// Makes a file and locks it. Between the two a starting process may take it for a dead one's and remove it; then
/// another is made.
fn make_locked(path: &Path) -> Result<File, StoreError> {
    loop {
        drop(fs::make_file(path)?);
        let file = OpenOptions::new().append(true).open(path)?;
        file.lock()?;
        let still_there = std::fs::metadata(path).is_ok_and(|there| file.metadata().is_ok_and(|ours| there.ino() == ours.ino()));
        if still_there {
            return Ok(file);
        }
    }
}

/// What a dead process left.
pub(crate) struct Left {
    pub(crate) incarnation: IncarnationId,
    pub(crate) intents: Vec<Intent>,
    path: PathBuf,
    _locked: File,
}

impl Left {
    /// Removes the file, once what it says is in the store.
    pub(crate) fn remove(self) -> Result<(), StoreError> {
        Ok(std::fs::remove_file(&self.path)?)
    }
}

/// Returns what dead processes left, each file locked so that nobody else reads it meanwhile.
pub(crate) fn left(data_dir: &Path) -> Result<Vec<Left>, StoreError> {
    let dir = directory(data_dir)?;
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.sort();
    paths.into_iter().filter_map(|path| read_dead(path).transpose()).collect()
}

fn read_dead(path: PathBuf) -> Result<Option<Left>, StoreError> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some(incarnation) = name.strip_suffix(".log").and_then(|stem| stem.split('.').next()).and_then(|id| id.parse().ok()) else {
        return Ok(None);
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if file.try_lock().is_err() {
        return Ok(None);
    }
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        // Somebody else was faster.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(Some(Left { incarnation, intents: decode_all(&bytes), path, _locked: file }))
}

fn directory(data_dir: &Path) -> Result<PathBuf, StoreError> {
    fs::inside(data_dir, &data_dir.join("intents"))
}

fn encode(kind: u8, intent: &Intent) -> [u8; RECORD_BYTES] {
    let mut record = [0; RECORD_BYTES];
    record[0] = kind;
    record[1] = u8::from(intent.key_id.is_some());
    record[8..24].copy_from_slice(intent.interaction_id.as_bytes());
    record[24..40].copy_from_slice(intent.key_id.as_ref().map_or(&[0; 16][..], |id| id.as_bytes()));
    record[40..48].copy_from_slice(&intent.amount.get().to_be_bytes());
    record[48..56].copy_from_slice(&intent.at.millis().to_be_bytes());
    let checksum = checksum(&record[..56]);
    record[56..].copy_from_slice(&checksum);
    record
}

fn checksum(bytes: &[u8]) -> [u8; 8] {
    let digest = Digest::of(bytes);
    let mut checksum = [0; 8];
    checksum.copy_from_slice(&digest.as_bytes()[..8]);
    checksum
}

/// Reads whole, sound records; a torn tail or a damaged record is passed over. A released call is left out.
fn decode_all(bytes: &[u8]) -> Vec<Intent> {
    let (records, _) = bytes.as_chunks::<RECORD_BYTES>();
    // By id, which is the order of time: of a call that was noted twice the newest note counts.
    let mut intents: BTreeMap<InteractionId, Intent> = BTreeMap::new();
    for record in records.iter().filter(|record| record[56..] == checksum(&record[..56])) {
        let intent = decode(record);
        match record[0] {
            INTENDED => drop(intents.insert(intent.interaction_id, intent)),
            RELEASED => drop(intents.remove(&intent.interaction_id)),
            _ => {}
        }
    }
    intents.into_values().collect()
}

fn decode(record: &[u8; RECORD_BYTES]) -> Intent {
    let id = |at: usize| {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&record[at..at + 16]);
        bytes
    };
    let number = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&record[at..at + 8]);
        i64::from_be_bytes(bytes)
    };
    Intent {
        interaction_id: Id::from_bytes(id(8)),
        key_id: (record[1] == 1).then(|| Id::from_bytes(id(24))),
        amount: NanoUsd::new(number(40)),
        at: Timestamp::from_millis(number(48)),
    }
}

/// Returns the record of an intent, for tests that play a killed process.
#[cfg(test)]
pub(crate) fn encoded(intent: &Intent) -> [u8; RECORD_BYTES] {
    encode(INTENDED, intent)
}

#[cfg(test)]
mod tests;
