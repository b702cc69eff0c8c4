use crate::rows::vault::{AuditRow, RecordRow, SecretHead, Unlocker, VaultKey, VaultMeta};
use crate::sample::{self, NOON};
use crate::{Store, StoreError, VaultChange, VaultContents, VaultTip};
use vox_base::Id;

fn record(seq: i64) -> RecordRow {
    RecordRow {
        vault_id: vec![1; 16],
        device_id: vec![2; 32],
        incarnation: 1,
        seq,
        prev_hash: vec![seq as u8; 32],
        hash: vec![seq as u8 + 1; 32],
        hlc: seq << 16,
        kind: "secret".into(),
        key_id: "local-1".into(),
        bucket: 256,
        bytes: vec![0xab; 500],
        received_ms: NOON,
        state: "appended".into(),
    }
}

fn audit(seq: i64) -> AuditRow {
    AuditRow {
        seq,
        prev_hash: vec![0; 32],
        hash: vec![seq as u8; 32],
        ts_ms: NOON,
        caller_kind: "cli".into(),
        caller_id: None,
        run_id: None,
        op: "set".into(),
        secret_id: Some("openai.api_key".into()),
        version: Some(1),
        source: None,
        host: None,
        verdict: "allowed".into(),
        count: None,
        detail: None,
    }
}

fn meta(incarnation: i64) -> VaultMeta {
    VaultMeta { vault_id: Id::from_bytes([1; 16]), device_id: vec![2; 32], incarnation, format_version: 1, created_ms: NOON }
}

fn head(hash: u8) -> SecretHead {
    SecretHead {
        secret_id: "openai.api_key".into(),
        head_hash: vec![hash; 32],
        generation: 1,
        hlc: 1,
        device_id: vec![2; 32],
        deleted: false,
        is_current: true,
    }
}

fn unlocker(wrapped: u8) -> Unlocker {
    Unlocker {
        id: "key_file".into(),
        kind: "key_file".into(),
        kdf: None,
        m_kib: None,
        t: None,
        p: None,
        salt: None,
        key_id: "root-1".into(),
        wrapped_root: vec![wrapped; 80],
        created_ms: NOON,
        last_ok_ms: None,
    }
}

fn wrapped_key() -> VaultKey {
    VaultKey {
        key_id: "local-1".into(),
        kind: "local".into(),
        epoch: 0,
        state: "active".into(),
        wrapped: vec![3; 80],
        roster_entry: None,
        created_ms: NOON,
    }
}

async fn made(store: &Store) {
    let change = VaultChange {
        meta: Some(meta(1)),
        unlockers: vec![unlocker(1)],
        keys: vec![wrapped_key()],
        records: vec![record(0)],
        heads: vec![("openai.api_key".into(), vec![head(1)])],
        audit: vec![audit(1)],
        ..Default::default()
    };
    store.vault_write(move |_| Ok(change)).await.unwrap();
}

#[tokio::test]
async fn reading_an_absent_vault_finds_nothing_and_makes_no_file() {
    let home = tempfile::tempdir().unwrap();
    let store = sample::open(home.path());
    assert_eq!(store.vault_contents().await.unwrap(), VaultContents::default());
    assert_eq!(store.vault_records().await.unwrap(), []);
    assert!(!home.path().join("vault.db").exists());
}

#[tokio::test]
async fn record_head_and_audit_are_one_transaction() {
    let home = tempfile::tempdir().unwrap();
    let store = sample::open(home.path());
    made(&store).await;
    let mut damaged_audit = audit(2);
    damaged_audit.verdict = "x".repeat(99).into();
    let change = VaultChange {
        records: vec![record(1)],
        heads: vec![("openai.api_key".into(), vec![head(2)])],
        audit: vec![damaged_audit],
        ..Default::default()
    };
    assert!(store.vault_write(move |_| Ok(change)).await.is_err());
    assert_eq!(store.vault_records().await.unwrap().len(), 1);
    assert_eq!(store.vault_contents().await.unwrap().heads, [head(1)]);
    assert_eq!(store.vault_audit(10).await.unwrap(), [audit(1)]);
}

#[tokio::test]
async fn a_change_sees_the_ends_of_the_chains_and_replaces_heads_and_unlockers() {
    let home = tempfile::tempdir().unwrap();
    let store = sample::open(home.path());
    made(&store).await;
    let build = |tip: &VaultTip| {
        assert_eq!(tip, &VaultTip { audit: Some((1, vec![1; 32])), record: Some((0, vec![1; 32], 0)) });
        Ok(VaultChange {
            unlockers: vec![unlocker(9)],
            removed_keys: vec!["local-1".into()],
            records: vec![record(1)],
            heads: vec![("openai.api_key".into(), vec![head(2), head(3)])],
            audit: vec![audit(2)],
            ..Default::default()
        })
    };
    store.vault_write(build).await.unwrap();
    let contents = store.vault_contents().await.unwrap();
    let expected = VaultContents { meta: Some(meta(1)), unlockers: vec![unlocker(9)], keys: vec![], heads: vec![head(2), head(3)] };
    assert_eq!(contents, expected);
    assert_eq!(store.vault_records().await.unwrap().iter().map(|record| record.seq).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(store.vault_audit(1).await.unwrap(), [audit(2)]);
    let refused = store.vault_write(|_| Err(StoreError::NotFound("unlocker".into()))).await;
    assert_eq!(refused, Err(StoreError::NotFound("unlocker".into())));
}

#[tokio::test]
async fn a_damaged_record_comes_back_as_it_is_and_hides_no_other() {
    let home = tempfile::tempdir().unwrap();
    let store = sample::open(home.path());
    made(&store).await;
    store.vault_write(|_| Ok(VaultChange { records: vec![record(1), record(2)], ..Default::default() })).await.unwrap();
    store.write_vault(|tx| tx.execute("UPDATE records SET bytes = x'00ff', hash = x'01' WHERE seq = 1", &[])).await.unwrap();
    let records = store.vault_records().await.unwrap();
    assert_eq!(records.iter().map(|record| record.bytes.len()).collect::<Vec<_>>(), [500, 2, 500]);
    assert_eq!(store.vault_record(vec![1]).await.unwrap().unwrap().seq, 1);
}
