//! How to read a provider's numbers; part of its entry in the providers contract.

use crate::Dialect;
use crate::json::{Kind, Value};
use vox_base::NanoUsd;

/// How to read a provider's usage; what is absent follows the dialect.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UsageRules {
    /// The input count includes tokens read from and written to the prompt cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_in_input: Option<bool>,
    /// The output count includes reasoning tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_in_output: Option<bool>,
    /// Where inside `usage` the provider states the cost of the call, such as `cost`; dots lead into objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_field: Option<String>,
    /// The unit of `cost_field`; USD if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_unit: Option<CostUnit>,
}

/// The unit in which a provider states a cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CostUnit {
    /// Dollars.
    Usd,
    /// Hundredths of a dollar.
    UsdCent,
    /// Ten-thousand-millionths of a dollar.
    UsdTick,
}

impl CostUnit {
    const fn exponent(self) -> i32 {
        match self {
            Self::Usd => 0,
            Self::UsdCent => -2,
            Self::UsdTick => -10,
        }
    }
}

impl UsageRules {
    /// Returns whether the input count includes cached tokens.
    #[must_use]
    pub fn cached_in_input(&self, dialect: Dialect) -> bool {
        self.cached_in_input.unwrap_or(dialect == Dialect::Openai)
    }

    /// Returns whether the output count includes reasoning tokens.
    #[must_use]
    pub fn reasoning_in_output(&self) -> bool {
        self.reasoning_in_output.unwrap_or(true)
    }

    /// Returns the stated cost: `None` if there is none, an error if it is no amount.
    pub(super) fn cost(&self, usage: Value<'_>) -> Option<Result<NanoUsd, ()>> {
        let stated = self.cost_field.as_deref()?.split('.').try_fold(usage, Value::get)?;
        let text = match stated.kind() {
            Kind::Number => stated.raw().to_owned(),
            Kind::String => stated.as_str()?.into_owned(),
            Kind::Null => return None,
            _ => return Some(Err(())),
        };
        Some(amount(&text, self.cost_unit.map_or(0, CostUnit::exponent)))
    }
}

/// Moves the point by writing another exponent, so that the decimal stays exact.
fn amount(text: &str, shift: i32) -> Result<NanoUsd, ()> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent = exponent.parse::<i32>().ok().and_then(|exponent| exponent.checked_add(shift)).ok_or(())?;
    match NanoUsd::from_usd(&format!("{mantissa}e{exponent}")) {
        Ok(amount) if amount >= NanoUsd::ZERO => Ok(amount),
        _ => Err(()),
    }
}
