use super::*;

fn chain(n_rows: u64) -> Vec<AuditRow> {
    let mut rows: Vec<AuditRow> = Vec::new();
    for at in 1..=n_rows {
        let entry =
            AuditEntry { caller_kind: "cli_tty".into(), op: "set".into(), version: Some(at), verdict: "ok".into(), ..Default::default() };
        let row = AuditRow::after(rows.last(), Timestamp::from_millis(at as i64), entry);
        rows.push(row);
    }
    rows
}

fn break_at(rows: &[AuditRow]) -> Option<u64> {
    verify_audit(rows).err().map(|broken| broken.seq)
}

#[test]
fn a_chain_holds_and_so_does_its_kept_end() {
    let rows = chain(50);
    assert_eq!(break_at(&rows), None);
    assert_eq!(break_at(&rows[20..]), None, "old rows may have been dropped by retention");
}

#[test]
fn deleting_editing_or_moving_a_row_is_named() {
    let rows = chain(10);
    let mut deleted = rows.clone();
    deleted.remove(4);
    assert_eq!(break_at(&deleted), Some(6));
    let mut moved = rows.clone();
    moved.swap(4, 5);
    assert_eq!(break_at(&moved), Some(6));
    for edit in [
        |row: &mut AuditRow| row.entry.caller_kind.push('x'),
        |row: &mut AuditRow| row.entry.caller_id = Some("x".into()),
        |row: &mut AuditRow| row.entry.run_id = Some("x".into()),
        |row: &mut AuditRow| row.entry.op.push('x'),
        |row: &mut AuditRow| row.entry.secret_id = Some("x".into()),
        |row: &mut AuditRow| row.entry.version = None,
        |row: &mut AuditRow| row.entry.source = Some("x".into()),
        |row: &mut AuditRow| row.entry.host = Some("x".into()),
        |row: &mut AuditRow| row.entry.verdict.push('x'),
        |row: &mut AuditRow| row.entry.count = Some(1),
        |row: &mut AuditRow| row.entry.detail = Some("x".into()),
        |row: &mut AuditRow| row.at = row.at.plus_millis(1),
    ] {
        let mut edited = rows.clone();
        edit(&mut edited[4]);
        assert_eq!(break_at(&edited), Some(5));
    }
}

#[test]
fn a_text_in_another_column_is_another_row() {
    let at = Timestamp::from_millis(1);
    let source = AuditEntry { source: Some("x".into()), ..Default::default() };
    let host = AuditEntry { host: Some("x".into()), ..Default::default() };
    assert_ne!(AuditRow::after(None, at, source).hash, AuditRow::after(None, at, host).hash);
}
