//! The log file: written by a thread of its own behind a bounded queue, made at the first line, dated, and thinned out.

use super::contract::FileRules;
use parking_lot::Mutex;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use vox_base::{Clock, Timestamp};

/// Where lines go.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// `<prefix>-YYYY-MM-DD.jsonl` in a directory.
    Daily { directory: PathBuf, prefix: &'static str },
    /// One file that only grows.
    Fixed(PathBuf),
}

enum Message {
    Line(String),
    Flush(SyncSender<()>),
}

pub(super) struct FileSink {
    place: Place,
    rules: FileRules,
    clock: Arc<dyn Clock>,
    /// Set at the first line.
    queue: Mutex<Option<SyncSender<Message>>>,
    n_lost: Arc<AtomicU64>,
}

impl FileSink {
    pub(super) fn new(place: Place, rules: FileRules, clock: Arc<dyn Clock>) -> Self {
        Self { place, rules, clock, queue: Mutex::new(None), n_lost: Arc::default() }
    }

    /// Queues a line; one that finds the queue full is counted.
    pub(super) fn write(&self, line: String) {
        if self.queue().try_send(Message::Line(line)).is_err() {
            self.n_lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until the lines so far are written, a few seconds at most.
    pub(super) fn flush(&self) {
        let Some(queue) = self.queue.lock().clone() else { return };
        let (done, wait) = sync_channel(1);
        if queue.send(Message::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(Duration::from_secs(5));
        }
    }

    fn queue(&self) -> SyncSender<Message> {
        let start = || {
            let (send, receive) = sync_channel(self.rules.queue_lines.max(1));
            let appender = Appender::new(self.place.clone(), self.rules.clone(), self.clock.clone(), self.n_lost.clone());
            std::thread::spawn(move || appender.run(&receive));
            send
        };
        self.queue.lock().get_or_insert_with(start).clone()
    }
}

/// The thread's side.
pub(super) struct Appender {
    place: Place,
    rules: FileRules,
    clock: Arc<dyn Clock>,
    n_lost: Arc<AtomicU64>,
    open: Option<Open>,
}

struct Open {
    file: File,
    day: Timestamp,
    n_bytes: u64,
    part: u32,
}

impl Appender {
    pub(super) fn new(place: Place, rules: FileRules, clock: Arc<dyn Clock>, n_lost: Arc<AtomicU64>) -> Self {
        Self { place, rules, clock, n_lost, open: None }
    }

    fn run(mut self, receive: &Receiver<Message>) {
        while let Ok(message) = receive.recv() {
            match message {
                Message::Line(line) => self.append_counting(&line),
                Message::Flush(done) => {
                    self.report_lost();
                    let _ = done.send(());
                }
            }
        }
    }

    pub(super) fn append_counting(&mut self, line: &str) {
        self.report_lost();
        if self.append(line).is_err() {
            self.n_lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Says in the file how many lines are missing at this place.
    fn report_lost(&mut self) {
        let n_lost = self.n_lost.swap(0, Ordering::Relaxed);
        if n_lost == 0 {
            return;
        }
        let line = format!(
            "{{\"ts\":\"{}\",\"level\":\"warn\",\"target\":\"vox_telemetry\",\"msg\":\"log lines were lost\",\"fields\":{{\"lost_n\":{n_lost}}}}}\n",
            self.clock.now()
        );
        if self.append(&line).is_err() {
            self.n_lost.fetch_add(n_lost, Ordering::Relaxed);
        }
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        let today = self.clock.now().start_of_day();
        let length = line.len() as u64;
        let fits = |open: &Open| match self.place {
            Place::Fixed(_) => true,
            Place::Daily { .. } => open.day == today && (open.n_bytes == 0 || open.n_bytes + length <= self.rules.max_bytes),
        };
        if !self.open.as_ref().is_some_and(fits) {
            let part = self.open.as_ref().filter(|open| open.day == today).map_or(0, |open| open.part + 1);
            self.open = Some(self.open_for(today, part, length)?);
        }
        let Some(open) = &mut self.open else { return Err(io::ErrorKind::NotFound.into()) };
        open.file.write_all(line.as_bytes())?;
        open.n_bytes += length;
        Ok(())
    }

    /// Opens the first file of the day, from this part on, that still has room.
    fn open_for(&self, day: Timestamp, mut part: u32, length: u64) -> io::Result<Open> {
        let (directory, prefix) = match &self.place {
            Place::Fixed(path) => {
                make_private(path.parent())?;
                let file = open_private(path)?;
                let n_bytes = file.metadata()?.len();
                return Ok(Open { file, day, n_bytes, part });
            }
            Place::Daily { directory, prefix } => (directory, *prefix),
        };
        make_private(Some(directory))?;
        loop {
            let file = open_private(&directory.join(name(prefix, day, part)))?;
            let n_bytes = file.metadata()?.len();
            if n_bytes == 0 || n_bytes + length <= self.rules.max_bytes {
                thin_out(directory, prefix, day, &self.rules)?;
                return Ok(Open { file, day, n_bytes, part });
            }
            part += 1;
        }
    }
}

/// Parts have four digits so that names sort by age.
fn name(prefix: &str, day: Timestamp, part: u32) -> String {
    match part {
        0 => format!("{prefix}-{}.jsonl", day.day()),
        _ => format!("{prefix}-{}.{part:04}.jsonl", day.day()),
    }
}

/// Returns the day and part a file name of this prefix stands for.
fn day_and_part(name: &str, prefix: &str) -> Option<(Timestamp, u32)> {
    let rest = name.strip_prefix(prefix)?.strip_prefix('-')?.strip_suffix(".jsonl")?;
    let (day, part) = rest.split_once('.').unwrap_or((rest, "0"));
    Some((day.parse().ok()?, part.parse().ok()?))
}

fn thin_out(directory: &Path, prefix: &str, today: Timestamp, rules: &FileRules) -> io::Result<()> {
    const DAY_MS: i64 = 86_400_000;
    let oldest = today.plus_millis(-DAY_MS * i64::from(rules.keep_days));
    let mut files: Vec<((Timestamp, u32), PathBuf, u64)> = std::fs::read_dir(directory)?
        .flatten()
        .filter_map(|entry| {
            let age = day_and_part(&entry.file_name().to_string_lossy(), prefix)?;
            Some((age, entry.path(), entry.metadata().ok()?.len()))
        })
        .collect();
    files.sort();
    let mut total: u64 = files.iter().map(|(_, _, n_bytes)| n_bytes).sum();
    // The newest file is the one being written.
    files.pop();
    for ((day, _), path, n_bytes) in files {
        if day >= oldest && total <= rules.keep_bytes {
            continue;
        }
        std::fs::remove_file(path)?;
        total -= n_bytes;
    }
    Ok(())
}

fn make_private(directory: Option<&Path>) -> io::Result<()> {
    let Some(directory) = directory.filter(|directory| !directory.as_os_str().is_empty() && !directory.is_dir()) else { return Ok(()) };
    make_private(directory.parent())?;
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => std::fs::set_permissions(directory, Permissions::from_mode(0o700)),
    }
}

fn open_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

#[cfg(test)]
mod tests;
