use super::*;
use parking_lot::Mutex;
use vox_base::Document;
use vox_testkit::FixedClock;

const CONTRACT: &str = include_str!("../../../../contracts/telemetry/subscriber.v1.yaml");

#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Screen {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

fn parts() -> LogParts {
    LogParts { redactor: Arc::new(Redactor::new(Some("/home/ann"))), clock: Arc::new(FixedClock::default()) }
}

fn logged(settings: &LogSettings, work: impl FnOnce()) -> String {
    let screen = Screen::default();
    let logs = build(settings, &parts(), Box::new(screen.clone())).unwrap();
    tracing::dispatcher::with_default(&logs.dispatch, work);
    logs.flush();
    screen.text()
}

fn talk() {
    let span = tracing::info_span!(target: "vox_node", "chat", trace_id = "0af7651916cd43dd8448eb211c80319c");
    let _inside = span.enter();
    tracing::debug!(target: "vox_route", n_offers = 3, "offers ranked");
    tracing::info!(target: "vox_node", model = "a/b", cached = true, "call settled");
    tracing::warn!(target: "vox_node", code = "gateway.upstream_cut", path = "/home/ann/x", "provider said:\n\u{1b}[31mred\u{9b}2J");
    tracing::error!(target: "vox_store", api_key = "hunter2", "write failed");
}

/// TE-42: what the three profiles write.
#[test]
fn te_42_the_profiles_write_what_the_fixtures_hold() {
    for (profile, fixture) in [
        (Profile::Cli, include_str!("fixtures/cli.txt")),
        (Profile::Daemon, include_str!("fixtures/daemon.jsonl")),
        (Profile::Test, include_str!("fixtures/test.txt")),
    ] {
        assert_eq!(logged(&LogSettings::of(profile), talk), fixture, "{profile:?}");
    }
}

/// TE-42: the only test that touches the process's own logging.
#[test]
fn te_42_a_second_initialiser_returns_false_and_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let log = home.path().join("second.jsonl");
    assert_eq!(init(&LogSettings { filter: Some("off".into()), ..LogSettings::of(Profile::Test) }, &parts()), Ok(true));
    let second = LogSettings { filter: Some("trace".into()), file: Some(log.clone()), ..LogSettings::of(Profile::Daemon) };
    assert_eq!(init(&second, &parts()), Ok(false));
    tracing::error!("unheard");
    flush();
    assert!(!log.exists());
}

/// TE-17
#[test]
fn te_17_a_key_is_masked_on_stderr_and_in_the_file() {
    let home = tempfile::tempdir().unwrap();
    let settings =
        LogSettings { filter: Some("debug".into()), directory: Some(home.path().join("logs")), ..LogSettings::of(Profile::Daemon) };
    let key = ["sk-l", "ive-abcdefghijklmnopqrstuvwx"].concat();
    let screen = logged(&settings, || tracing::debug!(header = %key, "sent {key}"));
    let file = std::fs::read_to_string(home.path().join("logs/daemon-2026-11-21.jsonl")).unwrap();
    for text in [&screen, &file] {
        assert!(!text.contains("abcdefghijklmnop") && text.matches("<REDACTED:openai>").count() == 2, "{text}");
    }
}

#[test]
fn files_are_written_by_the_node_or_when_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let directory = Some(home.path().join("logs"));
    logged(&LogSettings { directory: directory.clone(), ..LogSettings::of(Profile::Cli) }, talk);
    // A node that has nothing to say makes no file.
    logged(&LogSettings { directory: directory.clone(), ..LogSettings::of(Profile::Daemon) }, || ());
    assert!(!home.path().join("logs").exists());
    let one = home.path().join("own/one.jsonl");
    logged(&LogSettings { file: Some(one.clone()), directory, ..LogSettings::of(Profile::Cli) }, talk);
    let lines: Vec<serde_json::Value> =
        std::fs::read_to_string(one).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert!(!home.path().join("logs").exists());
}

#[test]
fn filter_beats_flags_and_flags_beat_the_profile() {
    let shown = |verbosity, filter: Option<&str>| {
        let settings = LogSettings { verbosity, filter: filter.map(str::to_owned), ..LogSettings::of(Profile::Cli) };
        logged(&settings, talk).lines().count()
    };
    assert_eq!(shown(None, None), 2);
    assert_eq!(shown(Some(Verbosity::Quiet), None), 1);
    assert_eq!(shown(Some(Verbosity::Verbose), None), 3);
    assert_eq!(shown(Some(Verbosity::VeryVerbose), None), 4);
    assert_eq!(shown(Some(Verbosity::VeryVerbose), Some("error")), 1);
    assert_eq!(shown(None, Some("vox_route=debug")), 3);
    assert_eq!(shown(None, Some("off,vox_store=error")), 1);
    assert_eq!(shown(None, Some("OFF")), 0);
}

