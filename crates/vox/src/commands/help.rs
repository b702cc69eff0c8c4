//! `vox help`: a command explained, or an error code.

use super::Result;
use crate::cli::Cli;
use crate::context::Context;
use crate::output::Answer;
use clap::CommandFactory;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vox_base::{Coded, Document, Kind};

/// The codes of every area, as shipped.
const AREAS: [(&str, &str); 9] = [
    ("cli.v1.yaml", include_str!("../../../../contracts/errors/cli.v1.yaml")),
    ("config.v1.yaml", include_str!("../../../../contracts/errors/config.v1.yaml")),
    ("doctor.v1.yaml", include_str!("../../../../contracts/errors/doctor.v1.yaml")),
    ("gateway.v1.yaml", include_str!("../../../../contracts/errors/gateway.v1.yaml")),
    ("paths.v1.yaml", include_str!("../../../../contracts/errors/paths.v1.yaml")),
    ("route.v1.yaml", include_str!("../../../../contracts/errors/route.v1.yaml")),
    ("secret.v1.yaml", include_str!("../../../../contracts/errors/secret.v1.yaml")),
    ("store.v1.yaml", include_str!("../../../../contracts/errors/store.v1.yaml")),
    ("vault.v1.yaml", include_str!("../../../../contracts/errors/vault.v1.yaml")),
];

/// Explain a command, or an error code.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  vox help keys create\n  vox help errors\n  vox help errors route.no_offer")]
pub(crate) struct Help {
    /// Words of a command; `errors` and a code; or `reference` for all commands on one page.
    #[arg(value_name = "COMMAND|errors CODE|reference")]
    topic: Vec<String>,
}

/// What is to be known about one code.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    exit: u8,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    http: Option<u16>,
    meaning: String,
    next: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Area {
    #[serde(rename = "x-vox-version")]
    _version: u32,
    codes: BTreeMap<String, Entry>,
}

impl Help {
    pub(crate) fn run(self, _context: &Context) -> Result {
        let words: Vec<&str> = self.topic.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["errors"] => Ok(list(&codes())),
            ["reference"] => {
                let page = crate::reference::page();
                Ok(Answer::new("vox.help.reference.v1", serde_json::json!({ "text": page }), page))
            }
            ["errors", code] => explain(code, &codes()),
            words => command(words),
        }
    }
}

/// Returns every code that vox answers with.
pub(crate) fn codes() -> BTreeMap<String, Entry> {
    let area = |(file, text): (&str, &str)| {
        let document = Document::parse(file, text).expect("the shipped codes are read by a test");
        document.decode::<Area>().expect("the shipped codes are read by a test").codes
    };
    AREAS.into_iter().flat_map(area).collect()
}

fn list(codes: &BTreeMap<String, Entry>) -> Answer {
    let width = codes.keys().map(String::len).max().unwrap_or(0);
    let text: String = codes.iter().map(|(code, entry)| format!("{code:width$}  {}\n", entry.meaning)).collect();
    Answer::new("vox.help.errors.v1", codes, text)
}

fn explain(code: &str, codes: &BTreeMap<String, Entry>) -> Result {
    let Some(entry) = codes.get(code) else {
        let reason = code.rsplit('.').next().unwrap_or(code);
        let near: Vec<&str> =
            codes.keys().map(String::as_str).filter(|known| known.contains(reason) || known.starts_with(code)).take(3).collect();
        let error = Coded::new(Kind::Usage, "cli.code_unknown", format!("no error code is called `{code}`")).next("vox help errors");
        return Err(if near.is_empty() { error } else { error.expected(format!("a code such as `{}`", near.join("`, `"))) });
    };
    let http = entry.http.map_or_else(String::new, |status| format!(", HTTP {status}"));
    let text = format!("{code} (exit {}{http})\n  {}\n  next: {}\n", entry.exit, entry.meaning, entry.next);
    Ok(Answer::new("vox.help.errors.v1", BTreeMap::from([(code, entry)]), text))
}

fn command(words: &[&str]) -> Result {
    let mut command = Cli::command();
    command.build();
    let mut found = &mut command;
    for word in words {
        found = match found.find_subcommand_mut(word) {
            Some(inner) => inner,
            None => {
                let topic = words.join(" ");
                return Err(Coded::new(Kind::Usage, "cli.topic_unknown", format!("there is no command `vox {topic}`")).next("vox help"));
            }
        };
    }
    let text = found.render_long_help().to_string();
    Ok(Answer::new("vox.help.v1", serde_json::json!({ "topic": words, "text": text }), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_code_reads_and_has_its_area_and_exit() {
        let codes = codes();
        assert!(codes.len() > 60, "{}", codes.len());
        for (file, text) in AREAS {
            let area = file.split('.').next().unwrap();
            let names = text.lines().filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':')).filter(|name| !name.starts_with(' '));
            for name in names {
                assert!(name.starts_with(&format!("{area}.")), "{file}: {name}");
                assert!(matches!(codes[name].exit, 1..=7 | 130), "{name}");
            }
        }
    }
}
