use super::*;

fn sh(script: &str, limit: Duration) -> Result<Output, ProcessError> {
    let env = [("PATH".into(), "/usr/bin:/bin".into())];
    run(OsStr::new("/bin/sh"), &["-c".into(), script.into()], &env, limit)
}

#[test]
fn a_program_gives_its_output_and_status() {
    let output = sh("echo out; echo err >&2; exit 3", Duration::from_secs(10)).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice(), output.stderr.as_slice()), (Some(3), &b"out\n"[..], &b"err\n"[..]));
}

#[test]
fn only_the_given_environment_is_seen() {
    let output = sh("env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= | sort", Duration::from_secs(10)).unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "PATH=/usr/bin:/bin\n");
}

#[test]
fn a_program_that_hangs_is_killed_with_its_children() {
    let started = Instant::now();
    let result = sh("sleep 60 & sleep 60", Duration::from_millis(100));
    assert!(matches!(result, Err(ProcessError::TimedOut { .. })));
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn more_output_than_is_kept_does_not_block() {
    let output = sh("head -c 3000000 /dev/zero", Duration::from_secs(10)).unwrap();
    assert_eq!(output.stdout.len(), OUTPUT_LIMIT);
}

#[test]
fn a_missing_program_is_named() {
    let error = run(OsStr::new("/no/such/program"), &[], &[], Duration::from_secs(1)).unwrap_err();
    assert_eq!(error.to_string(), "cannot start `/no/such/program`");
}

#[test]
fn a_detached_program_writes_its_log_and_ends_when_asked() {
    let home = tempfile::tempdir().unwrap();
    let log = home.path().join("node.log");
    let script = "echo started; trap 'echo asked; exit 0' TERM; while :; do sleep 0.05; done";
    let mut child = Detached::start(Path::new("/bin/sh"), &["-c".into(), script.into()], None, &log).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::fs::read_to_string(&log).unwrap().is_empty() && Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert!(is_alive(child.pid()) && child.ended().is_none());
    assert!(!wait_gone(child.pid(), Duration::from_millis(20)));
    terminate(child.pid()).unwrap();
    assert!(wait_gone(child.pid(), Duration::from_secs(10)));
    // Ended and not yet collected: that is not alive.
    assert!(!is_alive(child.pid()));
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "started\nasked\n");
    assert!(child.ended().unwrap().success());
    assert!(terminate(child.pid()).is_err());
}

#[test]
fn there_is_no_process_zero() {
    assert!(!is_alive(0));
    assert!(is_alive(std::process::id()));
    assert!(terminate(0).is_err());
}

#[test]
fn hardening_turns_core_dumps_off() {
    use rustix::process::{Resource, getrlimit};
    harden().unwrap();
    let limit = getrlimit(Resource::Core);
    assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
    #[cfg(target_os = "linux")]
    assert_eq!(rustix::process::dumpable_behavior().unwrap(), rustix::process::DumpableBehavior::NotDumpable);
}