#[test]
fn a_bad_filter_is_named_by_its_piece() {
    for (filter, piece) in [("debgu", "debgu"), ("warn,vox_node=loud", "vox_node=loud"), ("a b=info", "a b=info"), ("=info", "=info")] {
        let settings = LogSettings { filter: Some(filter.into()), ..LogSettings::of(Profile::Cli) };
        let error = build(&settings, &parts(), Box::new(std::io::sink())).err().unwrap();
        assert_eq!(error.piece, piece);
        assert_eq!(vox_base::Coded::from(error).kind, vox_base::Kind::Usage);
    }
}

#[test]
fn colour_is_only_ours_and_only_when_asked_for() {
    let coloured = logged(&LogSettings { colour: true, ..LogSettings::of(Profile::Cli) }, talk);
    assert!(coloured.starts_with("\u{1b}[33mwarn\u{1b}[0m"), "{coloured:?}");
    assert_eq!(coloured.matches('\u{1b}').count(), 4);
}

#[test]
fn without_a_working_redactor_only_codes_are_seen() {
    let home = tempfile::tempdir().unwrap();
    let parts = LogParts { redactor: Arc::new(Redactor::with_rules(None, None)), ..parts() };
    let screen = Screen::default();
    let settings = LogSettings { file: Some(home.path().join("x.jsonl")), ..LogSettings::of(Profile::Cli) };
    let logs = build(&settings, &parts, Box::new(screen.clone())).unwrap();
    tracing::dispatcher::with_default(&logs.dispatch, talk);
    logs.flush();
    let text = screen.text();
    assert!(text.contains("code=gateway.upstream_cut") && !text.contains("provider said") && !text.contains("hunter2"), "{text}");
    assert!(!home.path().join("x.jsonl").exists());
}

#[test]
fn an_error_is_written_with_its_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot open")]
    struct Outer(#[source] std::io::Error);
    let outer = Outer(std::io::Error::other("disk on fire"));
    let text = logged(&LogSettings::of(Profile::Cli), || tracing::error!(error = &outer as &dyn std::error::Error, "stopped"));
    assert!(text.contains("error=cannot open: disk on fire"), "{text}");
}

/// Every key of the contract changes what is written.
#[test]
fn each_contract_key_is_read() {
    let changed = |from: &str, to: &str| {
        assert!(CONTRACT.contains(from), "{from}");
        LogContract::parse("s", &CONTRACT.replacen(from, to, 1)).unwrap()
    };
    let lines = |contract: &LogContract, profile| {
        let screen = Screen::default();
        let logs = build_with(contract, &LogSettings::of(profile), &parts(), Box::new(screen.clone())).unwrap();
        tracing::dispatcher::with_default(&logs.dispatch, talk);
        screen.text()
    };
    for (profile, from, to, n_lines, json) in [
        (Profile::Cli, "cli: {level: warn, format: text", "cli: {level: error, format: json", 1, true),
        (Profile::Daemon, "daemon: {level: info, format: json", "daemon: {level: debug, format: text", 4, false),
        (Profile::Test, "test: {level: debug, format: text", "test: {level: trace, format: json", 4, true),
    ] {
        let text = lines(&changed(from, to), profile);
        assert_eq!((text.lines().count(), text.starts_with('{')), (n_lines, json), "{profile:?}");
    }
    let home = tempfile::tempdir().unwrap();
    for (profile, from, to, written) in [
        (Profile::Cli, "format: text, file: false}\n  # The node", "format: text, file: true}\n  # The node", true),
        (Profile::Daemon, "file: true", "file: false", false),
        (Profile::Test, "test: {level: debug, format: text, file: false", "test: {level: debug, format: text, file: true", true),
    ] {
        let directory = home.path().join(profile.name());
        let settings = LogSettings { directory: Some(directory.clone()), ..LogSettings::of(profile) };
        let logs = build_with(&changed(from, to), &settings, &parts(), Box::new(std::io::sink())).unwrap();
        tracing::dispatcher::with_default(&logs.dispatch, talk);
        logs.flush();
        assert_eq!(directory.exists(), written, "{profile:?}");
    }
    assert!(LogContract::parse("s", &CONTRACT.replace("x-vox-version: 1", "x-vox-version: 2")).is_err());
}

#[test]
fn the_contract_its_schema_and_its_type_agree() {
    let committed: serde_json::Value =
        serde_json::from_str(include_str!("../../../../contracts/telemetry/subscriber.v1.schema.json")).unwrap();
    assert_eq!(LogContract::schema(), committed);
    let contract: serde_json::Value = Document::parse("s", CONTRACT).unwrap().decode().unwrap();
    jsonschema::validate(&committed, &contract).unwrap();
    let file = LogContract::embedded().file;
    assert_eq!((file.max_bytes, file.keep_days, file.keep_bytes, file.queue_lines), (32 << 20, 14, 256 << 20, 8192));
}
