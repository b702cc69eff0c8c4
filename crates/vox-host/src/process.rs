//! Processes: hardening our own, starting one that outlives us, ending one, and running a program with a time limit.

use crate::fs::{self, FsError};
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A program could not be started or watched.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It did not start.
    #[error("cannot start `{}`", program.to_string_lossy())]
    Start {
        /// The program.
        program: OsString,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It ran longer than it may and was killed.
    #[error("`{}` did not end within {limit:?}", program.to_string_lossy())]
    TimedOut {
        /// The program.
        program: OsString,
        /// The limit.
        limit: Duration,
    },
    /// A signal could not be sent.
    #[error("cannot signal process {pid}")]
    Signal {
        /// The process.
        pid: u32,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Its log file cannot be used.
    #[error(transparent)]
    Log(#[from] FsError),
}

/// Turns off core dumps of this process, so that no key ever lands in one.
///
/// # Errors
/// The operating system refuses; the caller reports that and goes on.
pub fn harden() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit};
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// A program that keeps running when we end.
#[derive(Debug)]
pub struct Detached(Child);

impl Detached {
    /// Starts a program in a process group of its own, without a terminal, writing to a private log file. It inherits
    /// this process's environment, and is given some more, which unlike arguments only its owner can see.
    ///
    /// # Errors
    /// The program or its log file cannot be opened.
    #[expect(clippy::disallowed_methods, reason = "this is `vox_host::process`")]
    pub fn start(program: &Path, arguments: &[OsString], more: Option<(&str, String)>, log: &Path) -> Result<Self, ProcessError> {
        let out = fs::open_append(log)?;
        let err = out.try_clone().map_err(|source| FsError::Io { action: "open", path: log.to_owned(), source })?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(out).stderr(err).process_group(0).current_dir("/").envs(more);
        let child = command.spawn().map_err(|source| ProcessError::Start { program: program.into(), source })?;
        Ok(Self(child))
    }

    /// Returns the process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Returns how it ended, if it has.
    #[must_use]
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().ok().flatten()
    }
}

/// Returns whether a process runs; one that ended and was not yet collected does not.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    !wait_gone(pid, Duration::ZERO)
}

/// Asks a process to end (SIGTERM).
///
/// # Errors
/// There is no such process, or it is not ours.
pub fn terminate(pid: u32) -> Result<(), ProcessError> {
    let source = match raw(pid) {
        Some(raw) => match rustix::process::kill_process(raw, rustix::process::Signal::TERM) {
            Ok(()) => return Ok(()),
            Err(error) => error.into(),
        },
        None => io::ErrorKind::InvalidInput.into(),
    };
    Err(ProcessError::Signal { pid, source })
}

/// Waits until a process has ended; returns whether it has.
#[cfg(target_os = "linux")]
#[must_use]
pub fn wait_gone(pid: u32, timeout: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let Some(raw) = raw(pid) else { return true };
    match rustix::process::pidfd_open(raw, rustix::process::PidfdFlags::empty()) {
        Err(rustix::io::Errno::SRCH) => true,
        Err(_) => wait_by_asking(raw, timeout),
        Ok(handle) => {
            let timeout = Timespec::try_from(timeout).ok();
            // A process handle is readable once the process has ended, collected or not.
            poll(&mut [PollFd::new(&handle, PollFlags::IN)], timeout.as_ref()).is_ok_and(|n_ready| n_ready > 0)
        }
    }
}

/// Waits until a process has ended; returns whether it has.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn wait_gone(pid: u32, timeout: Duration) -> bool {
    raw(pid).is_none_or(|raw| wait_by_asking(raw, timeout))
}

fn wait_by_asking(pid: rustix::process::Pid, timeout: Duration) -> bool {
    let deadline = Instant::now() + timeout;
    loop {
        if rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH) {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn raw(pid: u32) -> Option<rustix::process::Pid> {
    i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw)
}

/// What a program wrote and how it ended.
#[derive(Debug)]
pub struct Output {
    /// Exit status.
    pub status: ExitStatus,
    /// The first bytes of its standard output, up to the limit.
    pub stdout: Vec<u8>,
    /// The first bytes of its standard error, up to the limit.
    pub stderr: Vec<u8>,
}

/// Most bytes kept of each of the two outputs.
pub const OUTPUT_LIMIT: usize = 1024 * 1024;

/// Runs a program with an empty environment but for what is given, no input, and a time limit.
///
/// # Errors
/// It does not start, or it runs too long and is killed with its process group.
#[expect(clippy::disallowed_methods, reason = "this is `vox_host::process`")]
pub fn run(program: &OsStr, arguments: &[OsString], env: &[(OsString, OsString)], limit: Duration) -> Result<Output, ProcessError> {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(env.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let start_failed = |source| ProcessError::Start { program: program.into(), source };
    let mut child = command.spawn().map_err(start_failed)?;
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    if !wait_gone(child.id(), limit) {
        if let Some(group) = raw(child.id()) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = child.wait();
        return Err(ProcessError::TimedOut { program: program.into(), limit });
    }
    let status = child.wait().map_err(start_failed)?;
    Ok(Output { status, stdout: stdout.join().unwrap_or_default(), stderr: stderr.join().unwrap_or_default() })
}

/// Reads to the end on a thread of its own, keeping the first bytes, so that a full pipe never blocks the program.
fn collect(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.by_ref().take(OUTPUT_LIMIT as u64).read_to_end(&mut kept);
            let _ = io::copy(&mut pipe, &mut io::sink());
        }
        kept
    })
}

#[cfg(test)]
mod tests;
