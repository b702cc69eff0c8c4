//! Sockets: accepts connections, serves HTTP/1.1 on each, and ends without losing an open request.

use crate::router::Gateway;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::future::{Future as _, poll_fn};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use vox_host::relay::Relay;

/// How far the node is from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Everything is served.
    Serving,
    /// No new connections; open requests go on.
    Draining,
    /// Open streams are cut now.
    Ending,
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every open request had its answer.
    Drained,
    /// This many connections were still open.
    Cut(usize),
}

const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Time for cut streams to write their error event.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Serves until `phase` says otherwise; returns once no connection is left or the drain time is over.
pub async fn serve(listener: TcpListener, gateway: Arc<Gateway>, mut phase: watch::Receiver<Phase>, drain: Duration) -> Ended {
    let mut connections = JoinSet::new();
    // The value is marked as seen, so that a late connection is not told of it again and closed before its answer.
    while *phase.borrow_and_update() == Phase::Serving {
        tokio::select! {
            biased;
            _ = phase.changed() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(connection(stream, gateway.clone(), phase.clone())); }
                // Out of descriptors or memory: wait a moment instead of spinning.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    let deadline = tokio::time::Instant::now() + drain;
    // New connections are still answered, so that whoever asks hears 503 and not a dead port; nobody waits for them.
    let mut late = JoinSet::new();
    while *phase.borrow() != Phase::Ending {
        tokio::select! {
            ended = connections.join_next() => if ended.is_none() { return Ended::Drained },
            () = tokio::time::sleep_until(deadline) => break,
            _ = phase.changed() => {}
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                late.spawn(connection(stream, gateway.clone(), phase.clone()));
            },
        }
    }
    let n_cut = connections.len();
    gateway.cut_streams();
    let _ = tokio::time::timeout(LAST_WORDS, async { while connections.join_next().await.is_some() {} }).await;
    connections.abort_all();
    Ended::Cut(n_cut)
}

async fn connection(stream: TcpStream, gateway: Arc<Gateway>, mut phase: watch::Receiver<Phase>) {
    // Without this every stream on a kept-alive connection stalls 44 ms behind the caller's delayed acknowledgement.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = service_fn(|request| {
        let gateway = gateway.clone();
        async move { Ok::<_, std::convert::Infallible>(gateway.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES.max(8192))
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let relay = Relay::default();
    loop {
        tokio::select! {
            // A caller who breaks off or sends no HTTP concerns nobody else.
            _ = poll_fn(|cx| relay.poll(cx, |cx| connection.as_mut().poll(cx))) => return,
            changed = phase.changed() => {
                connection.as_mut().graceful_shutdown();
                if changed.is_err() { let _ = connection.await; return; }
            }
        }
    }
}
