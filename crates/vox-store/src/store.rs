//! Opening the files of a data directory, and handing work to their writers and readers.
//!
//! `vox.db` opens at once, `vault.db` when it is first used. What the work is stands in the file of its noun.

use crate::intent::IntentLog;
use crate::sqlite::{self, Header, Readers, Settling, Writer};
use crate::tx::Tx;
use crate::{StoreError, calls, fs, kind, migrate};
use parking_lot::Mutex;
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
    /// Another place for the state file.
    pub db: Option<PathBuf>,
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
    state_path: PathBuf,
    vault_path: PathBuf,
    state: Engine,
    vault: Mutex<Option<Arc<Engine>>>,
    intents: Arc<OnceLock<IntentLog>>,
    ended_unclean: bool,
    _lock: Option<std::fs::File>,
}

struct Engine {
    writer: Option<Writer>,
    readers: Readers,
}

impl Store {
    /// Opens the store, migrates it, and starts its writer.
    ///
    /// # Errors
    /// There is none and none may be made; a path leads out of the directory; a file is foreign, newer, damaged, drifted
    /// or locked by a migration for over a minute. A foreign or newer file is left untouched.
    pub fn open(options: OpenOptions) -> Result<Self, StoreError> {
        let (root, state_path) = resolve(&options)?;
        let vault_path = fs::inside(&root, &root.join("vault.db"))?;
        judge(&vault_path, File::Vault)?;
        let state_header = judge(&state_path, File::State)?;
        if state_header == Header::Empty && options.access != Access::Create {
            return Err(StoreError::Missing(state_path));
        }
        let (lock, ended_unclean) = lock(&root, &state_path, options.access)?;
        let intents = Arc::new(OnceLock::new());
        let state = open_engine(&options, &state_path, File::State, ended_unclean, settling(&intents))?;
        let vault = Mutex::new(None);
        Ok(Self(Arc::new(Inner { options, state_path, vault_path, state, vault, intents, ended_unclean, _lock: lock })))
    }

    /// Returns the path of a file, whether or not it exists.
    #[must_use]
    pub fn path(&self, file: File) -> &Path {
        match file {
            File::State => &self.0.state_path,
            File::Vault => &self.0.vault_path,
        }
    }

    /// Queues a call that has ended; it is committed within a few milliseconds, and its intent is closed then.
    /// Never waits, and is retried for as long as the process lives.
    pub fn settle(&self, call: calls::SettledCall) {
        if let Some(writer) = &self.0.state.writer {
            writer.queue.settle(Box::new(call));
        }
    }

    /// Returns how many settled calls wait to be committed.
    #[must_use]
    pub fn settle_depth(&self) -> usize {
        self.0.state.writer.as_ref().map_or(0, |writer| writer.queue.depth())
    }

    /// Returns how many settled calls were refused by the engine; their intents stay open.
    #[must_use]
    pub fn settles_refused(&self) -> u64 {
        self.0.state.writer.as_ref().map_or(0, |writer| writer.queue.lost())
    }

    /// Waits until every call settled before is committed.
    ///
    /// # Errors
    /// The store is closed or busy.
    pub async fn flush(&self) -> Result<(), StoreError> {
        match &self.0.state.writer {
            Some(writer) => writer.queue.flush().await,
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
        self.0.state.write(work, &self.0.state_path).await
    }

    /// Runs reads of one snapshot.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Tx) -> Result<T, StoreError> + Send + 'static,
    {
        self.0.state.readers.run(work).await
    }

    pub(crate) async fn write_vault<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Tx) -> Result<T, StoreError> + Send + 'static,
    {
        let vault = self.vault()?;
        vault.write(work, &self.0.vault_path).await
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

    /// Lends a raw reading connection, for what only the engine knows.
    pub(crate) fn inspect<T>(
        &self,
        file: File,
        work: impl FnOnce(&rusqlite::Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match file {
            File::State => self.0.state.readers.with_raw(work),
            File::Vault => self.vault()?.readers.with_raw(work),
        }
    }

    fn vault(&self) -> Result<Arc<Engine>, StoreError> {
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

impl Engine {
    async fn write<T, F>(&self, work: F, path: &Path) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Tx) -> Result<T, StoreError> + Send + 'static,
    {
        let writer = self.writer.as_ref().ok_or_else(|| StoreError::Missing(path.to_owned()))?;
        writer.queue.run(work).await
    }
}

impl Inner {
    fn close(&self) {
        let vault = self.vault.lock().take();
        for engine in std::iter::once(&self.state).chain(vault.as_deref()) {
            engine.readers.close();
            if let Some(writer) = &engine.writer {
                writer.close(CLOSE_PATIENCE);
            }
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

/// Returns the real data directory and the path of the state file in it or where the user put it.
fn resolve(options: &OpenOptions) -> Result<(PathBuf, PathBuf), StoreError> {
    if options.access == Access::Create {
        fs::make_dir(&options.data_dir)?;
    }
    let missing = |path: &Path| StoreError::Missing(path.to_owned());
    let Some(db) = &options.db else {
        let root = options.data_dir.canonicalize().map_err(|_| missing(&options.data_dir))?;
        let state = fs::inside(&root, &root.join("vox.db"))?;
        return Ok((root, state));
    };
    let parent = db.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    if options.access == Access::Create {
        fs::make_dir(parent)?;
    }
    let root = options.data_dir.canonicalize().map_err(|_| missing(db))?;
    let parent = parent.canonicalize().map_err(|_| missing(db))?;
    let name = db.file_name().ok_or_else(|| missing(db))?;
    Ok((root, fs::inside(&parent, &parent.join(name))?))
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

fn open_engine(options: &OpenOptions, path: &Path, file: File, check: bool, settling: Settling) -> Result<Engine, StoreError> {
    let inspecting = options.access == Access::Inspect;
    let readers = Readers::new(path.to_owned(), inspecting);
    if inspecting {
        return Ok(Engine { writer: None, readers });
    }
    // SQLite gives its side files the mode of the main one, so that is made first.
    drop(fs::make_file(path)?);
    let connection = sqlite::writer_connection(path, file)?;
    if check {
        sqlite::quick_check(&connection)?;
    }
    migrate::migrate(&connection, file, options.now, options.vox_version)?;
    name_store(&connection, options)?;
    let writer = Writer::start(connection, path.to_owned(), file, settling)?;
    Ok(Engine { writer: Some(writer), readers })
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
    let sql =
        "INSERT INTO store_meta (key, value) VALUES ('store_id', $1), ('created_at', $2), ('keys_version', '0') ON CONFLICT DO NOTHING";
    let (id, at) = (options.store_id.to_string(), options.now.millis().to_string());
    tx.execute(sql, &[crate::row::Value::Text(&id), crate::row::Value::Text(&at)])?;
    Ok(())
}

#[cfg(test)]
mod tests;
