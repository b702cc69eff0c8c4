//! What only several processes can show: locks between them, syncs as the kernel counts them, and `kill -9`.
//!
//! The program runs itself again as a child (see `child`), told by arguments what to do. Without arguments it runs every
//! check; a name picks those that contain it, `rounds=200` sets the number of kills, or of tenths of a second where time counts
//! (20 unless told).

#![expect(clippy::print_stdout, reason = "this is a test program with its own report")]

mod child;
mod kill;
mod locks;
#[path = "../sample.rs"]
mod sample;
mod syncs;
mod team;

use std::process::ExitCode;

type Check = (&'static str, fn(rounds: u32));

const CHECKS: &[Check] = &[
    ("st_05_modes_hold_under_an_empty_umask", locks::st_05_modes_hold_under_an_empty_umask),
    ("st_11_eight_processes_write_one_file", locks::st_11_eight_processes_write_one_file),
    ("st_11_a_foreign_lock_is_waited_for_and_then_busy", locks::st_11_a_foreign_lock_is_waited_for_and_then_busy),
    ("st_13_many_writers_share_syncs", syncs::st_13_many_writers_share_syncs),
    ("st_53_the_ledger_of_four_processes_adds_up", team::st_53_the_ledger_of_four_processes_adds_up),
    ("st_54_who_commits_late_is_counted_exactly_once", team::st_54_who_commits_late_is_counted_exactly_once),
    ("st_55_another_leads_when_the_leader_stands_still", team::st_55_another_leads_when_the_leader_stands_still),
    ("st_55_the_work_of_a_past_epoch_changes_nothing", team::st_55_the_work_of_a_past_epoch_changes_nothing),
    ("st_16_gw_37_nothing_acknowledged_is_lost_to_a_kill", kill::st_16_gw_37_nothing_acknowledged_is_lost_to_a_kill),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "child") {
        return child::main(&arguments[1..]);
    }
    let rounds = arguments.iter().find_map(|argument| argument.strip_prefix("rounds=")?.parse().ok()).unwrap_or(20);
    let picked: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-') && !argument.contains('=')).collect();
    let mut failed = 0;
    for (name, check) in CHECKS.iter().filter(|(name, _)| picked.is_empty() || picked.iter().any(|part| name.contains(*part))) {
        let passed = std::panic::catch_unwind(|| check(rounds)).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += u8::from(!passed);
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
