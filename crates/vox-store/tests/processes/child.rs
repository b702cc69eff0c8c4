//! What a child does, and how it is started.

use crate::sample::{self, NOON};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use vox_base::{Id, NanoUsd};
use vox_store::rows::routing::PriceSnapshot;
use vox_store::{Intent, Store};

/// Returns the command that starts this program as a child, perhaps under another program.
pub(crate) fn command(under: &[&str], role: &str, home: &Path, number: u64) -> Command {
    let program = std::env::current_exe().expect("this program has a path");
    let mut words: Vec<std::ffi::OsString> = under.iter().map(Into::into).collect();
    words.extend([program.into(), "child".into(), role.into(), home.into(), number.to_string().into()]);
    #[expect(clippy::disallowed_methods, reason = "the process adapter is on the same floor, and this is a test")]
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    command
}

pub(crate) fn main(arguments: &[String]) -> ExitCode {
    let [role, home, number] = arguments else { return ExitCode::FAILURE };
    let number: u64 = number.parse().expect("a number");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    match role.as_str() {
        "modes" => {
            rustix::process::umask(rustix::fs::Mode::empty());
            runtime.block_on(modes(&sample::open(Path::new(home))));
        }
        "prices" => runtime.block_on(prices(&sample::open(Path::new(home)), number)),
        "fetches" => runtime.block_on(fetches(&sample::open(Path::new(home)))),
        "ledger" => runtime.block_on(crate::team::ledger(&crate::team::open(home), number)),
        "lead" => runtime.block_on(crate::team::lead(&crate::team::open(home))),
        "load" => runtime.block_on(load(&sample::open(Path::new(home)), number)),
        _ => return ExitCode::FAILURE,
    }
    ExitCode::SUCCESS
}

async fn modes(store: &Store) {
    store.open_intents(Id::from_bytes([1; 16])).expect("the intents open");
    store.vault_write(|_| Ok(vox_store::VaultChange::default())).await.expect("the vault is written");
    store.settle(sample::call(1, NOON));
    store.flush().await.expect("the call is written");
    // Ends here without closing, so that the side files stay to be looked at.
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).expect("a process may kill itself");
}

/// A thousand operations that read the newest prices and write new ones, 32 at a time.
async fn prices(store: &Store, number: u64) {
    let prices = |n: u64| PriceSnapshot {
        price_snapshot_id: sample::interaction_id(number * 1000 + n, NOON).cast(),
        provider: "openrouter".into(),
        model_id: "meridian/swift-4".into(),
        prices_json: format!("[{number},{n}]").into(),
        source: "catalog".into(),
        valid_from: NOON,
    };
    for first in (0..1000).step_by(32) {
        let operations: Vec<_> = (first..(first + 32).min(1000)).map(|n| Box::pin(store.keep_prices(prices(n)))).collect();
        for done in all(operations).await {
            done.expect("the operation succeeds");
        }
    }
}

/// Ten thousand rows by 64 writers, each of which waits for its own.
async fn fetches(store: &Store) {
    const WRITERS: u64 = 64;
    const ROWS: u64 = 10_000;
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            Box::pin(async move {
                for n in (writer..ROWS).step_by(usize::try_from(WRITERS).expect("small")) {
                    store.record_fetch(sample::fetch(n)).await.expect("the row is written");
                }
            })
        })
        .collect();
    all(writers).await;
}

/// Says `i N` when the intent of call N is written, `s N` when the call is handed over, `a N` when every call up to N is
/// durable; goes on until it is killed.
async fn load(store: &Store, first: u64) {
    store.hold_unsettled().await.expect("what was left is held");
    store.open_intents(Id::new(NOON, first.to_be_bytes().repeat(2)[..10].try_into().expect("ten bytes"))).expect("the intents open");
    let mut out = std::io::stdout().lock();
    for n in first.. {
        let interaction_id = sample::interaction_id(n, NOON);
        let intent = Intent { interaction_id, key_id: Some(sample::key_id(1)), amount: NanoUsd::new(9000), at: NOON };
        store.intents().expect("they are open").append(&intent).expect("the intent is written");
        writeln!(out, "i {n}").expect("somebody listens");
        if !n.is_multiple_of(7) {
            store.settle(sample::call(n, NOON));
            writeln!(out, "s {n}").expect("somebody listens");
        }
        if n.is_multiple_of(50) {
            store.flush().await.expect("the calls are written");
            writeln!(out, "a {n}").expect("somebody listens");
        }
        out.flush().expect("somebody listens");
    }
}

/// Runs futures side by side and returns what they return.
async fn all<F: Future + Unpin>(mut futures: Vec<F>) -> Vec<F::Output> {
    let mut outcomes: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut pending = false;
        for (future, outcome) in futures.iter_mut().zip(&mut outcomes) {
            if outcome.is_none() {
                match std::pin::Pin::new(future).poll(context) {
                    std::task::Poll::Ready(value) => *outcome = Some(value),
                    std::task::Poll::Pending => pending = true,
                }
            }
        }
        if pending { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    outcomes.into_iter().flatten().collect()
}
