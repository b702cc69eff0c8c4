use super::*;
use crate::testing::Counter;
use vox_base::Coded;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const VAULT: Id<kind::Vault> = Id::from_bytes([9; 16]);

fn passphrase(text: &str) -> UnlockKey {
    UnlockKey::Passphrase(Secret::new(text.to_owned()))
}

fn keyring(byte: u8) -> UnlockKey {
    UnlockKey::Keyring(Secret::new([byte; 32]))
}

#[test]
fn every_kind_of_unlocker_opens_the_same_root() {
    let entropy = Counter::default();
    let root = RootKey::generate(NOW, &entropy);
    let file = UnlockKey::from_key_file(&[5; 32]).unwrap();
    for key in [keyring(1), file, passphrase("correct horse")] {
        let unlocker = root.wrap(VAULT, &key, NOW, &entropy).unwrap();
        let opened = RootKey::unlock(VAULT, &unlocker, &key).unwrap();
        assert!(opened.bytes.expose() == root.bytes.expose());
        assert!(!unlocker.wrapped_root.windows(32).any(|window| window == root.bytes.expose()));
        let other_vault = Id::from_bytes([8; 16]);
        assert_eq!(RootKey::unlock(other_vault, &unlocker, &key).err(), Some(UnlockError::Corrupt));
    }
}

/// SM-23 at this level: `vault.db` in another home meets that home's keyring and key file; the passphrase travels.
#[test]
fn sm_23_a_copied_vault_opens_only_with_the_passphrase() {
    let entropy = Counter::default();
    let root = RootKey::generate(NOW, &entropy);
    let [by_keyring, by_file, by_passphrase] = [keyring(1), UnlockKey::KeyFile(Secret::new([2; 32])), passphrase("correct horse")]
        .map(|key| root.wrap(VAULT, &key, NOW, &entropy).unwrap());
    let code = |unlocker: &Unlocker, key: &UnlockKey| RootKey::unlock(VAULT, unlocker, key).err().map(|error| Coded::from(error).code);
    assert_eq!(code(&by_keyring, &keyring(3)), Some("vault.no_unlocker"));
    assert_eq!(code(&by_file, &UnlockKey::KeyFile(Secret::new([3; 32]))), Some("vault.no_unlocker"));
    assert_eq!(code(&by_file, &keyring(2)), Some("vault.no_unlocker"), "the same bytes from elsewhere");
    assert_eq!(code(&by_passphrase, &passphrase("wrong horse")), Some("vault.wrong_passphrase"));
    let opened = RootKey::unlock(VAULT, &by_passphrase, &passphrase("correct horse")).ok().unwrap();
    assert!(opened.bytes.expose() == root.bytes.expose());
}

/// SM-22 at this level.
#[test]
fn sm_22_nothing_to_unlock_with_names_three_ways_out() {
    for error in [UnlockError::NoUnlocker, UnlockError::WrongKey(UnlockerKind::Keyring), UnlockError::WrongKey(UnlockerKind::KeyFile)] {
        let error = Coded::from(error);
        assert_eq!((error.code, error.kind), ("vault.no_unlocker", vox_base::Kind::Failed));
        let next = error.next.unwrap();
        for way in ["keyring", "passphrase", "VOX_VAULT_KEY_FILE"] {
            assert!(next.contains(way), "{next}");
        }
    }
}

/// SM-22: a passphrase costs the 64 MiB it promises.
#[test]
fn sm_22_a_passphrase_is_stretched_with_64_mib() {
    let entropy = Counter::default();
    let root = RootKey::generate(NOW, &entropy);
    let unlocker = root.wrap(VAULT, &passphrase("correct horse"), NOW, &entropy).unwrap();
    assert_eq!(unlocker.kdf, Some(KdfParams { m_kib: 64 * 1024, t: 3, p: 1 }));
    for kdf in [KdfParams { m_kib: 32 * 1024, t: 3, p: 1 }, KdfParams { m_kib: 64 * 1024, t: 1, p: 1 }] {
        let cheaper = Unlocker { kdf: Some(kdf), ..unlocker.clone() };
        let error = RootKey::unlock(VAULT, &cheaper, &passphrase("correct horse")).err();
        assert_eq!(error, Some(UnlockError::WrongKey(UnlockerKind::Passphrase)), "the parameters are really used");
    }
}

#[test]
fn a_changed_row_or_costly_parameters_open_nothing() {
    let entropy = Counter::default();
    let root = RootKey::generate(NOW, &entropy);
    let key = keyring(1);
    let sound = root.wrap(VAULT, &key, NOW, &entropy).unwrap();
    for change in [
        |row: &mut Unlocker| row.id.push('x'),
        |row: &mut Unlocker| row.key_id = Id::from_bytes([1; 16]),
        |row: &mut Unlocker| row.wrapped_root[130] ^= 1,
        |row: &mut Unlocker| row.wrapped_root.truncate(20),
        |row: &mut Unlocker| row.salt = Some(vec![0; 16]),
    ] {
        let mut row = sound.clone();
        change(&mut row);
        assert_eq!(RootKey::unlock(VAULT, &row, &key).err(), Some(UnlockError::Corrupt));
    }
    let phrase = passphrase("x");
    for kdf in [
        KdfParams { m_kib: 2 * 1_048_576, t: 3, p: 1 },
        KdfParams { m_kib: 1024, t: 3, p: 1 },
        KdfParams { m_kib: 65_536, t: 17, p: 1 },
        KdfParams { m_kib: 65_536, t: 3, p: 5 },
        KdfParams { m_kib: 65_536, t: 0, p: 1 },
    ] {
        let row = Unlocker { kind: UnlockerKind::Passphrase, kdf: Some(kdf), salt: Some(vec![0; 16]), ..sound.clone() };
        assert_eq!(RootKey::unlock(VAULT, &row, &phrase).err(), Some(UnlockError::Corrupt), "{kdf:?}");
    }
}

#[test]
fn a_key_file_holds_32_bytes_or_64_digits() {
    let digits = "ab".repeat(32);
    for content in [
        vec![0xab; 32],
        digits.clone().into_bytes(),
        format!("{digits}\n").into_bytes(),
        format!("{}\r\n", digits.to_uppercase()).into_bytes(),
    ] {
        let Ok(UnlockKey::KeyFile(key)) = UnlockKey::from_key_file(&content) else { panic!("{content:?}") };
        assert!(*key.expose() == [0xab; 32]);
    }
    for content in [&b""[..], &[0xab; 31], &[0xab; 33], &[b'a'; 63], &[b'x'; 64], format!("{digits}\n\n").as_bytes()] {
        assert_eq!(UnlockKey::from_key_file(content).err(), Some(UnlockError::BadKeyFile));
    }
}

#[test]
fn an_empty_passphrase_is_refused() {
    let entropy = Counter::default();
    let root = RootKey::generate(NOW, &entropy);
    assert_eq!(root.wrap(VAULT, &passphrase(""), NOW, &entropy).err(), Some(UnlockError::EmptyPassphrase));
}

#[test]
fn purposes_have_unrelated_keys() {
    let root = RootKey::generate(NOW, &Counter::default());
    let keys = [Purpose::Local, Purpose::Fingerprint, Purpose::Identity].map(|purpose| *root.purpose(purpose).expose());
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
    assert!(!keys.contains(root.bytes.expose()));
}
