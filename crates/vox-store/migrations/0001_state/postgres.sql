-- file: state
-- The first tables of the shared database: the storage, gateway and routing domains.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END
$$;

CREATE FUNCTION refuse_before_rollup() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  horizon bigint;
BEGIN
  EXECUTE format('SELECT horizon FROM %I.rollup_mark WHERE rollup = $1', TG_TABLE_SCHEMA) INTO horizon USING TG_ARGV[1];
  IF (to_jsonb(OLD) ->> TG_ARGV[0])::bigint >= coalesce(horizon, 0) THEN
    RAISE EXCEPTION '% is not rolled up yet', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN OLD;
END
$$;

CREATE TABLE caller_keys (
  key_id uuid NOT NULL,
  public_id text COLLATE "C" NOT NULL,
  secret_sha256 text COLLATE "C" NOT NULL,
  prev_secret_sha256 text COLLATE "C",
  prev_valid_until bigint,
  name text COLLATE "C" NOT NULL,
  parent_id uuid,
  depth bigint NOT NULL,
  models_json jsonb,
  hints_json jsonb,
  rpm bigint,
  tpm bigint,
  concurrency bigint,
  expires_at bigint,
  revoked_at bigint,
  allow_unpriced boolean NOT NULL,
  may_delegate boolean NOT NULL,
  run_id text COLLATE "C",
  created_by text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  last_used_day date,
  CONSTRAINT caller_keys_pkey PRIMARY KEY (key_id),
  CONSTRAINT caller_keys_public_id_key UNIQUE (public_id),
  CONSTRAINT caller_keys_depth_check CHECK (depth >= 0 AND depth <= 4),
  CONSTRAINT caller_keys_rpm_check CHECK (rpm >= 1),
  CONSTRAINT caller_keys_tpm_check CHECK (tpm >= 1),
  CONSTRAINT caller_keys_concurrency_check CHECK (concurrency >= 1)
);

