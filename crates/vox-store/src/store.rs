//! Opening the store of a data directory, and handing work to the engine it is for.
//!
//! The shared tables open at once, in `vox.db` or in a PostgreSQL schema; `vault.db` is always a file here and opens when
//! it is first used. What the work is stands in the file of its noun.

mod place;
mod shared;

use crate::intent::IntentLog;
use crate::queue::Settling;
use crate::sqlite::{self, Header, Readers};
use crate::tx::Tx;
use crate::{StoreError, calls, fs, kind, migrate};
use parking_lot::Mutex;
pub use place::Place;
pub(crate) use shared::{FileEngine, Lead, ServerEngine, Shared};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use vox_base::{Id, Timestamp};
use vox_contract::File;

/// How long opening waits for a process that holds the home alone.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// How long closing waits for the queue.
const CLOSE_PATIENCE: Duration = Duration::from_secs(10);

/// What a command may do to the data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads only, and makes no file, not even for an instant.
    Inspect,
    /// Reads and writes a store that is there.
    Existing,
    /// Makes the store if it is not there.
    Create,
}

/// Where the store is and who opens it.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// The data directory.
    pub data_dir: PathBuf,
    /// Another place for the shared tables than `vox.db` of the data directory.
    pub db: Option<Place>,
    /// Whether a shared database that an earlier release made may be migrated; a file always is.
    pub may_migrate: bool,
    /// What may be done.
    pub access: Access,
    /// The present moment.
    pub now: Timestamp,
    /// Version of the program, for the history of the schema.
    pub vox_version: &'static str,
    /// The name of the store, if it is made now.
    pub store_id: Id<kind::Store>,
}

/// The store of one data directory; clones share it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    options: OpenOptions,
    shared: Shared,
    vault_path: PathBuf,
    vault: Mutex<Option<Arc<FileEngine>>>,
    intents: Arc<OnceLock<IntentLog>>,
    ended_unclean: bool,
    _lock: Option<std::fs::File>,
}

impl Store {
    /// Opens the store, migrates it, and starts its writer.
    ///
    /// # Errors
    /// There is none and none may be made; a path leads out of the directory; a file is foreign, newer, damaged, drifted
    /// or locked by a migration for over a minute. A foreign or newer file is left untouched. The same for a database,
    /// which besides may be out of reach, or behind and not to be migrated.
    pub fn open(options: OpenOptions) -> Result<Self, StoreError> {
        let (root, state_path) = resolve(&options)?;
        let vault_path = fs::inside(&root, &root.join("vault.db"))?;
        judge(&vault_path, File::Vault)?;
        if let Some(path) = &state_path
            && judge(path, File::State)? == Header::Empty
            && options.access != Access::Create
        {
            return Err(StoreError::Missing(path.clone()));
        }
        let (lock, ended_unclean) = lock(&root, state_path.as_deref().unwrap_or(&vault_path), options.access)?;
        let intents = Arc::new(OnceLock::new());
        let shared = match (&options.db, state_path) {
            (Some(Place::Server(target)), _) => Shared::Server(Box::new(ServerEngine::open(&options, target, settling(&intents))?)),
            (_, path) => {
                let path = path.unwrap_or_else(|| root.join("vox.db"));
                Shared::File(open_engine(&options, &path, File::State, ended_unclean, settling(&intents))?)
            }
        };
        let vault = Mutex::new(None);
        Ok(Self(Arc::new(Inner { options, shared, vault_path, vault, intents, ended_unclean, _lock: lock })))
    }

    /// Queues a call that has ended; it is committed within a few milliseconds, and its intent is closed then.
    /// Never waits, and is retried for as long as the process lives.
    pub fn settle(&self, call: calls::SettledCall) {
        if let Some(queue) = self.0.shared.queue() {
            queue.settle(Box::new(call));
        }
    }

    /// Returns how many settled calls wait to be committed.
    #[must_use]
    pub fn settle_depth(&self) -> usize {
        self.0.shared.queue().map_or(0, |queue| queue.depth())
    }

    /// Returns how many settled calls were refused by the engine; their intents stay open.
    #[must_use]
    pub fn settles_refused(&self) -> u64 {
        self.0.shared.queue().map_or(0, |queue| queue.lost())
    }

