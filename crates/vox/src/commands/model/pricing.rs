//! `vox model pricing`: what providers charge, against their price lists.

use super::percent;
use crate::commands::{Result, block_on};
use crate::context::Context;
use crate::output::{Answer, table};
use serde_json::json;
use vox_base::{Micros, NanoUsd};
use vox_node::rollup;

/// Compare what providers charge with their price lists.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Examples:\n  vox model pricing show --provider openrouter\n  vox model pricing check")]
pub(crate) enum Pricing {
    /// Show what was charged in the last thirty days against the price list.
    Show(Which),
    /// Exit with 5 if a price list is known to be wrong.
    Check(Which),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Only this model.
    #[arg(long)]
    model: Option<String>,
    /// Only this provider, as statistics name it.
    #[arg(long)]
    provider: Option<String>,
}

impl Pricing {
    pub(crate) fn run(self, context: &Context) -> Result {
        let (Self::Show(which) | Self::Check(which)) = &self;
        let contract = context.config()?.contract;
        let found = match context.existing_store()? {
            None => Vec::new(),
            Some(store) => block_on(rollup::pricing(&store, &contract, context.now()))??,
        };
        let ignored_ppm = contract.rules().pricing.ignore_below_ppm;
        let fits = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
        let found: Vec<_> =
            found.into_iter().filter(|row| fits(&which.model, &row.model) && fits(&which.provider, &row.provider_canonical)).collect();
        let is_off = |ratio: Option<i64>| ratio.is_some_and(|ratio| ratio.abs_diff(1_000_000) >= ignored_ppm);
        let n_drifted = found.iter().filter(|row| row.confidence == "high" && is_off(row.observed_ratio_ppm)).count();
        let mut rows = vec![
            ["offer", "list in/M", "list out/M", "charged / list", "charged a token/M", "stated", "computed", "free", "confidence"]
                .map(str::to_owned)
                .to_vec(),
        ];
        rows.extend(found.iter().map(|row| {
            let price = |micros: Option<i64>| {
                micros.map_or_else(
                    || "unpriced".to_owned(),
                    |micros| NanoUsd::new(Micros::new(micros).get().saturating_mul(1000)).to_string(),
                )
            };
            vec![
                format!("{}/{}", row.provider_canonical, row.model),
                price(row.catalog_input_micros_per_mtok),
                price(row.catalog_output_micros_per_mtok),
                row.observed_ratio_ppm.map_or_else(|| "-".to_owned(), percent),
                price(row.observed_blended_micros_per_mtok),
                row.n_reported.to_string(),
                row.n_estimated.to_string(),
                row.n_free.to_string(),
                row.confidence.to_string(),
            ]
        }));
        let data: Vec<_> = found
            .iter()
            .map(|row| {
                json!({
                    "provider": row.provider_canonical, "model": row.model,
                    "catalog_input_micros_per_mtok": row.catalog_input_micros_per_mtok,
                    "catalog_output_micros_per_mtok": row.catalog_output_micros_per_mtok,
                    "observed_ratio_ppm": row.observed_ratio_ppm,
                    "observed_blended_micros_per_mtok": row.observed_blended_micros_per_mtok,
                    "n_reported": row.n_reported, "n_estimated": row.n_estimated, "n_free": row.n_free,
                    "confidence": row.confidence, "last_at": row.last_at.to_string(),
                })
            })
            .collect();
        let is_check = matches!(self, Self::Check(_));
        let verdict = if is_check { format!("{n_drifted} price lists are known to be wrong\n") } else { String::new() };
        let answer =
            Answer::new("vox.model.pricing.v1", json!({ "prices": data, "n_drifted": n_drifted }), format!("{}{verdict}", table(&rows)));
        Ok(if is_check && n_drifted > 0 { answer.exiting(5) } else { answer })
    }
}
