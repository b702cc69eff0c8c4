//! A value that must not be printed, compared by accident, or left in memory.

use zeroize::Zeroize;

/// Holds a secret and wipes it when dropped. It has no `Debug`, `Display` or `Serialize` on purpose.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Wraps a value that is secret from here on.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the value; the name is long so that each use can be found and judged.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