    /// Waits until every call settled before is committed.
    ///
    /// # Errors
    /// The store is closed or busy.
    pub async fn flush(&self) -> Result<(), StoreError> {
        match self.0.shared.queue() {
            Some(queue) => queue.flush().await,
            None => Ok(()),
        }
    }

    /// Commits what waits, for at most ten seconds, and closes the files. Later operations fail.
    pub fn close(&self) {
        self.0.close();
    }

    /// Returns the log of intents, once a node has opened it.
    #[must_use]
    pub fn intents(&self) -> Option<&IntentLog> {
        self.0.intents.get()
    }

    pub(crate) fn keep_intents(&self, log: IntentLog) -> Result<(), StoreError> {
        self.0.intents.set(log).map_err(|_| StoreError::Io("the intents are open already".to_owned()))
    }

    pub(crate) fn options(&self) -> &OpenOptions {
        &self.0.options
    }

    pub(crate) fn ended_unclean(&self) -> bool {
        self.0.ended_unclean
    }

    /// Runs a write as a transaction of its own; returns when it is durable. Writes of all processes come one after
    /// another on both engines, so work may read and then write what follows from it. It may be run again after a failure
    /// that is the engine's, and so must have no effect but its statements.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T, StoreError> + Send + 'static,
    {
        self.0.shared.write(work).await
    }

    /// Runs a write beside those of other processes, as a transaction of its own. Only for work that holds what it reads, or
    /// reads nothing.
    pub(crate) async fn write_beside<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T, StoreError> + Send + 'static,
    {
        self.0.shared.write_beside(work).await
    }

    /// Runs reads of one snapshot; like a write, work may be run again.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T, StoreError> + Send + 'static,
    {
        self.0.shared.read(work).await
    }

    pub(crate) async fn write_vault<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Tx) -> Result<T, StoreError> + Send + 'static,
    {
        self.vault()?.write(work).await
    }

    /// Like [`Self::read`] for the vault file; `None` while there is none.
    pub(crate) async fn read_vault<T, F>(&self, work: F) -> Result<Option<T>, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Tx) -> Result<T, StoreError> + Send + 'static,
    {
        if judge(&self.0.vault_path, File::Vault)? == Header::Empty {
            return Ok(None);
        }
        let vault = self.vault()?;
        vault.readers.run(work).await.map(Some)
    }

    /// Lends a raw reading connection of the vault, for what only the engine knows; `None` while there is none.
    pub(crate) fn vault_file(&self) -> Result<Option<Arc<FileEngine>>, StoreError> {
        if judge(&self.0.vault_path, File::Vault)? == Header::Empty { Ok(None) } else { self.vault().map(Some) }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    fn vault(&self) -> Result<Arc<FileEngine>, StoreError> {
        let mut vault = self.0.vault.lock();
        if let Some(engine) = vault.as_ref() {
            return Ok(engine.clone());
        }
        let nothing = Settling { committed: Arc::new(|_| ()), ..settling(&Arc::default()) };
        let engine = Arc::new(open_engine(&self.0.options, &self.0.vault_path, File::Vault, self.0.ended_unclean, nothing)?);
        *vault = Some(engine.clone());
        Ok(engine)
    }
}

