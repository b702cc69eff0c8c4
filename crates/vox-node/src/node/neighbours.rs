//! The other nodes on the same tables: who lives, and who has not been heard of for so long that what its calls have set
//! aside must be held.
//!
//! A node is judged by whether its count of beats rises, on our own clock: clocks of several machines differ.

use super::Node;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use vox_base::{IncarnationId, Timestamp};
use vox_store::{NodeSeen, StoreError};

/// How often a node says that it lives, and looks for the others.
const BEAT: Duration = Duration::from_secs(10);
/// How often a node asks whether it leads.
const LEAD: Duration = Duration::from_secs(2);
/// How often a node asks what is new on a shared store though nobody told of any change: with the quarter of a second
/// between two looks, a change that nobody tells of is found within one second.
const ASK: Duration = Duration::from_millis(700);
/// After this long without a beat a node is dead.
const DEAD_AFTER: Duration = Duration::from_secs(60);

/// What this node knows of the others.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    seen: HashMap<IncarnationId, (i64, Instant)>,
    beaten: Option<Instant>,
    led: Option<Instant>,
    asked: Option<Instant>,
}

impl Neighbours {
    /// Returns whether it is time to beat and to look.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        is_due(&mut self.beaten, BEAT, now)
    }

    /// Returns whether it is time to ask who leads.
    pub(crate) fn may_lead(&mut self, now: Instant) -> bool {
        is_due(&mut self.led, LEAD, now)
    }

    /// Returns whether to ask the tables what is new: at once where somebody told of a change, and now and then anyhow.
    pub(crate) fn may_ask(&mut self, is_told: bool, now: Instant) -> bool {
        if is_told {
            self.asked = None;
        }
        is_due(&mut self.asked, ASK, now)
    }

    /// Takes in what the tables say, and returns the nodes that are dead.
    pub(crate) fn observe(&mut self, nodes: &[NodeSeen], ours: IncarnationId, now: Instant) -> Vec<IncarnationId> {
        self.seen.retain(|known, _| nodes.iter().any(|node| node.incarnation == *known));
        let mut dead = Vec::new();
        for node in nodes.iter().filter(|node| node.incarnation != ours) {
            let (beats, since) = self.seen.entry(node.incarnation).or_insert((node.beats, now));
            if *beats != node.beats {
                (*beats, *since) = (node.beats, now);
            } else if now.duration_since(*since) >= DEAD_AFTER {
                dead.push(node.incarnation);
            }
        }
        dead
    }
}

fn is_due(last: &mut Option<Instant>, every: Duration, now: Instant) -> bool {
    let due = last.is_none_or(|last| now.duration_since(last) >= every);
    if due {
        *last = Some(now);
    }
    due
}

impl Node {
    /// Says to the other nodes on the same tables that this one lives, and holds what dead ones have left open.
    pub(super) async fn look_around(&self, now: Timestamp) {
        let (may_lead, is_due) = {
            let mut neighbours = self.neighbours.lock();
            (neighbours.may_lead(Instant::now()), neighbours.is_due(Instant::now()))
        };
        let mut outcome = Ok(());
        if may_lead {
            outcome = self.store.leads(now).await.map(|_| ());
        }
        if is_due && outcome.is_ok() {
            outcome = self.meet(now).await;
        }
        if let Err(error) = outcome {
            tracing::warn!(code = error.code(), "the other nodes cannot be seen: {error}");
        }
    }

    async fn meet(&self, now: Timestamp) -> Result<(), StoreError> {
        self.store.beat(self.ledger.incarnation(), now).await?;
        let nodes = self.store.nodes().await?;
        let dead = self.neighbours.lock().observe(&nodes, self.ledger.incarnation(), Instant::now());
        for incarnation in dead {
            let held = self.store.hold_node(incarnation).await?;
            tracing::warn!(node = %incarnation, held, "a node is dead; what its calls have set aside is held: `vox usage --held`");
        }
        // What the other nodes spent counts here too, also against limits that only warn.
        let keys = self.keys.load_full();
        if keys.callers().any(|caller| !caller.limits.is_empty())
            && let Err(error) = self.ledger.load(&keys, now).await
        {
            tracing::warn!(code = error.code, "what the other nodes spent is not known: {error}");
        }
        Ok(())
    }

    /// Takes leave of the other nodes, once every call has settled.
    pub async fn leave(&self) {
        if !self.store.is_shared() {
            return;
        }
        let leaving = async {
            self.store.flush().await?;
            self.store.hold_node(self.ledger.incarnation()).await
        };
        if let Ok(Err(error)) = tokio::time::timeout(Duration::from_secs(5), leaving).await {
            tracing::warn!(code = error.code(), "the other nodes will miss this one: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DEAD_AFTER, Neighbours};
    use std::time::{Duration, Instant};
    use vox_base::{Id, IncarnationId};
    use vox_store::NodeSeen;

    fn node(n: u8) -> IncarnationId {
        Id::from_bytes([n; 16])
    }

    #[test]
    fn a_node_is_dead_when_its_beats_have_stood_still_for_a_minute_on_our_clock() {
        let (mut neighbours, start) = (Neighbours::default(), Instant::now());
        let seen = |beats: [i64; 3]| [1, 2, 3].map(|n| NodeSeen { incarnation: node(n), beats: beats[usize::from(n) - 1] });
        assert_eq!(neighbours.observe(&seen([5, 5, 5]), node(1), start), []);
        let almost = start + DEAD_AFTER - Duration::from_millis(1);
        assert_eq!(neighbours.observe(&seen([5, 5, 6]), node(1), almost), []);
        // Our own row does not count, and the third has beaten since.
        assert_eq!(neighbours.observe(&seen([5, 5, 6]), node(1), start + DEAD_AFTER), [node(2)]);
        assert_eq!(neighbours.observe(&seen([5, 5, 6]), node(1), almost + DEAD_AFTER), [node(2), node(3)]);
        // Whoever comes back is new.
        assert_eq!(neighbours.observe(&[], node(1), almost + DEAD_AFTER), []);
        assert_eq!(neighbours.observe(&seen([5, 5, 6]), node(1), almost + DEAD_AFTER), []);
    }

    #[test]
    fn st_56_the_tables_are_asked_when_somebody_told_of_a_change_and_within_a_second_when_nobody_does() {
        let (mut neighbours, start) = (Neighbours::default(), Instant::now());
        let mut asks = |is_told: bool, ms: u64| neighbours.may_ask(is_told, start + Duration::from_millis(ms));
        assert_eq!([0, 250, 500, 750, 1000, 1250].map(|ms| asks(false, ms)), [true, false, false, true, false, false]);
        assert_eq!([asks(true, 1300), asks(true, 1310), asks(false, 1500), asks(false, 2010)], [true, true, false, true]);
    }

    #[test]
    fn beats_come_every_ten_seconds() {
        let (mut neighbours, start) = (Neighbours::default(), Instant::now());
        let due: Vec<bool> = (0..25).map(|second| neighbours.is_due(start + Duration::from_secs(second))).collect();
        assert_eq!(due.iter().filter(|due| **due).count(), 3);
    }
}
