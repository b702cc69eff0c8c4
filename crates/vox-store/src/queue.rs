//! What waits for the writer of one file or database.
//!
//! Awaited operations wake the writer at once. Settled calls wait for nobody: they wake it only from deep sleep, and
//! then linger up to [`LINGER`] so that one commit carries many; that keeps a wake-up per call off the request path.

use crate::StoreError;
use crate::calls::SettledCall;
use crate::tx::Tx;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};

/// Most operations in one commit.
pub(crate) const BATCH_OPERATIONS: usize = 256;
/// How long settled calls may wait for company.
pub(crate) const LINGER: Duration = Duration::from_millis(20);
/// Most awaited operations in the queue.
const QUEUE_OPERATIONS: usize = 8192;
/// How long a full queue is waited for.
const FULL_QUEUE_WAIT: Duration = Duration::from_secs(2);
/// Empty rounds of [`LINGER`] after which the writer sleeps until it is woken.
const WARM_ROUNDS: u32 = 5;
/// Idle time after which the log is truncated.
const IDLE: Duration = Duration::from_secs(30);

/// A settled call on its way; it is about two kilobytes, and in a box it is moved once.
pub(crate) type Queued = Box<SettledCall>;

/// Called with the calls of each commit.
pub(crate) type Committed = dyn Fn(&[Queued]) + Send + Sync;

/// How settled calls are written, and who hears of it; an engine knows neither tables nor intents.
#[derive(Clone)]
pub(crate) struct Settling {
    /// Runs once before the settled calls of a batch and returns what `write` needs.
    pub(crate) prepare: fn(&mut dyn Tx, &[Queued]) -> Result<crate::calls::Horizons, StoreError>,
    /// Writes calls.
    pub(crate) write: fn(&mut dyn Tx, &crate::calls::Horizons, &[Queued]) -> Result<(), StoreError>,
    /// Hears which calls are committed.
    pub(crate) committed: Arc<Committed>,
}

/// An operation somebody waits for.
pub(crate) trait Operation: Send {
    /// Runs inside its savepoint and says whether it succeeded.
    fn run(&mut self, tx: &mut dyn Tx) -> Result<(), StoreError>;
    /// Tells the one who waits, after the commit.
    fn finish(self: Box<Self>, outcome: Result<(), StoreError>);
}

/// What the writer takes at once.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) settles: Vec<Queued>,
    pub(crate) operations: Vec<Box<dyn Operation>>,
}

/// What the writer should do next.
pub(crate) enum Next {
    Commit,
    Idle,
    Stop,
}

/// The queue of one file.
pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    room: Semaphore,
}

#[derive(Default)]
struct State {
    settles: VecDeque<Queued>,
    operations: VecDeque<Box<dyn Operation>>,
    sleep: Sleep,
    stopping: bool,
    enqueued: u64,
    settled: u64,
    lost: u64,
}

