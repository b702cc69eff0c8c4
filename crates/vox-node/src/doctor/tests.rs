use super::*;

fn report(findings: Vec<Finding>) -> Report {
    let count = |level: Level| findings.iter().filter(|finding| finding.level == level).count();
    Report {
        n_errors: count(Level::Error),
        n_unknown: count(Level::Unknown),
        n_warnings: count(Level::Warn),
        findings,
        sources: Vec::new(),
    }
}

fn error(kind: Kind) -> Finding {
    Finding::new(Level::Error, "store-open", "vox.db", "broken").of_kind(kind)
}

#[test]
fn the_exit_code_says_how_bad_it_is() {
    let warning = || Finding::new(Level::Warn, "store-mode", "vox.db", "open");
    let unknown = || Finding::new(Level::Unknown, "vault-audit", "vault.db", "unreadable");
    let info = || Finding::new(Level::Info, "store-engine", "vox.db", "fine");
    for (findings, lax, strict) in [
        (vec![info()], 0, 0),
        (vec![info(), warning()], 0, 5),
        (vec![warning(), unknown()], 0, 1),
        (vec![error(Kind::Failed), error(Kind::Stale)], 1, 1),
        (vec![error(Kind::Stale), warning()], 5, 5),
        (vec![error(Kind::Stale), error(Kind::Integrity)], 7, 7),
    ] {
        let report = report(findings);
        assert_eq!((report.exit(false), report.exit(true)), (lax, strict), "{:?}", report.findings);
    }
}

#[test]
fn a_finding_belongs_to_the_area_its_id_begins_with() {
    assert_eq!(Finding::new(Level::Info, "catalog-source", "x", "y").area, "catalog");
    assert_eq!(Finding::new(Level::Info, "providers-key", "x", "y").area, "providers");
}

#[test]
fn an_age_is_said_as_people_say_it() {
    let shown = [0, 300_000, 7_440_000, 36_000_000, 137 * 3_600_000].map(age);
    assert_eq!(shown, ["0m", "5m", "2h 04m", "10h", "137h"]);
}
