use crate::{File, Schema, generate, read, sqlite};

const PATH: &str = "contracts/db/calls.v1.yaml";

const SOUND: &str = "\
x-vox-version: 1
domain: calls
file: state
placement: shared
tables:
  call:
    doc: One call.
    row: Call
    columns:
      id: { type: id, of: interaction, class: S1 }
      outcome: { type: enum, values: [ok, failed], class: S0 }
      cost: { type: nano_usd, nullable: true, class: S1 }
      at: { type: ts_ms, class: S0 }
    primary_key: [id]
    indexes: [{ columns: [outcome, at], where: \"outcome <> 'ok'\" }]
    checks: [{ name: cost_not_negative, sql: \"cost IS NULL OR cost >= 0\" }]
    retention: { kind: ms_days, column: at, days: 90 }
  call_note:
    doc: One note about a call.
    row: CallNote
    columns:
      call_id: { type: id, of: interaction, class: S1 }
      number: { type: int, min: 0, max: 1000, class: S0 }
      note: { type: text, max: 80, nullable: true, class: S3 }
      size: { type: int, class: S0 }
    primary_key: [call_id, number]
    foreign_keys: [{ columns: [call_id], references: call, on_delete: cascade }]
    retention: { kind: cascade_of, table: call }
";

fn finding(from: &str, to: &str) -> String {
    let text = SOUND.replacen(from, to, 1);
    assert_ne!(text, SOUND, "`{from}` is not in the fixture");
    read(PATH, &text).expect_err("the contract is not sound").iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_sound_contract_becomes_strict_tables() {
    let domain = read(PATH, SOUND).unwrap();
    let sql: Vec<String> = sqlite(&[domain], File::State).into_iter().map(|object| object.sql).collect();
    insta::assert_snapshot!(sql.join(";\n"));
}

#[test]
fn rows_are_plain_rust() {
    let files = generate(&[(PATH, SOUND)]).unwrap();
    let rows = files.iter().find(|file| file.path.ends_with("rows/calls.rs")).unwrap();
    insta::assert_snapshot!(rows.text);
}

#[test]
fn class_and_retention_are_mandatory_and_unknown_keys_are_errors() {
    assert!(
        finding("id: { type: id, of: interaction, class: S1 }", "id: { type: id, of: interaction }")
            .contains("calls.v1.yaml:10: `tables.call.columns.id`: missing field `class`")
    );
    assert!(finding("    retention: { kind: ms_days, column: at, days: 90 }\n", "").contains("missing field `retention`"));
    let unknown = finding("nullable: true", "nulable: true");
    assert!(unknown.contains("calls.v1.yaml:12: `tables.call.columns.cost.nulable`: unknown field"), "{unknown}");
}

#[test]
fn rules_between_keys_name_file_line_and_key() {
    let cases = [
        ("column: at, days: 90", "column: cost, days: 90", ":17: `tables.call.retention`: `cost` is not a column of type TsMs"),
        ("primary_key: [id]", "primary_key: [identity]", ":14: `tables.call.primary_key`: no column `identity`"),
        ("references: call,", "references: calls,", "no table `calls` in this domain"),
        ("kind: cascade_of, table: call", "kind: cascade_of, table: call_note", "no cascading reference to `call_note`"),
        ("min: 0, max: 1000", "min: 1001, max: 1000", "is below `min`"),
        ("max: 80", "max: 80000", "expected 1 to 65536"),
        ("values: [ok, failed], ", "", "`values` goes with type `enum`"),
        ("of: interaction, ", "", "`of` goes with type `id`"),
        ("domain: calls", "domain: call", "expected `calls`, the name of the file"),
        ("file: state", "file: vault", "the vault is always local"),
        ("x-vox-version: 1", "x-vox-version: 2", "expected 1"),
        ("row: CallNote", "row: call_note", "expected a Rust type name"),
        ("doc: One call.", "doc: ' '", "says nothing"),
        ("primary_key: [id]", "primary_key: [cost]", "`cost` may be null"),
        ("nullable: true, class: S1", "nullable: true, max: 5, class: S1", "goes only with `int`"),
    ];
    for (from, to, expected) in cases {
        let found = finding(from, to);
        assert!(found.contains(expected), "`{to}` gave: {found}");
    }
}

#[test]
fn every_finding_of_every_file_is_reported() {
    let broken = SOUND.replace("max: 80", "max: 0").replace("doc: One call.", "doc: ''");
    let findings = generate(&[(PATH, &broken), ("contracts/db/other.v1.yaml", "domain: other")]).unwrap_err();
    assert_eq!(findings.len(), 3, "{findings:?}");
}

#[test]
fn the_order_of_the_files_does_not_matter() {
    let other = SOUND
        .replace("domain: calls", "domain: other")
        .replace("\n  call", "\n  other_call")
        .replace("table: call", "table: other_call")
        .replace("references: call", "references: other_call");
    let (a, b) = ((PATH, SOUND), ("contracts/db/other.v1.yaml", other.as_str()));
    assert_eq!(generate(&[a, b]).unwrap(), generate(&[b, a]).unwrap());
}

#[test]
fn append_only_tables_carry_triggers_and_rolled_up_ones_let_go_behind_the_mark() {
    let ruled = |retention: &str| {
        let text = SOUND.replace("kind: ms_days, column: at, days: 90", retention);
        let domain = read(PATH, &text).unwrap();
        sqlite(&[domain], File::State)
            .into_iter()
            .map(|object| object.sql)
            .filter(|sql| sql.starts_with("CREATE TRIGGER"))
            .collect::<Vec<_>>()
    };
    assert_eq!(ruled("kind: append_only, reason: history").len(), 2);
    let rolled = ruled("kind: rolled_up, column: at, days: 9, rollup: call_note");
    assert!(rolled[1].contains("WHEN OLD.at >= coalesce((SELECT horizon FROM rollup_mark WHERE rollup = 'call_note'), 0)"), "{rolled:?}");
}

#[test]
fn drift_names_table_and_column() {
    let contract =
        Schema::of(["CREATE TABLE call (id TEXT NOT NULL, cost INTEGER, PRIMARY KEY (id)) STRICT", "CREATE INDEX by_cost ON call (cost)"]);
    let live = Schema::of(["CREATE TABLE \"call\" (id TEXT NOT NULL,\n extra TEXT, cost  INTEGER NOT NULL, PRIMARY KEY (id)) STRICT"]);
    let lines: Vec<String> = contract.drift(&live).iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "by_cost: expected `present`, found nothing",
            "call.cost: expected `INTEGER`, found `INTEGER NOT NULL`",
            "call.extra: expected nothing, found `TEXT`",
        ]
    );
    assert_ne!(contract.digest(), live.digest());
}

#[test]
fn spelling_and_order_are_not_drift() {
    let a = Schema::of(["CREATE TABLE t (a TEXT CHECK (a IN ('x', 'y z')), b INTEGER)"]);
    let b = Schema::of(["CREATE TABLE \"t\" (  b INTEGER,\n\ta TEXT CHECK(a IN ('x','y z')))"]);
    assert_eq!(a.drift(&b), []);
    assert_eq!(a.digest(), b.digest());
    let other = Schema::of(["CREATE TABLE t (a TEXT CHECK (a IN ('x', 'y  z')), b INTEGER)"]);
    assert_eq!(a.drift(&other).len(), 1);
}

#[test]
fn contracts_their_schema_and_the_type_agree() {
    let validator = jsonschema::validator_for(&crate::json_schema()).unwrap();
    let contracts = [
        ("gateway.v1.yaml", include_str!("../../../contracts/db/gateway.v1.yaml")),
        ("routing.v1.yaml", include_str!("../../../contracts/db/routing.v1.yaml")),
        ("storage.v1.yaml", include_str!("../../../contracts/db/storage.v1.yaml")),
        ("vault.v1.yaml", include_str!("../../../contracts/db/vault.v1.yaml")),
    ];
    for (name, text) in contracts {
        read(name, text).unwrap();
        let value: serde_json::Value = vox_base::Document::parse(name, text).unwrap().decode().unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert_eq!(errors, [] as [String; 0], "{name}");
    }
    for (from, to) in
        [("nullable: true", "nulable: true"), ("file: state", "file: attic"), ("class: S3", "class: S9"), ("    row: Call\n", "")]
    {
        let text = SOUND.replacen(from, to, 1);
        let value: serde_json::Value = vox_base::Document::parse(PATH, &text).unwrap().decode().unwrap();
        assert!(!validator.is_valid(&value), "the schema takes `{to}`");
        assert!(read(PATH, &text).is_err(), "the type takes `{to}`");
    }
}
