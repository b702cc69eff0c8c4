-- file: state
-- Several nodes on the same tables: who lives, who leads, and what open calls have set aside.

CREATE TABLE open_reservations (
  interaction_id uuid NOT NULL,
  account text COLLATE "C" NOT NULL,
  key_id uuid NOT NULL,
  node_incarnation uuid NOT NULL,
  amount_nano_usd bigint NOT NULL,
  opened_at bigint NOT NULL,
  CONSTRAINT open_reservations_pkey PRIMARY KEY (interaction_id, account),
  CONSTRAINT open_reservations_amount_not_negative CHECK (amount_nano_usd >= 0)
);

CREATE INDEX open_reservations_by_account ON open_reservations USING btree (account);

CREATE INDEX open_reservations_by_node_incarnation ON open_reservations USING btree (node_incarnation);

CREATE TABLE nodes (
  node_incarnation uuid NOT NULL,
  beats bigint NOT NULL,
  started_at bigint NOT NULL,
  CONSTRAINT nodes_pkey PRIMARY KEY (node_incarnation),
  CONSTRAINT nodes_beats_check CHECK (beats >= 0)
);

CREATE TABLE leader (
  name text COLLATE "C" NOT NULL,
  holder uuid NOT NULL,
  epoch bigint NOT NULL,
  since_at bigint NOT NULL,
  CONSTRAINT leader_pkey PRIMARY KEY (name),
  CONSTRAINT leader_epoch_check CHECK (epoch >= 1)
);
