-- file: state
-- Several nodes on the same tables: who lives, who leads, and what open calls have set aside.

CREATE TABLE open_reservations (
  interaction_id TEXT NOT NULL,
  account TEXT NOT NULL,
  key_id TEXT NOT NULL,
  node_incarnation TEXT NOT NULL,
  amount_nano_usd INTEGER NOT NULL,
  opened_at INTEGER NOT NULL,
  PRIMARY KEY (interaction_id, account),
  CONSTRAINT amount_not_negative CHECK (amount_nano_usd >= 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX open_reservations_by_account ON open_reservations (account);

CREATE INDEX open_reservations_by_node_incarnation ON open_reservations (node_incarnation);

CREATE TABLE nodes (
  node_incarnation TEXT NOT NULL,
  beats INTEGER NOT NULL CHECK (beats >= 0),
  started_at INTEGER NOT NULL,
  PRIMARY KEY (node_incarnation)
) STRICT, WITHOUT ROWID;

CREATE TABLE leader (
  name TEXT NOT NULL,
  holder TEXT NOT NULL,
  epoch INTEGER NOT NULL CHECK (epoch >= 1),
  since_at INTEGER NOT NULL,
  PRIMARY KEY (name)
) STRICT, WITHOUT ROWID;
