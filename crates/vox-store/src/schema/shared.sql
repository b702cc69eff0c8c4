-- The shared tables in PostgreSQL. Generated from contracts/db by `cargo xtask codegen`; do not edit.

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

CREATE INDEX llm_interactions_by_run_id ON llm_interactions USING btree (run_id) WHERE run_id IS NOT NULL;

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

CREATE TABLE model_outcomes (
  outcome_id uuid NOT NULL,
  version bigint NOT NULL,
  posted_by text COLLATE "C" NOT NULL,
  idempotency_key text COLLATE "C" NOT NULL,
  part bigint NOT NULL,
  unit_kind text COLLATE "C" NOT NULL,
  unit_id text COLLATE "C" NOT NULL,
  interaction_id uuid,
  provider_canonical text COLLATE "C" NOT NULL,
  model text COLLATE "C" NOT NULL,
  task text COLLATE "C" NOT NULL,
  caller_ref text COLLATE "C",
  source text COLLATE "C" NOT NULL,
  success boolean,
  score_ppm bigint,
  weight_ppm bigint NOT NULL,
  share_ppm bigint NOT NULL,
  confidence_ppm bigint,
  decision text COLLATE "C",
  evidence_ref text COLLATE "C",
  comment text COLLATE "C",
  superseded_by uuid,
  observed_at bigint NOT NULL,
  CONSTRAINT model_outcomes_pkey PRIMARY KEY (outcome_id),
  CONSTRAINT model_outcomes_posted_by_idempotency_key_part_key UNIQUE (posted_by, idempotency_key, part),
  CONSTRAINT model_outcomes_version_check CHECK (version >= 1),
  CONSTRAINT model_outcomes_part_check CHECK (part >= 0),
  CONSTRAINT model_outcomes_unit_kind_check CHECK (unit_kind = ANY (ARRAY['call', 'run'])),
  CONSTRAINT model_outcomes_source_check CHECK (source = ANY (ARRAY['run_verified', 'tests', 'acceptance', 'human_feedback', 'eval', 'socrates', 'agent_claim'])),
  CONSTRAINT model_outcomes_score_ppm_check CHECK (score_ppm >= 0 AND score_ppm <= 1000000),
  CONSTRAINT model_outcomes_weight_ppm_check CHECK (weight_ppm >= 0 AND weight_ppm <= 1000000),
  CONSTRAINT model_outcomes_share_ppm_check CHECK (share_ppm >= 0 AND share_ppm <= 1000000),
  CONSTRAINT model_outcomes_confidence_ppm_check CHECK (confidence_ppm >= 0 AND confidence_ppm <= 1000000),
  CONSTRAINT model_outcomes_decision_check CHECK (decision = ANY (ARRAY['answer', 'ask', 'abstain', 'disambiguate']))
);

CREATE INDEX model_outcomes_by_version ON model_outcomes USING btree (version);

CREATE INDEX model_outcomes_by_unit_id ON model_outcomes USING btree (unit_id);

CREATE TABLE model_penalties (
  penalty_id uuid NOT NULL,
  provider_canonical text COLLATE "C" NOT NULL,
  model text COLLATE "C" NOT NULL,
  task text COLLATE "C" NOT NULL,
  cause text COLLATE "C" NOT NULL,
  confidence_ppm bigint,
  interaction_id uuid,
  from_at bigint NOT NULL,
  until_at bigint NOT NULL,
  cleared_by text COLLATE "C",
  cleared_at bigint,
  CONSTRAINT model_penalties_pkey PRIMARY KEY (penalty_id),
  CONSTRAINT model_penalties_cause_check CHECK (cause = 'abstain'),
  CONSTRAINT model_penalties_confidence_ppm_check CHECK (confidence_ppm >= 0 AND confidence_ppm <= 1000000)
);

CREATE INDEX model_penalties_by_until_at ON model_penalties USING btree (until_at);

CREATE TABLE model_scoreboard (
  provider_canonical text COLLATE "C" NOT NULL,
  model text COLLATE "C" NOT NULL,
  task text COLLATE "C" NOT NULL,
  caller_scope text COLLATE "C" NOT NULL,
  window_days bigint NOT NULL,
  n_calls bigint NOT NULL,
  n_units bigint NOT NULL,
  success_w_ppm bigint NOT NULL,
  fail_w_ppm bigint NOT NULL,
  success_ppm bigint,
  ci_low_ppm bigint,
  ci_high_ppm bigint,
  p50_latency_ms bigint,
  p99_latency_ms bigint,
  p50_ttft_ms bigint,
  availability_ppm bigint,
  cost_nano_usd bigint,
  unpriced_calls bigint NOT NULL,
  cost_per_success_nano_usd bigint,
  quality_ppm bigint,
  cache_savings_nano_usd bigint,
  context_utilization_bp_p50 bigint,
  confidence text COLLATE "C" NOT NULL,
  as_of bigint NOT NULL,
  CONSTRAINT model_scoreboard_pkey PRIMARY KEY (provider_canonical, model, task, caller_scope, window_days),
  CONSTRAINT model_scoreboard_window_days_check CHECK (window_days >= 1),
  CONSTRAINT model_scoreboard_n_calls_check CHECK (n_calls >= 0),
  CONSTRAINT model_scoreboard_n_units_check CHECK (n_units >= 0),
  CONSTRAINT model_scoreboard_success_w_ppm_check CHECK (success_w_ppm >= 0),
  CONSTRAINT model_scoreboard_fail_w_ppm_check CHECK (fail_w_ppm >= 0),
  CONSTRAINT model_scoreboard_unpriced_calls_check CHECK (unpriced_calls >= 0),
  CONSTRAINT model_scoreboard_confidence_check CHECK (confidence = ANY (ARRAY['none', 'low', 'medium', 'high']))
);

CREATE TABLE model_pricing (
  provider_canonical text COLLATE "C" NOT NULL,
  model text COLLATE "C" NOT NULL,
  day date NOT NULL,
  catalog_input_micros_per_mtok bigint,
  catalog_output_micros_per_mtok bigint,
  observed_ratio_ppm bigint,
  observed_blended_micros_per_mtok bigint,
  n_reported bigint NOT NULL,
  n_estimated bigint NOT NULL,
  n_free bigint NOT NULL,
  confidence text COLLATE "C" NOT NULL,
  last_at bigint NOT NULL,
  CONSTRAINT model_pricing_pkey PRIMARY KEY (provider_canonical, model, day),
  CONSTRAINT model_pricing_n_reported_check CHECK (n_reported >= 0),
  CONSTRAINT model_pricing_n_estimated_check CHECK (n_estimated >= 0),
  CONSTRAINT model_pricing_n_free_check CHECK (n_free >= 0),
  CONSTRAINT model_pricing_confidence_check CHECK (confidence = ANY (ARRAY['none', 'medium', 'high']))
);

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

CREATE TABLE leader (
  name text COLLATE "C" NOT NULL,
  holder uuid NOT NULL,
  epoch bigint NOT NULL,
  since_at bigint NOT NULL,
  CONSTRAINT leader_pkey PRIMARY KEY (name),
  CONSTRAINT leader_epoch_check CHECK (epoch >= 1)
);
