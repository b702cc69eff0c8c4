//! The connections that reads and writes borrow: a bounded number, made when needed, replaced when lost.

use super::session::{Begin, Failed, Session};
use super::target::Target;
use crate::StoreError;
use crate::tx::Tx;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Most connections for reads and writes.
const CONNECTIONS: usize = 16;
/// How long a free connection is waited for.
const ACQUIRE_PATIENCE: Duration = Duration::from_secs(5);
/// How often a transaction that others got in the way of is run again.
const RETRIES: u32 = 5;

/// The pool of one database.
#[derive(Clone)]
pub(crate) struct Pool {
    target: Arc<Target>,
    name: Arc<str>,
    idle: Arc<Mutex<Vec<Session>>>,
    permits: Arc<Semaphore>,
}

impl Pool {
    /// Makes a pool without any connection; `name` is what the server calls them.
    pub(crate) fn new(target: &Target, name: &str) -> Self {
        Self { target: Arc::new(target.clone()), name: name.into(), idle: Arc::default(), permits: Arc::new(Semaphore::new(CONNECTIONS)) }
    }

    /// Returns how many connections are lent out.
    pub(crate) fn in_use(&self) -> usize {
        CONNECTIONS.saturating_sub(self.permits.available_permits())
    }

    /// Runs work in a transaction, on a thread that may block.
    pub(crate) async fn run<T, F>(&self, begin: Begin, mut work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Tx) -> Result<T, StoreError> + Send + 'static,
    {
        let permit = tokio::time::timeout(ACQUIRE_PATIENCE, self.permits.clone().acquire_owned()).await;
        let permit = permit.map_err(|_| StoreError::PoolExhausted)?.map_err(|_| StoreError::Closed)?;
        let pool = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            pool.transaction(begin, &mut work)
        });
        done.await.map_err(|error| StoreError::Io(error.to_string()))?
    }

    /// Runs work in a transaction and blocks this thread; again after a failure that is the engine's.
    pub(crate) fn transaction<T>(&self, begin: Begin, work: &mut dyn FnMut(&mut dyn Tx) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut retries = 0;
        loop {
            let mut session = self.take()?;
            let mut value = None;
            let failed = session.transaction(begin, &mut |tx| {
                value = Some(work(tx)?);
                Ok(())
            });
            let failed = match failed {
                Ok(()) => None,
                Err(Failed::Unknown(number)) => self.resolve(&number)?,
                Err(failed) => Some(failed),
            };
            let error = match failed {
                None => {
                    self.put(session);
                    return value.ok_or(StoreError::Closed);
                }
                Some(Failed::Refused(error)) => {
                    self.put(session);
                    return Err(error);
                }
                Some(Failed::Again(error)) => {
                    self.put(session);
                    error
                }
                Some(failed) => failed.into_error(),
            };
            retries += 1;
            if retries > RETRIES {
                return Err(error);
            }
            std::thread::sleep(uneven(retries));
        }
    }

    /// Asks over another connection what became of a commit; `None` if it happened.
    fn resolve(&self, number: &str) -> Result<Option<Failed>, StoreError> {
        let session = self.take()?;
        let has_committed = session.has_committed(number)?;
        self.put(session);
        let lost = || Failed::Lost(StoreError::Unreachable("the connection ended".to_owned()));
        Ok((!has_committed).then(lost))
    }

    /// Lends a connection to work that blocks this thread.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Session) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut session = self.take()?;
        let done = work(&mut session);
        self.put(session);
        done
    }

    fn take(&self) -> Result<Session, StoreError> {
        loop {
            let idle = self.idle.lock().pop();
            match idle {
                Some(session) if session.is_closed() => {}
                Some(session) => return Ok(session),
                None => return Session::connect(&self.target, &self.name),
            }
        }
    }

    fn put(&self, session: Session) {
        if !session.is_closed() && !self.permits.is_closed() {
            self.idle.lock().push(session);
        }
    }

    /// Closes the connections that are not in use; there will be no others.
    pub(crate) fn close(&self) {
        self.permits.close();
        self.idle.lock().clear();
    }
}

/// Returns a wait of a few milliseconds that grows, and is not the same for everybody who waits.
fn uneven(times: u32) -> Duration {
    let noise = Instant::now().elapsed().subsec_nanos() ^ std::process::id().wrapping_mul(2_654_435_761);
    let thread = format!("{:?}", std::thread::current().id()).bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31) + u32::from(byte));
    let micros = noise.wrapping_add(thread.wrapping_mul(7919)) % 5000;
    Duration::from_micros(u64::from(micros)) + Duration::from_millis(u64::from(2_u32.pow(times.min(6))))
}
