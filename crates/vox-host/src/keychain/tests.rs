use super::*;
use std::time::Instant;

fn over(open: Open) -> Keychain {
    Keychain { open: Ok(open), patience: Duration::from_millis(200) }
}

/// A keyring that lives as long as the test process.
fn mock() -> Result<Arc<CredentialStore>, Error> {
    static STORE: std::sync::OnceLock<Arc<CredentialStore>> = std::sync::OnceLock::new();
    if let Some(store) = STORE.get() {
        return Ok(store.clone());
    }
    let made: Arc<CredentialStore> = keyring_core::mock::Store::new()?;
    Ok(STORE.get_or_init(|| made).clone())
}

/// SM-22 at this level: without a session there is a reason at once, and nothing is written anywhere.
#[test]
fn sm_22_without_a_session_it_is_inactive_at_once() {
    let started = Instant::now();
    for bus in [None, Some(OsStr::new(""))] {
        let keychain = Keychain::of_session(bus, PATIENCE);
        let reason = keychain.probe().unwrap_err();
        assert!(reason.to_string().contains("DBUS_SESSION_BUS_ADDRESS"), "{reason}");
        assert!(keychain.get("x").is_err() && keychain.set("x", &Secret::new([1; 32])).is_err());
    }
    assert!(started.elapsed() < Duration::from_millis(100));
}

#[test]
fn a_hung_keyring_is_given_up() {
    let keychain = over(|| {
        loop {
            std::thread::park();
        }
    });
    let started = Instant::now();
    assert!(keychain.probe().unwrap_err().to_string().contains("no answer"));
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_failing_keyring_gives_its_reason() {
    let keychain = over(|| Err(Error::NotSupportedByStore("read only".into())));
    assert!(keychain.probe().unwrap_err().to_string().contains("read only"));
}

#[test]
fn a_key_is_kept_replaced_and_removed() {
    let keychain = over(mock);
    keychain.probe().unwrap();
    assert!(keychain.get("vault-1").unwrap().is_none());
    keychain.set("vault-1", &Secret::new([1; 32])).unwrap();
    keychain.set("vault-1", &Secret::new([2; 32])).unwrap();
    assert_eq!(keychain.get("vault-1").unwrap().unwrap().expose(), &[2; 32]);
    keychain.delete("vault-1").unwrap();
    keychain.delete("vault-1").unwrap();
    assert!(keychain.get("vault-1").unwrap().is_none());
}
