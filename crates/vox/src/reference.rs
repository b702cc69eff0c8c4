//! The page of the whole command line, `docs/reference/cli.md`, from the same arguments that clap parses.

use crate::cli::Cli;
use clap::{Command, CommandFactory};
use std::fmt::Write as _;

const HEAD: &str = "\
<!-- Generated from the arguments of `vox` by `vox help reference`; do not edit. -->

# Command line

Options of `vox` itself may stand before or behind any command.
";

/// Width of the page, whatever the terminal's.
const COLUMNS: usize = 100;

/// Returns the page.
pub(crate) fn page() -> String {
    let mut command = Cli::command().term_width(COLUMNS);
    command.build();
    let mut out = HEAD.to_owned();
    section(&mut out, "vox", &command);
    for inner in command.get_subcommands() {
        tree(&mut out, "vox", inner);
    }
    out
}

fn tree(out: &mut String, above: &str, command: &Command) {
    if command.is_hide_set() {
        return;
    }
    let name = format!("{above} {}", command.get_name());
    let globals: Vec<clap::Id> =
        command.get_arguments().filter(|argument| argument.is_global_set()).map(|argument| argument.get_id().clone()).collect();
    let own = globals.into_iter().fold(command.clone(), |own, id| own.mut_arg(id, |argument| argument.hide(true)));
    section(out, &name, &own);
    for inner in command.get_subcommands() {
        tree(out, &name, inner);
    }
}

fn section(out: &mut String, name: &str, command: &Command) {
    let help = command.clone().render_long_help().to_string();
    let _ = writeln!(out, "\n## {name}\n\n```text");
    for line in help.trim_end().lines() {
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out.push_str("```\n");
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_page_is_fresh() {
        let fresh = super::page() == include_str!("../../../docs/reference/cli.md");
        assert!(fresh, "docs/reference/cli.md is stale: `cargo run -- help reference > docs/reference/cli.md`");
    }
}
