//! `vox db`: where things are and how they stand.

use crate::node::{Dialect, Setup, envelope};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use vox_testkit::{Answer, FakeProvider};

fn place(setup: &Setup, arguments: &[&str], name: &str) -> (String, String) {
    let data = setup.json(&[&["db", "path"], arguments].concat());
    let place =
        data["places"].as_array().and_then(|places| places.iter().find(|place| place["name"] == name)).expect("the place is listed");
    let text = |key: &str| place[key].as_str().expect("a place has a path and a source").to_owned();
    (text("path"), text("source"))
}

#[test]
fn st_01_a_flag_beats_the_variable_and_the_variable_the_default() {
    let setup = Setup::new();
    for name in ["data", "state", "config", "cache"] {
        let variable = format!("VOX_{}_DIR", name.to_uppercase());
        assert_eq!(place(&setup, &[], name).1, format!("env:{variable}"));
        let flag = format!("--{name}-dir");
        assert_eq!(place(&setup, &[&flag, "/elsewhere"], name), ("/elsewhere".into(), "flag".into()));
    }
    assert_eq!(place(&setup, &["--spool-dir", "/spool"], "spool"), ("/spool".into(), "flag".into()));
    assert_eq!(place(&setup, &[], "spool").1, "default");
    assert!(setup.home.listing().is_empty());
}

#[test]
fn st_01_xdg_stands_between_the_variable_and_the_default() {
    let setup = Setup::new();
    let run = |name: &str, xdg: &str, value: Option<&str>| {
        let mut command = setup.command(&["db", "path", "--json"]);
        command.env_remove(format!("VOX_{}_DIR", name.to_uppercase())).env_remove(xdg);
        if let Some(value) = value {
            command.env(xdg, value);
        }
        let data = envelope(&command.output().unwrap())["data"].clone();
        let place = data["places"].as_array().unwrap().iter().find(|place| place["name"] == *name).unwrap().clone();
        (place["path"].as_str().unwrap().to_owned(), place["source"].as_str().unwrap().to_owned())
    };
    let home = setup.home.path().display().to_string();
    for (name, xdg, default) in [
        ("data", "XDG_DATA_HOME", ".local/share/vox"),
        ("state", "XDG_STATE_HOME", ".local/state/vox"),
        ("config", "XDG_CONFIG_HOME", ".config/vox"),
        ("cache", "XDG_CACHE_HOME", ".cache/vox"),
    ] {
        assert_eq!(run(name, xdg, Some("/xdg")), ("/xdg/vox".into(), format!("env:{xdg}")));
        assert_eq!(run(name, xdg, None), (format!("{home}/{default}"), "default".into()));
    }
}

#[test]
fn st_02_without_a_home_nothing_is_guessed() {
    let setup = Setup::new();
    let run = |edit: &dyn Fn(&mut std::process::Command)| {
        let mut command = setup.command(&["keys", "create", "x", "--json"]);
        ["VOX_DATA_DIR", "VOX_STATE_DIR", "VOX_CONFIG_DIR", "VOX_CACHE_DIR"].iter().for_each(|name| {
            command.env_remove(name);
        });
        edit(&mut command);
        let output = command.output().unwrap();
        (output.status.code(), envelope(&output)["error"]["code"].as_str().unwrap_or("").to_owned())
    };
    assert_eq!(
        run(&|command| {
            command.env_remove("HOME");
        }),
        (Some(2), "paths.no_home".into())
    );
    assert_eq!(
        run(&|command| {
            command.env("HOME", "");
        }),
        (Some(2), "paths.no_home".into())
    );
    assert_eq!(
        run(&|command| {
            command.env("VOX_DATA_DIR", "relative");
        }),
        (Some(2), "paths.relative".into())
    );
    assert!(setup.home.listing().is_empty());
}

