//! The device's own signature: Ed25519 over a domain-separated digest.
//!
//! Every signature of vox is over `"vox-sig-v1\0" ‖ kind ‖ "\0" ‖ SHA-256(bytes)`, so bytes signed as one thing never
//! verify as another, and is verified strictly (RFC 8032 with weak keys and small-order points refused).

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use vox_base::{Digest, Entropy, Secret};

/// Signs as this device.
pub struct DeviceKey(SigningKey);

impl DeviceKey {
    /// Makes a new key.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self::from_seed(&crate::keyring::random_key(entropy))
    }

    /// Returns the key of this seed.
    #[must_use]
    pub fn from_seed(seed: &Secret<[u8; 32]>) -> Self {
        Self(SigningKey::from_bytes(seed.expose()))
    }

    /// Returns the seed, for sealing it.
    pub(crate) fn seed(&self) -> Secret<[u8; 32]> {
        Secret::new(self.0.to_bytes())
    }

    /// Returns the public key.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Returns the device id that goes with this key.
    #[must_use]
    pub fn device_id(&self) -> Digest {
        device_id(&self.public())
    }

    /// Signs bytes as being of some kind.
    #[must_use]
    pub fn sign(&self, kind: &str, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(&signed_message(kind, bytes)).to_bytes()
    }
}

/// Returns the id of the device with this Ed25519 public key: `SHA-256("vox-device-v1" ‖ key)`.
#[must_use]
pub fn device_id(public: &[u8; 32]) -> Digest {
    Digest::from_bytes(Sha256::new_with_prefix(b"vox-device-v1").chain_update(public).finalize().into())
}

/// Checks signatures of one device.
pub(crate) struct Verifier(VerifyingKey);

impl Verifier {
    /// Returns the verifier of a public key, unless the bytes are no key.
    pub(crate) fn new(public: &[u8; 32]) -> Option<Self> {
        VerifyingKey::from_bytes(public).ok().map(Self)
    }

    /// Returns whether the device signed these bytes as being of that kind.
    pub(crate) fn accepts(&self, kind: &str, bytes: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(&signed_message(kind, bytes), &Signature::from_bytes(signature)).is_ok()
    }
}

fn signed_message(kind: &str, bytes: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(12 + kind.len() + 32);
    message.extend_from_slice(b"vox-sig-v1\0");
    message.extend_from_slice(kind.as_bytes());
    message.push(0);
    message.extend_from_slice(&Sha256::digest(bytes));
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_kind_bytes_and_key_only() {
        let key = DeviceKey::from_seed(&Secret::new([7; 32]));
        let signature = key.sign("record-v1", b"bytes");
        let verifier = Verifier::new(&key.public()).unwrap();
        assert!(verifier.accepts("record-v1", b"bytes", &signature));
        assert!(!verifier.accepts("roster-v1", b"bytes", &signature));
        assert!(!verifier.accepts("record-v1", b"bytez", &signature));
        let other = DeviceKey::from_seed(&Secret::new([8; 32]));
        assert!(!Verifier::new(&other.public()).unwrap().accepts("record-v1", b"bytes", &signature));
        assert_ne!(key.device_id(), other.device_id());
    }

    #[test]
    fn a_key_of_small_order_signs_nothing() {
        // The neutral element with a zero signature verifies under RFC 8032's lax reading for any message.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        if let Some(verifier) = Verifier::new(&neutral) {
            assert!(!verifier.accepts("record-v1", b"bytes", &signature));
        }
    }
}
