//! Prices as lists write them: decimals, in the unit of the list.

use crate::catalog::{Entry, PriceState, Prices};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use vox_base::Micros;

/// What the prices of a list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PriceUnit {
    /// USD for one token.
    #[default]
    UsdPerToken,
    /// USD for a million tokens.
    UsdPerMtok,
    /// USD each, for what is not counted in tokens.
    Usd,
}

/// One price of a list.
pub(super) enum Quoted {
    Known(Micros),
    Dynamic,
    Unknown,
}

/// Reads a price written as a decimal string or a JSON number.
pub(super) fn quoted(raw: &RawValue, unit: PriceUnit, class: &str, notes: &mut Vec<String>) -> Quoted {
    let unquoted: Option<String> = serde_json::from_str(raw.get()).ok();
    let text = unquoted.as_deref().unwrap_or(raw.get()).trim();
    let parsed = match unit {
        PriceUnit::UsdPerToken => Micros::per_mtok_from_usd_per_token(text),
        PriceUnit::UsdPerMtok | PriceUnit::Usd => Micros::from_usd(text),
    };
    match parsed {
        // Minus one says that the price depends on what the provider chooses.
        Ok(_) if matches!(text, "-1" | "-1.0") => Quoted::Dynamic,
        Ok((price, _)) if price.get() < 0 => {
            notes.push(format!("{class} price `{text}` is negative and counts as unknown"));
            Quoted::Unknown
        }
        Ok((price, rounded)) => {
            if rounded {
                notes.push(format!("{class} price `{text}` is rounded to {} micro-USD per million tokens", price.get()));
            }
            Quoted::Known(price)
        }
        Err(_) if text == "null" => Quoted::Unknown,
        Err(_) => {
            notes.push(format!(
                "{class} price `{}` is not a decimal number and counts as unknown",
                text.chars().take(40).collect::<String>()
            ));
            Quoted::Unknown
        }
    }
}

/// Puts the prices of a list together: free only if every listed class is exactly zero. A zero beside a price for input
/// and output means "not billed apart", so the class that is billed in its place keeps counting.
pub(super) fn settle_prices(entry: &mut Entry, quotes: Vec<(usize, Quoted)>) {
    if quotes.iter().any(|(_, quote)| matches!(quote, Quoted::Dynamic)) {
        entry.price_state = Some(PriceState::Dynamic);
        return;
    }
    let mut prices = Prices::default();
    let mut all_zero = true;
    let mut unknown = false;
    for (class, quote) in quotes {
        match quote {
            Quoted::Known(price) => {
                all_zero &= price.get() == 0;
                *prices.classes_mut()[class].1 = Some(price);
            }
            _ => unknown = true,
        }
    }
    let both = prices.input.is_some() && prices.output.is_some();
    if both && all_zero && !unknown {
        entry.price_state = Some(PriceState::Free);
        return;
    }
    for (class, price) in prices.classes_mut() {
        if !matches!(class, "input" | "output") && price.is_some_and(|price| price.get() == 0) {
            *price = None;
        }
    }
    entry.prices = prices;
}
