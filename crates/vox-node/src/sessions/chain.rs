//! The digests of a conversation: one behind each message, each over everything before it.
//!
//! HMAC-SHA-256 with the install's key (RFC 2104), so that a digest tells nobody else what was said.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use vox_wire::{Chat, Digester};

type Mac = Hmac<Sha256>;

/// The key of all digests of one install, or of one shared store.
#[derive(Clone)]
pub(super) struct Key(Mac);

/// The place behind one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    /// Digest of everything up to here.
    pub(super) digest: u128,
    /// Whether an assistant's turn is in it.
    pub(super) has_assistant: bool,
    /// Whether it ends in one.
    pub(super) is_assistant: bool,
}

/// Small pieces are gathered before they are hashed.
const GATHER_BYTES: usize = 4096;

impl Key {
    pub(super) fn new(bytes: &[u8; 32]) -> Self {
        Self(Mac::new_from_slice(bytes).expect("HMAC takes keys of any length"))
    }

    /// Returns the digest of a few texts.
    pub(super) fn digest(&self, parts: &[&[u8]]) -> u128 {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        short(&mac.finalize().into_bytes().into())
    }

    /// Returns the chain of a caller's conversation; lines of its system text that are volatile do not count.
    pub(super) fn chain(&self, caller: &[u8], chat: &Chat, is_volatile: &dyn Fn(&str) -> bool) -> Vec<Link> {
        let mut mac = self.0.clone();
        mac.update(b"chain");
        mac.update(&(caller.len() as u64).to_le_bytes());
        mac.update(caller);
        let mut hashing = Hashing { key: &self.0, mac, gathered: Vec::new(), links: Vec::with_capacity(chat.needs.n_messages) };
        chat.neutral(is_volatile, &mut hashing);
        hashing.links
    }
}

struct Hashing<'a> {
    key: &'a Mac,
    mac: Mac,
    gathered: Vec<u8>,
    links: Vec<Link>,
}

impl Hashing<'_> {
    fn flush(&mut self) {
        self.mac.update(&self.gathered);
        self.gathered.clear();
    }

    /// Ends this digest and begins the next over it.
    fn turn(&mut self) -> [u8; 32] {
        self.flush();
        let digest: [u8; 32] = std::mem::replace(&mut self.mac, self.key.clone()).finalize().into_bytes().into();
        self.mac.update(&digest);
        digest
    }
}

impl Digester for Hashing<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        if self.gathered.len() + bytes.len() > GATHER_BYTES {
            self.flush();
        }
        if bytes.len() > GATHER_BYTES / 4 {
            self.flush();
            self.mac.update(bytes);
        } else {
            self.gathered.extend_from_slice(bytes);
        }
    }

    fn end_of_head(&mut self) {
        self.turn();
    }

    fn end_of_message(&mut self, is_assistant: bool) {
        let digest = short(&self.turn());
        let has_assistant = is_assistant || self.links.last().is_some_and(|link| link.has_assistant);
        self.links.push(Link { digest, has_assistant, is_assistant });
    }
}

/// Half of a digest is enough to tell conversations apart.
fn short(digest: &[u8; 32]) -> u128 {
    u128::from_le_bytes(std::array::from_fn(|at| digest[at]))
}
