-- The vault tables in SQLite. Generated from contracts/db by `cargo xtask codegen`; do not edit.

CREATE TABLE store_meta (
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (key)
) STRICT, WITHOUT ROWID;

CREATE TABLE schema_migration (
  number INTEGER NOT NULL CHECK (number >= 1),
  name TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  applied_at INTEGER NOT NULL,
  vox_version TEXT NOT NULL,
  duration_ms INTEGER NOT NULL CHECK (duration_ms >= 0),
  PRIMARY KEY (number)
) STRICT;

CREATE TRIGGER schema_migration_no_update BEFORE UPDATE ON schema_migration
BEGIN
  SELECT RAISE(ABORT, 'schema_migration is append-only');
END;

CREATE TRIGGER schema_migration_no_delete BEFORE DELETE ON schema_migration
BEGIN
  SELECT RAISE(ABORT, 'schema_migration is append-only');
END;

CREATE TABLE vault_meta (
  vault_id TEXT NOT NULL,
  device_id BLOB NOT NULL,
  incarnation INTEGER NOT NULL CHECK (incarnation BETWEEN 0 AND 4294967295),
  format_version INTEGER NOT NULL CHECK (format_version >= 1),
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (vault_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE vault_unlockers (
  id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind = 'keyring' OR kind = 'passphrase' OR kind = 'key_file'),
  kdf TEXT,
  m_kib INTEGER CHECK (m_kib >= 0),
  t INTEGER CHECK (t >= 0),
  p INTEGER CHECK (p >= 0),
  salt BLOB,
  key_id TEXT NOT NULL,
  wrapped_root BLOB NOT NULL,
  created_ms INTEGER NOT NULL,
  last_ok_ms INTEGER,
  PRIMARY KEY (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE vault_keys (
  key_id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind = 'local' OR kind = 'epoch' OR kind = 'identity' OR kind = 'hpke'),
  epoch INTEGER NOT NULL CHECK (epoch >= 0),
  state TEXT NOT NULL CHECK (state = 'active' OR state = 'old' OR state = 'locked'),
  wrapped BLOB NOT NULL,
  roster_entry BLOB,
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (key_id)
) STRICT;

CREATE TABLE records (
  vault_id BLOB NOT NULL,
  device_id BLOB NOT NULL,
  incarnation INTEGER NOT NULL CHECK (incarnation BETWEEN 0 AND 4294967295),
  seq INTEGER NOT NULL CHECK (seq >= 0),
  prev_hash BLOB NOT NULL,
  hash BLOB NOT NULL,
  hlc INTEGER NOT NULL,
  kind TEXT NOT NULL,
  key_id TEXT NOT NULL,
  bucket INTEGER NOT NULL CHECK (bucket >= 0),
  bytes BLOB NOT NULL,
  received_ms INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state = 'appended' OR state = 'history' OR state = 'pruned' OR state = 'skewed'),
  PRIMARY KEY (vault_id, device_id, incarnation, seq),
  UNIQUE (hash)
) STRICT;

CREATE TABLE secret_heads (
  secret_id TEXT NOT NULL,
  head_hash BLOB NOT NULL,
  generation INTEGER NOT NULL CHECK (generation >= 0),
  hlc INTEGER NOT NULL,
  device_id BLOB NOT NULL,
  deleted INTEGER NOT NULL CHECK (deleted IN (0, 1)),
  is_current INTEGER NOT NULL CHECK (is_current IN (0, 1)),
  PRIMARY KEY (secret_id, head_hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE secret_versions (
  secret_id TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version >= 1),
  record_hash BLOB NOT NULL,
  op TEXT NOT NULL CHECK (op = 'create' OR op = 'rotate' OR op = 'import' OR op = 'rollback' OR op = 'delete' OR op = 'rewrap'),
  by_device BLOB NOT NULL,
  by_caller TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  hold_until_ms INTEGER,
  PRIMARY KEY (secret_id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE vault_audit (
  seq INTEGER NOT NULL CHECK (seq >= 1),
  prev_hash BLOB NOT NULL,
  hash BLOB NOT NULL,
  ts_ms INTEGER NOT NULL,
  caller_kind TEXT NOT NULL,
  caller_id TEXT,
  run_id TEXT,
  op TEXT NOT NULL,
  secret_id TEXT,
  version INTEGER,
  source TEXT,
  host TEXT,
  verdict TEXT NOT NULL,
  count INTEGER,
  detail TEXT,
  PRIMARY KEY (seq)
) STRICT;
