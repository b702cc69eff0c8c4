//! Conversations that requests continue, kept for as long as somebody may go on with them.

use crate::row::{Encode as _, Value};
use crate::rows::gateway::SessionRow;
use crate::{Store, StoreError};
use vox_base::Digest;

const META: &str = "session_key";

const REPLACE: &str = "DELETE FROM sessions WHERE session_key = $1";

impl Store {
    /// Returns the key of all digests of conversations, which is the one given if there was none.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn session_key(&self, fresh: Digest) -> Result<Digest, StoreError> {
        let known = self.read(|tx| tx.value("SELECT value FROM store_meta WHERE key = $1", &[Value::Text(META)])).await?;
        let known: Option<String> = known;
        let text = match known {
            Some(known) => known,
            None => self.write(move |tx| claim(tx, &fresh.to_string())).await?,
        };
        text.parse().map_err(|_| StoreError::Damaged { column: "store_meta.value".to_owned() })
    }

    /// Returns the sessions that went on last, oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn sessions(&self, most: usize) -> Result<Vec<SessionRow>, StoreError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut rows: Vec<SessionRow> =
            self.read(move |tx| tx.rows("ORDER BY last_at DESC, session_key LIMIT $1", &[most.encode()])).await?;
        rows.reverse();
        Ok(rows)
    }

    /// Writes sessions as they are now.
    ///
    /// # Errors
    /// A value does not fit, or the store cannot be written.
    pub async fn keep_sessions(&self, sessions: Vec<SessionRow>) -> Result<(), StoreError> {
        self.write(move |tx| {
            for session in &sessions {
                tx.execute(REPLACE, &[Value::Text(&session.session_key)])?;
                tx.insert(session)?;
            }
            Ok(())
        })
        .await
    }
}

fn claim(tx: &mut dyn crate::tx::Tx, fresh: &str) -> Result<String, StoreError> {
    tx.execute("INSERT INTO store_meta (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING", &[Value::Text(META), Value::Text(fresh)])?;
    let value: Option<String> = tx.value("SELECT value FROM store_meta WHERE key = $1", &[Value::Text(META)])?;
    value.ok_or_else(|| StoreError::Damaged { column: "store_meta.value".to_owned() })
}
