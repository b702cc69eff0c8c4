-- The state tables in SQLite. Generated from contracts/db by `cargo xtask codegen`; do not edit.

CREATE TABLE caller_keys (
  key_id TEXT NOT NULL,
  public_id TEXT NOT NULL,
  secret_sha256 TEXT NOT NULL,
  prev_secret_sha256 TEXT,
  prev_valid_until INTEGER,
  name TEXT NOT NULL,
  parent_id TEXT,
  depth INTEGER NOT NULL CHECK (depth BETWEEN 0 AND 4),
  models_json TEXT,
  hints_json TEXT,
  rpm INTEGER CHECK (rpm >= 1),
  tpm INTEGER CHECK (tpm >= 1),
  concurrency INTEGER CHECK (concurrency >= 1),
  expires_at INTEGER,
  revoked_at INTEGER,
  allow_unpriced INTEGER NOT NULL CHECK (allow_unpriced IN (0, 1)),
  may_delegate INTEGER NOT NULL CHECK (may_delegate IN (0, 1)),
  run_id TEXT,
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  last_used_day TEXT,
  PRIMARY KEY (key_id),
  UNIQUE (public_id)
) STRICT;

CREATE INDEX caller_keys_by_parent_id ON caller_keys (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE key_budgets (
  key_id TEXT NOT NULL,
  budget_window TEXT NOT NULL CHECK (budget_window = 'day' OR budget_window = 'week' OR budget_window = 'month' OR budget_window = 'total'),
  limit_nano_usd INTEGER NOT NULL,
  mode TEXT NOT NULL CHECK (mode = 'hard' OR mode = 'soft'),
  PRIMARY KEY (key_id, budget_window),
  FOREIGN KEY (key_id) REFERENCES caller_keys (key_id) ON DELETE CASCADE,
  CONSTRAINT limit_not_negative CHECK (limit_nano_usd >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE budget_entries (
  entry_id TEXT NOT NULL,
  account TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind = 'settle' OR kind = 'held' OR kind = 'correct'),
  amount_nano_usd INTEGER NOT NULL,
  call_id TEXT NOT NULL,
  at INTEGER NOT NULL,
  by TEXT,
  PRIMARY KEY (entry_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX budget_entries_by_account_at ON budget_entries (account, at);

CREATE TRIGGER budget_entries_no_update BEFORE UPDATE ON budget_entries
BEGIN
  SELECT RAISE(ABORT, 'budget_entries is append-only');
END;

CREATE TRIGGER budget_entries_no_delete BEFORE DELETE ON budget_entries
WHEN OLD.at >= coalesce((SELECT horizon FROM rollup_mark WHERE rollup = 'budget_daily'), 0)
BEGIN
  SELECT RAISE(ABORT, 'budget_entries is not rolled up yet');
END;

CREATE TABLE budget_daily (
  account TEXT NOT NULL,
  day TEXT NOT NULL,
  amount_nano_usd INTEGER NOT NULL,
  entries INTEGER NOT NULL CHECK (entries >= 0),
  PRIMARY KEY (account, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE reservations (
  interaction_id TEXT NOT NULL,
  key_id TEXT,
  node_incarnation TEXT NOT NULL,
  amount_nano_usd INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state = 'held' OR state = 'settled' OR state = 'released'),
  opened_at INTEGER NOT NULL,
  closed_at INTEGER,
  PRIMARY KEY (interaction_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX reservations_by_opened_at ON reservations (opened_at) WHERE state = 'held';

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

CREATE TABLE llm_interactions (
  interaction_id TEXT NOT NULL,
  trace_id TEXT NOT NULL,
  span_id TEXT NOT NULL,
  parent_span_id TEXT,
  trace_origin TEXT NOT NULL CHECK (trace_origin = 'local' OR trace_origin = 'inbound'),
  session_id TEXT,
  run_id TEXT,
  task_id TEXT,
  key_id TEXT,
  dialect_in TEXT,
  endpoint TEXT,
  requested_model TEXT,
  decision_id TEXT,
  provider TEXT,
  provider_canonical TEXT,
  model TEXT,
  model_reported TEXT,
  task_category TEXT,
  strength_tag TEXT,
  complexity INTEGER,
  outcome TEXT NOT NULL CHECK (outcome = 'complete' OR outcome = 'truncated' OR outcome = 'refused' OR outcome = 'client_cancelled' OR outcome = 'upstream_error' OR outcome = 'upstream_cut' OR outcome = 'upstream_stalled' OR outcome = 'upstream_malformed' OR outcome = 'budget_cut' OR outcome = 'deadline' OR outcome = 'drained' OR outcome = 'rejected' OR outcome = 'lost'),
  stop_reason TEXT,
  stop_reason_raw TEXT,
  streamed INTEGER NOT NULL CHECK (streamed IN (0, 1)),
  translated INTEGER NOT NULL CHECK (translated IN (0, 1)),
  attempts INTEGER NOT NULL CHECK (attempts >= 0),
  input_tokens INTEGER,
  cache_read_tokens INTEGER,
  cache_write_5m_tokens INTEGER,
  cache_write_1h_tokens INTEGER,
  output_tokens INTEGER,
  reasoning_tokens INTEGER,
  server_tool_units_json TEXT,
  context_utilization_bp INTEGER,
  cost_nano_usd INTEGER,
  computed_nano_usd INTEGER,
  cost_source TEXT NOT NULL CHECK (cost_source = 'provider_reported' OR cost_source = 'computed' OR cost_source = 'local' OR cost_source = 'cache' OR cost_source = 'estimated' OR cost_source = 'held' OR cost_source = 'peer_reported' OR cost_source = 'unknown'),
  price_snapshot_id TEXT,
  cache_savings_nano_usd INTEGER,
  ttft_ms INTEGER,
  latency_ms INTEGER,
  gateway_overhead_us INTEGER,
  request_bytes INTEGER,
  response_bytes INTEGER,
  flags_json TEXT,
  created_at INTEGER NOT NULL,
  ended_at INTEGER NOT NULL,
  PRIMARY KEY (interaction_id)
) STRICT;

CREATE INDEX llm_interactions_by_trace_id ON llm_interactions (trace_id) WHERE trace_origin = 'inbound';

CREATE INDEX llm_interactions_by_run_id ON llm_interactions (run_id) WHERE run_id IS NOT NULL;

CREATE TRIGGER llm_interactions_no_update BEFORE UPDATE ON llm_interactions
BEGIN
  SELECT RAISE(ABORT, 'llm_interactions is append-only');
END;

CREATE TRIGGER llm_interactions_no_delete BEFORE DELETE ON llm_interactions
WHEN OLD.created_at >= coalesce((SELECT horizon FROM rollup_mark WHERE rollup = 'usage_daily'), 0)
BEGIN
  SELECT RAISE(ABORT, 'llm_interactions is not rolled up yet');
END;

CREATE TABLE llm_attempts (
  interaction_id TEXT NOT NULL,
  attempt_number INTEGER NOT NULL CHECK (attempt_number >= 1),
  span_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  credential_ref TEXT,
  outcome TEXT NOT NULL,
  error_class TEXT,
  error_text TEXT,
  http_status INTEGER,
  upstream_request_id TEXT,
  waited_ms INTEGER,
  ttft_ms INTEGER,
  latency_ms INTEGER,
  bytes_to_client INTEGER,
  usage_json TEXT,
  cost_nano_usd INTEGER,
  cost_source TEXT NOT NULL CHECK (cost_source = 'provider_reported' OR cost_source = 'computed' OR cost_source = 'local' OR cost_source = 'cache' OR cost_source = 'estimated' OR cost_source = 'held' OR cost_source = 'peer_reported' OR cost_source = 'unknown'),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (interaction_id, attempt_number)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_daily (
  day TEXT NOT NULL,
  key_id TEXT NOT NULL,
  provider_canonical TEXT NOT NULL,
  model TEXT NOT NULL,
  task_category TEXT NOT NULL,
  cost_source TEXT NOT NULL CHECK (cost_source = 'provider_reported' OR cost_source = 'computed' OR cost_source = 'local' OR cost_source = 'cache' OR cost_source = 'estimated' OR cost_source = 'held' OR cost_source = 'peer_reported' OR cost_source = 'unknown'),
  calls INTEGER NOT NULL CHECK (calls >= 0),
  errors INTEGER NOT NULL CHECK (errors >= 0),
  unpriced_calls INTEGER NOT NULL CHECK (unpriced_calls >= 0),
  unmetered_calls INTEGER NOT NULL CHECK (unmetered_calls >= 0),
  input_tokens INTEGER,
  cache_read_tokens INTEGER,
  cache_write_tokens INTEGER,
  output_tokens INTEGER,
  reasoning_tokens INTEGER,
  cost_nano_usd INTEGER,
  cache_savings_nano_usd INTEGER,
  PRIMARY KEY (day, key_id, provider_canonical, model, task_category, cost_source)
) STRICT, WITHOUT ROWID;

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

CREATE TABLE route_decisions (
  decision_id TEXT NOT NULL,
  interaction_id TEXT,
  at INTEGER NOT NULL,
  caller_ref TEXT,
  session_ref TEXT,
  task TEXT,
  task_source TEXT,
  complexity INTEGER,
  complexity_raw INTEGER,
  features_json TEXT NOT NULL,
  contract_digest TEXT NOT NULL,
  catalog_digest TEXT NOT NULL,
  board_digest TEXT NOT NULL,
  seed INTEGER NOT NULL,
  mode TEXT NOT NULL CHECK (mode = 'scored' OR mode = 'premium' OR mode = 'forced' OR mode = 'explicit' OR mode = 'explored'),
  reason TEXT NOT NULL,
  chosen TEXT,
  propensity_ppb INTEGER,
  epsilon_ppm INTEGER,
  lambda_milli INTEGER,
  PRIMARY KEY (decision_id)
) STRICT;

CREATE TABLE route_snapshots (
  digest TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind = 'contract' OR kind = 'catalog' OR kind = 'board'),
  blob BLOB NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (digest)
) STRICT;

CREATE TABLE price_snapshots (
  price_snapshot_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  model_id TEXT NOT NULL,
  prices_json TEXT NOT NULL,
  source TEXT NOT NULL,
  valid_from INTEGER NOT NULL,
  PRIMARY KEY (price_snapshot_id)
) STRICT;

CREATE INDEX price_snapshots_by_provider_model_id_valid_from ON price_snapshots (provider, model_id, valid_from);

CREATE TABLE catalog_fetches (
  fetch_id TEXT NOT NULL,
  source TEXT NOT NULL,
  at INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  requests INTEGER NOT NULL CHECK (requests >= 0),
  added INTEGER NOT NULL CHECK (added >= 0),
  removed INTEGER NOT NULL CHECK (removed >= 0),
  changed INTEGER NOT NULL CHECK (changed >= 0),
  duration_ms INTEGER NOT NULL CHECK (duration_ms >= 0),
  error_code TEXT,
  PRIMARY KEY (fetch_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX catalog_fetches_by_source_at ON catalog_fetches (source, at);

CREATE TABLE model_outcomes (
  outcome_id TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version >= 1),
  posted_by TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  part INTEGER NOT NULL CHECK (part >= 0),
  unit_kind TEXT NOT NULL CHECK (unit_kind = 'call' OR unit_kind = 'run'),
  unit_id TEXT NOT NULL,
  interaction_id TEXT,
  provider_canonical TEXT NOT NULL,
  model TEXT NOT NULL,
  task TEXT NOT NULL,
  caller_ref TEXT,
  source TEXT NOT NULL CHECK (source = 'run_verified' OR source = 'tests' OR source = 'acceptance' OR source = 'human_feedback' OR source = 'eval' OR source = 'socrates' OR source = 'agent_claim'),
  success INTEGER CHECK (success IN (0, 1)),
  score_ppm INTEGER CHECK (score_ppm BETWEEN 0 AND 1000000),
  weight_ppm INTEGER NOT NULL CHECK (weight_ppm BETWEEN 0 AND 1000000),
  share_ppm INTEGER NOT NULL CHECK (share_ppm BETWEEN 0 AND 1000000),
  confidence_ppm INTEGER CHECK (confidence_ppm BETWEEN 0 AND 1000000),
  decision TEXT CHECK (decision = 'answer' OR decision = 'ask' OR decision = 'abstain' OR decision = 'disambiguate'),
  evidence_ref TEXT,
  comment TEXT,
  superseded_by TEXT,
  observed_at INTEGER NOT NULL,
  PRIMARY KEY (outcome_id),
  UNIQUE (posted_by, idempotency_key, part)
) STRICT, WITHOUT ROWID;

CREATE INDEX model_outcomes_by_version ON model_outcomes (version);

CREATE INDEX model_outcomes_by_unit_id ON model_outcomes (unit_id);

CREATE TABLE model_penalties (
  penalty_id TEXT NOT NULL,
  provider_canonical TEXT NOT NULL,
  model TEXT NOT NULL,
  task TEXT NOT NULL,
  cause TEXT NOT NULL CHECK (cause = 'abstain'),
  confidence_ppm INTEGER CHECK (confidence_ppm BETWEEN 0 AND 1000000),
  interaction_id TEXT,
  from_at INTEGER NOT NULL,
  until_at INTEGER NOT NULL,
  cleared_by TEXT,
  cleared_at INTEGER,
  PRIMARY KEY (penalty_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX model_penalties_by_until_at ON model_penalties (until_at);

CREATE TABLE model_scoreboard (
  provider_canonical TEXT NOT NULL,
  model TEXT NOT NULL,
  task TEXT NOT NULL,
  caller_scope TEXT NOT NULL,
  window_days INTEGER NOT NULL CHECK (window_days >= 1),
  n_calls INTEGER NOT NULL CHECK (n_calls >= 0),
  n_units INTEGER NOT NULL CHECK (n_units >= 0),
  success_w_ppm INTEGER NOT NULL CHECK (success_w_ppm >= 0),
  fail_w_ppm INTEGER NOT NULL CHECK (fail_w_ppm >= 0),
  success_ppm INTEGER,
  ci_low_ppm INTEGER,
  ci_high_ppm INTEGER,
  p50_latency_ms INTEGER,
  p99_latency_ms INTEGER,
  p50_ttft_ms INTEGER,
  availability_ppm INTEGER,
  cost_nano_usd INTEGER,
  unpriced_calls INTEGER NOT NULL CHECK (unpriced_calls >= 0),
  cost_per_success_nano_usd INTEGER,
  quality_ppm INTEGER,
  cache_savings_nano_usd INTEGER,
  context_utilization_bp_p50 INTEGER,
  confidence TEXT NOT NULL CHECK (confidence = 'none' OR confidence = 'low' OR confidence = 'medium' OR confidence = 'high'),
  as_of INTEGER NOT NULL,
  PRIMARY KEY (provider_canonical, model, task, caller_scope, window_days)
) STRICT, WITHOUT ROWID;

CREATE TABLE model_pricing (
  provider_canonical TEXT NOT NULL,
  model TEXT NOT NULL,
  day TEXT NOT NULL,
  catalog_input_micros_per_mtok INTEGER,
  catalog_output_micros_per_mtok INTEGER,
  observed_ratio_ppm INTEGER,
  observed_blended_micros_per_mtok INTEGER,
  n_reported INTEGER NOT NULL CHECK (n_reported >= 0),
  n_estimated INTEGER NOT NULL CHECK (n_estimated >= 0),
  n_free INTEGER NOT NULL CHECK (n_free >= 0),
  confidence TEXT NOT NULL CHECK (confidence = 'none' OR confidence = 'medium' OR confidence = 'high'),
  last_at INTEGER NOT NULL,
  PRIMARY KEY (provider_canonical, model, day)
) STRICT, WITHOUT ROWID;

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

CREATE TABLE rollup_mark (
  rollup TEXT NOT NULL,
  horizon INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (rollup)
) STRICT, WITHOUT ROWID;

CREATE TABLE leader (
  name TEXT NOT NULL,
  holder TEXT NOT NULL,
  epoch INTEGER NOT NULL CHECK (epoch >= 1),
  since_at INTEGER NOT NULL,
  PRIMARY KEY (name)
) STRICT, WITHOUT ROWID;
