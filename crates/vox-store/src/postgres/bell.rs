//! Telling the other nodes of a schema that something has changed, and hearing it from them, on a connection of its own.
//!
//! A notification only wakes: it says that something is new and not what, and whoever hears it asks the tables. They are
//! asked now and then in any case, so one that is lost costs a moment. Changes are told after their transaction, because
//! transactions that notify commit one after another, and several that come close together are told once.

use super::target::Target;
use super::tls::Tls;
use crate::StoreError;
use crate::worker::Worker;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_postgres::{AsyncMessage, Client};

/// Changes within this time are told once: at most twenty notifications a second.
const TOGETHER: Duration = Duration::from_millis(50);
/// After so long without a word a node says something itself, to hear whether it would hear.
const BEAT: Duration = Duration::from_secs(5);
/// How long a lost connection is left alone.
const RETRY: Duration = Duration::from_secs(1);
/// How long a statement may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// What a notification says: that something has changed, or nothing.
const CHANGED: &str = "1";
const NOTHING: &str = "0";

enum Order {
    Ring,
    Listen,
    Stop,
}

/// One process's end of the line; it connects when there is something to tell or to hear.
pub(crate) struct Bell {
    orders: mpsc::UnboundedSender<Order>,
    heard: watch::Receiver<u64>,
    worker: Worker,
}

impl Bell {
    /// Starts the thread.
    pub(crate) fn start(target: Target, name: String) -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (orders, taken) = mpsc::unbounded_channel();
        let (tell, heard) = watch::channel(0);
        let channel = format!("vox_{:08x}", target.lock_space());
        let ringer =
            Ringer { target, name, channel, tell, line: None, listens: false, owes: false, rung: None, retry: None, is_deaf: false };
        let worker = Worker::start("vox-bell".to_owned(), move || runtime.block_on(ringer.serve(taken)))?;
        Ok(Self { orders, heard, worker })
    }

    /// Tells the others that something has changed; never waits.
    pub(crate) fn ring(&self) {
        let _ = self.orders.send(Order::Ring);
    }

    /// Returns what moves whenever somebody told of a change, this process included, or may have done so unheard.
    pub(crate) fn listen(&self) -> watch::Receiver<u64> {
        let _ = self.orders.send(Order::Listen);
        self.heard.clone()
    }

    /// Tells what is still to be told; gives up after this long.
    pub(crate) fn close(&self, patience: Duration) {
        let _ = self.orders.send(Order::Stop);
        self.worker.join(patience);
    }
}

/// A connection, with the notifications that come over it.
struct Line {
    client: Client,
    notifications: mpsc::UnboundedReceiver<bool>,
    listens: bool,
    /// When anything was heard last, and when it was asked for since then.
    heard: Instant,
    asked: Option<Instant>,
}

struct Ringer {
    target: Target,
    name: String,
    channel: String,
    tell: watch::Sender<u64>,
    line: Option<Line>,
    listens: bool,
    owes: bool,
    rung: Option<Instant>,
    retry: Option<Instant>,
    is_deaf: bool,
}

impl Ringer {
    async fn serve(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        loop {
            self.work().await;
            let due = self.due();
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Ring) => self.owes = true,
                    Some(Order::Listen) => self.listens = true,
                    Some(Order::Stop) | None => break,
                },
                heard = next(&mut self.line) => self.hear(heard),
                () = sleep_until(due) => {}
            }
        }
        (self.rung, self.retry) = (None, None);
        self.listens = false;
        self.work().await;
    }

    /// Does what is due. A line that fails is lost, and what it was to tell is told over the next one.
    async fn work(&mut self) {
        let now = Instant::now();
        if (!self.owes && !self.listens) || self.retry.is_some_and(|retry| retry > now) {
            return;
        }
        let done = tokio::time::timeout(PATIENCE, self.try_work(now)).await;
        let done = done.unwrap_or_else(|_| Err(StoreError::Unreachable("the database does not answer".to_owned())));
        if let Err(error) = done {
            tracing::debug!(code = error.code(), "notifications are lost: {error}");
            self.lose();
        }
    }

    async fn try_work(&mut self, now: Instant) -> Result<(), StoreError> {
        let (mut line, is_new) = match self.line.take() {
            Some(line) => (line, false),
            None => (connect(&self.target, &self.name).await?, true),
        };
        if self.listens && !line.listens {
            run(&line.client, &format!("LISTEN {}", self.channel)).await?;
            line.listens = true;
            // What was told before anybody listened is found by whoever looks now.
            self.tell.send_modify(|n| *n += 1);
        }
        if self.owes && self.rung.is_none_or(|rung| now.duration_since(rung) >= TOGETHER) {
            run(&line.client, &format!("NOTIFY {}, '{CHANGED}'", self.channel)).await?;
            (self.owes, self.rung) = (false, Some(now));
        } else if line.listens && line.asked.is_none() && now.duration_since(line.heard) >= BEAT {
            run(&line.client, &format!("NOTIFY {}, '{NOTHING}'", self.channel)).await?;
            line.asked = Some(now);
        } else if line.asked.is_some_and(|asked| now.duration_since(asked) >= BEAT) {
            if !std::mem::replace(&mut self.is_deaf, true) {
                tracing::warn!("notifications of the database do not arrive: changes on other nodes are looked for every second");
            }
            return Err(StoreError::Unreachable("notifications do not arrive".to_owned()));
        }
        if is_new {
            tracing::debug!(channel = self.channel, "notifications are connected");
        }
        self.line = Some(line);
        Ok(())
    }

    /// Returns when there is something to do though nothing happens.
    fn due(&self) -> Option<Instant> {
        if !self.owes && !self.listens {
            return None;
        }
        if self.retry.is_some() && self.line.is_none() {
            return self.retry;
        }
        let told = self.owes.then(|| self.rung.map_or_else(Instant::now, |rung| rung + TOGETHER));
        let beat = self.line.as_ref().filter(|line| line.listens).map(|line| line.asked.unwrap_or(line.heard) + BEAT);
        told.into_iter().chain(beat).min()
    }

    /// Takes in a notification, which says whether something has changed; `None` is the end of the line.
    fn hear(&mut self, heard: Option<bool>) {
        let (Some(has_changed), Some(line)) = (heard, &mut self.line) else { return self.lose() };
        (line.heard, line.asked) = (Instant::now(), None);
        if std::mem::take(&mut self.is_deaf) {
            tracing::info!("notifications of the database arrive again");
        }
        if has_changed {
            self.tell.send_modify(|n| *n += 1);
        }
    }

    fn lose(&mut self) {
        self.line = None;
        self.retry = Some(Instant::now() + RETRY);
    }
}

async fn connect(target: &Target, name: &str) -> Result<Line, StoreError> {
    let mut config = target.config.clone();
    config.application_name(name);
    let connected = config.connect(Tls::new(target)?).await;
    let (client, mut connection) = connected.map_err(|error| StoreError::from_server(&error))?;
    let (send, notifications) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(notification) = message
                && send.send(notification.payload() == CHANGED).is_err()
            {
                return;
            }
        }
    });
    Ok(Line { client, notifications, listens: false, heard: Instant::now(), asked: None })
}

async fn run(client: &Client, sql: &str) -> Result<(), StoreError> {
    client.batch_execute(sql).await.map_err(|error| StoreError::from_server(&error))
}

async fn next(line: &mut Option<Line>) -> Option<bool> {
    match line {
        Some(line) => line.notifications.recv().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
