use super::*;
use std::os::unix::fs::MetadataExt as _;
use vox_testkit::FixedClock;

struct Desk {
    home: tempfile::TempDir,
    clock: Arc<FixedClock>,
    appender: Appender,
}

fn desk(rules: FileRules) -> Desk {
    let home = tempfile::tempdir().unwrap();
    let clock = Arc::new(FixedClock::default());
    let place = Place::Daily { directory: home.path().join("state/logs"), prefix: "daemon" };
    let appender = Appender::new(place, rules, clock.clone(), Arc::default());
    Desk { home, clock, appender }
}

fn rules() -> FileRules {
    FileRules { max_bytes: 100, keep_days: 14, keep_bytes: 10_000, queue_lines: 8 }
}

impl Desk {
    fn names(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.home.path().join("state/logs")) else { return Vec::new() };
        let mut names: Vec<String> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn days_on(&mut self, n_days: i64) {
        self.clock.advance_ms(n_days * 86_400_000);
        self.appender.append_counting("x\n");
    }
}

#[test]
fn nothing_exists_before_the_first_line_and_then_only_for_us() {
    let mut desk = desk(rules());
    assert!(!desk.home.path().join("state").exists());
    desk.appender.append_counting("x\n");
    let mode = |path: &str| std::fs::metadata(desk.home.path().join(path)).unwrap().mode() & 0o777;
    assert_eq!([mode("state"), mode("state/logs"), mode("state/logs/daemon-2026-11-21.jsonl")], [0o700, 0o700, 0o600]);
}

#[test]
fn a_new_file_begins_at_midnight_and_when_the_old_one_is_full() {
    let mut desk = desk(rules());
    for _ in 0..3 {
        desk.appender.append_counting(&format!("{}\n", "y".repeat(59)));
    }
    desk.clock.advance_ms(11 * 3_600_000 + 3_599_999);
    desk.appender.append_counting("x\n");
    assert_eq!(desk.names(), ["daemon-2026-11-21.0001.jsonl", "daemon-2026-11-21.0002.jsonl", "daemon-2026-11-21.jsonl"]);
    desk.clock.advance_ms(1);
    desk.appender.append_counting("x\n");
    assert_eq!(desk.names().last().unwrap(), "daemon-2026-11-22.jsonl");
    let first = std::fs::read_to_string(desk.home.path().join("state/logs/daemon-2026-11-21.jsonl")).unwrap();
    assert_eq!(first.len(), 60);
}

#[test]
fn a_restart_goes_on_in_the_file_of_the_day() {
    let mut desk = desk(rules());
    desk.appender.append_counting("one\n");
    desk.appender.open = None;
    desk.appender.append_counting("two\n");
    assert_eq!(desk.names(), ["daemon-2026-11-21.jsonl"]);
}

#[test]
fn old_files_go_and_others_stay() {
    let mut desk = desk(rules());
    desk.days_on(0);
    std::fs::write(desk.home.path().join("state/logs/cli-2020-01-01.jsonl"), "").unwrap();
    desk.days_on(14);
    assert!(desk.names().contains(&"daemon-2026-11-21.jsonl".to_owned()));
    desk.days_on(1);
    assert_eq!(desk.names(), ["cli-2020-01-01.jsonl", "daemon-2026-12-05.jsonl", "daemon-2026-12-06.jsonl"]);
}

#[test]
fn the_oldest_go_when_all_together_are_too_long() {
    let mut desk = desk(FileRules { keep_bytes: 150, ..rules() });
    for _ in 0..4 {
        desk.appender.append_counting(&format!("{}\n", "y".repeat(79)));
    }
    assert_eq!(desk.names(), ["daemon-2026-11-21.0002.jsonl", "daemon-2026-11-21.0003.jsonl"]);
}

#[test]
fn lost_lines_are_counted_in_the_file() {
    let mut desk = desk(rules());
    desk.appender.n_lost.store(3, Ordering::Relaxed);
    desk.appender.append_counting("x\n");
    let text = std::fs::read_to_string(desk.home.path().join("state/logs/daemon-2026-11-21.jsonl")).unwrap();
    assert!(text.contains("\"lost_n\":3"), "{text}");
}

#[test]
fn a_full_queue_loses_lines_and_never_blocks() {
    let home = tempfile::tempdir().unwrap();
    let place = Place::Fixed(home.path().join("log.jsonl"));
    let sink = FileSink::new(place, FileRules { queue_lines: 2, ..rules() }, Arc::new(FixedClock::default()));
    // Nobody reads this queue.
    let (send, _receive) = sync_channel(2);
    *sink.queue.lock() = Some(send);
    for _ in 0..5 {
        sink.write("x\n".into());
    }
    assert_eq!(sink.n_lost.load(Ordering::Relaxed), 3);
}
