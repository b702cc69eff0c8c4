//! Which providers can be called, and what the others lack.

use super::{Finding, Level};
use crate::snapshot::Snapshot;
use vox_route::Credential;

pub(super) fn examine(snapshot: &Snapshot) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut with_key, mut local) = (0, 0);
    for provider in snapshot.providers.iter() {
        match snapshot.board.provider(&provider.id).map(|state| state.credential) {
            Some(Credential::Present) => {
                with_key += 1;
                let key = snapshot.route(&provider.id, provider.dialect).and_then(|route| route.credential.as_ref());
                let evidence = format!("has its key ({})", key.map_or("", |key| key.secret_id.as_str()));
                findings.push(
                    Finding::new(Level::Info, "providers-ready", &*provider.id, evidence)
                        .next(format!("vox providers test {}", provider.id)),
                );
            }
            Some(Credential::NotNeeded) => local += 1,
            Some(Credential::Missing | Credential::Rejected) => {
                let secret = provider.secret_ids.first().map_or("ID", String::as_str);
                findings.push(
                    Finding::new(Level::Info, "providers-key", &*provider.id, "has no key").next(format!("vox secrets set {secret}")),
                );
            }
            None => findings.push(Finding::new(Level::Unknown, "providers-state", &*provider.id, "nothing is known about it")),
        }
    }
    if with_key == 0 {
        let evidence = format!("no provider on the network has a key; {local} entries need none");
        findings.push(Finding::new(Level::Warn, "providers-none", "providers", evidence).next("vox secrets set openrouter.api_key"));
    }
    findings
}
