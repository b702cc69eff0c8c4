use super::*;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use vox_base::Document;

const FIXTURES: &str = include_str!("fixtures.yaml");
const CONTRACT: &str = include_str!("../../../../contracts/telemetry/redaction.v1.yaml");

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixtures {
    positives: Vec<String>,
    negatives: Vec<String>,
}

fn fixtures() -> BTreeMap<String, Fixtures> {
    // The mark keeps scanners of this repository from taking a fixture for a secret.
    Document::parse("fixtures.yaml", &FIXTURES.replace('¦', "")).unwrap().decode().unwrap()
}

fn redactor() -> Redactor {
    Redactor::with_rules(Some(changed("emails: false", "emails: true")), Some("/home/ann"))
}

fn changed(from: &str, to: &str) -> Rules {
    assert!(CONTRACT.contains(from));
    Rules::parse("r", &CONTRACT.replacen(from, to, 1)).unwrap()
}

/// TE-19: in a positive, what stands in double brackets becomes the marker and everything else stays.
#[test]
fn te_19_every_pattern_has_three_positives_and_three_negatives() {
    let (redactor, fixtures) = (redactor(), fixtures());
    for (kind, Fixtures { positives, negatives }) in &fixtures {
        assert!(positives.len() >= 3 && negatives.len() >= 3, "{kind}");
        let mark = match kind.as_str() {
            "home" => "~".to_owned(),
            "user" => "<USER>".to_owned(),
            _ => format!("<REDACTED:{kind}>"),
        };
        for positive in positives {
            let expected: String = positive
                .split("[[")
                .enumerate()
                .map(|(index, part)| if index == 0 { part.to_owned() } else { after(part, &mark) })
                .collect();
            let text = positive.replace("[[", "").replace("]]", "");
            assert_eq!(redactor.redact(&text), expected, "{kind}");
            assert_eq!(redactor.redact(&expected), expected, "twice: {kind}");
        }
        for negative in negatives {
            assert_eq!(redactor.redact(negative), negative.as_str(), "{kind}");
        }
    }
    let rules = Rules::embedded().unwrap();
    let kinds = rules.patterns.iter().map(|pattern| pattern.kind.as_str()).chain(["field", "email", "home", "user"]);
    assert_eq!(kinds.collect::<std::collections::BTreeSet<_>>(), fixtures.keys().map(String::as_str).collect());
}

fn after(part: &str, mark: &str) -> String {
    let (_, rest) = part.split_once("]]").expect("brackets are closed");
    format!("{mark}{rest}")
}

#[test]
fn te_19_token_counts_are_untouched() {
    let text = r#"input_tokens: 12 {"output_tokens":5,"total_tokens":17} max_token=9"#;
    assert_eq!(redactor().redact(text), text);
}

#[test]
fn known_values_are_masked_in_every_form() {
    let redactor = Redactor::new(None);
    let value = "pa\"ss/wörd+1\n";
    assert!(redactor.add_known(&Secret::new(value.into())));
    let json = serde_json::to_string(&serde_json::json!({ "a": value })).unwrap();
    assert_eq!(redactor.redact(&json), "{\"a\":\"<REDACTED:known>\"}");
    for form in [value, "pa%22ss%2Fw%C3%B6rd%2B1%0A", "pa%22ss%2fw%c3%b6rd%2b1%0a", "cGEic3Mvd8O2cmQrMQo"] {
        assert_eq!(redactor.redact(&format!("a {form} b")), "a <REDACTED:known> b", "{form}");
    }
    assert_eq!(redactor.redact("api_key=<REDACTED:known>"), "api_key=<REDACTED:known>");
}

#[test]
fn a_known_value_that_begins_with_another_is_masked_whole_and_short_ones_are_not_taken() {
    let redactor = Redactor::new(None);
    assert!(redactor.add_known(&Secret::new("abcdefgh".into())));
    assert_eq!(redactor.redact("abcdefgh1234"), "<REDACTED:known>1234");
    assert!(redactor.add_known(&Secret::new("abcdefgh1234".into())));
    assert_eq!(redactor.redact("abcdefgh1234"), "<REDACTED:known>");
    assert!(!redactor.add_known(&Secret::new("1234567".into())));
    assert_eq!(redactor.redact("1234567"), "1234567");
    let shorter = Redactor::with_rules(Some(changed("known_min_bytes: 8", "known_min_bytes: 7")), None);
    assert!(shorter.add_known(&Secret::new("1234567".into())));
}

