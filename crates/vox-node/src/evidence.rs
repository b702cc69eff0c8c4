//! The live side of what was learned: outcomes are taken in, calls are folded in the background, and what follows is put
//! on a new board that the next decision reads.
//!
//! Outcomes, penalties and escalations make a new board at once, whoever of a store's nodes heard of them; how fast and
//! how well providers answer only now and then. A board that a decision was made on is stored under its digest.

mod learned;
mod names;
mod seen;

pub(crate) use learned::Learned;
pub(crate) use names::Names;
pub(crate) use seen::{Seen, Sightings};

use crate::Node;
use crate::outcomes::{Intake, Poster, post};
use crate::snapshot::Snapshot;
use std::sync::Arc;
use vox_api::{OutcomePosted, PostOutcome};
use vox_base::{Coded, Timestamp};
use vox_route::Board;
use vox_route::outcome::OutcomeRules;
use vox_store::Store;

/// How long a board may stand though calls have told something new.
const CALLS_EVERY_MS: i64 = 60_000;

/// What a running node has learned, and what of it is on the board.
pub(crate) struct Learning {
    learned: Learned,
    /// Calls were folded that the board does not know of.
    has_news: bool,
    published_at: Timestamp,
    /// Whether the present board is stored.
    is_kept: bool,
    /// The snapshot before, while its board is not stored: a call may have read it at the last moment.
    previous: Option<Arc<Snapshot>>,
}

/// Returns a snapshot with everything on its board that a store knows: what a node that starts now would decide on.
///
/// # Errors
/// The store cannot be read.
pub async fn inform(store: &Store, snapshot: Snapshot, now: Timestamp) -> Result<Snapshot, Coded> {
    Ok(Learning::begin(store, snapshot, now).await?.1)
}

impl Learning {
    /// Reads what a store knows, and puts it on a snapshot's board.
    pub(crate) async fn begin(store: &Store, snapshot: Snapshot, now: Timestamp) -> Result<(Self, Snapshot), Coded> {
        let learned = Learned::load(store, &snapshot, now).await?;
        let snapshot = snapshot.with_board(learned.board(&snapshot, now));
        Ok((Self { learned, has_news: false, published_at: now, is_kept: true, previous: None }, snapshot))
    }
}

impl Node {
    /// Takes in what became of a call or run. When this returns, the next decision knows it.
    ///
    /// # Errors
    /// The outcome is not taken, or the store cannot be written.
    pub async fn post_outcome(&self, poster: &Poster, outcome: &PostOutcome) -> Result<OutcomePosted, Coded> {
        let random = || self.random_ten();
        let snapshot = self.snapshot();
        let intake =
            Intake { store: &self.store, rules: OutcomeRules::builtin(), contract: &snapshot.contract, random: &random, now: self.now() };
        let posted = post(&intake, poster, outcome, None).await?;
        self.refresh_evidence(true).await?;
        Ok(posted)
    }

    /// Takes in what calls have left and, if the store is to be asked, what was posted on any of its nodes, and puts it on
    /// the board.
    ///
    /// # Errors
    /// The store cannot be read or written; the old board stays.
    pub(crate) async fn refresh_evidence(&self, asks: bool) -> Result<(), Coded> {
        let mut learning = self.learning.lock().await;
        let now = self.now();
        let snapshot = self.snapshot();
        let posted = asks && learning.learned.catch_up(&self.store, &snapshot, now).await?;
        let seen = self.sightings.take();
        learning.has_news |= !seen.is_empty();
        let escalated = learning.learned.saw(&snapshot.contract, &seen);
        let is_due = (now.millis() - learning.published_at.millis()).abs() >= CALLS_EVERY_MS;
        if posted || escalated || (learning.has_news && is_due) {
            self.publish(&mut learning, &snapshot, now).await?;
        } else if !learning.is_kept && snapshot.was_used() {
            self.keep_board(&snapshot.board, now).await?;
            learning.is_kept = true;
        }
        if let Some(previous) = learning.previous.take_if(|previous| previous.was_used()) {
            self.keep_board(&previous.board, now).await?;
        }
        Ok(())
    }

    async fn keep_board(&self, board: &Board, now: Timestamp) -> Result<(), Coded> {
        let kept = vox_store::Snapshot { digest: board.digest(), kind: "board", blob: board.to_snapshot() };
        Ok(self.store.keep_snapshots(vec![kept], now).await?)
    }

    /// Puts a snapshot made of new files in place, with everything that was learned on its board.
    pub(crate) async fn install(&self, snapshot: Snapshot) -> Result<(), Coded> {
        let mut learning = self.learning.lock().await;
        let now = self.now();
        learning.learned.catch_up(&self.store, &snapshot, now).await?;
        let board = learning.learned.board(&snapshot, now);
        self.swap(snapshot.with_board(board));
        learning.is_kept = true;
        self.keep_snapshots().await
    }

    async fn publish(&self, learning: &mut Learning, snapshot: &Arc<Snapshot>, now: Timestamp) -> Result<(), Coded> {
        (learning.has_news, learning.published_at) = (false, now);
        let board = learning.learned.board(snapshot, now);
        if board.digest() == snapshot.board.digest() {
            return Ok(());
        }
        let is_busy = snapshot.was_used();
        if is_busy {
            // While decisions are made, the next one comes before anybody looks: its board is stored first.
            self.keep_board(&board, now).await?;
        }
        self.swap(snapshot.with_board(board));
        learning.previous = (!learning.is_kept).then(|| snapshot.clone());
        learning.is_kept = is_busy;
        Ok(())
    }
}
