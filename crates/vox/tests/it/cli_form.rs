//! What holds for every command: one JSON document, no escape bytes, near names, no question without a terminal.

use crate::node::{Setup, envelope, stderr, stdout};
use std::time::{Duration, Instant};

/// Every verb that ends by itself, in a way that works in an empty home, one that fails, and one that is misspelt.
const VERBS: &[(&[&str], &[&str])] = &[
    (&["db", "path"], &["db", "verify"]),
    (&["db", "status"], &["db", "status", "--db", "postgres://x"]),
    (&["doctor"], &["doctor", "--area", "kitchen"]),
    (&["keys", "list"], &["keys", "show", "nobody"]),
    (&["model", "list"], &["model", "show", "nobody/nothing"]),
    (&["model", "sources"], &["model", "discover", "--source", "nobody"]),
    (&["model", "explain", "hi"], &["model", "explain", "--decision", "last"]),
    (&["providers", "list"], &["providers", "show", "nobody"]),
    (&["secrets", "list"], &["secrets", "explain", "nobody"]),
    (&["secrets", "status"], &["secrets", "rm", "openai.api_key", "--yes"]),
    (&["usage"], &["usage", "reconcile", "nobody", "--zero"]),
    (&["help", "errors", "store.busy"], &["help", "errors", "store.lazy"]),
    (&["help", "keys"], &["help", "nothing"]),
    (&["completions", "fish"], &["trace", "last"]),
];

#[test]
fn sf_59_json_is_one_envelope_for_success_failure_and_a_wrong_command_line() {
    let setup = Setup::new();
    for (good, bad) in VERBS {
        let output = setup.vox(&[good, &["--json"][..]].concat());
        let answer = envelope(&output);
        assert_eq!((answer["ok"].as_bool(), output.status.code()), (Some(true), Some(0)), "{good:?}");
        assert!(
            answer["schema"].as_str().unwrap().starts_with("vox.") && answer["data"].is_object() && answer["warnings"].is_array(),
            "{good:?}"
        );
        for arguments in [[bad, &["--json"][..]].concat(), [good, &["--json", "--no-such-flag"][..]].concat()] {
            let output = setup.vox(&arguments);
            let answer = envelope(&output);
            assert_eq!(answer["ok"], false, "{arguments:?}");
            assert_ne!(output.status.code(), Some(0), "{arguments:?}");
            let code = answer["error"]["code"].as_str().unwrap();
            assert!(code.contains('.') && !code.contains('-'), "{code}");
            assert!(!answer["error"]["message"].as_str().unwrap().is_empty());
        }
    }
}

#[test]
fn every_code_that_is_met_is_explained() {
    let setup = Setup::new();
    let known = setup.json(&["help", "errors"]);
    for (_, bad) in VERBS {
        let output = setup.vox(&[bad, &["--json"][..]].concat());
        let code = envelope(&output)["error"]["code"].as_str().unwrap().to_owned();
        let entry = &known[&code];
        assert_eq!(entry["exit"].as_i64().map(|exit| exit as i32), output.status.code(), "{code}");
    }
}

#[test]
fn sf_48_no_escape_bytes_when_colour_is_not_wanted() {
    for setup in [Setup::new().env("NO_COLOR", "1"), Setup::new().env("TERM", "xterm-256color")] {
        for (good, bad) in VERBS {
            for arguments in [good, bad] {
                let output = setup.vox(&[arguments, &["--color", "never"][..]].concat());
                assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b), "{arguments:?}");
            }
        }
    }
}

#[test]
fn sf_62_a_question_without_a_terminal_is_an_error_that_names_the_flag() {
    let setup = Setup::new();
    for (arguments, flag) in [(&["secrets", "set", "openai.api_key"][..], "--stdin"), (&["secrets", "rm", "openai.api_key"], "--yes")] {
        let started = Instant::now();
        let output = setup.vox(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(flag), "{}", stderr(&output));
        assert!(started.elapsed() < Duration::from_secs(10), "a machine under load, and still no hang");
    }
}

#[test]
fn sf_66_a_misspelt_verb_or_flag_gets_near_names() {
    let setup = Setup::new();
    for (arguments, near) in [
        (&["kyes", "list"][..], "keys"),
        (&["keys", "lst"], "list"),
        (&["usage", "--sinc", "2026-01-01"], "--since"),
        (&["model", "explian"], "explain"),
    ] {
        let output = setup.vox(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(near), "{arguments:?}: {}", stderr(&output));
    }
    assert!(stderr(&setup.vox(&["help", "errors", "no_offer"])).contains("route.no_offer"));
}

#[test]
fn te_39_the_version_is_told_in_silence() {
    let setup = Setup::new();
    let output = setup.vox(&["--version"]);
    assert!(stdout(&output).starts_with("vox "));
    assert!(output.stderr.is_empty());
    assert!(setup.home.listing().is_empty());
}

#[test]
fn every_help_shows_its_examples() {
    let setup = Setup::new();
    for topic in [&["keys"][..], &["usage"], &["secrets", "set"], &["model", "explain"], &["doctor"], &["trace"], &["providers"], &["db"]] {
        let help = stdout(&setup.vox(&[&["help"], topic].concat()));
        let n_examples = help.lines().filter(|line| line.starts_with("  vox ")).count();
        assert!((1..=3).contains(&n_examples), "{topic:?}: {help}");
    }
}

/// Runs `vox` under `strace` and returns the calls of these kinds.
fn traced(setup: &Setup, kinds: &str, arguments: &[&str]) -> String {
    let log = setup.home.path().join("strace.log");
    let mut command = setup.home.command("strace");
    command.args(["-f", "-qq", "-e", &format!("trace={kinds}"), "-o"]).arg(&log).arg(env!("CARGO_BIN_EXE_vox")).args(arguments);
    let output = command.output().expect("the strace program is installed");
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    let calls = std::fs::read_to_string(&log).expect("strace leaves its log");
    std::fs::remove_file(log).expect("the log can be removed");
    calls
}

#[test]
fn rt_43_explaining_opens_no_socket_and_makes_no_file() {
    let setup = Setup::new();
    let calls = traced(&setup, "socket,connect", &["model", "explain", "hello"]);
    assert!(!calls.contains("AF_INET") && !calls.contains("connect("), "{calls}");
    assert!(setup.home.listing().is_empty());
}

#[test]
fn te_39_the_version_opens_no_log_spool_or_store() {
    let setup = Setup::new();
    for arguments in [&["--version"][..], &["--help"], &["completions", "bash"], &["db", "path"]] {
        let calls = traced(&setup, "openat,creat,mkdir,mkdirat", arguments);
        let home = setup.home.path().display().to_string();
        assert!(!calls.contains(&home), "{arguments:?}: {calls}");
        assert!(!calls.contains("O_CREAT"), "{arguments:?}: {calls}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "an empty environment, which the test home does not give")]
fn sf_64_bare_vox_help_and_completions_create_nothing() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [&[][..], &["--help"], &["completions", "bash"], &["status"], &["help"]] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_vox"))
            .args(arguments)
            .env_clear()
            .env("HOME", home.path())
            .current_dir(home.path())
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stdout.is_empty(), "{arguments:?}");
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "{arguments:?}");
    }
}
