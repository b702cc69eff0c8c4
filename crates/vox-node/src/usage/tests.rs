use super::*;

#[test]
fn a_query_is_set_part_by_part_and_refuses_what_it_does_not_know() {
    let mut query = UsageQuery::default();
    for (name, value) in [("by", "day"), ("since", "2026-11-01"), ("until", "2026-11-30"), ("key", "01890a5d-ac96-774b-bcce-b302099a8057")]
    {
        query.set(name, value).unwrap();
    }
    assert_eq!(query.by, By::Day);
    assert_eq!(query.since.unwrap().day(), "2026-11-01");
    assert_eq!(query.until.unwrap().day(), "2026-11-30");
    assert!(query.key.is_some());
    for (name, value) in [("by", "colour"), ("since", "yesterday"), ("key", "mine"), ("limit", "3")] {
        assert_eq!(query.set(name, value).unwrap_err().code, "gateway.flag_invalid", "{name}={value}");
    }
}

#[test]
fn every_group_has_one_name() {
    for (name, by) in GROUPS {
        let mut query = UsageQuery::default();
        query.set("by", name).unwrap();
        assert_eq!(query.by, by);
    }
}
