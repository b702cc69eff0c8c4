use super::*;
use crate::keys::{KeyRefusal, KeyTable};
use crate::story::Home;
use vox_base::Clock as _;

impl Home {
    async fn create(&self, name: &str, limits: &Limits) -> Shown {
        create(&self.store, &self.entropy, self.clock.now(), name, None, limits).await.unwrap()
    }

    async fn verify(&self, key: &Secret<String>) -> Result<String, KeyRefusal> {
        let table = KeyTable::new(&self.store.keys().await.unwrap());
        table.verify(key.expose(), self.clock.now()).map(|caller| caller.key.name.to_string())
    }
}

fn daily(usd: &str) -> Limits {
    Limits { budgets: vec![budget(&format!("{usd}/day")).unwrap()], ..Limits::default() }
}

#[tokio::test]
async fn gw_40_a_key_is_shown_once_and_never_stored() {
    let home = Home::new();
    let shown = home.create("laptop", &daily("5")).await;
    assert_eq!(home.verify(&shown.key).await, Ok("laptop".to_owned()));
    let stored = format!("{:?}{:?}", home.store.keys().await.unwrap(), list(&home.store, home.clock.now()).await.unwrap());
    assert!(!stored.contains(shown.key.expose().as_str()));
    assert!(stored.contains(&shown.report.public_id));
    assert_eq!(shown.report.budgets[0].limit_nano_usd, 5_000_000_000);
    assert_eq!(shown.report.budgets[0].mode, "hard");
}

#[tokio::test]
async fn gw_40_after_a_rotation_the_old_secret_works_until_the_grace_is_over() {
    let home = Home::new();
    let old = home.create("laptop", &Limits::default()).await;
    let new = rotate(&home.store, &home.entropy, home.clock.now(), "laptop", 60_000).await.unwrap();
    assert_eq!(new.report.key_id, old.report.key_id);
    assert_eq!(new.report.public_id, old.report.public_id);
    assert_eq!(home.verify(&old.key).await, Ok("laptop".to_owned()));
    assert_eq!(home.verify(&new.key).await, Ok("laptop".to_owned()));
    home.clock.advance_ms(60_001);
    assert_eq!(home.verify(&old.key).await, Err(KeyRefusal::Invalid));
    assert_eq!(home.verify(&new.key).await, Ok("laptop".to_owned()));
}

#[tokio::test]
async fn a_rotated_key_has_the_form_of_a_fresh_one() {
    let home = Home::new();
    let old = home.create("laptop", &Limits::default()).await;
    let new = rotate(&home.store, &home.entropy, home.clock.now(), "laptop", 0).await.unwrap();
    assert_eq!(new.key.expose().len(), old.key.expose().len());
    // The public part stays, the secret does not.
    let head = format!("vox_{}_", old.report.public_id);
    assert!(new.key.expose().starts_with(&head) && old.key.expose().starts_with(&head));
    assert_ne!(new.key.expose(), old.key.expose());
}

#[tokio::test]
async fn gw_40_a_revoked_or_expired_key_opens_nothing() {
    let home = Home::new();
    let soon = Some(Some(home.clock.now().plus_millis(1000)));
    let expiring = home.create("guest", &Limits { expires_at: soon, ..Limits::default() }).await;
    let revoked = home.create("laptop", &Limits::default()).await;
    revoke(&home.store, home.clock.now(), "laptop", false).await.unwrap();
    assert_eq!(home.verify(&revoked.key).await, Err(KeyRefusal::Revoked));
    assert_eq!(home.verify(&expiring.key).await, Ok("guest".to_owned()));
    home.clock.advance_ms(1000);
    assert_eq!(home.verify(&expiring.key).await, Err(KeyRefusal::Expired));
    let states: Vec<_> = list(&home.store, home.clock.now()).await.unwrap().into_iter().map(|key| key.state).collect();
    assert_eq!(states, ["expired", "revoked"]);
    let error = rotate(&home.store, &home.entropy, home.clock.now(), "laptop", 0).await.map(|_| ()).unwrap_err();
    assert_eq!(error.code, "gateway.key_revoked");
}

#[tokio::test]
async fn setting_changes_what_is_said_and_leaves_the_rest() {
    let home = Home::new();
    home.create("laptop", &Limits { models: Some(vec!["openai/*".into()]), concurrency: Some(Some(4)), ..daily("5") }).await;
    let now = home.clock.now();
    let weekly = Limits { budgets: vec![budget("7/week").unwrap()], soft: true, allow_unpriced: Some(true), ..Limits::default() };
    let key = set(&home.store, now, "laptop", &weekly).await.unwrap();
    assert_eq!(key.models, Some(vec!["openai/*".to_owned()]));
    assert_eq!(key.concurrency, Some(4));
    assert!(key.allow_unpriced);
    let budgets: Vec<_> = key.budgets.iter().map(|budget| (budget.window.as_str(), budget.mode.as_str(), budget.limit_nano_usd)).collect();
    assert_eq!(budgets, [("day", "hard", 5_000_000_000), ("week", "soft", 7_000_000_000)]);
    let open =
        Limits { models: Some(vec!["*".into()]), budgets: vec![budget("none/day").unwrap()], concurrency: Some(None), ..Limits::default() };
    let key = set(&home.store, now, "laptop", &open).await.unwrap();
    assert_eq!((key.models, key.concurrency, key.budgets.len()), (None, None, 1));
    assert_eq!(key.budgets[0].resets_at.as_deref(), Some("2026-11-23T00:00:00.000Z"));
}

#[tokio::test]
async fn a_name_that_several_keys_have_means_none_of_them() {
    let home = Home::new();
    let first = home.create("ci", &Limits::default()).await;
    home.create("ci", &Limits::default()).await;
    let now = home.clock.now();
    assert_eq!(show(&home.store, now, "ci").await.unwrap_err().code, "gateway.key_unknown");
    assert_eq!(show(&home.store, now, &first.report.public_id).await.unwrap().key_id, first.report.key_id);
    revoke(&home.store, now, &first.report.key_id, false).await.unwrap();
    assert_ne!(show(&home.store, now, "ci").await.unwrap().key_id, first.report.key_id);
    assert_eq!(show(&home.store, now, "nobody").await.unwrap_err().code, "gateway.key_unknown");
    assert_eq!(
        create(&home.store, &home.entropy, now, " ", None, &Limits::default()).await.map(|_| ()).unwrap_err().code,
        "gateway.flag_invalid"
    );
}
