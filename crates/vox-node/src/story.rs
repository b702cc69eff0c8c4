//! What tests of this crate stand on: a throw-away store, a clock that stands still, and the configuration nobody wrote.

use crate::snapshot::Snapshot;
use crate::{Config, Variables};
use vox_base::{Clock as _, Id};
use vox_store::{Access, OpenOptions, Place, Store};
use vox_testkit::{FixedClock, SeededEntropy};
use vox_vault::Registry;

/// A throw-away home.
pub(crate) struct Home {
    pub(crate) store: Store,
    pub(crate) clock: FixedClock,
    pub(crate) entropy: SeededEntropy,
    pub(crate) snapshot: Snapshot,
    _dir: tempfile::TempDir,
}

impl Home {
    /// Makes one with a file of its own.
    pub(crate) fn new() -> Self {
        Self::at(None)
    }

    /// Makes one whose shared tables are in a schema of this address.
    pub(crate) fn sharing(url: &str) -> Self {
        Self::at(Some(Place::parse(url, None).unwrap()))
    }

    fn at(db: Option<Place>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (clock, entropy) = (FixedClock::default(), SeededEntropy::new(1));
        let options = OpenOptions {
            data_dir: dir.path().join("data"),
            db,
            may_migrate: false,
            access: Access::Create,
            now: clock.now(),
            vox_version: "0.0.0",
            store_id: Id::new(clock.now(), [1; 10]),
        };
        let config = Config::read(dir.path(), None, &Variables::default(), &Registry::builtin()).unwrap();
        let (snapshot, _) = crate::discovery::assemble(config, &|_| None, dir.path(), &[], clock.now()).unwrap();
        Self { store: Store::open(options).unwrap(), clock, entropy, snapshot, _dir: dir }
    }
}
