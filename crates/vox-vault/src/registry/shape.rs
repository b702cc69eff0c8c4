//! Whether a value looks like what it should be; a doubt is worth a warning, never a refusal.

use super::{Material, SecretSpec};

impl SecretSpec {
    /// Returns what is odd about a value's shape, without repeating any of it.
    #[must_use]
    pub fn shape_warning(&self, value: &str) -> Option<&'static str> {
        match self.material {
            Material::ApiKey | Material::Bearer if !value.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Some("a key usually has no spaces, line ends or letters beyond ASCII")
            }
            Material::UrlWithPassword if !value.contains("://") => Some("an address usually starts like `postgres://`"),
            Material::Hmac | Material::Password if value.contains('\n') => Some("it has several lines"),
            _ => None,
        }
    }
}
