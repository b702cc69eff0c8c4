-- file: state
-- What became of calls and runs, and what follows from it for each model.

CREATE INDEX llm_interactions_by_run_id ON llm_interactions (run_id) WHERE run_id IS NOT NULL;

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
