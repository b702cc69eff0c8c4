use super::*;
use vox_testkit::SeededEntropy;

fn stored(minted: &Minted, parent: Option<&StoredKey>) -> StoredKey {
    let created_at = Timestamp::from_millis(1_000);
    let key = CallerKey {
        key_id: vox_base::Id::new(created_at, minted.digest.as_bytes()[..10].try_into().unwrap()),
        public_id: minted.public_id.clone().into(),
        secret_sha256: minted.digest,
        prev_secret_sha256: None,
        prev_valid_until: None,
        name: "test".into(),
        parent_id: parent.map(|parent| parent.key.key_id),
        depth: 0,
        models_json: None,
        hints_json: None,
        rpm: None,
        tpm: None,
        concurrency: None,
        expires_at: None,
        revoked_at: None,
        allow_unpriced: false,
        may_delegate: false,
        run_id: None,
        created_by: "test".into(),
        created_at,
        last_used_day: None,
    };
    StoredKey { key, budgets: Vec::new() }
}

const NOW: Timestamp = Timestamp::from_millis(5_000);

#[test]
fn a_minted_key_has_its_form_and_opens() {
    let minted = mint(&SeededEntropy::new(7));
    let key = minted.key.expose().clone();
    assert_eq!(key.len(), LENGTH);
    assert!(key.starts_with("vox_") && key.contains(&minted.public_id));
    let table = KeyTable::new(&[stored(&minted, None)]);
    assert!(table.verify(&key, NOW).is_ok());
    for wrong in [String::new(), key[1..].to_owned(), format!("{}x", &key[..LENGTH - 1]), key.to_uppercase()] {
        assert_eq!(table.verify(&wrong, NOW).unwrap_err(), KeyRefusal::Invalid, "{wrong}");
    }
}

#[test]
fn two_minted_keys_differ() {
    let entropy = SeededEntropy::new(7);
    assert_ne!(mint(&entropy).key.expose(), mint(&entropy).key.expose());
}

#[test]
fn expiry_and_revocation_close_a_key_and_revocation_its_descendants() {
    let entropy = SeededEntropy::new(7);
    let (root, child) = (mint(&entropy), mint(&entropy));
    let mut parent = stored(&root, None);
    let below = stored(&child, Some(&parent));
    let open = |parent: &StoredKey| {
        KeyTable::new(&[below.clone(), parent.clone()]).verify(child.key.expose(), NOW).map(|caller| caller.chain.len())
    };
    assert_eq!(open(&parent), Ok(2));
    parent.key.revoked_at = Some(NOW);
    assert_eq!(open(&parent), Err(KeyRefusal::Revoked));
    let mut expiring = stored(&root, None);
    expiring.key.expires_at = Some(NOW);
    assert_eq!(KeyTable::new(&[expiring]).verify(root.key.expose(), NOW).unwrap_err(), KeyRefusal::Expired);
}

#[test]
fn the_secret_before_a_rotation_works_until_its_grace_ends() {
    let entropy = SeededEntropy::new(7);
    let (old, new) = (mint(&entropy), mint(&entropy));
    let mut key = stored(&old, None);
    key.key.prev_secret_sha256 = Some(key.key.secret_sha256);
    key.key.secret_sha256 = new.digest;
    key.key.prev_valid_until = Some(NOW);
    let table = KeyTable::new(&[key]);
    assert!(table.verify(old.key.expose(), NOW.plus_millis(-1)).is_ok());
    assert_eq!(table.verify(old.key.expose(), NOW).unwrap_err(), KeyRefusal::Invalid);
}

#[test]
fn what_a_key_above_may_not_a_key_below_may_not_either() {
    let entropy = SeededEntropy::new(7);
    let (root, child) = (mint(&entropy), mint(&entropy));
    let mut parent = stored(&root, None);
    let mut below = stored(&child, Some(&parent));
    let effective =
        |parent: &StoredKey, below: &StoredKey| KeyTable::new(&[below.clone(), parent.clone()]).verify(child.key.expose(), NOW).unwrap();
    assert_eq!(effective(&parent, &below).models, None);
    parent.key.models_json = Some(r#"["openai/*","*/small"]"#.into());
    assert_eq!(effective(&parent, &below).models, Some(vec!["openai/*".to_owned(), "*/small".to_owned()]));
    below.key.models_json = Some(r#"["openai/gpt*","anthropic/*","*"]"#.into());
    let models = effective(&parent, &below).models.clone();
    assert_eq!(models, Some(vec!["openai/gpt*".to_owned(), "openai/*".to_owned(), "*/small".to_owned()]), "what only overlaps is left out");
    (parent.key.expires_at, below.key.expires_at) = (Some(NOW.plus_millis(5)), Some(NOW.plus_millis(9)));
    (parent.key.rpm, below.key.tpm) = (Some(3), Some(7));
    let caller = effective(&parent, &below);
    assert_eq!(caller.key.expires_at, Some(NOW.plus_millis(5)));
    assert_eq!(
        caller.rates.iter().map(|limit| (limit.counted, limit.per_minute)).collect::<Vec<_>>(),
        [(Counted::Tokens, 7), (Counted::Requests, 3)]
    );
    assert!(caller.unpriced);
    parent.budgets.push(KeyBudget {
        key_id: parent.key.key_id,
        budget_window: "day".into(),
        limit_nano_usd: vox_base::NanoUsd::new(1),
        mode: "hard".into(),
    });
    assert!(!effective(&parent, &below).unpriced, "the hard budget of the key above");
}
