//! The redaction contract, and the one expression that all of it is compiled into.

use regex::bytes::{Regex, RegexBuilder};
use std::borrow::Cow;
use vox_base::{Document, InvalidConfig};

/// `contracts/telemetry/redaction.v1.yaml`
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Redaction")]
pub struct Rules {
    /// Version of this contract's form.
    #[serde(rename = "x-vox-version")]
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,
    /// Shortest secret that is matched by value, in bytes.
    pub known_min_bytes: usize,
    /// Whether e-mail addresses are masked.
    pub emails: bool,
    /// Names whose value is masked.
    pub fields: Vec<String>,
    /// Names whose value is the rest of the line and is masked.
    pub line_fields: Vec<String>,
    /// Shapes of tokens, earlier ones first.
    pub patterns: Vec<Pattern>,
}

/// One shape of secret.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// What the marker says.
    pub kind: String,
    /// What must stand before it.
    pub starts: Starts,
    /// Regular expression over bytes with at most one group, which is what gets masked.
    pub pattern: String,
}

/// What must stand before a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Starts {
    /// Anything.
    Anywhere,
    /// No letter or digit, unless it ends an escape such as `\n` or `%20`.
    Token,
    /// As `token`, and neither `-`, `_` nor `.`: the start of a run of token characters.
    Run,
}

const EMBEDDED: &str = include_str!("../../../../contracts/telemetry/redaction.v1.yaml");

impl Rules {
    /// Returns the rules this binary was built with.
    ///
    /// # Errors
    /// The contract does not decode; a test rules that out.
    pub fn embedded() -> Result<Self, InvalidConfig> {
        Self::parse("contracts/telemetry/redaction.v1.yaml", EMBEDDED)
    }

    /// Reads rules.
    ///
    /// # Errors
    /// The text is not YAML of this form, or of another version.
    pub fn parse(file: &str, text: &str) -> Result<Self, InvalidConfig> {
        let document = Document::parse(file, text)?;
        let rules: Self = document.decode()?;
        if rules.version == 1 { Ok(rules) } else { Err(document.fault("x-vox-version", "expected 1")) }
    }

    /// Returns the JSON Schema of the contract.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).into()
    }
}

/// Kinds whose match is not a `<REDACTED:…>` marker or needs a second look.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Shape(String),
    Jwt,
    Field,
    Home,
    User,
}

pub(super) struct Scanner {
    any: Regex,
    /// What group `i + 1` of `any` found.
    kinds: Vec<Kind>,
    field_name: Regex,
}

const ESCAPES: &str = r"\\[nrtbf]|%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\x1b\[[0-9;]*m";
const EMAIL: &str = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}";

