use super::*;

fn resolve(platform: Platform, flags: &DirFlags, env: &[(&str, &str)]) -> Result<Dirs, PathError> {
    let read = |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
    Dirs::resolve_for(platform, flags, &read)
}

fn told(dir: &Dir) -> String {
    format!("{} {}", dir.path.display(), dir.source)
}

fn all(dirs: &Dirs) -> [String; 5] {
    [&dirs.data, &dirs.state, &dirs.config, &dirs.cache, &dirs.spool].map(told)
}

#[test]
fn st_01_defaults_on_linux() {
    let dirs = resolve(Platform::Linux, &DirFlags::default(), &[("HOME", "/h")]).unwrap();
    assert_eq!(
        all(&dirs),
        [
            "/h/.local/share/vox default",
            "/h/.local/state/vox default",
            "/h/.config/vox default",
            "/h/.cache/vox default",
            "/h/.local/share/vox/spool default"
        ]
    );
}

#[test]
fn st_01_defaults_on_macos_follow_the_data_directory() {
    let dirs = resolve(Platform::MacOs, &DirFlags::default(), &[("HOME", "/h"), ("XDG_DATA_HOME", "/x")]).unwrap();
    let data = "/h/Library/Application Support/vox";
    assert_eq!(all(&dirs)[..2], [format!("{data} default"), format!("{data}/state default")]);
    assert_eq!(all(&dirs)[2..4], [format!("{data}/config default"), "/h/Library/Caches/vox default".to_owned()]);
    let moved = resolve(Platform::MacOs, &DirFlags::default(), &[("HOME", "/h"), ("VOX_DATA_DIR", "/d")]).unwrap();
    assert_eq!(told(&moved.state), "/d/state default");
}

#[test]
fn st_01_flag_beats_variable_beats_xdg_beats_default() {
    let home = ("HOME", "/h");
    type Get = fn(&Dirs) -> &Dir;
    type Set = fn(&mut DirFlags) -> &mut Option<PathBuf>;
    let cases: [(&str, Option<&str>, Get, Set); 5] = [
        ("VOX_DATA_DIR", Some("XDG_DATA_HOME"), |dirs| &dirs.data, |flags| &mut flags.data),
        ("VOX_STATE_DIR", Some("XDG_STATE_HOME"), |dirs| &dirs.state, |flags| &mut flags.state),
        ("VOX_CONFIG_DIR", Some("XDG_CONFIG_HOME"), |dirs| &dirs.config, |flags| &mut flags.config),
        ("VOX_CACHE_DIR", Some("XDG_CACHE_HOME"), |dirs| &dirs.cache, |flags| &mut flags.cache),
        ("VOX_SPOOL_DIR", None, |dirs| &dirs.spool, |flags| &mut flags.spool),
    ];
    for (variable, xdg, get, set) in cases {
        let mut env = vec![home];
        if let Some(xdg) = xdg {
            env.push((xdg, "/x"));
            let dirs = resolve(Platform::Linux, &DirFlags::default(), &env).unwrap();
            assert_eq!(told(get(&dirs)), format!("/x/vox env:{xdg}"));
        }
        env.push((variable, "/v"));
        let dirs = resolve(Platform::Linux, &DirFlags::default(), &env).unwrap();
        assert_eq!(told(get(&dirs)), format!("/v env:{variable}"));
        let mut flags = DirFlags::default();
        *set(&mut flags) = Some("/f".into());
        assert_eq!(told(get(&resolve(Platform::Linux, &flags, &env).unwrap())), "/f flag");
    }
}

#[test]
fn st_02_without_a_home_the_variable_to_set_is_named() {
    for env in [vec![], vec![("HOME", "")], vec![("HOME", "relative")]] {
        let error = resolve(Platform::Linux, &DirFlags::default(), &env).unwrap_err();
        assert_eq!(error, PathError::NoHome { variable: "VOX_DATA_DIR" });
        let coded = Coded::from(error);
        assert_eq!((coded.code, coded.kind), ("paths.no_home", Kind::Usage));
        assert_eq!(coded.next.as_deref(), Some("set `VOX_DATA_DIR` to an absolute path"));
    }
    let env = ["DATA", "STATE", "CONFIG", "CACHE"].map(|name| (format!("VOX_{name}_DIR"), format!("/{name}")));
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert!(resolve(Platform::Linux, &DirFlags::default(), &env).is_ok());
}

#[test]
fn st_02_relative_values_are_refused_wherever_they_stand() {
    for name in ["VOX_DATA_DIR", "XDG_CACHE_HOME", "VOX_SPOOL_DIR"] {
        let error = resolve(Platform::Linux, &DirFlags::default(), &[("HOME", "/h"), (name, "x/y")]).unwrap_err();
        assert_eq!(error, PathError::Relative { name: name.into(), value: "x/y".into() });
        assert_eq!(Coded::from(error).code, "paths.relative");
    }
    let flags = DirFlags { cache: Some("./c".into()), ..DirFlags::default() };
    assert!(matches!(resolve(Platform::Linux, &flags, &[("HOME", "/h")]), Err(PathError::Relative { name, .. }) if name == "--cache-dir"));
}