#[test]
fn st_04_verbs_that_read_make_nothing() {
    let setup = Setup::new();
    for arguments in [
        &["--version"][..],
        &["--help"],
        &["db", "path"],
        &["db", "status"],
        &["keys", "list"],
        &["usage"],
        &["usage", "--held"],
        &["secrets", "list"],
        &["secrets", "status"],
        &["secrets", "explain", "openai.api_key"],
        &["providers", "list"],
        &["providers", "show", "openai"],
        &["model", "list"],
        &["model", "sources"],
        &["model", "show", "openai/gpt-5-mini"],
        &["model", "explain", "hello"],
        &["doctor"],
        &["completions", "bash"],
        &["help", "keys", "create"],
        &["help", "errors"],
    ] {
        let output = setup.vox(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", crate::node::stderr(&output));
        assert!(setup.home.listing().is_empty(), "{arguments:?}: {:?}", setup.home.listing());
    }
}

#[test]
fn st_05_what_is_written_is_private_whatever_the_umask() {
    let setup = Setup::new();
    let mut command = setup.home.command("/bin/sh");
    command.args(["-c", "umask 000; exec \"$1\" keys create x", "sh", env!("CARGO_BIN_EXE_vox")]);
    assert!(command.output().unwrap().status.success());
    let listing = setup.home.listing();
    assert!(listing.len() > 1, "{listing:?}");
    for path in listing {
        let metadata = setup.home.path().join(&path).metadata().unwrap();
        let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.permissions().mode() & 0o7777, wanted, "{}", path.display());
    }
}

#[test]
fn st_08_status_reports_the_library_and_what_the_connection_says_of_itself() {
    let setup = Setup::new();
    assert_eq!(setup.json(&["db", "status"])["exists"], false);
    let node = setup.start();
    let status = node.json(&["db", "status"]);
    let version: Vec<u32> = status["sqlite_version"].as_str().unwrap().split('.').map(|part| part.parse().unwrap()).collect();
    assert!(version >= vec![3, 51, 3], "{version:?}");
    let state = status["files"].as_array().unwrap().iter().find(|file| file["role"] == "state").unwrap();
    assert_eq!(state["pending_migrations"], 0);
    for (pragma, wanted) in
        [("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1"), ("trusted_schema", "0"), ("mmap_size", "0")]
    {
        let found = state["pragmas"][pragma].as_str().map(str::to_lowercase);
        assert_eq!(found.as_deref(), Some(wanted), "{pragma}: {}", state["pragmas"]);
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the schema is changed by a program that is not vox")]
fn a_schema_changed_from_outside_is_listed_and_exits_5() {
    let setup = Setup::new();
    setup.json(&["keys", "create", "x"]);
    let output = setup.vox(&["db", "verify", "--json"]);
    assert_eq!(output.status.code(), Some(0), "ST-23");
    let sound = envelope(&output)["data"]["files"][0].clone();
    assert_eq!(sound["drift"], Value::Array(Vec::new()));
    let digest = sound["digest"].as_str().unwrap();
    assert!(digest.len() == 64 && crate::node::stdout(&setup.vox(&["db", "verify"])).contains(digest), "{sound}");
    let changed =
        std::process::Command::new("sqlite3").arg(setup.database()).arg("ALTER TABLE caller_keys ADD COLUMN colour TEXT").status();
    assert!(changed.unwrap().success());
    let output = setup.vox(&["db", "verify", "--json"]);
    assert_eq!(output.status.code(), Some(5));
    assert!(envelope(&output).to_string().contains("colour"), "{}", envelope(&output));
    assert_eq!(setup.vox(&["doctor", "--area", "store"]).status.code(), Some(5));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the rows are attacked by a program that is not vox")]
fn st_32_another_program_cannot_change_or_delete_what_is_append_only() {
    let fake = FakeProvider::scripted([Answer::text("done").openai()]);
    let setup = Setup::new().openai(&fake);
    let key = setup.key(&["tight", "--budget", "1/day"]);
    let node = setup.start();
    let headers = [("x-api-key", key.as_str()), ("content-type", "application/json")];
    let body = Dialect::Openai.request(false).to_string();
    let answer = node.client().request("POST", Dialect::Openai.path(), &headers, body.as_bytes()).unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text());
    node.wait_number("SELECT count(*) AS n FROM budget_entries", 1);
    let dump = || ["budget_entries", "llm_interactions", "schema_migration"].map(|table| node.rows(&format!("SELECT * FROM {table}")));
    let before = dump();
    for sql in [
        "UPDATE budget_entries SET amount_nano_usd = 0",
        "DELETE FROM budget_entries",
        "UPDATE llm_interactions SET cost_nano_usd = 0",
        "DELETE FROM llm_interactions",
        "UPDATE schema_migration SET name = 'x'",
        "DELETE FROM schema_migration",
    ] {
        let output = std::process::Command::new("sqlite3").args(["-cmd", ".timeout 5000"]).arg(node.database()).arg(sql).output().unwrap();
        let said = crate::node::stderr(&output);
        assert!(!output.status.success() && (said.contains("append-only") || said.contains("not rolled up yet")), "{sql}: {said}");
    }
    assert_eq!(dump(), before);
}