#[test]
fn what_cannot_be_scanned_does_not_come_through() {
    for rules in [None, Some(changed("'sk-ant-", "'(sk-ant-"))] {
        let redactor = Redactor::with_rules(rules, None);
        assert!(!redactor.is_ready());
        assert_eq!(redactor.redact("harmless"), FAILED);
        assert!(redactor.is_secret_field("harmless"));
    }
    let two_groups = changed("'sk-ant-[A-Za-z0-9_-]{10,}'", "'(sk)-(ant)'");
    assert!(!Redactor::with_rules(Some(two_groups), None).is_ready());
}

#[test]
fn field_names_are_matched_in_any_case_and_as_endings() {
    let redactor = Redactor::new(None);
    for name in ["Authorization", "X-Api-Key", "apiKey", "api_key", "db.password", "access_token", "Set-Cookie", "clientSecret"] {
        assert!(redactor.is_secret_field(name), "{name}");
    }
    for name in ["input_tokens", "tokenizer", "secretary", "cookies_n", "key", "message"] {
        assert!(!redactor.is_secret_field(name), "{name}");
    }
}

/// Every key of the contract changes what comes out.
#[test]
fn each_contract_key_is_read() {
    let masks = |rules: Rules, text: &str| Redactor::with_rules(Some(rules), None).redact(text) != text;
    let without = |from: &str| changed(from, "");
    for (key, text) in [("  - x-api-key\n  - api-key\n", "api_key: v"), ("  - cookie\n", "cookie: a=b; c")] {
        assert!(masks(Rules::embedded().unwrap(), text) && !masks(without(key), text), "{key}");
    }
    assert!(masks(changed("emails: false", "emails: true"), "a@example.com") && !masks(Rules::embedded().unwrap(), "a@example.com"));
    let gsk = format!("xgsk_{}", "a".repeat(20));
    assert!(!masks(Rules::embedded().unwrap(), &gsk));
    assert!(masks(changed("kind: groq, starts: token", "kind: groq, starts: anywhere"), &gsk));
    let renamed = Redactor::with_rules(Some(changed("kind: groq", "kind: other")), None);
    assert_eq!(renamed.redact(&gsk[1..]), "<REDACTED:other>");
    assert!(Rules::parse("r", &CONTRACT.replace("x-vox-version: 1", "x-vox-version: 2")).is_err());
    assert!(Rules::parse("r", &format!("{CONTRACT}\nextra: 1\n")).is_err());
}

#[test]
fn the_contract_its_schema_and_its_type_agree() {
    let committed: serde_json::Value =
        serde_json::from_str(include_str!("../../../../contracts/telemetry/redaction.v1.schema.json")).unwrap();
    assert_eq!(Rules::schema(), committed);
    let contract: serde_json::Value = Document::parse("r", CONTRACT).unwrap().decode().unwrap();
    jsonschema::validate(&committed, &contract).unwrap();
    Rules::embedded().unwrap();
}

#[test]
fn time_is_linear_even_in_hostile_text() {
    let redactor = redactor();
    let pieces = [
        "-----BEGIN A-----sk-aaaaaaaaaaaaaaaaaaaaaa ",
        "eyJaaaaaaaa-eyJaaaaaaaa.",
        "-eyJ-gsk_aaaaaaaaaaaaaaaaaaaa",
        "http://a:sk-aaaaaaaaaaaaaaaaaaaa,",
        "token=\"\\\"",
        "password:   ",
        "a@b.c",
        "sk-",
    ];
    // The same bytes, once in 64 texts and once in one: quadratic time would make the one 64 times slower.
    let time = |piece: &str, n_texts: usize| {
        let text = piece.repeat(64 * 1024 / n_texts / piece.len());
        let run = || {
            let started = Instant::now();
            for _ in 0..n_texts {
                let _ = redactor.redact(&text);
            }
            started.elapsed()
        };
        (0..3).map(|_| run()).min().unwrap_or_default()
    };
    for piece in pieces {
        let (many, one) = (time(piece, 64), time(piece, 1));
        assert!(one < many * 16 + Duration::from_millis(20), "{piece}: {many:?} {one:?}");
    }
}
