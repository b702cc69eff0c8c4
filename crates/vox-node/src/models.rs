//! The model list a key gets to see: names that route, aliases, and every offer the key may use.

use crate::Node;
use crate::keys::Caller;
use vox_base::Timestamp;
use vox_route::Credential;

/// One entry of the model list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The name to send.
    pub id: String,
    /// Who serves it.
    pub owner: String,
    /// When this node began to list it.
    pub since: Timestamp,
}

impl Node {
    /// Returns what a key may use: only offers whose provider can be called.
    #[must_use]
    pub fn models_for(&self, caller: &Caller) -> Vec<Listed> {
        let snapshot = self.snapshot();
        let since = self.started_at();
        let allowed =
            |id: &str| caller.models.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| vox_route::name::fits(pattern, id)));
        let callable = |provider: &str| {
            snapshot.board.provider(provider).is_some_and(|state| matches!(state.credential, Credential::Present | Credential::NotNeeded))
        };
        let offers: Vec<_> = snapshot.catalog.offers().iter().filter(|offer| callable(&offer.provider) && allowed(&offer.id)).collect();
        let mut list = Vec::new();
        let rules = snapshot.contract.rules();
        if !offers.is_empty() {
            let tasks = rules.task_categories.iter().map(|task| format!("vox/auto:{task}"));
            list.extend(std::iter::once("vox/auto".to_owned()).chain(tasks).map(|id| Listed { id, owner: "vox".into(), since }));
        }
        let matching = |target: &str| {
            offers.iter().any(|offer| *offer.model_id == *target || target.starts_with("family:") || target.starts_with("task:"))
        };
        list.extend(rules.aliases.iter().filter(|(_, target)| matching(target)).map(|(name, _)| Listed {
            id: format!("vox/{name}"),
            owner: "vox".into(),
            since,
        }));
        list.extend(offers.iter().map(|offer| Listed { id: offer.id.to_string(), owner: offer.provider.to_string(), since }));
        list
    }
}
