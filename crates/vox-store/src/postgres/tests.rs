use super::{Begin, Pool, Target};
use crate::sample::{self, DAY_MS, NOON, call, key};
use crate::story::Home;
use crate::{Store, StoreError};
use std::time::{Duration, Instant};
use vox_base::Timestamp;
use vox_testkit::Postgres;

const TOMORROW: Timestamp = NOON.plus_millis(DAY_MS);

fn target(url: &str) -> Target {
    Target::parse(url, None).unwrap()
}

async fn rolled(store: &Store) -> i64 {
    store.read(|tx| tx.value("SELECT cast(coalesce(sum(entries), 0) AS bigint) FROM budget_daily", &[])).await.unwrap().unwrap()
}

async fn spent(store: &Store) -> i64 {
    store.spent(None).await.unwrap().first().map_or(0, |spent| spent.nano_usd.get())
}

/// Several stores settle calls of a day while it is rolled up again and again.
#[tokio::test(flavor = "multi_thread")]
async fn st_54_rolling_up_under_load_counts_every_call_once() {
    let Some(server) = Postgres::shared() else { return };
    let home = Home::server(server.fresh());
    let stores = [home.open(), home.open(), home.open()];
    for n in 0..1500_u64 {
        stores[usize::try_from(n % 3).unwrap()].settle(call(n, NOON));
        if n.is_multiple_of(50) {
            let _ = stores[0].roll_up(TOMORROW).await;
        }
    }
    for store in &stores {
        store.flush().await.unwrap();
    }
    stores[0].roll_up(TOMORROW).await.unwrap();
    for store in &stores {
        assert_eq!(spent(store).await, 1500 * 1250);
        assert_eq!(
            store.usage(crate::UsageQuery { by: crate::By::Day, since: None, until: None, key: None }).await.unwrap().total.calls,
            1500
        );
    }
    assert_eq!(rolled(&stores[0]).await, 1500);
}

/// The server is killed twice while calls settle and keys are made.
#[tokio::test(flavor = "multi_thread")]
async fn st_56_nothing_acknowledged_is_lost_when_the_server_is_killed_and_nothing_is_written_twice() {
    let Some(mut server) = Postgres::start() else { return };
    let store = Home::server(server.address("vox")).open();
    let making = store.clone();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let made = tokio::spawn(async move {
        let mut made = Vec::new();
        for n in 1.. {
            if *stopped.borrow() {
                break;
            }
            match making.create_key(key(n, None)).await {
                Ok(()) => made.push(sample::key_id(n)),
                Err(error) => assert!(matches!(error.code(), "store.unreachable" | "store.busy" | "store.io"), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        made
    });
    let mut n = 0;
    for round in 0..2 {
        for _ in 0..300 {
            n += 1;
            store.settle(call(n, NOON));
            if n.is_multiple_of(20) {
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        }
        tokio::task::block_in_place(|| server.kill());
        for _ in 0..100 {
            n += 1;
            store.settle(call(n, NOON));
        }
        assert!(store.read(|tx| tx.value::<i64>("SELECT 1", &[])).await.is_err(), "round {round}");
        tokio::task::block_in_place(|| server.start_again());
        let up = Instant::now();
        while store.count_calls().await.is_err() || store.flush().await.is_err() {
            assert!(up.elapsed() < Duration::from_secs(5), "settling goes on when the server is back");
        }
        assert_eq!(store.count_calls().await.unwrap(), i64::try_from(n).unwrap());
    }
    stop.send(true).unwrap();
    let made = made.await.unwrap();
    let stored: Vec<_> = store.keys().await.unwrap().into_iter().map(|key| key.key.key_id).collect();
    assert!(made.iter().all(|key| stored.contains(key)), "every key that was acknowledged is there");
    assert!(made.len() > 20, "{}", made.len());
    assert_eq!(spent(&store).await, i64::try_from(n).unwrap() * 1250);
    assert_eq!(store.settles_refused(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_whose_connections_are_all_in_use_says_so_after_five_seconds() {
    let Some(server) = Postgres::shared() else { return };
    let pool = Pool::new(&target(&server.fresh()), "test");
    let asleep: Vec<_> = (0..16)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { pool.run(Begin::Reading, |tx| tx.value::<String>("SELECT cast(pg_sleep(7) AS text)", &[])).await })
        })
        .collect();
    while pool.in_use() < 16 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let started = Instant::now();
    let refused = pool.run(Begin::Reading, |tx| tx.value::<i64>("SELECT 1", &[])).await;
    assert_eq!(refused, Err(StoreError::PoolExhausted));
    assert!((4..7).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    for sleeper in asleep {
        sleeper.await.unwrap().unwrap();
    }
    assert_eq!(pool.run(Begin::Reading, |tx| tx.value::<i64>("SELECT 1", &[])).await, Ok(Some(1)));
}

/// Two nodes change the same row in opposite order of keys; the server ends one of them, and it is run again.
#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_reaches_nobody() {
    let Some(server) = Postgres::shared() else { return };
    let home = Home::server(server.fresh());
    let store = home.open();
    store.create_key(key(1, None)).await.unwrap();
    store.create_key(key(2, None)).await.unwrap();
    let change = |first: u64, second: u64| {
        let store = store.clone();
        async move {
            store
                .write_beside(move |tx| {
                    for n in [first, second] {
                        let sql = "UPDATE caller_keys SET rpm = coalesce(rpm, 0) + 1 WHERE key_id = $1";
                        tx.execute(sql, &[crate::row::Encode::encode(&sample::key_id(n))])?;
                        std::thread::sleep(Duration::from_millis(30));
                    }
                    Ok(())
                })
                .await
        }
    };
    for _ in 0..3 {
        let (one, other) = tokio::join!(tokio::spawn(change(1, 2)), tokio::spawn(change(2, 1)));
        one.unwrap().unwrap();
        other.unwrap().unwrap();
    }
    assert_eq!(store.keys().await.unwrap().iter().map(|key| key.key.rpm).collect::<Vec<_>>(), [Some(6), Some(6)]);
}
