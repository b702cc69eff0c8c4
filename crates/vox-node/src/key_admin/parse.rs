//! Budgets as people type them.

use vox_base::NanoUsd;
use vox_route::budget::Window;

/// Every window a budget can have.
pub(super) const WINDOWS: [Window; 4] = [Window::Day, Window::Week, Window::Month, Window::Total];

/// A budget as typed: `5.00/day`, or `none/day` to take one away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParsedBudget {
    /// In which window it counts.
    pub window: Window,
    /// How much; nothing takes the budget away.
    pub limit: Option<NanoUsd>,
}

/// Reads `USD/day|week|month|total`.
///
/// # Errors
/// Says what was expected.
pub fn budget(text: &str) -> Result<ParsedBudget, String> {
    let expected = || "expected USD/day, /week, /month or /total, for example `5.00/day`, or `none/day`".to_owned();
    let (amount, window) = text.split_once('/').ok_or_else(expected)?;
    let window = WINDOWS.into_iter().find(|known| known.as_str() == window).ok_or_else(expected)?;
    if amount == "none" {
        return Ok(ParsedBudget { window, limit: None });
    }
    let limit = NanoUsd::from_usd(amount.strip_prefix('$').unwrap_or(amount)).map_err(|_| expected())?;
    if limit < NanoUsd::ZERO { Err(expected()) } else { Ok(ParsedBudget { window, limit: Some(limit) }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_an_amount_in_a_window() {
        assert_eq!(budget("0.50/day"), Ok(ParsedBudget { window: Window::Day, limit: Some(NanoUsd::new(500_000_000)) }));
        assert_eq!(budget("$3/total"), Ok(ParsedBudget { window: Window::Total, limit: Some(NanoUsd::new(3_000_000_000)) }));
        assert_eq!(budget("none/week"), Ok(ParsedBudget { window: Window::Week, limit: None }));
        for bad in ["5", "5/year", "-1/day", "x/day", "/day", ""] {
            assert!(budget(bad).is_err(), "{bad}");
        }
    }
}
