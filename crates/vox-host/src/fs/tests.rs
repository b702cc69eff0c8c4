use super::*;
use vox_testkit::SeededEntropy;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o7777
}

/// ST-05 at this level: modes are set after making, so the umask cannot widen or narrow them.
#[test]
fn st_05_new_directories_are_0700_and_new_files_0600() {
    let home = tempfile::tempdir().unwrap();
    let deep = home.path().join("a/b/c");
    create_dir(&deep).unwrap();
    assert_eq!([mode(&home.path().join("a")), mode(&deep)], [0o700; 2]);
    let (appended, opened, replaced) = (deep.join("log"), deep.join("db"), deep.join("conf"));
    open_append(&appended).unwrap();
    open_private(&opened).unwrap();
    replace(&replaced, b"x", &SeededEntropy::new(1)).unwrap();
    assert_eq!([mode(&appended), mode(&opened), mode(&replaced)], [0o600; 3]);
}

#[test]
fn what_exists_keeps_its_mode_and_content() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("f");
    std::fs::write(&file, "old").unwrap();
    set_mode(&file, 0o640).unwrap();
    open_append(&file).unwrap().write_all(b"new").unwrap();
    open_private(&file).unwrap();
    assert_eq!((mode(&file), std::fs::read_to_string(&file).unwrap().as_str()), (0o640, "oldnew"));
    create_dir(home.path()).unwrap();
}

#[test]
fn a_replacement_is_whole_and_leaves_nothing_beside_it() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("f");
    let entropy = SeededEntropy::new(1);
    replace(&file, b"one", &entropy).unwrap();
    replace(&file, b"two", &entropy).unwrap();
    assert_eq!(read(&file, 3).unwrap(), b"two");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
    // A directory in the way: the replacement fails and cleans up.
    let blocked = home.path().join("d");
    std::fs::create_dir_all(blocked.join("x")).unwrap();
    assert!(replace(&blocked, b"x", &entropy).is_err());
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 2);
}

#[test]
fn what_a_crash_left_is_removed_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let left = temporary(&home.path().join("f"), &SeededEntropy::new(1));
    std::fs::write(&left, "half").unwrap();
    std::fs::write(home.path().join(".vox-other"), "").unwrap();
    assert_eq!(remove_temporaries(home.path()).unwrap(), 1);
    assert!(!left.exists() && home.path().join(".vox-other").exists());
}

#[test]
fn long_and_missing_files_are_told_apart() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("f");
    assert!(read(&file, 9).unwrap_err().is_missing());
    std::fs::write(&file, "1234").unwrap();
    assert!(matches!(read(&file, 3), Err(FsError::TooLong { limit: 3, .. })));
    assert_eq!(read(&file, 4).unwrap(), b"1234");
}

#[test]
fn a_file_others_may_read_is_refused_with_the_command_that_mends_it() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("key");
    std::fs::write(&file, "k").unwrap();
    set_mode(&file, 0o644).unwrap();
    let message = check_private(&file).unwrap_err().to_string();
    assert!(message.contains("0644") && message.contains(&format!("chmod 0600 {}", file.display())), "{message}");
    set_mode(&file, 0o400).unwrap();
    check_private(&file).unwrap();
    set_mode(home.path(), 0o750).unwrap();
    assert!(check_private(home.path()).unwrap_err().to_string().contains("chmod 0700"));
}

#[test]
fn the_cache_is_tagged_once() {
    let home = tempfile::tempdir().unwrap();
    let cache = home.path().join("cache");
    let entropy = SeededEntropy::new(1);
    create_cache_dir(&cache, &entropy).unwrap();
    let tag = cache.join("CACHEDIR.TAG");
    assert!(read(&tag, 999).unwrap().starts_with(b"Signature: 8a477f597d28d172789f06886806bc55\n"));
    std::fs::write(&tag, "mine").unwrap();
    create_cache_dir(&cache, &entropy).unwrap();
    assert_eq!(read(&tag, 999).unwrap(), b"mine");
}

#[test]
fn rt_42_a_file_is_looked_for_upwards_as_far_as_the_repository_goes() {
    let home = tempfile::tempdir().unwrap();
    let at = |path: &str| home.path().join(path);
    std::fs::create_dir_all(at("a/b/c")).unwrap();
    let found = |from: &str| find_upwards(&at(from), "Vox.toml", ".git");
    assert_eq!(found("a/b/c"), None);
    std::fs::write(at("Vox.toml"), "").unwrap();
    assert_eq!(found("a/b/c"), Some(at("Vox.toml")));
    std::fs::write(at("a/b/.git"), "").unwrap();
    assert_eq!((found("a/b/c"), found("a")), (None, Some(at("Vox.toml"))));
    std::fs::write(at("a/b/Vox.toml"), "").unwrap();
    assert_eq!(found("a/b/c"), Some(at("a/b/Vox.toml")), "beside `.git` it is the repository's own");
    std::fs::create_dir(at("a/b/c/Vox.toml")).unwrap();
    assert_eq!(found("a/b/c"), Some(at("a/b/Vox.toml")), "a directory is no file");
}