#[derive(Default, PartialEq, Clone, Copy)]
enum Sleep {
    #[default]
    Awake,
    /// Wakes by itself within [`LINGER`].
    Light,
    /// Wakes only when told.
    Deep,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State::default()), wake: Condvar::new(), room: Semaphore::new(QUEUE_OPERATIONS) }
    }

    /// Adds a settled call; never waits.
    pub(crate) fn settle(&self, call: Queued) {
        let mut state = self.state.lock();
        state.settles.push_back(call);
        state.enqueued += 1;
        let wake = match state.sleep {
            Sleep::Awake => false,
            Sleep::Light => state.settles.len() == BATCH_OPERATIONS,
            Sleep::Deep => true,
        };
        drop(state);
        if wake {
            self.wake.notify_one();
        }
    }

    /// Adds an operation and waits until it is committed.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Tx) -> Result<T, StoreError> + Send + 'static,
    {
        let room = tokio::time::timeout(FULL_QUEUE_WAIT, self.room.acquire()).await;
        let _room = room.map_err(|_| StoreError::Busy)?.map_err(|_| StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        self.push(Box::new(Job { work: Some(work), value: None, reply }))?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    fn push(&self, operation: Box<dyn Operation>) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        if state.stopping {
            return Err(StoreError::Closed);
        }
        state.operations.push_back(operation);
        let asleep = state.sleep != Sleep::Awake;
        drop(state);
        if asleep {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Waits for work and moves it into the batch.
    pub(crate) fn next(&self, batch: &mut Batch, may_idle: bool) -> Next {
        let mut state = self.state.lock();
        let mut rounds = 0;
        let mut has_lingered = false;
        while state.operations.is_empty() && state.settles.is_empty() {
            if state.stopping {
                return Next::Stop;
            }
            rounds += 1;
            if rounds <= WARM_ROUNDS && may_idle {
                state.sleep = Sleep::Light;
                self.wake.wait_for(&mut state, LINGER);
                has_lingered = true;
            } else {
                state.sleep = Sleep::Deep;
                if may_idle && self.wake.wait_for(&mut state, IDLE).timed_out() {
                    state.sleep = Sleep::Awake;
                    return Next::Idle;
                } else if !may_idle {
                    self.wake.wait(&mut state);
                }
                rounds = WARM_ROUNDS;
                has_lingered = false;
            }
        }
        if !has_lingered {
            self.linger(&mut state);
        }
        state.sleep = Sleep::Awake;
        take(&mut state, batch);
        Next::Commit
    }

    /// Lets company gather for settled calls, for which nobody waits; a commit costs much the same for one as for many.
    fn linger(&self, state: &mut parking_lot::MutexGuard<'_, State>) {
        let has_few = (1..BATCH_OPERATIONS).contains(&state.settles.len());
        if has_few && state.operations.is_empty() && !state.stopping {
            state.sleep = Sleep::Light;
            self.wake.wait_for(state, LINGER);
        }
    }

    /// Puts settled calls back in front after a commit that failed as a whole, and waits a moment before the next try.
    pub(crate) fn put_back(&self, calls: Vec<Queued>) {
        let mut state = self.state.lock();
        for call in calls.into_iter().rev() {
            state.settles.push_front(call);
        }
        if !state.stopping {
            state.sleep = Sleep::Awake;
            self.wake.wait_for(&mut state, Duration::from_millis(100));
        }
    }

    /// Returns whether nothing new is taken.
    pub(crate) fn is_stopping(&self) -> bool {
        self.state.lock().stopping
    }

    pub(crate) fn count_settled(&self, settled: usize, lost: usize) {
        let mut state = self.state.lock();
        state.settled += settled as u64;
        state.lost += lost as u64;
    }

    /// Returns how many settled calls wait.
    pub(crate) fn depth(&self) -> usize {
        self.state.lock().settles.len()
    }

    /// Returns how many settled calls could not be written.
    pub(crate) fn lost(&self) -> u64 {
        self.state.lock().lost
    }

    /// Waits until every call settled so far is committed.
    pub(crate) async fn flush(&self) -> Result<(), StoreError> {
        let target = self.state.lock().enqueued;
        loop {
            self.run(|_| Ok(())).await?;
            let state = self.state.lock();
            if state.settled + state.lost >= target {
                return Ok(());
            }
        }
    }

    /// Tells everybody who waits that nothing will be written any more.
    pub(crate) fn abandon(&self) {
        let mut state = self.state.lock();
        state.stopping = true;
        state.operations.clear();
    }

    /// Takes no more operations; the writer ends when what waits is done.
    pub(crate) fn stop(&self) {
        self.state.lock().stopping = true;
        self.wake.notify_one();
    }
}

/// Settled calls go first, so that whoever waits behind them sees them.
fn take(state: &mut State, batch: &mut Batch) {
    let n_settles = state.settles.len().min(BATCH_OPERATIONS);
    batch.settles.extend(state.settles.drain(..n_settles));
    let n_operations = state.operations.len().min(BATCH_OPERATIONS - n_settles.min(BATCH_OPERATIONS - 1));
    batch.operations.extend(state.operations.drain(..n_operations));
}

struct Job<T, F> {
    work: Option<F>,
    value: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Operation for Job<T, F>
where
    T: Send + 'static,
    F: FnOnce(&mut dyn Tx) -> Result<T, StoreError> + Send + 'static,
{
    fn run(&mut self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let work = self.work.take().ok_or(StoreError::Closed)?;
        self.value = Some(work(tx)?);
        Ok(())
    }

    fn finish(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { value, reply, .. } = *self;
        // Nobody may be waiting any more; the operation is done all the same.
        let _ = reply.send(outcome.and_then(|()| value.ok_or(StoreError::Closed)));
    }
}
