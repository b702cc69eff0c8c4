//! A committed stream: passes events on as they come, watches for silence and cuts, and settles the call exactly once —
//! at its end, at its failure, or when the caller drops it.

use super::record::CallRecord;
use super::upstream::{Beginning, Failed, Seen, Source, Transcoder};
use crate::settings::Timeouts;
use bytes::{Bytes, BytesMut};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant, Sleep};
use vox_base::{CostSource, NanoUsd, Usage};
use vox_route::Failure;
use vox_wire::{Dialect, Frames, StopReason, sse};

/// The stream was cut after its error event; the connection must not end as if it were complete.
#[derive(Debug, thiserror::Error)]
#[error("the stream was cut")]
pub struct StreamCut;

/// What a complete stream came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// What it consumed.
    pub usage: Usage,
    /// Why it ended.
    pub stop: Option<StopReason>,
    /// What it cost.
    pub cost: Option<NanoUsd>,
    /// How that is known.
    pub source: CostSource,
}

/// A stream on its way to the caller.
pub struct ChatStream {
    dialect: Dialect,
    source: Source,
    frames: Frames,
    transcoder: Transcoder,
    record: CallRecord,
    out: BytesMut,
    phase: Phase,
    finished: Option<Finished>,
    clock: Watch,
    /// Bytes of output after which more has to be reserved.
    room_bytes: u64,
    /// Resolves when the node ends and open streams must say so.
    ending: Pin<Box<OwnedNotified>>,
}

/// Where the stream is.
enum Phase {
    /// Events are coming.
    Open,
    /// The provider said the end; what follows is only the end of its body.
    Ended,
    /// The error event is out or about to go; one turn is left for it to be flushed.
    Cut { flushed: bool },
    /// Nothing more.
    Done,
}

/// Watches for silence with one timer that is only set anew when it fires.
struct Watch {
    timer: Pin<Box<Sleep>>,
    opened: Instant,
    last_byte: Instant,
    last_content: Instant,
    timeouts: Timeouts,
    deadline: Option<Instant>,
}

impl Watch {
    fn next_check(&self) -> (Instant, Failure) {
        let after = |from: Instant, millis: u64, class| (from + Duration::from_millis(millis), class);
        let mut first = after(self.last_byte, self.timeouts.byte_gap_ms, Failure::Stalled);
        let others = [
            after(self.last_content, self.timeouts.content_gap_ms, Failure::Stalled),
            after(self.opened, self.timeouts.stream_ms, Failure::Deadline),
            (self.deadline.unwrap_or(first.0), Failure::Deadline),
        ];
        for other in others {
            if other.0 < first.0 {
                first = other;
            }
        }
        first
    }

    /// Returns what has taken too long, if anything has.
    fn poll(&mut self, cx: &mut Context<'_>) -> Option<Failure> {
        while self.timer.as_mut().poll(cx).is_ready() {
            let (at, class) = self.next_check();
            if Instant::now() >= at {
                return Some(class);
            }
            self.timer.as_mut().reset(at);
        }
        None
    }
}

impl ChatStream {
    pub(super) fn new(dialect: Dialect, beginning: Beginning, record: CallRecord, timeouts: Timeouts, deadline: Option<Instant>) -> Self {
        let now = Instant::now();
        let mut clock =
            Watch { timer: Box::pin(tokio::time::sleep_until(now)), opened: now, last_byte: now, last_content: now, timeouts, deadline };
        let (first_check, _) = clock.next_check();
        clock.timer.as_mut().reset(first_check);
        let ending = Box::pin(Arc::clone(record.node().ending()).notified_owned());
        let mut stream = Self {
            room_bytes: record.room_bytes(),
            dialect,
            source: beginning.source,
            frames: beginning.frames,
            transcoder: beginning.transcoder,
            record,
            out: beginning.held,
            phase: if beginning.ended { Phase::Ended } else { Phase::Open },
            finished: None,
            clock,
            ending,
        };
        if let Some(failed) = beginning.failed {
            stream.cut(&failed);
        }
        stream
    }