CREATE INDEX caller_keys_by_parent_id ON caller_keys USING btree (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE key_budgets (
  key_id uuid NOT NULL,
  budget_window text COLLATE "C" NOT NULL,
  limit_nano_usd bigint NOT NULL,
  mode text COLLATE "C" NOT NULL,
  CONSTRAINT key_budgets_pkey PRIMARY KEY (key_id, budget_window),
  CONSTRAINT key_budgets_key_id_fkey FOREIGN KEY (key_id) REFERENCES caller_keys (key_id) ON DELETE CASCADE,
  CONSTRAINT key_budgets_budget_window_check CHECK (budget_window = ANY (ARRAY['day', 'week', 'month', 'total'])),
  CONSTRAINT key_budgets_mode_check CHECK (mode = ANY (ARRAY['hard', 'soft'])),
  CONSTRAINT key_budgets_limit_not_negative CHECK (limit_nano_usd >= 0)
);

CREATE TABLE budget_entries (
  entry_id uuid NOT NULL,
  account text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  amount_nano_usd bigint NOT NULL,
  call_id uuid NOT NULL,
  at bigint NOT NULL,
  by text COLLATE "C",
  CONSTRAINT budget_entries_pkey PRIMARY KEY (entry_id),
  CONSTRAINT budget_entries_kind_check CHECK (kind = ANY (ARRAY['settle', 'held', 'correct']))
);

CREATE INDEX budget_entries_by_account_at ON budget_entries USING btree (account, at);

CREATE TRIGGER budget_entries_no_update BEFORE UPDATE ON budget_entries FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER budget_entries_no_delete BEFORE DELETE ON budget_entries FOR EACH ROW EXECUTE FUNCTION refuse_before_rollup('at', 'budget_daily');

CREATE TRIGGER budget_entries_no_truncate BEFORE TRUNCATE ON budget_entries FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE budget_daily (
  account text COLLATE "C" NOT NULL,
  day date NOT NULL,
  amount_nano_usd bigint NOT NULL,
  entries bigint NOT NULL,
  CONSTRAINT budget_daily_pkey PRIMARY KEY (account, day),
  CONSTRAINT budget_daily_entries_check CHECK (entries >= 0)
);

CREATE TABLE reservations (
  interaction_id uuid NOT NULL,
  key_id uuid,
  node_incarnation uuid NOT NULL,
  amount_nano_usd bigint NOT NULL,
  state text COLLATE "C" NOT NULL,
  opened_at bigint NOT NULL,
  closed_at bigint,
  CONSTRAINT reservations_pkey PRIMARY KEY (interaction_id),
  CONSTRAINT reservations_state_check CHECK (state = ANY (ARRAY['held', 'settled', 'released']))
);

CREATE INDEX reservations_by_opened_at ON reservations USING btree (opened_at) WHERE state = 'held';

CREATE TABLE llm_interactions (
  interaction_id uuid NOT NULL,
  trace_id uuid NOT NULL,
  span_id text COLLATE "C" NOT NULL,
  parent_span_id text COLLATE "C",
  trace_origin text COLLATE "C" NOT NULL,
  session_id text COLLATE "C",
  run_id text COLLATE "C",
  task_id text COLLATE "C",
  key_id uuid,
  dialect_in text COLLATE "C",
  endpoint text COLLATE "C",
  requested_model text COLLATE "C",
  decision_id uuid,
  provider text COLLATE "C",
  provider_canonical text COLLATE "C",
  model text COLLATE "C",
  model_reported text COLLATE "C",
  task_category text COLLATE "C",
  strength_tag text COLLATE "C",
  complexity bigint,
  outcome text COLLATE "C" NOT NULL,
  stop_reason text COLLATE "C",
  stop_reason_raw text COLLATE "C",
  streamed boolean NOT NULL,
  translated boolean NOT NULL,
  attempts bigint NOT NULL,
  input_tokens bigint,
  cache_read_tokens bigint,
  cache_write_5m_tokens bigint,
  cache_write_1h_tokens bigint,
  output_tokens bigint,
  reasoning_tokens bigint,
  server_tool_units_json jsonb,
  context_utilization_bp bigint,
  cost_nano_usd bigint,
  computed_nano_usd bigint,
  cost_source text COLLATE "C" NOT NULL,
  price_snapshot_id uuid,
  cache_savings_nano_usd bigint,
  ttft_ms bigint,
  latency_ms bigint,
  gateway_overhead_us bigint,
  request_bytes bigint,
  response_bytes bigint,
  flags_json jsonb,
  created_at bigint NOT NULL,
  ended_at bigint NOT NULL,
  CONSTRAINT llm_interactions_pkey PRIMARY KEY (interaction_id),
  CONSTRAINT llm_interactions_trace_origin_check CHECK (trace_origin = ANY (ARRAY['local', 'inbound'])),
  CONSTRAINT llm_interactions_outcome_check CHECK (outcome = ANY (ARRAY['complete', 'truncated', 'refused', 'client_cancelled', 'upstream_error', 'upstream_cut', 'upstream_stalled', 'upstream_malformed', 'budget_cut', 'deadline', 'drained', 'rejected', 'lost'])),
  CONSTRAINT llm_interactions_attempts_check CHECK (attempts >= 0),
  CONSTRAINT llm_interactions_cost_source_check CHECK (cost_source = ANY (ARRAY['provider_reported', 'computed', 'local', 'cache', 'estimated', 'held', 'peer_reported', 'unknown']))
);

CREATE INDEX llm_interactions_by_trace_id ON llm_interactions USING btree (trace_id) WHERE trace_origin = 'inbound';

CREATE TRIGGER llm_interactions_no_update BEFORE UPDATE ON llm_interactions FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER llm_interactions_no_delete BEFORE DELETE ON llm_interactions FOR EACH ROW EXECUTE FUNCTION refuse_before_rollup('created_at', 'usage_daily');

CREATE TRIGGER llm_interactions_no_truncate BEFORE TRUNCATE ON llm_interactions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE llm_attempts (
  interaction_id uuid NOT NULL,
  attempt_number bigint NOT NULL,
  span_id text COLLATE "C" NOT NULL,
  provider text COLLATE "C" NOT NULL,
  model text COLLATE "C" NOT NULL,
  credential_ref text COLLATE "C",
  outcome text COLLATE "C" NOT NULL,
  error_class text COLLATE "C",
  error_text text COLLATE "C",
  http_status bigint,
  upstream_request_id text COLLATE "C",
  waited_ms bigint,
  ttft_ms bigint,
  latency_ms bigint,
  bytes_to_client bigint,
  usage_json jsonb,
  cost_nano_usd bigint,
  cost_source text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  CONSTRAINT llm_attempts_pkey PRIMARY KEY (interaction_id, attempt_number),
  CONSTRAINT llm_attempts_attempt_number_check CHECK (attempt_number >= 1),
  CONSTRAINT llm_attempts_cost_source_check CHECK (cost_source = ANY (ARRAY['provider_reported', 'computed', 'local', 'cache', 'estimated', 'held', 'peer_reported', 'unknown']))
);

CREATE TABLE usage_daily (
  day date NOT NULL,
  key_id text COLLATE "C" NOT NULL,
  provider_canonical text COLLATE "C" NOT NULL,
  model text COLLATE "C" NOT NULL,
  task_category text COLLATE "C" NOT NULL,
  cost_source text COLLATE "C" NOT NULL,
  calls bigint NOT NULL,
  errors bigint NOT NULL,
  unpriced_calls bigint NOT NULL,
  unmetered_calls bigint NOT NULL,
  input_tokens bigint,
  cache_read_tokens bigint,
  cache_write_tokens bigint,
  output_tokens bigint,
  reasoning_tokens bigint,
  cost_nano_usd bigint,
  cache_savings_nano_usd bigint,
  CONSTRAINT usage_daily_pkey PRIMARY KEY (day, key_id, provider_canonical, model, task_category, cost_source),
  CONSTRAINT usage_daily_cost_source_check CHECK (cost_source = ANY (ARRAY['provider_reported', 'computed', 'local', 'cache', 'estimated', 'held', 'peer_reported', 'unknown'])),
  CONSTRAINT usage_daily_calls_check CHECK (calls >= 0),
  CONSTRAINT usage_daily_errors_check CHECK (errors >= 0),
  CONSTRAINT usage_daily_unpriced_calls_check CHECK (unpriced_calls >= 0),
  CONSTRAINT usage_daily_unmetered_calls_check CHECK (unmetered_calls >= 0)
);

CREATE TABLE route_decisions (
  decision_id uuid NOT NULL,
  interaction_id uuid,
  at bigint NOT NULL,
  caller_ref text COLLATE "C",
  session_ref text COLLATE "C",
  task text COLLATE "C",
  task_source text COLLATE "C",
  complexity bigint,
  complexity_raw bigint,
  features_json jsonb NOT NULL,
  contract_digest text COLLATE "C" NOT NULL,
  catalog_digest text COLLATE "C" NOT NULL,
  board_digest text COLLATE "C" NOT NULL,
  seed bigint NOT NULL,
  mode text COLLATE "C" NOT NULL,
  reason text COLLATE "C" NOT NULL,
  chosen text COLLATE "C",
  propensity_ppb bigint,
  epsilon_ppm bigint,
  lambda_milli bigint,
  CONSTRAINT route_decisions_pkey PRIMARY KEY (decision_id),
  CONSTRAINT route_decisions_mode_check CHECK (mode = ANY (ARRAY['scored', 'premium', 'forced', 'explicit', 'explored']))
);

CREATE TABLE route_snapshots (
  digest text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  blob bytea NOT NULL,
  first_at bigint NOT NULL,
  last_at bigint NOT NULL,
  CONSTRAINT route_snapshots_pkey PRIMARY KEY (digest),
  CONSTRAINT route_snapshots_kind_check CHECK (kind = ANY (ARRAY['contract', 'catalog', 'board']))
);

CREATE TABLE price_snapshots (
  price_snapshot_id uuid NOT NULL,
  provider text COLLATE "C" NOT NULL,
  model_id text COLLATE "C" NOT NULL,
  prices_json jsonb NOT NULL,
  source text COLLATE "C" NOT NULL,
  valid_from bigint NOT NULL,
  CONSTRAINT price_snapshots_pkey PRIMARY KEY (price_snapshot_id)
);

CREATE INDEX price_snapshots_by_provider_model_id_valid_from ON price_snapshots USING btree (provider, model_id, valid_from);

CREATE TABLE catalog_fetches (
  fetch_id uuid NOT NULL,
  source text COLLATE "C" NOT NULL,
  at bigint NOT NULL,
  outcome text COLLATE "C" NOT NULL,
  requests bigint NOT NULL,
  added bigint NOT NULL,
  removed bigint NOT NULL,
  changed bigint NOT NULL,
  duration_ms bigint NOT NULL,
  error_code text COLLATE "C",
  CONSTRAINT catalog_fetches_pkey PRIMARY KEY (fetch_id),
  CONSTRAINT catalog_fetches_requests_check CHECK (requests >= 0),
  CONSTRAINT catalog_fetches_added_check CHECK (added >= 0),
  CONSTRAINT catalog_fetches_removed_check CHECK (removed >= 0),
  CONSTRAINT catalog_fetches_changed_check CHECK (changed >= 0),
  CONSTRAINT catalog_fetches_duration_ms_check CHECK (duration_ms >= 0)
);

CREATE INDEX catalog_fetches_by_source_at ON catalog_fetches USING btree (source, at);

CREATE TABLE store_meta (
  key text COLLATE "C" NOT NULL,
  value text COLLATE "C" NOT NULL,
  CONSTRAINT store_meta_pkey PRIMARY KEY (key)
);

CREATE TABLE schema_migration (
  number bigint NOT NULL,
  name text COLLATE "C" NOT NULL,
  sha256 text COLLATE "C" NOT NULL,
  applied_at bigint NOT NULL,
  vox_version text COLLATE "C" NOT NULL,
  duration_ms bigint NOT NULL,
  CONSTRAINT schema_migration_pkey PRIMARY KEY (number),
  CONSTRAINT schema_migration_number_check CHECK (number >= 1),
  CONSTRAINT schema_migration_duration_ms_check CHECK (duration_ms >= 0)
);

CREATE TRIGGER schema_migration_no_update BEFORE UPDATE ON schema_migration FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER schema_migration_no_delete BEFORE DELETE ON schema_migration FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER schema_migration_no_truncate BEFORE TRUNCATE ON schema_migration FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE rollup_mark (
  rollup text COLLATE "C" NOT NULL,
  horizon bigint NOT NULL,
  updated_at bigint NOT NULL,
  CONSTRAINT rollup_mark_pkey PRIMARY KEY (rollup)
);
