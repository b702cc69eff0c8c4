use super::*;

#[test]
fn moments_print_and_read_back() {
    for (millis, text) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_709_164_799_999, "2024-02-28T23:59:59.999Z"),
        (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ] {
        assert_eq!(Timestamp::from_millis(millis).to_string(), text);
        assert_eq!(text.parse(), Ok(Timestamp::from_millis(millis)));
    }
    assert_eq!("2024-02-29".parse(), Ok(Timestamp::from_millis(1_709_164_800_000)));
}

#[test]
fn impossible_moments_are_refused() {
    for text in [
        "",
        "2024-02-30",
        "2023-02-29",
        "2024-13-01",
        "2024-02-28T24:00:00Z",
        "2024-02-28T10:00:00",
        "2024-2-3-4",
        "20240228",
        "2024-02-28T10:00:00.Z",
    ] {
        assert_eq!(text.parse::<Timestamp>(), Err(InvalidTime), "{text}");
    }
}

#[test]
fn windows_start_where_the_calendar_says() {
    let moment: Timestamp = "2026-11-21T12:34:56Z".parse().unwrap();
    assert_eq!(moment.start_of_day().day(), "2026-11-21");
    assert_eq!(moment.start_of_week().day(), "2026-11-16", "the Monday before that Saturday");
    assert_eq!(moment.start_of_month().day(), "2026-11-01");
    assert_eq!(moment.start_of_next_month().day(), "2026-12-01");
    let monday: Timestamp = "2026-11-16".parse().unwrap();
    assert_eq!(monday.start_of_week(), monday);
}
