//! How often the disk is made to sync, as `strace` counts it.

use crate::child::command;

const ROWS: u64 = 10_000;

pub(crate) fn st_13_many_writers_share_syncs(_: u32) {
    let home = tempfile::tempdir().expect("a directory");
    let report = home.path().join("syncs");
    let under = ["strace", "-f", "-c", "-e", "trace=fsync,fdatasync", "-o", report.to_str().expect("a plain path")];
    let status = command(&under, "fetches", &home.path().join("data"), 0).status().expect("`strace` is installed: this check needs it");
    assert!(status.success());
    let report = std::fs::read_to_string(&report).expect("strace wrote its report");
    let syncs = syncs(&report);
    println!("     {ROWS} rows in {syncs} syncs");
    assert!(syncs > 0 && syncs <= ROWS / 20, "{report}");
}

fn syncs(report: &str) -> u64 {
    let counted = report.lines().filter(|line| line.ends_with(" fsync") || line.ends_with(" fdatasync"));
    counted.filter_map(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok()).sum()
}
