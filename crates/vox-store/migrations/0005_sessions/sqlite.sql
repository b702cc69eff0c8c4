-- file: state
-- Conversations that requests continue.

CREATE TABLE sessions (
  session_key TEXT NOT NULL,
  session_id TEXT NOT NULL,
  parent_session_id TEXT,
  places BLOB NOT NULL,
  offer TEXT,
  task TEXT,
  cached_tokens INTEGER NOT NULL CHECK (cached_tokens >= 0),
  cached_until INTEGER NOT NULL,
  turns INTEGER NOT NULL CHECK (turns >= 0),
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (session_key)
) STRICT;

CREATE INDEX sessions_by_last_at ON sessions (last_at);
