//! The page of error codes, from `contracts/errors`.

use super::{Sources, cell, opening};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The codes of one area.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Area {
    /// Version of the format; 1.
    #[serde(rename = "x-vox-version")]
    version: u32,
    /// The codes, `area.reason`.
    codes: BTreeMap<String, Code>,
}

/// What is to be known about one code.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Code {
    /// The exit code of `vox`.
    exit: u8,
    /// The status where a served surface answers with the code.
    http: Option<u16>,
    /// What has happened.
    meaning: String,
    /// The one thing to do.
    next: String,
}

const HEAD: &str = "\
# Error codes

Every error that reaches you carries one of these codes: in the message of the command line, in `error.code` with `--json`,
and in the error body of the served surfaces. `vox help errors CODE` explains one of them without this page.

| exit | meaning |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | the command line or an input has the wrong form |
| 3 | refused by a policy or a budget |
| 4 | waits for a person |
| 5 | stale or inconsistent: lock, generated file, contract, configuration |
| 6 | needs the network, and vox is offline |
| 7 | stored bytes or a signature are not what they must be |
| 130 | cancelled |
";

pub(super) fn page(sources: &Sources) -> Result<String, Vec<String>> {
    let areas: Vec<(&str, Area)> = sources.decode("contracts/errors/")?;
    let findings: Vec<String> = areas.iter().flat_map(|(path, area)| findings(path, area)).collect();
    if !findings.is_empty() {
        return Err(findings);
    }
    let mut out = HEAD.to_owned();
    for ((path, area), (_, text)) in areas.iter().zip(sources.yaml("contracts/errors/")) {
        let about = opening(text).replace(" The keys are explained in cli.v1.yaml.", "");
        let about = about.split_once(". `").map_or(about.as_str(), |(first, _)| first).trim_end_matches('.');
        let _ = writeln!(
            out,
            "\n## {}\n\n{about}.\n\n| code | exit | HTTP | what has happened | what to do |\n|---|---|---|---|---|",
            name(path)
        );
        for (code, entry) in &area.codes {
            let http = entry.http.map_or_else(String::new, |status| status.to_string());
            let _ = writeln!(out, "| `{code}` | {} | {http} | {} | {} |", entry.exit, cell(&entry.meaning), cell(&entry.next));
        }
    }
    Ok(out)
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().and_then(|file| file.split('.').next()).unwrap_or(path)
}

fn findings(path: &str, area: &Area) -> Vec<String> {
    let mut findings = Vec::new();
    if area.version != 1 {
        findings.push(format!("{path}: `x-vox-version`: expected 1"));
    }
    for (code, entry) in &area.codes {
        if code.split('.').next() != Some(name(path)) {
            findings.push(format!("{path}: `{code}` does not belong to this area"));
        }
        if !matches!(entry.exit, 1..=7 | 130) {
            findings.push(format!("{path}: `{code}`: no exit code {}", entry.exit));
        }
        if entry.http.is_some_and(|status| !(400..=599).contains(&status)) {
            findings.push(format!("{path}: `{code}`: an error has a status from 400 to 599"));
        }
    }
    findings
}
