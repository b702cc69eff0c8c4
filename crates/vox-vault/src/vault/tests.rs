use super::*;
use crate::audit::verify_audit;
use crate::rows::VersionOp;
use crate::testing::Counter;
use proptest::prelude::*;
use vox_base::Coded;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const HOUR_MS: i64 = 3_600_000;
const ME: By<'static> = By { kind: "cli_tty", id: None };

/// A vault and the rows a store would hold for it.
struct Home {
    root: RootKey,
    vault: Vault,
    stored: StoredVault,
    audit: Vec<AuditRow>,
    entropy: Counter,
    now: Timestamp,
}

impl Home {
    fn new() -> Self {
        let entropy = Counter::default();
        let key = UnlockKey::Keyring(Secret::new([1; 32]));
        let new = Vault::create(&key, NOW, &entropy).unwrap();
        let root = RootKey::unlock(new.meta.vault_id, &new.unlocker, &key).ok().unwrap();
        let stored = StoredVault { meta: new.meta, keys: new.keys, records: vec![], heads: vec![], versions: vec![], audit_tail: None };
        Self { root, vault: new.vault, stored, audit: vec![], entropy, now: NOW }
    }

    fn with(values: &[(&str, &str)]) -> Self {
        let mut home = Self::new();
        values.iter().for_each(|(id, value)| home.set(id, value));
        home
    }

    fn set(&mut self, id: &str, value: &str) {
        let append = self.vault.put(&put(id, value), self.now, &self.entropy).unwrap();
        self.commit(append);
    }

    fn remove(&mut self, id: &str) {
        let append = self.vault.remove(id, ME, self.now, &self.entropy).unwrap();
        self.commit(append);
    }

    /// Does what vox-store does in one transaction, then takes it over.
    fn commit(&mut self, append: Append) {
        self.stored.records.push(append.record.clone());
        self.stored.heads.retain(|head| head.secret_id != append.version.secret_id);
        self.stored.heads.extend(append.heads.clone());
        self.stored.versions.push(append.version.clone());
        self.stored.audit_tail = Some(append.audit.clone());
        self.audit.push(append.audit.clone());
        self.prune(&append.prune);
        self.vault.apply(append);
    }

    fn prune(&mut self, prune: &[Pruned]) {
        for Pruned { hash, bytes } in prune {
            let row = self.stored.records.iter_mut().find(|row| row.hash == *hash).unwrap();
            row.bytes = bytes.clone();
            row.pruned = true;
        }
    }

    fn open(&self, change: impl FnOnce(&mut StoredVault)) -> Vault {
        let mut stored = self.stored.clone();
        change(&mut stored);
        Vault::open(&self.root, stored).ok().unwrap()
    }
}

fn put<'a>(secret_id: &'a str, value: &'a str) -> Put<'a> {
    Put { secret_id, value, expires: None, if_version: None, by: ME }
}

fn value(vault: &Vault, id: &str) -> Option<String> {
    vault.get(id).ok().unwrap().map(|current| current.value.expose().clone())
}

fn code(vault: &Vault, id: &str) -> &'static str {
    vault.get(id).err().map_or("", |error| Coded::from(error).code)
}

#[test]
fn a_value_comes_back_after_reopening() {
    let key = "-----BEGIN KEY-----\nabc\n-----END KEY-----";
    let home = Home::with(&[("a.key", "sk-one"), ("b.key", key)]);
    let reopened = home.open(|_| {});
    for vault in [&home.vault, &reopened] {
        assert_eq!(value(vault, "a.key").as_deref(), Some("sk-one"));
        assert_eq!(value(vault, "b.key").as_deref(), Some(key), "SM-11: three lines, byte for byte");
        assert_eq!(value(vault, "c.key"), None);
        assert!(vault.damage().is_empty());
    }
    let is_clear = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(home.stored.records.iter().all(|row| !is_clear(&row.bytes, "sk-one") && !is_clear(&row.bytes, "a.key")));
}

