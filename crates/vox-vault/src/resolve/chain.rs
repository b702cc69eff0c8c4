//! The sources of one secret in the order of its profile.

use super::{Source, Sources, VaultAnswer};
use crate::registry::{NameKind, Profile, SecretSpec};
use crate::vault::Current;
use vox_base::Secret;

/// What a source holds, before anything is decided.
pub(super) struct Held {
    pub(super) source: Source,
    pub(super) content: Content,
    /// Why this profile does not accept the source.
    pub(super) refused: Option<Refused>,
    /// The source is an environment name that should not be used any more.
    pub(super) is_deprecated: bool,
}

pub(super) enum Content {
    Absent,
    Empty,
    Value(Secret<String>),
    Stored(Current),
    Locked,
    Corrupt,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The environment is not accepted.
    Env,
    /// A deprecated name is not accepted.
    Deprecated,
}

pub(super) fn in_order(spec: &SecretSpec, profile: Profile, sources: Sources<'_>) -> Vec<Held> {
    let Sources { flag, file, env, vault, .. } = sources;
    let flag = flag.map(|value| held(Source::Flag, text(Some(value))));
    let file = file.map(|(path, value)| held(Source::File(path), text(Some(value))));
    let vault = held(Source::Vault, stored(vault));
    let env = from_env(spec, profile, env);
    let mut order: Vec<Held> = flag.into_iter().collect();
    match profile {
        Profile::Dev => {
            order.push(vault);
            order.extend(file);
            order.extend(env);
        }
        Profile::Ci => {
            order.extend(env);
            order.extend(file);
            order.push(vault);
        }
        Profile::Prod => {
            order.extend(file);
            order.push(vault);
            order.extend(env);
        }
    }
    order
}

fn from_env(spec: &SecretSpec, profile: Profile, env: &dyn Fn(&str) -> Option<Secret<String>>) -> Vec<Held> {
    let allowed = spec.allow_env.contains(&profile);
    let names = spec.env_names().into_iter();
    names
        .map(|(name, kind)| {
            let is_deprecated = kind == NameKind::Deprecated;
            let refused = match (allowed, is_deprecated, profile) {
                (false, ..) => Some(Refused::Env),
                (true, true, Profile::Ci | Profile::Prod) => Some(Refused::Deprecated),
                _ => None,
            };
            Held { content: text(env(&name)), source: Source::Env(name), refused, is_deprecated }
        })
        .collect()
}

const fn held(source: Source, content: Content) -> Held {
    Held { source, content, refused: None, is_deprecated: false }
}

fn text(value: Option<Secret<String>>) -> Content {
    match value {
        None => Content::Absent,
        Some(value) if value.expose().is_empty() => Content::Empty,
        Some(value) => Content::Value(value),
    }
}

fn stored(answer: VaultAnswer) -> Content {
    match answer {
        VaultAnswer::Absent => Content::Absent,
        VaultAnswer::Holds(current) => Content::Stored(current),
        VaultAnswer::Locked => Content::Locked,
        VaultAnswer::Corrupt => Content::Corrupt,
    }
}

impl Content {
    /// Returns the value in it.
    pub(super) fn value(&self) -> Option<&str> {
        match self {
            Self::Value(value) => Some(value.expose()),
            Self::Stored(current) => Some(current.value.expose()),
            Self::Absent | Self::Empty | Self::Locked | Self::Corrupt => None,
        }
    }
}
