//! Threads that work for the store until they are told to stop.

use crate::StoreError;
use crate::queue::Queue;
use parking_lot::Mutex;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A thread that is waited for when the store closes.
pub(crate) struct Worker {
    name: String,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Worker {
    /// Starts the thread.
    pub(crate) fn start(name: String, work: impl FnOnce() + Send + 'static) -> Result<Self, StoreError> {
        let thread = std::thread::Builder::new().name(name.clone()).spawn(work)?;
        Ok(Self { name, thread: Mutex::new(Some(thread)) })
    }

    /// Waits for the thread, which was told to end; gives up after this long.
    pub(crate) fn join(&self, patience: Duration) {
        let Some(thread) = self.thread.lock().take() else { return };
        let deadline = Instant::now() + patience;
        while !thread.is_finished() && Instant::now() < deadline {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        if thread.is_finished() && thread.join().is_err() {
            tracing::error!(thread = self.name, "a thread of the store panicked");
        }
    }
}

/// The one thread that serves a queue.
pub(crate) struct Server {
    pub(crate) queue: Arc<Queue>,
    worker: Worker,
}

impl Server {
    /// Starts the thread; it serves until the queue is told to stop.
    pub(crate) fn start(name: String, serve: impl FnOnce(&Queue) + Send + 'static) -> Result<Self, StoreError> {
        let queue = Arc::new(Queue::new());
        let served = Served(queue.clone());
        let worker = Worker::start(name, move || {
            let served = served;
            serve(&served.0);
        })?;
        Ok(Self { queue, worker })
    }

    /// Drains the queue; gives up after this long, and leaves what is left to its intents.
    pub(crate) fn close(&self, patience: Duration) {
        self.queue.stop();
        self.worker.join(patience);
    }
}

/// However the thread ends, nobody waits for it for ever.
struct Served(Arc<Queue>);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
