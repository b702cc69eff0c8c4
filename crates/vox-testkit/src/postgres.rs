//! A throw-away PostgreSQL: the distribution's server in a temporary directory, as an ordinary user, on a free port.
//!
//! One server serves all tests of a process, each in a schema of its own; it ends with the process, however that ends.
//! Without the server's programs the tests say past the test runner that they did not run, and in CI they fail.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const OLDEST: u32 = 15;
const START_PATIENCE: Duration = Duration::from_secs(30);

/// Runs the server and ends it when nobody holds the other end of standard input any more.
const WATCHED: &str = r#""$1/postgres" -D "$2/data" -k "$2" -p "$3" >>"$2/log" 2>&1 & server=$!
read -r _
kill -QUIT "$server" 2>/dev/null
wait "$server"
rm -rf "$2""#;

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    dir: PathBuf,
    port: u16,
    watched: Option<Child>,
    schemas: AtomicU32,
}

impl Postgres {
    /// Returns the server of this process, or `None` after saying loudly that there can be none.
    ///
    /// # Panics
    /// In CI, when the programs are missing; or when the server does not start.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Postgres>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// Starts a server for one test alone, which may stop it and start it again.
    ///
    /// # Panics
    /// As for [`Postgres::shared`].
    #[must_use]
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            #[expect(clippy::disallowed_methods, reason = "tests have no configuration layer")]
            let is_ci = std::env::var_os("CI").is_some();
            assert!(!is_ci, "PostgreSQL {OLDEST} or later is not installed: .ci/run installs it");
            // Not `eprintln`, which the test runner would keep to itself.
            let _ = std::io::stderr().write_all(b"\nNOT RUN ON POSTGRESQL: no server programs in /usr/lib/postgresql\n");
            return None;
        };
        let dir = tempfile::Builder::new().prefix("vox-pg-").tempdir().expect("a temporary directory can be made").keep();
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("there is a free port").port();
        let mut server = Self { programs, dir, port, watched: None, schemas: AtomicU32::new(0) };
        server.initialise();
        server.start_again();
        Some(server)
    }

    fn initialise(&self) {
        let (data, dir) = (self.dir.join("data"), &self.dir);
        if rustix::process::geteuid().is_root() {
            let owned = command("chown", &[]).arg("postgres").arg(dir).status().expect("chown runs");
            assert!(owned.success(), "the directory cannot be given to the server's user");
        }
        // Another order than by bytes, so that a column which forgets its own shows it.
        let mut initdb = self.as_server_user("initdb");
        initdb.arg("-D").arg(&data).args(["-U", "vox", "-A", "trust", "--no-sync", "-E", "UTF8"]);
        initdb.args(["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]);
        let made = initdb.output().expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let settings = "listen_addresses = '127.0.0.1'\nfsync = off\nfull_page_writes = off\nmax_connections = 200\n\
            shared_buffers = 32MB\nlog_min_messages = warning\nmax_wal_size = 256MB\n";
        // A role whose name begins so has to prove itself.
        let access = "host all +secretive 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\nlocal all all trust\n";
        self.write("data/postgresql.auto.conf", settings);
        self.write("data/pg_hba.conf", access);
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.dir.join(name);
        std::fs::write(&path, text).expect("the server's directory can be written");
        if rustix::process::geteuid().is_root() {
            let owned = command("chown", &[]).arg("postgres").arg(&path).status().expect("chown runs");
            assert!(owned.success());
        }
    }

    /// Returns a command that runs a program of the server; it refuses to run as root.
    fn as_server_user(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        if !rustix::process::geteuid().is_root() {
            return command(program.to_str().expect("the path is text"), &[]);
        }
        let mut wrapped = command("setpriv", &["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]);
        wrapped.arg(program);
        wrapped
    }

    /// Starts a server that was stopped, and waits until it answers.
    ///
    /// # Panics
    /// It does not.
    pub fn start_again(&mut self) {
        let mut shell = if rustix::process::geteuid().is_root() {
            command("setpriv", &["--reuid=postgres", "--regid=postgres", "--clear-groups", "--", "sh", "-c"])
        } else {
            command("sh", &["-c"])
        };
        shell.args([WATCHED, "sh"]).arg(&self.programs).arg(&self.dir).arg(self.port.to_string());
        self.watched = Some(shell.stdin(Stdio::piped()).spawn().expect("the server starts"));
        let until = Instant::now() + START_PATIENCE;
        while !self.answers() {
            let log = || std::fs::read_to_string(self.dir.join("log")).unwrap_or_default();
            assert!(Instant::now() < until, "the server does not answer: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn answers(&self) -> bool {
        let mut asked = command(self.programs.join("pg_isready").to_str().expect("the path is text"), &["-q", "-h", "127.0.0.1", "-p"]);
        asked.arg(self.port.to_string()).status().is_ok_and(|status| status.success())
    }

    /// Kills the server as a crash would, and leaves its data.
    ///
    /// # Panics
    /// It does not run.
    pub fn kill(&mut self) {
        let pid = std::fs::read_to_string(self.dir.join("data/postmaster.pid")).expect("the server runs");
        let pid: i32 = pid.lines().next().and_then(|line| line.parse().ok()).expect("the file begins with the process id");
        let pid = rustix::process::Pid::from_raw(pid).expect("it is a process id");
        if let Some(mut watched) = self.watched.take() {
            // The shell goes first: it would remove the data.
            watched.kill().expect("the shell can be ended");
            watched.wait().expect("the shell ends");
        }
        rustix::process::kill_process(pid, rustix::process::Signal::QUIT).expect("the server can be killed");
        let until = Instant::now() + START_PATIENCE;
        while rustix::process::test_kill_process(pid).is_ok() || self.dir.join("data/postmaster.pid").exists() {
            assert!(Instant::now() < until, "the server does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Returns the port it listens on, at `127.0.0.1`.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns the address of a schema that nobody else uses; it is not made yet.
    #[must_use]
    pub fn fresh(&self) -> String {
        self.address(&format!("t{}", self.schemas.fetch_add(1, Ordering::Relaxed)))
    }

    /// Returns the address of a schema.
    #[must_use]
    pub fn address(&self, schema: &str) -> String {
        format!("postgres://vox@127.0.0.1:{}/postgres?vox_schema={schema}", self.port)
    }

    /// Runs SQL as the server's own client does, far from vox, and returns what it prints: rows without decoration, or
    /// the error.
    ///
    /// # Errors
    /// What the server says.
    ///
    /// # Panics
    /// The client cannot be run.
    pub fn sql(&self, sql: &str) -> Result<String, String> {
        let mut client = command(self.programs.join("psql").to_str().expect("the path is text"), &["-qAtX", "-v", "ON_ERROR_STOP=1"]);
        client.args(["-h", "127.0.0.1", "-U", "vox", "-d", "postgres", "-p"]).arg(self.port.to_string()).arg("-c").arg(sql);
        let done = client.output().expect("psql runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if done.status.success() { Ok(text(&done.stdout)) } else { Err(text(&done.stderr)) }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut watched) = self.watched.take() {
            drop(watched.stdin.take());
            let _ = watched.wait();
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Returns the directory of the newest server's programs.
fn programs() -> Option<PathBuf> {
    let entries = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let versions = entries.filter_map(|entry| Some((entry.ok()?.file_name().to_str()?.parse::<u32>().ok()?, ())));
    let (newest, ()) = versions.max()?;
    let path = Path::new("/usr/lib/postgresql").join(newest.to_string()).join("bin");
    (newest >= OLDEST && path.join("initdb").exists()).then_some(path)
}

#[expect(clippy::disallowed_methods, reason = "the process adapter is above this floor, and this is for tests")]
fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir("/");
    command
}
