//! A waker between a task and halves that it polls together.
//!
//! A connection and what waits for it wake each other all the time. Both are polled in one place, so such a wake needs no
//! trip through the scheduler, which would run the task once more and rouse another thread to look for work: they are
//! polled again right here. Wakes from anywhere else go on to the task.

use futures_util::task::AtomicWaker;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Nobody is polling: a wake is the task's.
const IDLE: u8 = 0;
const POLLING: u8 = 1;
/// Woken while polling.
const WOKEN: u8 = 2;
/// Rounds after which even a wake from inside goes to the task. A half that keeps waking itself wants others to run.
const MAX_ROUNDS: u32 = 4;

/// See the module.
pub struct Relay {
    shared: Arc<Shared>,
    waker: Waker,
}

#[derive(Default)]
struct Shared {
    task: AtomicWaker,
    state: AtomicU8,
}

impl Default for Relay {
    fn default() -> Self {
        let shared = Arc::new(Shared::default());
        Self { waker: shared.clone().into(), shared }
    }
}

impl Relay {
    /// Polls, and again as long as it was woken meanwhile.
    pub fn poll<T>(&self, cx: &mut Context<'_>, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let shared = &*self.shared;
        shared.task.register(cx.waker());
        let mut inner = Context::from_waker(&self.waker);
        for _ in 0..MAX_ROUNDS {
            shared.state.store(POLLING, Ordering::Release);
            let polled = poll(&mut inner);
            // What was woken after it was ready is polled by whoever asks for more.
            let was_woken = shared.state.swap(IDLE, Ordering::AcqRel) == WOKEN;
            if polled.is_ready() || !was_woken {
                return polled;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let polling = self.state.compare_exchange(POLLING, WOKEN, Ordering::AcqRel, Ordering::Acquire);
        if polling == Err(IDLE) {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn polled(relay: &Relay, task: &Arc<Counter>, poll: impl FnMut(&mut Context<'_>) -> Poll<u32>) -> (Poll<u32>, usize) {
        let polled = relay.poll(&mut Context::from_waker(&task.clone().into()), poll);
        (polled, task.0.load(Ordering::Relaxed))
    }

    #[test]
    fn a_wake_from_inside_polls_again_and_leaves_the_task_alone() {
        let (relay, task) = (Relay::default(), Arc::new(Counter::default()));
        let mut rounds = 0;
        let answer = polled(&relay, &task, |cx| {
            rounds += 1;
            if rounds == 3 {
                return Poll::Ready(rounds);
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        assert_eq!(answer, (Poll::Ready(3), 0));
    }

    #[test]
    fn a_wake_from_outside_is_the_tasks() {
        let (relay, task) = (Relay::default(), Arc::new(Counter::default()));
        let mut kept = None;
        let (answer, woken) = polled(&relay, &task, |cx| {
            kept = Some(cx.waker().clone());
            Poll::Pending
        });
        assert_eq!((answer, woken), (Poll::Pending, 0));
        kept.unwrap().wake();
        assert_eq!(task.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_wakes_itself_for_ever_lets_others_run() {
        let (relay, task) = (Relay::default(), Arc::new(Counter::default()));
        let mut rounds = 0;
        let answer = polled(&relay, &task, |cx| {
            rounds += 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        assert_eq!((answer, rounds), ((Poll::Pending, 1), MAX_ROUNDS));
    }
}
