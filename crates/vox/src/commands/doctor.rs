//! `vox doctor`: what is wrong, and the command that mends it.

use super::{Result, block_on};
use crate::context::Context;
use crate::output::{Answer, table};
use vox_base::Coded;
use vox_node::doctor::{AREAS, Finding, Level, Patient, Report, examine};

/// Look for what is wrong with store, vault, providers and catalog. Changes nothing and opens no connection.
///
/// Exit 0 without errors, 7 if stored bytes are not what they must be, 5 if everything wrong is only out of step,
/// 1 for any other error.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  vox doctor\n  vox doctor --area vault\n  vox doctor --strict --json")]
pub(crate) struct Doctor {
    /// Only this area.
    #[arg(long, value_name = "AREA", value_parser = AREAS)]
    area: Option<String>,
    /// Let warnings fail too: exit 5.
    #[arg(long)]
    strict: bool,
}

impl Doctor {
    pub(crate) fn run(self, context: &Context) -> Result {
        let dirs = context.dirs()?;
        let store = context.existing_store();
        let secrets = context.secrets(store.as_ref().ok().cloned().flatten())?;
        let config = || context.config();
        let patient =
            Patient { dirs: &dirs, store, secrets: &secrets, config: &config, in_ci: context.env.is_on("CI"), now: context.now() };
        let report: std::result::Result<Report, Coded> = block_on(examine(&patient, self.area.as_deref()))?;
        let report = report?;
        let exit = report.exit(self.strict);
        let text = shown(context, &report);
        Ok(Answer::new("vox.doctor.v1", report, text).exiting(exit))
    }
}

fn shown(context: &Context, report: &Report) -> String {
    let mut text = String::new();
    for area in AREAS {
        let findings: Vec<&Finding> = report.findings.iter().filter(|finding| finding.area == area).collect();
        if findings.is_empty() {
            continue;
        }
        text.push_str(&format!("{area}\n"));
        let rows: Vec<Vec<String>> = findings.iter().map(|finding| row(finding)).collect();
        for (line, finding) in table(&rows).lines().zip(&findings) {
            text.push_str(&format!("  {}\n", context.out.paint(line, style(finding.level))));
        }
    }
    text.push_str(&format!("{} errors, {} unknown, {} warnings\n", report.n_errors, report.n_unknown, report.n_warnings));
    text
}

fn row(finding: &Finding) -> Vec<String> {
    let word = match finding.level {
        Level::Error => "ERROR",
        Level::Unknown => "UNKNOWN",
        Level::Warn => "WARN",
        Level::Info => "ok",
    };
    let next = finding.next.as_ref().map_or_else(String::new, |next| format!("→ {next}"));
    vec![word.to_owned(), finding.subject.clone(), finding.evidence.clone(), next]
}

const fn style(level: Level) -> &'static str {
    match level {
        Level::Error => "31",
        Level::Unknown | Level::Warn => "33",
        Level::Info => "0",
    }
}
