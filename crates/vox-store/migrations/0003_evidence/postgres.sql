-- file: state
-- What became of calls and runs, and what follows from it for each model.

CREATE INDEX llm_interactions_by_run_id ON llm_interactions USING btree (run_id) WHERE run_id IS NOT NULL;

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
