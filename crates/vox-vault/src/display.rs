//! How a value is shown without being shown: a length class and a fingerprint that only this vault can compute.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use vox_base::Secret;

/// The first 8 hexadecimal digits of an HMAC-SHA256 under a key of the vault: two values can be compared on screen, and
/// a guess cannot be tried without the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 4]);

impl Fingerprint {
    /// Computes the fingerprint of a value.
    #[must_use]
    pub(crate) fn of(key: &Secret<[u8; 32]>, value: &[u8]) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).expect("HMAC takes keys of any length");
        mac.update(value);
        let digest = mac.finalize().into_bytes();
        Self([digest[0], digest[1], digest[2], digest[3]])
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Returns what may be shown of a value: a length class, the fingerprint if there is one, and the first 4 characters
/// only from 24 characters on. Never its end.
#[must_use]
pub fn redacted(value: &str, fingerprint: Option<Fingerprint>) -> String {
    let n_characters = value.chars().count();
    let class = match n_characters {
        0..8 => "short",
        8..32 => "8–31 characters",
        _ => "32+ characters",
    };
    let start: String = if n_characters >= 24 { value.chars().take(4).chain(['…']).collect() } else { "…".to_owned() };
    match fingerprint {
        Some(fingerprint) => format!("{start} ({class}, fingerprint {fingerprint})"),
        None => format!("{start} ({class})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_shows_its_start_only_when_it_is_long() {
        assert_eq!(redacted("sk-12", None), "… (short)");
        assert_eq!(redacted("sk-1234567890", None), "… (8–31 characters)");
        assert_eq!(redacted(&"ü".repeat(23), None), "… (8–31 characters)");
        assert_eq!(redacted("sk-ab34567890123456789024", None), "sk-a… (8–31 characters)");
        let fingerprint = Fingerprint([0x12, 0x34, 0, 0xff]);
        assert_eq!(redacted(&"k".repeat(32), Some(fingerprint)), "kkkk… (32+ characters, fingerprint 123400ff)");
    }

    #[test]
    fn a_fingerprint_depends_on_key_and_value() {
        let (one, two) = (Secret::new([1; 32]), Secret::new([2; 32]));
        assert_eq!(Fingerprint::of(&one, b"v"), Fingerprint::of(&one, b"v"));
        assert_ne!(Fingerprint::of(&one, b"v"), Fingerprint::of(&two, b"v"));
        assert_ne!(Fingerprint::of(&one, b"v"), Fingerprint::of(&one, b"w"));
    }
}
