-- file: state
-- Conversations that requests continue.

CREATE TABLE sessions (
  session_key text COLLATE "C" NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  parent_session_id text COLLATE "C",
  places bytea NOT NULL,
  offer text COLLATE "C",
  task text COLLATE "C",
  cached_tokens bigint NOT NULL,
  cached_until bigint NOT NULL,
  turns bigint NOT NULL,
  first_at bigint NOT NULL,
  last_at bigint NOT NULL,
  CONSTRAINT sessions_pkey PRIMARY KEY (session_key),
  CONSTRAINT sessions_cached_tokens_check CHECK (cached_tokens >= 0),
  CONSTRAINT sessions_turns_check CHECK (turns >= 0)
);

CREATE INDEX sessions_by_last_at ON sessions USING btree (last_at);
