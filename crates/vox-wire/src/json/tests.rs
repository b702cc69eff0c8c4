use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Result<Document, JsonError> {
    Document::parse(Bytes::copy_from_slice(text.as_bytes()))
}

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

#[test]
fn values_keep_their_place_and_their_spelling() {
    let text = r#" {"a" : 9223372036854775808, "b":[1.50e+2, -0, true,null ], "c":"x\u00e9\n","d":{"e":false}} "#;
    let document = parse(text).unwrap();
    let root = document.root();
    assert_eq!(root.get("a").unwrap().raw(), "9223372036854775808");
    assert_eq!(root.get("a").unwrap().as_u64(), Some(1 << 63));
    assert_eq!(root.get("a").unwrap().as_i64(), None);
    let items: Vec<_> = root.get("b").unwrap().items().map(Value::raw).collect();
    assert_eq!(items, ["1.50e+2", "-0", "true", "null"]);
    assert_eq!(root.get("c").unwrap().as_str().unwrap(), "xé\n");
    assert_eq!(root.get("d").unwrap().get("e").unwrap().as_bool(), Some(false));
    assert_eq!(&text[root.get("d").unwrap().span()], r#"{"e":false}"#);
    assert!(root.get("nothing").is_none());
    assert_eq!(root.entries().map(|(key, _)| key.into_owned()).collect::<Vec<_>>(), ["a", "b", "c", "d"]);
}

#[test]
fn broken_texts_are_refused_where_they_break() {
    for (text, offset) in [
        ("", 0),
        ("{", 1),
        (r#"{"a":1"#, 6),
        (r#"{"a" 1}"#, 5),
        (r#"{"a":1,}"#, 7),
        ("[1,]", 3),
        ("[1 2]", 3),
        ("01", 1),
        ("-", 1),
        ("1.", 2),
        ("1e", 2),
        ("tru", 0),
        ("nul", 0),
        ("\"a", 1),
        ("\"a\nb\"", 2),
        (r#""\x""#, 2),
        (r#""\u12g4""#, 2),
        ("[1}", 2),
        (r#"{"a":1]"#, 6),
        ("]", 0),
        ("{} {}", 3),
        ("'a'", 0),
        ("NaN", 0),
    ] {
        match parse(text) {
            Err(JsonError::Invalid { offset: found, .. }) => assert_eq!(found, offset, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn gw_06_duplicate_keys_are_refused_at_every_level_and_in_every_spelling() {
    for text in [r#"{"model":"a","model":"b"}"#, r#"[{"x":{"k":1,"l":2,"k":3}}]"#, r#"{"model":1,"mod\u0065l":2}"#] {
        assert!(matches!(parse(text), Err(JsonError::Duplicate { .. })), "{text}");
    }
    let many: Vec<_> = (0..1000).map(|n| format!("\"k{n}\":{n}")).collect();
    assert!(parse(&format!("{{{}}}", many.join(","))).is_ok());
    let error = parse(&format!("{{{},\"k500\":0}}", many.join(","))).unwrap_err();
    assert!(matches!(error, JsonError::Duplicate { key, .. } if key == "k500"));
}

#[test]
fn gw_65_depth_is_bounded() {
    assert!(parse(&nested(128)).is_ok());
    assert_eq!(parse(&nested(129)).unwrap_err(), JsonError::TooDeep { offset: 128 });
    assert_eq!(parse(&"[".repeat(1_000_000)).unwrap_err(), JsonError::TooDeep { offset: 128 });
}

#[test]
fn text_must_be_utf_8() {
    let error = Document::parse(Bytes::from_static(b"\"ab\xff\"")).unwrap_err();
    assert_eq!(error, JsonError::NotUtf8 { offset: 3 });
}

#[test]
fn escapes_are_decoded() {
    for (text, decoded) in [
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""\ud83d\ude00""#, "😀"),
        (r#""\ud83d""#, "\u{fffd}"),
        (r#""\ude00x""#, "\u{fffd}x"),
        (r#""\ud83d\u0041""#, "\u{fffd}A"),
    ] {
        assert_eq!(parse(text).unwrap().root().as_str().unwrap(), decoded, "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(text in any::<String>()) {
        let mut out = bytes::BytesMut::new();
        put_str(&mut out, &text);
        let document = Document::parse(out.freeze()).unwrap();
        prop_assert_eq!(document.root().as_str().unwrap(), text);
    }

    /// A second reader agrees on what is JSON. It does not refuse duplicates, so those are left out.
    #[test]
    fn agrees_with_another_reader(text in r#"[\[\]{}",:0-9.eE+\-truefalsn \\ud]{0,24}"#) {
        match parse(&text) {
            Ok(document) => {
                let other: serde_json::Value = serde_json::from_str(&text).unwrap_or(serde_json::Value::Null);
                prop_assert_eq!(document.root().items().count(), other.as_array().map_or(0, Vec::len));
            }
            Err(JsonError::Duplicate { .. }) => {}
            Err(error) => prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_err(), "{error}"),
        }
    }
}