impl Inner {
    fn close(&self) {
        self.shared.close(CLOSE_PATIENCE);
        if let Some(vault) = self.vault.lock().take() {
            vault.close(CLOSE_PATIENCE);
        }
        if let Some(intents) = self.intents.get() {
            intents.close();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

/// Returns the real data directory and the path of the state file in it or where the user put it; none for a server.
fn resolve(options: &OpenOptions) -> Result<(PathBuf, Option<PathBuf>), StoreError> {
    let may_make = options.access == Access::Create;
    if may_make {
        fs::make_dir(&options.data_dir)?;
    }
    let real = |missing: &Path| options.data_dir.canonicalize().map_err(|_| StoreError::Missing(missing.to_owned()));
    match &options.db {
        None => {
            let root = real(&options.data_dir)?;
            let state = fs::inside(&root, &root.join("vox.db"))?;
            Ok((root, Some(state)))
        }
        Some(Place::File(db)) => {
            let state = resolve_file(db, may_make)?;
            Ok((real(db)?, Some(state)))
        }
        // What is on the server can be read where nothing is on this machine.
        Some(Place::Server(_)) => Ok((real(&options.data_dir).unwrap_or_else(|_| options.data_dir.clone()), None)),
    }
}

fn resolve_file(db: &Path, may_make: bool) -> Result<PathBuf, StoreError> {
    let missing = || StoreError::Missing(db.to_owned());
    let parent = db.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    if may_make {
        fs::make_dir(parent)?;
    }
    let parent = parent.canonicalize().map_err(|_| missing())?;
    let name = db.file_name().ok_or_else(missing)?;
    fs::inside(&parent, &parent.join(name))
}

fn judge(path: &Path, file: File) -> Result<Header, StoreError> {
    let (_, application_id) = sqlite::APPLICATION_IDS[usize::from(file == File::Vault)];
    sqlite::judge(path, application_id, migrate::newest(file))
}

/// Takes the shared lock of the home, and says whether the last one to write ended without closing.
fn lock(root: &Path, state_path: &Path, access: Access) -> Result<(Option<std::fs::File>, bool), StoreError> {
    let path = fs::inside(root, &root.join("store.lock"))?;
    let file = match access {
        Access::Inspect => match std::fs::File::open(&path) {
            Ok(file) => file,
            Err(_) => return Ok((None, false)),
        },
        Access::Existing | Access::Create => fs::make_file(&path)?,
    };
    let alone = file.try_lock().is_ok();
    // The last to close leaves no log; a log with nobody there means somebody was killed.
    let mut log = state_path.as_os_str().to_owned();
    log.push("-wal");
    let ended_unclean = alone && std::fs::metadata(&log).is_ok_and(|metadata| metadata.len() > 0);
    if alone {
        file.unlock()?;
    }
    share(&file)?;
    Ok((Some(file), ended_unclean))
}

/// Shares the lock. Another process that opens the store at the same moment holds it alone for an instant.
fn share(file: &std::fs::File) -> Result<(), StoreError> {
    let until = std::time::Instant::now() + LOCK_PATIENCE;
    while file.try_lock_shared().is_err() {
        if std::time::Instant::now() > until {
            return Err(StoreError::Busy);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn settling(intents: &Arc<OnceLock<IntentLog>>) -> Settling {
    let intents = intents.clone();
    Settling {
        prepare: calls::prepare,
        write: calls::settle,
        committed: Arc::new(move |calls| {
            if let Some(log) = intents.get() {
                log.settled(calls.iter().map(|call| call.interaction.interaction_id));
            }
        }),
    }
}

fn open_engine(options: &OpenOptions, path: &Path, file: File, check: bool, settling: Settling) -> Result<FileEngine, StoreError> {
    let inspecting = options.access == Access::Inspect;
    let readers = Readers::new(path.to_owned(), inspecting);
    if inspecting {
        return Ok(FileEngine { path: path.to_owned(), writer: None, readers });
    }
    // SQLite gives its side files the mode of the main one, so that is made first.
    drop(fs::make_file(path)?);
    let connection = sqlite::writer_connection(path, file)?;
    if check {
        sqlite::quick_check(&connection)?;
    }
    migrate::migrate(&connection, file, options.now, options.vox_version)?;
    name_store(&connection, options)?;
    let writer = sqlite::start_writer(connection, path.to_owned(), file, settling)?;
    Ok(FileEngine { path: path.to_owned(), writer: Some(writer), readers })
}

/// Names a new store. Of several that open it at once one comes first, and may keep the file busy from then on: whoever
/// waits looks again whether there is a name by now.
fn name_store(connection: &rusqlite::Connection, options: &OpenOptions) -> Result<(), StoreError> {
    connection.busy_timeout(Duration::from_millis(20))?;
    let mut statements = sqlite::Statements::new(connection);
    let tx: &mut dyn Tx = &mut statements;
    let until = std::time::Instant::now() + LOCK_PATIENCE;
    while tx.value::<String>("SELECT value FROM store_meta WHERE key = $1", &[crate::row::Value::Text("store_id")])?.is_none() {
        match insert_name(tx, options) {
            Err(StoreError::Busy) if std::time::Instant::now() < until => {}
            done => return done,
        }
    }
    Ok(())
}

fn insert_name(tx: &mut dyn Tx, options: &OpenOptions) -> Result<(), StoreError> {
    let (id, at) = (options.store_id.to_string(), options.now.millis().to_string());
    tx.execute(migrate::NAME_STORE, &[crate::row::Value::Text(&id), crate::row::Value::Text(&at)]).map(|_| ())
}

#[cfg(test)]
mod tests;