#[test]
fn setting_again_makes_a_version_and_cuts_off_the_old_body() {
    let mut home = Home::with(&[("a.key", "one")]);
    home.set("a.key", "two");
    assert_eq!(value(&home.vault, "a.key").as_deref(), Some("two"));
    let ops: Vec<_> = home.vault.versions("a.key").iter().map(|version| (version.version, version.op)).collect();
    assert_eq!(ops, [(1, VersionOp::Create), (2, VersionOp::Rotate)]);
    assert!(home.stored.records[0].pruned && !home.stored.records[1].pruned);
    let reopened = home.open(|_| {});
    assert_eq!(reopened.get("a.key").ok().unwrap().unwrap().version, 2);
    assert!(reopened.damage().is_empty(), "the log still verifies");
}

#[test]
fn a_removed_value_is_kept_for_24_hours_and_then_goes() {
    let mut home = Home::with(&[("a.key", "one")]);
    home.remove("a.key");
    assert_eq!(value(&home.vault, "a.key"), None);
    assert_eq!(home.vault.remove("a.key", ME, NOW, &home.entropy).err(), Some(VaultError::Missing("a.key".into())));
    home.set("a.key", "two");
    assert!(!home.stored.records[0].pruned, "the hold also outlives a new value");
    let reopened = home.open(|_| {});
    assert_eq!(value(&reopened, "a.key").as_deref(), Some("two"));
    assert_eq!(reopened.prunable(NOW.plus_millis(24 * HOUR_MS - 1)), []);
    let due = reopened.prunable(NOW.plus_millis(24 * HOUR_MS));
    home.prune(&due);
    home.vault.pruned(&due);
    assert_eq!(home.stored.records.iter().map(|row| row.pruned).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(home.open(|_| {}).heads(), home.vault.heads());
    assert!(home.open(|_| {}).damage().is_empty());
}

#[test]
fn what_cannot_be_stored_is_refused() {
    let mut home = Home::with(&[("a.key", "one")]);
    let refused = |home: &Home, put: Put<'_>| home.vault.put(&put, NOW, &home.entropy).err().map(|error| Coded::from(error).code);
    let long = "x".repeat(65_021);
    assert_eq!(refused(&home, put("a.key", &long)), Some("secret.too_large"));
    assert_eq!(refused(&home, put("a.key", &long[1..])), None);
    assert_eq!(refused(&home, put("a.key", "")), Some("secret.empty"));
    for id in ["", "A.key", "a key", &"a".repeat(65)] {
        assert_eq!(refused(&home, put(id, "v")), Some("secret.bad_id"), "{id}");
    }
    let at = |version| Put { if_version: Some(version), ..put("a.key", "v") };
    assert_eq!((refused(&home, at(1)), refused(&home, at(2))), (None, Some("secret.version_moved")));
    home.stored.meta.format_version = 2;
    let newer = home.open(|_| {});
    assert_eq!(value(&newer, "a.key").as_deref(), Some("one"), "it can still be read");
    assert_eq!(newer.put(&put("a.key", "v"), NOW, &home.entropy).err(), Some(VaultError::NewerFormat(2)));
}

#[test]
fn sm_20_a_damaged_row_harms_its_own_secret_only() {
    let home = Home::with(&[("a.key", "one"), ("b.key", "two"), ("c.key", "three")]);
    let swap_rows = |stored: &mut StoredVault| {
        let bytes = stored.records[0].bytes.clone();
        stored.records[0].bytes = std::mem::replace(&mut stored.records[1].bytes, bytes);
    };
    let copy_row = |stored: &mut StoredVault| stored.records[1].bytes = stored.records[0].bytes.clone();
    let copy_head = |stored: &mut StoredVault| stored.heads[1].head_hash = stored.heads[0].head_hash;
    let delete_row = |stored: &mut StoredVault| drop(stored.records.remove(1));
    type Change<'a> = &'a dyn Fn(&mut StoredVault);
    let changes: [(Change<'_>, [&str; 3]); 4] = [
        (&swap_rows, ["vault.corrupt", "vault.corrupt", ""]),
        (&copy_row, ["", "vault.corrupt", ""]),
        (&copy_head, ["", "vault.corrupt", ""]),
        (&delete_row, ["", "vault.corrupt", ""]),
    ];
    for (change, codes) in changes {
        let vault = home.open(change);
        assert_eq!(["a.key", "b.key", "c.key"].map(|id| code(&vault, id)), codes);
    }
    let vault = home.open(copy_row);
    let [damage] = vault.damage() else { panic!("one row") };
    assert_eq!(damage.secret_id.as_deref(), Some("b.key"));
    assert!(damage.row.ends_with("/0/2"), "{}", damage.row);
    let error = Coded::from(vault.get("b.key").err().unwrap());
    assert_eq!((error.kind, error.at), (vox_base::Kind::Integrity, Some(damage.row.clone())));
}

#[test]
fn sm_20_an_older_version_never_stands_in_for_a_damaged_one() {
    let mut home = Home::with(&[("a.key", "one")]);
    home.remove("a.key");
    home.set("a.key", "two");
    let last = home.stored.records.len() - 1;
    let mut damaged = home.open(|stored| stored.records[last].bytes.truncate(200));
    assert_eq!(code(&damaged, "a.key"), "vault.corrupt");
    let append = damaged.put(&put("a.key", "three"), NOW, &home.entropy).unwrap();
    damaged.apply(append);
    assert_eq!(value(&damaged, "a.key").as_deref(), Some("three"), "setting it again mends it");
}

#[test]
fn a_log_whose_links_do_not_fit_is_not_used() {
    let mut home = Home::with(&[("a.key", "one")]);
    let fork = home.vault.put(&put("b.key", "forked"), NOW, &home.entropy).unwrap();
    home.set("b.key", "two");
    home.set("c.key", "three");
    let vault = home.open(|stored| stored.records[1] = fork.record.clone());
    assert_eq!(["a.key", "b.key", "c.key"].map(|id| code(&vault, id)), ["", "vault.corrupt", "vault.corrupt"]);
}

#[test]
fn a_row_from_another_vault_or_device_is_refused() {
    let home = Home::with(&[("a.key", "one")]);
    let other = Home::new();
    other.entropy.fill(&mut [0; 64]);
    let key = UnlockKey::Keyring(Secret::new([1; 32]));
    let stranger = Vault::create(&key, NOW, &other.entropy).unwrap().vault;
    let foreign = stranger.put(&put("a.key", "theirs"), NOW, &other.entropy).unwrap();
    let vault = home.open(|stored| stored.records[0] = foreign.record.clone());
    assert_eq!(code(&vault, "a.key"), "vault.corrupt");
}

#[test]
fn damaged_keys_make_the_vault_unusable_not_silent() {
    let home = Home::with(&[("a.key", "one")]);
    for at in 0..2 {
        let mut stored = home.stored.clone();
        stored.keys[at].wrapped[150] ^= 1;
        let error = Vault::open(&home.root, stored).err().unwrap();
        assert_eq!(Coded::from(error).code, "vault.corrupt");
    }
    let mut stored = home.stored.clone();
    stored.keys.swap(0, 1);
    let (one, two) = (stored.keys[0].wrapped.clone(), stored.keys[1].wrapped.clone());
    (stored.keys[0].wrapped, stored.keys[1].wrapped) = (two, one);
    assert!(Vault::open(&home.root, stored).is_err());
}

/// SM-20: 10,000 mutations of one row; the secret it belongs to is corrupt, the others open, nothing panics.
///
/// The rows are judged by the same function that opening uses, and the whole vault is opened on every hundredth.
#[test]
fn sm_20_ten_thousand_mutations() {
    let home = Home::with(&[("a.key", "one"), ("b.key", "two"), ("c.key", "three")]);
    for round in 0..10_000usize {
        let mut random = [0; 8];
        home.entropy.fill(&mut random);
        let mut row = home.stored.records[1].clone();
        mutate(&mut row, &home.stored.records, random);
        let judged = load::check_row(&row, &home.vault.meta, &home.vault.device.public(), &home.vault.keys);
        assert!(judged.is_err(), "round {round}: {random:?}");
        if round.is_multiple_of(100) {
            let vault = home.open(|stored| stored.records[1] = row);
            assert_eq!(["a.key", "b.key", "c.key"].map(|id| code(&vault, id)), ["", "vault.corrupt", ""], "round {round}");
        }
    }
}

fn mutate(row: &mut StoredRecord, others: &[StoredRecord], random: [u8; 8]) {
    let at = usize::from(u16::from_le_bytes([random[0], random[1]])) % row.bytes.len();
    match random[2] % 10 {
        0..=4 => row.bytes[at] ^= random[3].max(1),
        5 => row.bytes.truncate(at),
        6 => row.bytes.insert(at, random[3]),
        7 => row.bytes = others[if random[3] & 1 == 0 { 0 } else { 2 }].bytes.clone(),
        8 => row.bytes.extend_from_slice(&random[..1 + usize::from(random[3] % 4)]),
        _ => match random[3] % 7 {
            0 => row.seq += 1 + u64::from(random[4]),
            1 => row.hlc ^= 1 << (random[4] % 64),
            2 => row.key_id = Id::from_bytes([random[4]; 16]),
            3 => row.vault_id = Id::from_bytes([random[4]; 16]),
            4 => row.hash = Digest::from_bytes([random[4]; 32]),
            5 => row.prev_hash = Digest::from_bytes([random[4]; 32]),
            _ => row.device_id = Digest::from_bytes([random[4]; 32]),
        },
    }
}

#[test]
fn every_change_is_written_down_in_one_chain() {
    let mut home = Home::with(&[("a.key", "sk-secret")]);
    home.remove("a.key");
    let row = home.vault.audit(AuditEntry { op: "reveal".into(), verdict: "refused".into(), ..AuditEntry::default() }, NOW);
    home.audit.push(row.clone());
    home.vault.audited(row);
    home.set("b.key", "two");
    assert_eq!(verify_audit(&home.audit), Ok(()));
    let ops: Vec<_> = home.audit.iter().map(|row| (row.entry.op.as_str(), row.entry.secret_id.as_deref())).collect();
    assert_eq!(ops, [("set", Some("a.key")), ("rm", Some("a.key")), ("reveal", None), ("set", Some("b.key"))]);
    assert!(!format!("{:?}", home.audit).contains("sk-secret"));
}

#[test]
fn clocks_only_break_ties() {
    let mut home = Home::with(&[("a.key", "one")]);
    home.now = NOW.plus_millis(-10 * HOUR_MS);
    home.set("a.key", "two");
    assert_eq!(value(&home.vault, "a.key").as_deref(), Some("two"), "a clock moved back changes nothing");
    let [first, second] = home.stored.records.as_slice() else { panic!("two rows") };
    assert!(second.hlc > first.hlc);
}

#[test]
fn a_fingerprint_is_the_vaults_own() {
    let (home, mut other) = (Home::new(), Home::new());
    assert_eq!(home.vault.fingerprint("v"), home.open(|_| {}).fingerprint("v"));
    other.root = RootKey::generate(NOW, &other.entropy);
    assert_ne!(home.root.purpose(Purpose::Fingerprint).expose(), other.root.purpose(Purpose::Fingerprint).expose());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Heads kept step by step, heads derived from the stored log, and a plain map of values agree.
    #[test]
    fn heads_can_be_rebuilt(steps in proptest::collection::vec((0usize..3, proptest::option::of("[a-z]{1,8}"), 0i64..20), 1..10)) {
        let ids = ["a.key", "b.key", "c.key"];
        let mut home = Home::new();
        let mut model: BTreeMap<&str, String> = BTreeMap::new();
        for (id, value, hours) in steps {
            home.now = home.now.plus_millis(hours * HOUR_MS);
            match value {
                Some(value) => {
                    home.set(ids[id], &value);
                    model.insert(ids[id], value);
                }
                None if model.remove(ids[id]).is_some() => home.remove(ids[id]),
                None => {}
            }
        }
        for vault in [home.open(|_| {}), home.open(|stored| stored.heads.clear())] {
            prop_assert_eq!(vault.heads(), home.vault.heads());
            prop_assert!(vault.damage().is_empty());
            for id in ids {
                prop_assert_eq!(value(&vault, id), model.get(id).cloned());
                prop_assert_eq!(value(&home.vault, id), model.get(id).cloned());
            }
        }
        prop_assert_eq!(verify_audit(&home.audit), Ok(()));
    }
}
