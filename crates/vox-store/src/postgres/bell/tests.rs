use crate::sample::{NOON, call, key, key_id};
use crate::story::Home;
use crate::{Changes, Place, Store};
use std::time::{Duration, Instant};
use vox_testkit::Postgres;

const PATIENCE: Duration = Duration::from_secs(20);

/// Two stores on one schema, the second of which listens, and the channel between them. Nothing here asks the tables, so
/// whoever wakes was told.
async fn pair(server: &Postgres) -> (Store, Store, Changes, String) {
    let url = server.fresh();
    let (one, other) = (Home::server(url.clone()).open(), Home::server(url.clone()).open());
    let mut changes = other.changes();
    woken(&mut changes).await;
    let Ok(Place::Server(target)) = Place::parse(&url, None) else { panic!("it is a server") };
    (one, other, changes, format!("vox_{:08x}", target.lock_space()))
}

async fn woken(changes: &mut Changes) {
    tokio::time::timeout(PATIENCE, changes.next()).await.expect("somebody tells");
}

#[tokio::test(flavor = "multi_thread")]
async fn st_56_a_change_wakes_the_other_nodes_and_a_call_does_not() {
    let Some(server) = Postgres::shared() else { return };
    let (one, _other, mut changes, _) = pair(server).await;
    assert!(!changes.take(), "it was heard already");
    one.settle(call(1, NOON));
    one.flush().await.unwrap();
    assert!(!changes.take());
    one.create_key(key(1, None)).await.unwrap();
    woken(&mut changes).await;
    one.touch_keys(vec![key_id(1)], NOON).await.unwrap();
    let outcome = crate::outcomes::tests::row(1, "tests", true);
    one.post_outcome(crate::NewOutcome { rows: vec![outcome], penalties: Vec::new(), precedence: vec!["tests"] }).await.unwrap();
    woken(&mut changes).await;
    assert!(!changes.take(), "use is not a change");
    assert!(one.create_key(key(1, None)).await.is_err());
    assert!(!changes.take(), "neither is what was refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn st_56_changes_that_come_close_together_are_told_at_most_twenty_times_a_second() {
    let Some(server) = Postgres::shared() else { return };
    let (one, other, mut changes, _) = pair(server).await;
    let heard = other.shared().bell().unwrap().listen();
    let (before, started) = (*heard.borrow(), Instant::now());
    for n in 0..200 {
        one.create_key(key(n, None)).await.unwrap();
    }
    woken(&mut changes).await;
    one.close();
    let told = *heard.borrow() - before;
    let most = started.elapsed().as_millis() / 50 + 2;
    assert!((1..=most).contains(&u128::from(told)), "{told} of at most {most}");
}

#[tokio::test(flavor = "multi_thread")]
async fn st_56_who_closes_at_once_has_told_before() {
    let Some(server) = Postgres::shared() else { return };
    let (one, _other, mut changes, _) = pair(server).await;
    one.create_key(key(1, None)).await.unwrap();
    drop(one);
    woken(&mut changes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn st_56_a_listener_that_was_ended_comes_back_and_hears() {
    let Some(server) = Postgres::shared() else { return };
    let (one, _other, mut changes, channel) = pair(server).await;
    let listeners = format!("FROM pg_stat_activity WHERE query LIKE 'LISTEN {channel}%' OR query LIKE 'NOTIFY {channel}%'");
    assert_eq!(server.sql(&format!("SELECT pg_terminate_backend(pid) {listeners}")).unwrap(), "t");
    // It wakes by itself once it listens again: what was told meanwhile is to be looked for.
    woken(&mut changes).await;
    assert_eq!(server.sql(&format!("SELECT count(*) {listeners}")).unwrap(), "1");
    one.create_key(key(1, None)).await.unwrap();
    woken(&mut changes).await;
}

/// Behind a proxy that loses notifications a node hears nothing, notices that it does not even hear itself, and tries anew.
#[tokio::test(flavor = "multi_thread")]
async fn st_56_who_hears_not_even_itself_tries_another_connection() {
    let Some(server) = Postgres::shared() else { return };
    let (one, other, mut changes, _) = pair(server).await;
    let Some(Place::Server(target)) = &other.options().db else { panic!("it is a server") };
    let port = server.port();
    let url = format!("postgres://vox@127.0.0.1:{}/postgres?vox_schema={}", vox_testkit::muted(port), target.schema);
    let behind = Home::server(url).open();
    let mut deaf = behind.changes();
    woken(&mut deaf).await;
    one.create_key(key(1, None)).await.unwrap();
    woken(&mut changes).await;
    assert!(!deaf.take(), "it is told to the others only");
    assert_eq!(behind.keys().await.unwrap().len(), 1, "whoever asks knows it all the same");
    // Nobody told it: this is another connection, which begins to listen.
    woken(&mut deaf).await;
}

#[tokio::test]
async fn a_store_in_a_file_has_nobody_to_hear() {
    let store = Home::file().open();
    let mut changes = store.changes();
    store.create_key(key(1, None)).await.unwrap();
    assert!(!changes.take());
    assert!(tokio::time::timeout(Duration::from_millis(20), changes.next()).await.is_err());
}
