//! The rules a registry obeys beyond its form.

use super::{Contract, SecretSpec, Taxonomy};
use std::collections::HashMap;
use vox_base::{Document, InvalidConfig};

pub(super) fn check(document: &Document, contract: &Contract) -> Result<(), InvalidConfig> {
    if contract.version != 1 {
        return Err(document.fault("x-vox-version", "expected 1"));
    }
    for (name, plan) in &contract.rotation_plans {
        if plan.max_age_days == 0 || plan.warn_days >= plan.max_age_days {
            return Err(document.fault(&format!("rotation_plans.{name}"), "expected 0 ≤ warn_days < max_age_days"));
        }
    }
    let mut owners: HashMap<String, &str> = HashMap::new();
    let mut ids: HashMap<&str, usize> = HashMap::new();
    for (at, spec) in contract.secrets.iter().enumerate() {
        let fault = |key: &str, message: String| Err(document.fault(&format!("secrets[{at}].{key}"), message));
        if let Some(first) = ids.insert(&spec.id, at) {
            return fault("id", format!("`{}` is also secrets[{first}]", spec.id));
        }
        if let Err((key, message)) = check_secret(spec, contract) {
            return fault(key, message);
        }
        for (key, name) in named(spec) {
            if let Some(owner) = owners.insert(name.clone(), &spec.id) {
                return fault(&key, format!("`{name}` already belongs to `{owner}`"));
            }
        }
    }
    Ok(())
}

fn check_secret(spec: &SecretSpec, contract: &Contract) -> Result<(), (&'static str, String)> {
    if !is_id(&spec.id) {
        return Err(("id", format!("`{}` is not `<owner>.<kind>` of at most 64 of a-z, 0-9, `.`, `_`, `-`", spec.id)));
    }
    if let Some(plan) = spec.rotation.as_ref().filter(|plan| !contract.rotation_plans.contains_key(*plan)) {
        return Err(("rotation", format!("`{plan}` is not under `rotation_plans`")));
    }
    if spec.taxonomy == Taxonomy::Identity && !spec.device_local {
        return Err(("device_local", format!("`{}` says who this device is, so it is device_local", spec.id)));
    }
    if spec.device_local && spec.shareable {
        return Err(("shareable", format!("`{}` is device_local, so it is not shareable", spec.id)));
    }
    if spec.device_local && !(spec.env.is_none() && spec.aliases.is_empty() && spec.deprecated.is_empty()) {
        return Err(("env", format!("`{}` is device_local, so it has no environment name", spec.id)));
    }
    Ok(())
}

/// Returns every environment name with the key it comes from.
fn named(spec: &SecretSpec) -> Vec<(String, String)> {
    let canonical = spec.env_name().into_iter().map(|name| (if spec.env.is_some() { "env" } else { "id" }.to_owned(), name));
    let list = |key: &'static str, names: &[String]| -> Vec<_> {
        names.iter().enumerate().map(|(at, name)| (format!("{key}[{at}]"), name.clone())).collect()
    };
    canonical.chain(list("aliases", &spec.aliases)).chain(list("deprecated", &spec.deprecated)).collect()
}

fn is_id(text: &str) -> bool {
    let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    text.len() <= 64 && text.bytes().all(allowed) && text.split_once('.').is_some_and(|(owner, kind)| !owner.is_empty() && !kind.is_empty())
}
