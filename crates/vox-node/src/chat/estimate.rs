//! What a call probably consumed when nobody says: used for calls that were cut, cancelled, or answered without usage.

use vox_base::Usage;

/// Bytes of ordinary text per token; providers' own counts over mixed prose and code lie between 3 and 4.5.
pub(super) const BYTES_PER_TOKEN: u64 = 4;

/// Returns the probable input tokens of a request body.
pub(super) const fn input_tokens(n_bytes: u64) -> u64 {
    n_bytes.div_ceil(BYTES_PER_TOKEN)
}

/// Returns the usage a provider reported, with what it left out estimated from the text seen.
pub(super) fn completed(reported: Usage, input_estimate: u64, n_output_bytes: u64) -> Usage {
    Usage {
        input: if reported.total_input().is_some() { reported.input } else { Some(input_estimate) },
        output: if reported.total_output().is_some() { reported.output } else { Some(n_output_bytes.div_ceil(BYTES_PER_TOKEN)) },
        ..reported
    }
}

/// Returns the usage reported in an answer that broke off: a count speaks for what came before it, such as the one token
/// that Anthropic tells at the beginning, so the text seen may say more.
pub(super) fn so_far(reported: Usage, n_output_bytes: u64) -> Usage {
    let seen = n_output_bytes.div_ceil(BYTES_PER_TOKEN).saturating_sub(reported.reasoning.unwrap_or(0));
    Usage { output: reported.output.map(|count| count.max(seen)), ..reported }
}
