//! The one form in which an error reaches a person: a stable code, what was expected, where, and one next step.
//!
//! Libraries keep their own enums; each converts into [`Coded`] where it leaves the crate. Two edges translate further:
//! `vox/src/exit.rs` (kind to exit code) and `vox-gateway/src/refusal.rs` (code to HTTP status and dialect body).

use std::fmt;

/// What sort of failure this is; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Something failed. Exit 1.
    Failed,
    /// The command line or an input has the wrong form. Exit 2.
    Usage,
    /// A policy, gate or budget says no. Exit 3.
    Refused,
    /// A person must decide first. Exit 4.
    Pending,
    /// A lock, generated file, contract or configuration does not hold together. Exit 5.
    Stale,
    /// The network is needed and vox is offline. Exit 6.
    Offline,
    /// Stored bytes or a signature are not what they must be. Exit 7.
    Integrity,
    /// The user cancelled. Exit 130.
    Cancelled,
}

/// An error as a person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coded {
    /// Stable code, `area.reason` in lower snake case.
    pub code: &'static str,
    /// Decides the exit code.
    pub kind: Kind,
    /// What happened, on one line, lower case, without a secret.
    pub message: String,
    /// What would have been right.
    pub expected: Option<String>,
    /// The file and line, header, flag or JSON pointer concerned.
    pub at: Option<String>,
    /// The one thing to do next, a command where there is one.
    pub next: Option<String>,
}

impl Coded {
    /// Returns an error with only a code and a message.
    pub fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self { code, kind, message: message.into(), expected: None, at: None, next: None }
    }

    /// Adds what would have been right.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Adds where the trouble is.
    #[must_use]
    pub fn at(mut self, at: impl Into<String>) -> Self {
        self.at = Some(at.into());
        self
    }

    /// Adds the next step.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = &self.at {
            write!(f, "{at}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(expected) = &self.expected {
            write!(f, " (expected {expected})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Coded {}
