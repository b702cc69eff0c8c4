//! When rows of each table go. Generated from contracts/db by `cargo xtask codegen`; do not edit.

use crate::retention::{Keep, Rule};
use vox_contract::File;

/// One rule per table and file.
pub(crate) const RULES: &[Rule] = &[
    Rule { table: "caller_keys", file: File::State, keep: Keep::MsDays { column: "revoked_at", days: 400 } },
    Rule { table: "key_budgets", file: File::State, keep: Keep::All },
    Rule { table: "budget_entries", file: File::State, keep: Keep::RolledUp { column: "at", days: 1826, rollup: "budget_daily" } },
    Rule { table: "budget_daily", file: File::State, keep: Keep::All },
    Rule { table: "reservations", file: File::State, keep: Keep::MsDays { column: "closed_at", days: 30 } },
    Rule { table: "llm_interactions", file: File::State, keep: Keep::RolledUp { column: "created_at", days: 365, rollup: "usage_daily" } },
    Rule { table: "llm_attempts", file: File::State, keep: Keep::Until { column: "expires_at" } },
    Rule { table: "usage_daily", file: File::State, keep: Keep::Days { column: "day", days: 1826 } },
    Rule { table: "route_decisions", file: File::State, keep: Keep::MsDays { column: "at", days: 90 } },
    Rule { table: "route_snapshots", file: File::State, keep: Keep::MsDays { column: "last_at", days: 92 } },
    Rule { table: "price_snapshots", file: File::State, keep: Keep::All },
    Rule { table: "catalog_fetches", file: File::State, keep: Keep::MsDays { column: "at", days: 90 } },
    Rule { table: "store_meta", file: File::State, keep: Keep::All },
    Rule { table: "store_meta", file: File::Vault, keep: Keep::All },
    Rule { table: "schema_migration", file: File::State, keep: Keep::All },
    Rule { table: "schema_migration", file: File::Vault, keep: Keep::All },
    Rule { table: "rollup_mark", file: File::State, keep: Keep::All },
    Rule { table: "vault_meta", file: File::Vault, keep: Keep::All },
    Rule { table: "vault_unlockers", file: File::Vault, keep: Keep::All },
    Rule { table: "vault_keys", file: File::Vault, keep: Keep::All },
    Rule { table: "records", file: File::Vault, keep: Keep::All },
    Rule { table: "secret_heads", file: File::Vault, keep: Keep::All },
    Rule { table: "secret_versions", file: File::Vault, keep: Keep::Last { n: 10, by: "secret_id", newest: "version" } },
    Rule { table: "vault_audit", file: File::Vault, keep: Keep::MsDays { column: "ts_ms", days: 400 } },
];

/// The key of each table.
pub(crate) const KEYS: &[(&str, &str)] = &[
    ("caller_keys", "key_id"),
    ("key_budgets", "key_id, budget_window"),
    ("budget_entries", "entry_id"),
    ("budget_daily", "account, day"),
    ("reservations", "interaction_id"),
    ("llm_interactions", "interaction_id"),
    ("llm_attempts", "interaction_id, attempt_number"),
    ("usage_daily", "day, key_id, provider_canonical, model, task_category, cost_source"),
    ("route_decisions", "decision_id"),
    ("route_snapshots", "digest"),
    ("price_snapshots", "price_snapshot_id"),
    ("catalog_fetches", "fetch_id"),
    ("store_meta", "key"),
    ("schema_migration", "number"),
    ("rollup_mark", "rollup"),
    ("vault_meta", "vault_id"),
    ("vault_unlockers", "id"),
    ("vault_keys", "key_id"),
    ("records", "vault_id, device_id, incarnation, seq"),
    ("secret_heads", "secret_id, head_hash"),
    ("secret_versions", "secret_id, version"),
    ("vault_audit", "seq"),
];
