//! What the stories of nouns stand on: a throw-away store of either engine, and the macro that tells a story on both.

use crate::{OpenOptions, Place, Store, sample};
use std::path::Path;

/// A throw-away data directory with a store of either engine.
pub(crate) struct Home {
    dir: tempfile::TempDir,
    database: Option<String>,
}

impl Home {
    /// Keeps the shared tables in a file.
    pub(crate) fn file() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary directory can be made"), database: None }
    }

    /// Keeps the shared tables in a schema of this address.
    pub(crate) fn server(database: String) -> Self {
        Self { database: Some(database), ..Self::file() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn options(&self) -> OpenOptions {
        let db = self.database.as_deref().map(|url| Place::parse(url, None).expect("the address is sound"));
        OpenOptions { db, ..sample::options(self.dir.path()) }
    }

    pub(crate) fn open(&self) -> Store {
        Store::open(self.options()).expect("the store opens")
    }
}

/// Makes a test on each engine of one story: an `async fn` that is given a [`Home`].
macro_rules! on_both_engines {
    ($story:ident) => {
        mod $story {
            #[tokio::test]
            async fn on_sqlite() {
                super::$story(crate::story::Home::file()).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                if let Some(server) = vox_testkit::Postgres::shared() {
                    super::$story(crate::story::Home::server(server.fresh())).await;
                }
            }
        }
    };
}
pub(crate) use on_both_engines;