    /// Returns the next bytes for the caller, `None` at the end of a complete stream, or [`StreamCut`] behind the error
    /// event of one that is not.
    ///
    /// # Errors
    /// The stream was cut; its error event has been returned before.
    pub fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamCut>>> {
        loop {
            if !self.out.is_empty() {
                self.record.passed(self.out.len());
                return Poll::Ready(Some(Ok(self.out.split().freeze())));
            }
            match self.phase {
                Phase::Done => return Poll::Ready(None),
                Phase::Cut { flushed: true } => return Poll::Ready(Some(Err(StreamCut))),
                Phase::Cut { flushed: false } => {
                    // The server writes out what it has when a body has nothing to give for the moment.
                    self.phase = Phase::Cut { flushed: true };
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Phase::Open | Phase::Ended => {}
            }
            match self.source.poll_bytes(cx) {
                Poll::Ready(Some(Ok(bytes))) => self.take(bytes),
                Poll::Ready(Some(Err(()))) => self.close(false),
                Poll::Ready(None) => self.close(true),
                Poll::Pending => {
                    if self.ending.as_mut().poll(cx).is_ready() {
                        self.drain();
                    } else if let Some(class) = self.clock.poll(cx) {
                        self.stall(class);
                    } else {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Returns what the stream came to, once it is complete.
    #[must_use]
    pub const fn finished(&self) -> Option<&Finished> {
        self.finished.as_ref()
    }

    fn take(&mut self, bytes: Bytes) {
        self.clock.last_byte = Instant::now();
        self.frames.push(bytes);
        loop {
            match self.frames.next_event() {
                Ok(Some(event)) => self.event(&event),
                Ok(None) => return,
                Err(_) => self.cut(&Failed::new(Failure::Malformed, "an event of the stream is over 4 MiB")),
            }
            if matches!(self.phase, Phase::Cut { .. }) {
                return;
            }
        }
    }

    fn event(&mut self, event: &sse::Event) {
        match self.transcoder.event(event, &mut self.out) {
            Seen::Passed { token, end } => {
                if token {
                    self.clock.last_content = self.clock.last_byte;
                }
                if end {
                    self.phase = Phase::Ended;
                } else if self.transcoder.tally().n_output_bytes > self.room_bytes {
                    self.grow();
                }
            }
            Seen::Failed => {
                let failed = self.record.in_band(self.transcoder.tally());
                self.cut(&failed);
            }
            Seen::Malformed => self.cut(&Failed::new(Failure::Malformed, "the stream has no form of its dialect")),
        }
    }

    /// Reserves more for an answer that outgrew what was reserved, or ends it there.
    fn grow(&mut self) {
        while self.transcoder.tally().n_output_bytes > self.room_bytes {
            if let Err(refused) = self.record.grow() {
                self.record.budget_cut(self.transcoder.tally());
                return self.say_error(refused.code, &refused.message);
            }
            self.room_bytes = self.record.room_bytes();
        }
    }

    /// The provider's body is over, cleanly or not; only the dialect's own end makes the stream complete.
    fn close(&mut self, clean: bool) {
        if clean && let Some(tail) = self.frames.finish() {
            self.event(&tail);
        }
        if matches!(self.phase, Phase::Cut { .. }) {
            return;
        }
        if self.record.is_complete(self.transcoder.tally()) {
            if let Some(Err(_)) = self.transcoder.writer.as_mut().map(|writer| writer.finish(&mut self.out)) {
                return self.cut(&Failed::new(Failure::Malformed, "a tool call's arguments are no JSON object"));
            }
            let (cost, source) = self.record.complete(self.transcoder.tally());
            let tally = self.transcoder.tally();
            self.finished = Some(Finished { usage: tally.usage, stop: tally.stop, cost, source });
            self.phase = Phase::Done;
        } else {
            self.cut(&Failed::new(Failure::Cut, "the provider's stream broke off"));
        }
    }

    fn stall(&mut self, class: Failure) {
        let message = if class == Failure::Deadline { "the time for this stream was over" } else { "the provider fell silent" };
        if matches!(self.phase, Phase::Ended) {
            return self.close(true);
        }
        self.cut(&Failed::new(class, message));
    }

    fn drain(&mut self) {
        if matches!(self.phase, Phase::Ended) {
            return self.close(true);
        }
        self.record.drained(self.transcoder.tally());
        self.say_error("gateway.node_draining", "the node is stopping");
    }

    fn cut(&mut self, failed: &Failed) {
        self.record.broken(failed, self.transcoder.tally());
        self.say_error(super::failure_code(failed.class), &failed.message);
    }

    fn say_error(&mut self, code: &str, message: &str) {
        self.source = Source::Canned(None);
        self.out.extend_from_slice(&vox_wire::error_event(self.dialect, code, message));
        self.phase = Phase::Cut { flushed: false };
    }
}

impl Drop for ChatStream {
    fn drop(&mut self) {
        match self.phase {
            // The provider had said the end; the caller left before its body was over.
            Phase::Ended => drop(self.record.complete(self.transcoder.tally())),
            Phase::Open => self.record.cancelled(self.transcoder.tally()),
            Phase::Cut { .. } | Phase::Done => {}
        }
    }
}
