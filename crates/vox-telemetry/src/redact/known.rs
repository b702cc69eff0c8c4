//! Values that this process knows to be secret, in the forms in which they may turn up.

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use parking_lot::RwLock;
use regex::{NoExpand, Regex, RegexBuilder};
use std::borrow::Cow;
use std::fmt::Write as _;
use zeroize::Zeroizing;

pub(super) struct Unscannable;

/// Room for some thousands of values; beyond it nothing is let through.
const REGEX_BYTES: usize = 256 * 1024 * 1024;

pub(super) struct Known {
    min_bytes: usize,
    forms: RwLock<Forms>,
}

#[derive(Default)]
struct Forms {
    /// Longest first, so that a value is never masked by half because it begins with another.
    texts: Vec<Zeroizing<String>>,
    /// Made from `texts` when next needed.
    matcher: Option<Regex>,
}

impl Known {
    pub(super) fn new(min_bytes: usize) -> Self {
        Self { min_bytes, forms: RwLock::default() }
    }

    pub(super) fn add(&self, value: &str) -> bool {
        if value.len() < self.min_bytes.max(1) {
            return false;
        }
        let mut forms = self.forms.write();
        for form in forms_of(value) {
            if !forms.texts.contains(&form) {
                forms.texts.push(form);
                forms.matcher = None;
            }
        }
        forms.texts.sort_by_key(|form| std::cmp::Reverse(form.len()));
        true
    }

    pub(super) fn mask<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, Unscannable> {
        let forms = self.forms.read();
        if forms.texts.is_empty() {
            return Ok(Cow::Borrowed(text));
        }
        if let Some(matcher) = &forms.matcher {
            return Ok(replaced(matcher, text));
        }
        drop(forms);
        let mut forms = self.forms.write();
        let matcher = build(&forms.texts)?;
        let masked = replaced(&matcher, text);
        forms.matcher = Some(matcher);
        Ok(masked)
    }
}

fn replaced<'t>(matcher: &Regex, text: &'t str) -> Cow<'t, str> {
    matcher.replace_all(text, NoExpand("<REDACTED:known>"))
}

fn build(texts: &[Zeroizing<String>]) -> Result<Regex, Unscannable> {
    let escaped: Vec<String> = texts.iter().map(|text| regex::escape(text)).collect();
    let pattern = Zeroizing::new(escaped.join("|"));
    RegexBuilder::new(&pattern).size_limit(REGEX_BYTES).dfa_size_limit(REGEX_BYTES).build().map_err(|_| Unscannable)
}

fn forms_of(value: &str) -> Vec<Zeroizing<String>> {
    let json = serde_json::Value::from(value).to_string();
    let mut forms = vec![
        value.to_owned(),
        json[1..json.len() - 1].to_owned(),
        percent(value, false),
        percent(value, true),
        BASE64_NOPAD.encode(value.as_bytes()),
        BASE64URL_NOPAD.encode(value.as_bytes()),
    ];
    forms.sort();
    forms.dedup();
    forms.into_iter().map(Zeroizing::new).collect()
}

/// Encodes everything but the unreserved characters of RFC 3986.
fn percent(value: &str, lower: bool) -> String {
    value.bytes().fold(String::with_capacity(value.len()), |mut out, byte| {
        // Writing to a string cannot fail.
        let _ = match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.write_char(char::from(byte)),
            _ if lower => write!(out, "%{byte:02x}"),
            _ => write!(out, "%{byte:02X}"),
        };
        out
    })
}
