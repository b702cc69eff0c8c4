//! `vox secrets` and the vault, with the real program.

use crate::node::{Setup, envelope, stderr, stdout};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};

/// A home whose vault opens with a key file.
fn home() -> Setup {
    let setup = Setup::new();
    let key = setup.home.write("vault.key", &"ab".repeat(32));
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("the mode can be set");
    setup.env("VOX_VAULT_KEY_FILE", key.to_str().expect("the path is text"))
}

fn set(setup: &Setup, id: &str, value: &[u8], flags: &[&str]) -> Output {
    let mut command = setup.command(&[&["secrets", "set", id, "--stdin", "--json"], flags].concat());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("vox can be started");
    // A refused command does not read its input.
    let _ = child.stdin.take().expect("stdin is piped").write_all(value);
    child.wait_with_output().expect("vox ends")
}

#[test]
fn sm_01_the_registry_is_listed_with_unique_environment_names() {
    let secrets = Setup::new().json(&["secrets", "list"])["secrets"].as_array().unwrap().clone();
    assert_eq!(secrets.len(), 65);
    let mut names: Vec<&str> = Vec::new();
    for secret in &secrets {
        names.extend(secret["env"].as_str());
        names
            .extend(["aliases", "deprecated"].iter().flat_map(|kind| secret[*kind].as_array().unwrap()).map(|name| name.as_str().unwrap()));
    }
    let n_names = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), n_names);
}