impl Scanner {
    pub(super) fn new(rules: &Rules, home: Option<&str>) -> Result<Self, regex::Error> {
        let mut parts: Vec<(Kind, String)> = Vec::new();
        for pattern in &rules.patterns {
            let kind = if pattern.kind == "jwt" { Kind::Jwt } else { Kind::Shape(pattern.kind.clone()) };
            parts.push((kind, started(pattern.starts, &grouped(&pattern.pattern)?)));
        }
        let (fields, lines) = (names(&rules.fields), names(&rules.line_fields));
        parts.extend(field_parts(&fields, &lines).into_iter().map(|part| (Kind::Field, started(Starts::Token, &part))));
        if let Some(home) = home {
            parts.push((Kind::Home, format!("({})(?:[^A-Za-z0-9_.-]|$)", regex::escape(home))));
        }
        parts.push((Kind::User, r#"(?:/home/|/Users/)([^/\s"'<>:;,]+)"#.to_owned()));
        if rules.emails {
            parts.push((Kind::Shape("email".into()), started(Starts::Token, &format!("({EMAIL})"))));
        }
        let (kinds, parts): (Vec<Kind>, Vec<String>) = parts.into_iter().unzip();
        let field_name = bytes_regex(&format!("(?:^|[^A-Za-z0-9])(?i:{fields}|{lines})$"))?;
        Ok(Self { any: bytes_regex(&parts.join("|"))?, kinds, field_name })
    }

    pub(super) fn is_secret_field(&self, name: &str) -> bool {
        self.field_name.is_match(name.as_bytes())
    }

    pub(super) fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let bytes = text.as_bytes();
        let mut out: Vec<u8> = Vec::new();
        let (mut copied, mut at) = (0, 0);
        while let Some(hit) = self.next_hit(bytes, at) {
            at = hit.resume;
            if let Some(mark) = hit.mark {
                out.extend_from_slice(&bytes[copied..hit.start]);
                out.extend_from_slice(mark.as_bytes());
                copied = hit.resume;
            }
        }
        if copied == 0 {
            return Cow::Borrowed(text);
        }
        out.extend_from_slice(&bytes[copied..]);
        Cow::Owned(String::from_utf8_lossy(&out).into_owned())
    }

    fn next_hit(&self, bytes: &[u8], at: usize) -> Option<Hit> {
        // Finding runs the automaton; only a hit pays for groups.
        let whole = self.any.find_at(bytes, at)?;
        let groups = self.any.captures_at(bytes, whole.start())?;
        let (kind, group) = self.kinds.iter().enumerate().find_map(|(index, kind)| Some((kind, groups.get(index + 1)?)))?;
        let label = &bytes[whole.start()..group.start()];
        let mark = kind.mark(label, group.as_bytes());
        // A failed second look goes on inside, since something else may hide there.
        let resume = if mark.is_none() && *kind == Kind::Jwt { group.start() + 1 } else { group.end() };
        Some(Hit { start: group.start(), resume, mark })
    }
}

struct Hit {
    start: usize,
    /// Where the search goes on.
    resume: usize,
    /// What to write instead, if anything.
    mark: Option<String>,
}

impl Kind {
    fn mark(&self, label: &[u8], found: &[u8]) -> Option<String> {
        if found.starts_with(b"<REDACTED:") {
            return None;
        }
        match self {
            Self::Shape(kind) => Some(format!("<REDACTED:{kind}>")),
            Self::Jwt => is_jwt(found).then(|| "<REDACTED:jwt>".to_owned()),
            Self::Field => (!is_plain(label, found)).then(|| "<REDACTED:field>".to_owned()),
            Self::Home => Some("~".to_owned()),
            Self::User => Some("<USER>".to_owned()),
        }
    }
}

/// A token's first part is a JSON object that names an algorithm (RFC 7515 section 4).
fn is_jwt(token: &[u8]) -> bool {
    let header = token.split(|byte| *byte == b'.').next().unwrap_or_default();
    let header = data_encoding::BASE64URL_NOPAD.decode(header).unwrap_or_default();
    serde_json::from_slice::<serde_json::Value>(&header).is_ok_and(|header| header.get("alg").is_some())
}

/// A word of JSON, or a count of tokens.
fn is_plain(label: &[u8], value: &[u8]) -> bool {
    matches!(value, b"true" | b"false" | b"null")
        || (value.iter().all(u8::is_ascii_digit) && label.to_ascii_lowercase().windows(5).any(|word| word == b"token"))
}

fn bytes_regex(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).unicode(false).size_limit(32 * 1024 * 1024).dfa_size_limit(32 * 1024 * 1024).build()
}

/// Returns the pattern with exactly one group.
fn grouped(pattern: &str) -> Result<String, regex::Error> {
    match bytes_regex(pattern)?.captures_len() {
        1 => Ok(format!("({pattern})")),
        2 => Ok(format!("(?:{pattern})")),
        _ => Err(regex::Error::Syntax(format!("more than one group: {pattern}"))),
    }
}

fn started(starts: Starts, pattern: &str) -> String {
    match starts {
        Starts::Anywhere => pattern.to_owned(),
        Starts::Token => format!("(?:^|[^A-Za-z0-9]|{ESCAPES}){pattern}"),
        Starts::Run => format!("(?:^|[^A-Za-z0-9_.-]|{ESCAPES}){pattern}"),
    }
}

/// Returns the names as alternatives that take `-`, `_` or nothing between the words.
fn names(names: &[String]) -> String {
    let alternatives: Vec<String> = names.iter().map(|name| regex::escape(name).replace("\\-", "[-_]?").replace('_', "[-_]?")).collect();
    alternatives.join("|")
}

/// Returns the ways in which a field and its value are written, one group each: rest of line, JSON, JSON inside JSON,
/// single quotes, bare.
fn field_parts(fields: &str, lines: &str) -> [String; 5] {
    let between = r#"["'\\]{0,4}\s{0,4}[:=]\s{0,4}"#;
    [
        format!(r#"(?i:{lines}){between}["'\\]{{0,4}}([^\r\n"'\\]+)"#),
        format!(r#"(?i:{fields}){between}"((?:[^"\\]|\\(?s:.))+)"#),
        format!(r#"(?i:{fields}){between}\\+"([^"\\]+(?:\\[^"\\][^"\\]*)*)"#),
        format!(r#"(?i:{fields}){between}'([^'\r\n]+)"#),
        format!(r#"(?i:{fields}){between}([^\s"'\\,;&}}\])]+)"#),
    ]
}
