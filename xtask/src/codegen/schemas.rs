//! The JSON Schema beside each contract, from the Rust type that reads it.

use super::{environment, errors};
use schemars::{JsonSchema, schema_for};
use serde_json::Value;
use std::collections::BTreeMap;
use vox_contract::GeneratedFile;
use vox_node::providers::Provider;
use vox_node::settings::Settings;

/// The form of a file of provider entries; vox-node reads it entry by entry, so that each error names its line.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is wanted")]
struct Providers {
    /// Version of the format; 1.
    #[schemars(rename = "x-vox-version")]
    version: u32,
    /// The entries, by id.
    providers: BTreeMap<String, Provider>,
}

pub(super) fn files() -> Vec<GeneratedFile> {
    let schemas: [(&str, Value); 13] = [
        ("config/env-vars", schema_for!(environment::Registry).to_value()),
        ("errors/errors", schema_for!(errors::Area).to_value()),
        ("gateway/gateway", schema_for!(Settings).to_value()),
        ("gateway/translation", vox_wire::Verdicts::schema()),
        ("orchestration/model-catalog", vox_route::Catalog::schema()),
        ("orchestration/model-evidence", vox_route::outcome::OutcomeRules::schema()),
        ("orchestration/model-routing", vox_route::Contract::schema()),
        ("orchestration/models", vox_route::catalog::ModelsFile::schema()),
        ("orchestration/price-overlay", vox_route::catalog::PriceOverlay::schema()),
        ("orchestration/providers", schema_for!(Providers).to_value()),
        ("secrets/registry", vox_vault::schema()),
        ("telemetry/redaction", vox_telemetry::redact::Rules::schema()),
        ("telemetry/subscriber", vox_telemetry::subscriber::LogContract::schema()),
    ];
    schemas.into_iter().map(|(name, schema)| file(name, &schema)).collect()
}

fn file(name: &str, schema: &Value) -> GeneratedFile {
    let text = serde_json::to_string_pretty(schema).unwrap_or_default();
    GeneratedFile { path: format!("contracts/{name}.v1.schema.json"), text: text + "\n" }
}
