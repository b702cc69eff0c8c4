//! The layers that the rules are made of, from the shipped file up, and which of them each key has its value from.

use super::narrow::{self, ProjectError};
use super::{Contract, InvalidContract};
use serde::Serialize;
use vox_base::{Coded, Document, InvalidConfig, Node};

/// Who said something, from the lowest to the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerKind {
    /// The file that vox ships.
    Shipped,
    /// The user's files.
    User,
    /// The project's `Vox.toml`.
    Project,
    /// Environment variables.
    Environment,
    /// The request itself.
    Request,
}

/// The layers of the routing rules, the lowest first.
#[derive(Debug, Clone)]
pub struct Layers(Vec<(LayerKind, Document)>);

/// The layers do not make a contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayerError {
    /// The rules do not hold together.
    #[error(transparent)]
    Contract(#[from] InvalidContract),
    /// The project's layer has not the form it must have, or says what it may not.
    #[error(transparent)]
    Project(#[from] ProjectError),
}

/// A key and where its value is from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeyShown {
    /// Dotted path.
    pub key: String,
    /// What counts.
    pub value: serde_json::Value,
    /// Who said so.
    #[serde(flatten)]
    pub from: Place,
    /// What it stands before, the nearest first.
    pub shadowed: Vec<Shadowed>,
}

/// Where something is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The layer.
    pub layer: LayerKind,
    /// File and line, or the name of the variable or flag.
    pub at: String,
}

/// A value that does not count, or that a list above only edits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shadowed {
    /// The value.
    pub value: serde_json::Value,
    /// Who said so.
    #[serde(flatten)]
    pub from: Place,
}

/// Parts of the rules that are read when lists are fetched and offers made of them, not by a decision.
const NOT_CONSULTED: [&str; 4] = ["x-vox-version", "discovery", "strength_inference", "capability_inference"];

impl Layers {
    /// Returns the shipped rules alone.
    #[must_use]
    pub fn shipped() -> Self {
        Self(vec![(LayerKind::Shipped, Contract::document())])
    }

    /// Lays a document over those there are. A project's is for [`Layers::project`].
    pub fn add(&mut self, kind: LayerKind, document: Document) {
        self.0.push((kind, document));
    }

    /// Lays the `[routing]` table of a project over those there are.
    ///
    /// # Errors
    /// It says more than a project may, or names a key that does not exist.
    pub fn project(&mut self, document: Document) -> Result<(), ProjectError> {
        narrow::check(&self.merged(), &document)?;
        self.add(LayerKind::Project, document);
        Ok(())
    }

    /// Returns the rules that come out.
    ///
    /// # Errors
    /// They do not hold together; the error names file, line and key.
    pub fn contract(&self) -> Result<Contract, LayerError> {
        Contract::from_document(&self.merged()).map_err(|InvalidContract(error)| {
            let is_project = |(kind, document): &(LayerKind, Document)| *kind == LayerKind::Project && *document.root().file == *error.file;
            if self.0.iter().any(is_project) { ProjectError::Invalid(error).into() } else { InvalidContract(error).into() }
        })
    }

    /// Returns each layer and the file it is from.
    pub fn files(&self) -> impl Iterator<Item = (LayerKind, &str)> {
        self.0.iter().map(|(kind, document)| (*kind, &*document.root().file))
    }

    /// Returns every key that a decision about a task consults, with its value and where that is from.
    #[must_use]
    pub fn consulted(&self, task: &str) -> Vec<KeyShown> {
        let mut keys = Vec::new();
        self.merged().root().leaves("", &mut |key, node| {
            let part = key.split('.').next().unwrap_or_default();
            let of_other_task = part == "tasks" && key.split('.').nth(1) != Some(task);
            if !of_other_task && !NOT_CONSULTED.contains(&part) {
                keys.push(self.key(key, node));
            }
        });
        keys
    }

    fn key(&self, key: String, node: &Node) -> KeyShown {
        let mut said = self.0.iter().rev().filter_map(|(kind, document)| Some((*kind, document.at(&key)?)));
        let from = said.next().map_or_else(|| place(LayerKind::Shipped, node), |(kind, node)| place(kind, node));
        let shadowed = said.map(|(kind, node)| Shadowed { value: value(node), from: place(kind, node) }).collect();
        KeyShown { value: value(node), from, shadowed, key }
    }

    fn merged(&self) -> Document {
        let mut documents = self.0.iter().map(|(_, document)| document.clone());
        let lowest = documents.next().unwrap_or_else(Contract::document);
        documents.fold(lowest, Document::overlaid)
    }
}

fn place(layer: LayerKind, node: &Node) -> Place {
    let is_file = !matches!(layer, LayerKind::Environment | LayerKind::Request);
    Place { layer, at: if is_file { format!("{}:{}", node.file, node.line) } else { node.file.to_string() } }
}

fn value(node: &Node) -> serde_json::Value {
    node.decode().unwrap_or_default()
}

impl From<LayerError> for Coded {
    fn from(error: LayerError) -> Self {
        match error {
            LayerError::Contract(error) => error.into(),
            LayerError::Project(error) => error.into(),
        }
    }
}

impl From<InvalidConfig> for LayerError {
    fn from(error: InvalidConfig) -> Self {
        InvalidContract(error).into()
    }
}

impl LayerKind {
    /// Returns the name used in explanations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shipped => "shipped",
            Self::User => "user",
            Self::Project => "project",
            Self::Environment => "environment",
            Self::Request => "request",
        }
    }
}

#[cfg(test)]
mod tests;
