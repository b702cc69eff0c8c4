//! The `vox` command: reads the command line and the environment, runs one command, and turns its answer or error into
//! output and an exit code.

mod cli;
mod commands;
mod config;
mod context;
mod exit;
mod logs;
mod output;
mod reference;
mod running;
mod usage_error;

use clap::Parser;
use context::Context;
use output::Output;
use std::process::ExitCode;

/// A call's row is made on one thread and freed on the writer's; the system's allocator locks for that, this one does not.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage_error::report(&error),
    };
    let context = Context::new(cli.global, config::Environment::read());
    for warning in context.env.warnings() {
        context.out.warn(&warning);
    }
    finish(&context.out, commands::run(&context, cli.command))
}

fn finish(out: &Output, result: commands::Result) -> ExitCode {
    match result {
        Ok(answer) => {
            out.answer(&answer);
            ExitCode::from(answer.exit)
        }
        Err(error) => {
            out.error(&error);
            exit::of(&error)
        }
    }
}
