use super::*;

fn environment(pairs: &[(&str, &str)]) -> Environment {
    Environment(pairs.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect())
}

#[test]
fn an_unregistered_variable_draws_one_warning_with_the_nearest_name() {
    let warnings =
        environment(&[("VOX_DATA_DRI", "/x"), ("VOX_LISTEN", "127.0.0.1:1"), ("HOME", "/h"), ("VOX_PROVIDER_OPENAI_BASE_URL", "x")])
            .warnings();
    assert_eq!(warnings, ["`VOX_DATA_DRI` is set and means nothing here; did you mean `VOX_DATA_DIR`?"]);
}

#[test]
fn a_switch_is_off_when_it_says_so() {
    for (value, on) in [("1", true), ("true", true), ("0", false), ("FALSE", false), ("", false)] {
        assert_eq!(environment(&[("VOX_OFFLINE", value)]).is_on("VOX_OFFLINE"), on, "{value}");
    }
}

#[test]
fn placeholders_give_their_middle() {
    let found = environment(&[("VOX_PROVIDER_OPENAI_BASE_URL", "http://x")]).placeholders("VOX_PROVIDER_", "_BASE_URL");
    assert_eq!(found, [("openai".to_owned(), "http://x".to_owned())]);
}
