//! The thread that writes settled calls: a batch is one transaction, sent without waiting for each row.
//!
//! While the database is away the calls wait in the queue, in their order; their intents are on this machine's disk.

use super::session::{Begin, Failed, Session};
use super::target::Target;
use crate::StoreError;
use crate::queue::{Batch, Next, Queue, Queued, Settling};
use crate::row::Value;
use crate::tx::{EachRow, Tx};
use crate::worker::Server;
use std::time::Duration;

/// How often a batch that others got in the way of is written again before its calls are written one by one.
const RETRIES: u32 = 5;

/// Starts the thread; it connects when there is something to write.
pub(crate) fn start_settler(target: Target, name: String, settling: Settling) -> Result<Server, StoreError> {
    Server::start("vox-settler".to_owned(), move |queue| Writing { target, name, settling, session: None }.serve(queue))
}

/// The transaction of an operation without statements.
struct Nothing;

impl Tx for Nothing {
    fn execute(&mut self, _: &'static str, _: &[Value<'_>]) -> Result<usize, StoreError> {
        Err(StoreError::Closed)
    }

    fn query(&mut self, _: &str, _: &[Value<'_>], _: &mut EachRow<'_>) -> Result<(), StoreError> {
        Err(StoreError::Closed)
    }
}

struct Writing {
    target: Target,
    name: String,
    settling: Settling,
    session: Option<Session>,
}

impl Writing {
    fn serve(&mut self, queue: &Queue) {
        let mut may_idle = false;
        loop {
            let mut batch = Batch::default();
            match queue.next(&mut batch, may_idle) {
                Next::Stop => return,
                Next::Idle => may_idle = false,
                Next::Commit => {
                    may_idle = true;
                    if !self.commit(batch, queue) && queue.is_stopping() {
                        return;
                    }
                }
            }
        }
    }

    /// Writes a batch and tells everybody; returns whether the database could be written.
    fn commit(&mut self, mut batch: Batch, queue: &Queue) -> bool {
        batch.settles.sort_unstable_by_key(|call| call.interaction.interaction_id);
        let outcome = self.settle(&batch.settles);
        for mut operation in batch.operations {
            // All that is queued here is the wish to know when everything before is written.
            let _ = operation.run(&mut Nothing);
            operation.finish(outcome.as_ref().map(|_| ()).map_err(Clone::clone));
        }
        match outcome {
            Ok(refused) => {
                let calls = batch.settles.into_iter().enumerate();
                let written: Vec<Queued> = calls.filter(|(at, _)| !refused.contains(at)).map(|(_, call)| call).collect();
                queue.count_settled(written.len(), refused.len());
                if !written.is_empty() {
                    (self.settling.committed)(&written);
                }
                true
            }
            Err(error) => {
                tracing::warn!(code = error.code(), calls = batch.settles.len(), "settled calls wait: {error}");
                queue.put_back(batch.settles);
                false
            }
        }
    }

    /// Returns the places of the calls that were refused.
    fn settle(&mut self, calls: &[Queued]) -> Result<Vec<usize>, StoreError> {
        match self.write(calls) {
            Err(error) if error.is_about_a_value() => self.settle_each(calls),
            done => done.map(|()| Vec::new()),
        }
    }

    fn settle_each(&mut self, calls: &[Queued]) -> Result<Vec<usize>, StoreError> {
        let mut refused = Vec::new();
        for (at, call) in calls.iter().enumerate() {
            match self.write(std::slice::from_ref(call)) {
                Ok(()) => {}
                Err(error) if error.is_about_a_value() => {
                    tracing::error!(code = error.code(), interaction = %call.interaction.interaction_id, "a settled call was refused: {error}");
                    refused.push(at);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(refused)
    }

    fn write(&mut self, calls: &[Queued]) -> Result<(), StoreError> {
        if calls.is_empty() {
            return Ok(());
        }
        let mut retries = 0;
        loop {
            let error = match self.write_once(calls) {
                Ok(()) => return Ok(()),
                Err(Failed::Unknown(number)) => match self.has_committed(&number)? {
                    true => return Ok(()),
                    false => StoreError::Unreachable("the connection ended".to_owned()),
                },
                Err(Failed::Refused(error)) => return Err(error),
                Err(Failed::Again(error) | Failed::Lost(error)) => error,
            };
            retries += 1;
            if retries > RETRIES {
                return Err(error);
            }
        }
    }

    fn write_once(&mut self, calls: &[Queued]) -> Result<(), Failed> {
        let (prepare, write) = (self.settling.prepare, self.settling.write);
        let session = self.session().map_err(Failed::Refused)?;
        session.transaction(Begin::Beside, &mut |tx| {
            let horizons = prepare(tx, calls)?;
            write(tx, &horizons, calls)
        })
    }

    /// Asks until the server answers: written twice would be as wrong as not at all.
    fn has_committed(&mut self, number: &str) -> Result<bool, StoreError> {
        loop {
            match self.session().and_then(|session| session.has_committed(number)) {
                Err(StoreError::Unreachable(_) | StoreError::Busy) => std::thread::sleep(Duration::from_millis(100)),
                answer => return answer,
            }
        }
    }

    fn session(&mut self) -> Result<&mut Session, StoreError> {
        if self.session.as_ref().is_none_or(Session::is_closed) {
            self.session = Some(Session::connect(&self.target, &self.name)?);
        }
        self.session.as_mut().ok_or(StoreError::Closed)
    }
}
