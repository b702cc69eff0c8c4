use super::*;

#[derive(Debug, serde::Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Sample {
    name: String,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Debug, Default, serde::Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    max: u32,
    min: Option<u32>,
}

#[derive(Debug, serde::Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Tag {
    Fast,
    Weighted(u8),
}

fn read(text: &str) -> Result<Sample, String> {
    Document::parse("a.yaml", text).and_then(|doc| doc.decode()).map_err(|error| error.to_string())
}

#[test]
fn a_document_decodes() {
    let sample = read("name: x # comment\nlimits: {max: 3, min: null}\ntags: [fast, {weighted: 2}]\n");
    let limits = Limits { max: 3, min: None };
    assert_eq!(sample, Ok(Sample { name: "x".into(), limits, tags: vec![Tag::Fast, Tag::Weighted(2)] }));
}

#[test]
fn errors_name_file_line_and_key() {
    for (text, error) in [
        ("name: x\nlimits:\n  mx: 3\n", "a.yaml:3: `limits.mx`: unknown field `mx`, expected `max` or `min`"),
        ("name: x\nlimits:\n  max: many\n", "a.yaml:3: `limits.max`: invalid type: string \"many\", expected u32"),
        ("name: x\nlimits:\n  max: -1\n", "a.yaml:3: `limits.max`: invalid value: integer `-1`, expected u32"),
        ("name: x\ntags:\n  - fast\n  - slow\n", "a.yaml:4: `tags[1]`: unknown variant `slow`, expected `fast` or `weighted`"),
        ("limits: {}\n", "a.yaml:1: missing field `name`"),
        ("name: x\nname: y\n", "a.yaml:2: the key `name` stands twice"),
        ("name: *a\n", "a.yaml:1: not YAML: while parsing node, found unknown anchor"),
        ("name: x\n---\nname: y\n", "a.yaml:2: expected one document, found a second"),
        ("name: 'x\n", "a.yaml:1: not YAML: while scanning a quoted scalar, found unexpected end of stream"),
    ] {
        assert_eq!(read(text).expect_err(text), error);
    }
}

#[test]
fn deep_and_huge_documents_are_refused() {
    let deep = format!("{}1{}", "[".repeat(65), "]".repeat(65));
    assert!(Document::parse("a", &deep).is_err());
    assert!(Document::parse("a", &format!("a: '{}'", "x".repeat(4 * 1024 * 1024))).is_err());
}

#[test]
fn an_overlay_wins_key_by_key_and_keeps_its_place() {
    let base = Document::parse("base", "a: {b: 1, c: 2}\nl: [x, y]\nm: [x]\n").unwrap();
    let over = Document::parse("over", "a:\n  c: 3\nl: {add: [z], remove: [x]}\nm: [q]\n").unwrap();
    let both = base.overlaid(over);
    assert_eq!(both.at("a.b").map(|n| (&n.value, &*n.file)), Some((&Value::Int(1), "base")));
    assert_eq!(both.at("a.c").map(|n| (&n.value, &*n.file, n.line)), Some((&Value::Int(3), "over", 2)));
    assert_eq!(both.at("l").unwrap().decode::<Vec<String>>().unwrap(), ["y", "z"]);
    assert_eq!(both.at("m").unwrap().decode::<Vec<String>>().unwrap(), ["q"]);
    assert_eq!(both.fault("a.c", "too big").to_string(), "over:2: `a.c`: too big");
}

#[test]
fn scalars_follow_the_core_schema() {
    let doc = Document::parse("a", "a: 1\nb: '1'\nc: 1.5\nd: yes\ne: 0.10\nf: 1.2.3\ng: 2026-11-21\nh: -7\n").unwrap();
    let kinds: Vec<_> = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|key| doc.at(key).unwrap().value.clone()).to_vec();
    let text = |t: &str| Value::Text(t.into());
    assert_eq!(
        kinds,
        [
            Value::Int(1),
            text("1"),
            Value::Real("1.5".into()),
            text("yes"),
            Value::Real("0.10".into()),
            text("1.2.3"),
            text("2026-11-21"),
            Value::Int(-7)
        ]
    );
}

#[test]
fn toml_makes_the_same_nodes_and_knows_the_line_of_each_key() {
    let text = "top = 1\n\n[routing]\nretired_ids = { add = [\"a/b\"] }\nratio = 0.5\n[routing.policy]\nfree.day = 2026-11-21\n[[many]]\nx = [\n  1,\n  2,\n]\n";
    let doc = Document::parse_toml("Vox.toml", text).unwrap();
    let place = |path: &str| doc.at(path).map(|node| (node.value.clone(), node.line));
    assert_eq!(place("top"), Some((Value::Int(1), 1)));
    assert_eq!(place("routing.retired_ids.add[0]"), Some((Value::Text("a/b".into()), 4)));
    assert_eq!(place("routing.ratio"), Some((Value::Real("0.5".into()), 5)));
    assert_eq!(place("routing.policy.free.day"), Some((Value::Text("2026-11-21".into()), 7)));
    assert_eq!(place("many[0].x[1]"), Some((Value::Int(2), 11)));
    assert_eq!(doc.part("routing").unwrap().fault("policy.free", "no").to_string(), "Vox.toml:7: `policy.free`: no");
    let error = Document::parse_toml("Vox.toml", "a = 1\nb = \n").unwrap_err().to_string();
    assert!(error.starts_with("Vox.toml:2: not TOML: "), "{error}");
    assert!(Document::parse_toml("Vox.toml", "a = 1\na = 2\n").unwrap_err().to_string().starts_with("Vox.toml:2: "));
}