#[test]
fn sm_04_the_vault_beats_the_environment_and_says_so() {
    let setup = home().env("OPENAI_API_KEY", "sk-env-value");
    assert_eq!(set(&setup, "openai.api_key", b"sk-vault-value\n", &[]).status.code(), Some(0));
    let status = setup.json(&["secrets", "status"]);
    let openai = status["secrets"].as_array().unwrap().iter().find(|secret| secret["id"] == "openai.api_key").unwrap();
    assert_eq!(
        (openai["status"].as_str(), openai["source"].as_str(), openai["version"].as_u64()),
        (Some("shadowed"), Some("vault"), Some(1))
    );
    let explained = setup.json(&["secrets", "explain", "OPENAI_API_KEY"]);
    let states: Vec<_> = explained["candidates"].as_array().unwrap().iter().map(|candidate| candidate["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["found", "shadowed"]);
    for output in [setup.vox(&["secrets", "status"]), setup.vox(&["secrets", "explain", "openai"]), setup.vox(&["doctor"])] {
        let text = stdout(&output) + &stderr(&output);
        assert!(!text.contains("sk-vault-value") && !text.contains("sk-env-value"), "{text}");
    }
}

#[test]
fn sm_06_an_empty_value_is_refused_in_ci() {
    let setup = Setup::new().env("OPENAI_API_KEY", "");
    assert_eq!(setup.json(&["secrets", "explain", "openai.api_key"])["status"], "empty");
    let explained = setup.json(&["secrets", "explain", "openai.api_key", "--profile", "ci"]);
    assert!(explained["error"].as_str().unwrap().contains("empty"));
}

#[test]
fn sm_11_a_value_on_the_command_line_is_refused_and_never_repeated() {
    let setup = home();
    for arguments in [
        &["secrets", "set", "openai.api_key", "sk-on-argv"][..],
        &["secrets", "set", "sk-on-argv"],
        &["secrets", "set", "openai.api_key", "sk-on-argv", "--json"],
    ] {
        let output = setup.vox(arguments);
        assert_eq!(output.status.code(), Some(2));
        let text = stdout(&output) + &stderr(&output);
        assert!(!text.contains("sk-on-argv"), "{text}");
    }
    let refused = setup.vox(&["secrets", "set", "openai.api_key", "sk-on-argv", "--json"]);
    assert_eq!(envelope(&refused)["error"]["code"], "secret.value_in_argv");
    assert!(!setup.home.data().exists(), "nothing was made");
}

#[test]
fn sm_11_stdin_loses_one_line_end_and_a_private_key_stays_as_it_is() {
    let setup = home();
    let private_key = "-----BEGIN KEY-----\nAAAA\n-----END KEY-----\n";
    set(&setup, "github.token", format!("{private_key}\n").as_bytes(), &[]);
    set(&setup, "gitlab.token", private_key.as_bytes(), &["--keep-newline"]);
    let fingerprint = |id: &str| setup.json(&["secrets", "explain", id])["candidates"][0]["fingerprint"].as_str().unwrap().to_owned();
    assert_eq!(fingerprint("github.token"), fingerprint("gitlab.token"));
    set(&setup, "gitlab.token", private_key.as_bytes(), &[]);
    assert_ne!(fingerprint("github.token"), fingerprint("gitlab.token"));
}

#[test]
fn sm_22_without_keyring_terminal_or_key_file_nothing_is_kept() {
    let setup = Setup::new();
    let output = set(&setup, "openai.api_key", b"sk-nowhere-to-go", &[]);
    assert_eq!(output.status.code(), Some(1));
    let error = envelope(&output)["error"].clone();
    assert_eq!(error["code"], "vault.no_unlocker");
    for way in ["keyring", "passphrase", "VOX_VAULT_KEY_FILE"] {
        assert!(error["next"].as_str().unwrap().contains(way), "{error}");
    }
    assert!(!setup.home.data().join("vault.db").exists());
}

#[test]
fn sm_22_a_key_file_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    let setup = home();
    let key = setup.home.path().join("vault.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = set(&setup, "openai.api_key", b"sk-1", &[]);
    assert_eq!(envelope(&output)["error"]["code"], "vault.file_mode");
    assert_eq!(envelope(&output)["error"]["next"], format!("chmod 0600 {}", key.display()));
}

#[test]
fn sm_22_a_passphrase_can_come_by_a_file_descriptor() {
    let setup = Setup::new();
    let passphrase = setup.home.write("passphrase", "correct horse\n");
    let run = |script: &str| {
        let mut command = setup.home.command("/bin/sh");
        command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_vox")]).env("VOX_VAULT_PASSPHRASE_FD", "3").env("PASSPHRASE", &passphrase);
        command.output().unwrap()
    };
    let output = run("printf sk-1 | \"$1\" secrets set openai.api_key --stdin 3<\"$PASSPHRASE\"");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let opened = run("\"$1\" secrets status --json 3<\"$PASSPHRASE\"");
    assert!(stdout(&opened).contains("\"present\""), "{}", stdout(&opened));
    let wrong = run("printf wrong > wrong; \"$1\" secrets explain openai.api_key --json 3<wrong");
    assert_eq!(envelope(&wrong)["data"]["status"], "locked");
    assert!(stdout(&wrong).contains("does not open this vault"), "{}", stdout(&wrong));
}

#[test]
fn sm_22_the_doctor_names_an_inactive_keyring() {
    let setup = Setup::new().env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    let doctor = setup.json(&["doctor", "--area", "vault"]);
    let keyring = doctor["findings"].as_array().unwrap().iter().find(|finding| finding["id"] == "vault-keyring").unwrap().clone();
    assert!(keyring["evidence"].as_str().unwrap().contains("inactive"), "{keyring}");
    assert!(setup.home.listing().is_empty());
}

#[test]
fn sm_23_a_copied_vault_opens_nothing() {
    let setup = home();
    set(&setup, "openai.api_key", b"sk-1", &[]);
    let thief = Setup::new();
    thief.json(&["keys", "create", "x"]);
    std::fs::copy(setup.home.data().join("vault.db"), thief.home.data().join("vault.db")).unwrap();
    let explained = thief.json(&["secrets", "explain", "openai.api_key"]);
    assert_eq!((explained["status"].as_str(), explained["source"].as_str()), (Some("locked"), None));
}

#[test]
fn a_secret_is_taken_away_only_when_that_is_confirmed() {
    let setup = home();
    set(&setup, "openai.api_key", b"sk-1", &[]);
    let asked = setup.vox(&["secrets", "rm", "openai.api_key"]);
    assert_eq!(asked.status.code(), Some(2));
    assert!(stderr(&asked).contains("--yes"));
    assert_eq!(setup.json(&["secrets", "rm", "openai.api_key", "--yes"])["op"], "delete");
    assert_eq!(setup.json(&["secrets", "explain", "openai.api_key"])["status"], "missing_required");
}
