//! Is the vault sound, does something open it, and is any secret in the way of another?

use super::{Finding, Level, Patient};
use vox_base::Kind;
use vox_vault::{Filter, verify_audit};

pub(super) async fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let mut findings = vec![keyring(patient)];
    if let Err(error) = patient.secrets.refresh().await {
        findings.push(Finding::from_error("vault-open", "vault.db", &error));
    }
    if let Err(error) = crate::secrets::check_modes(&patient.dirs.data.path, &patient.dirs.config.path) {
        findings.push(Finding::from_error("vault-mode", error.at.clone().unwrap_or_default(), &error));
    }
    if let Some(why) = patient.secrets.locked() {
        findings.push(Finding::from_error("vault-locked", "vault.db", &why));
    }
    for (secret_id, row, reason) in patient.secrets.damage() {
        let subject = secret_id.clone().unwrap_or(row.clone());
        let next = secret_id.map_or_else(|| "put back a copy of vault.db".to_owned(), |id| format!("vox secrets set {id}"));
        findings.push(Finding::new(Level::Error, "vault-damage", subject, format!("{row}: {reason}")).of_kind(Kind::Integrity).next(next));
    }
    findings.extend(audit(patient).await);
    findings.extend(secrets(patient));
    findings
}

/// Says which unlock store is active: a keyring that does not answer must not pass in silence.
fn keyring(patient: &Patient<'_>) -> Finding {
    match patient.secrets.keychain().probe() {
        Ok(()) => Finding::new(Level::Info, "vault-keyring", "keyring", "active: it stored, returned and deleted a probe"),
        Err(inactive) => Finding::new(Level::Info, "vault-keyring", "keyring", inactive.to_string())
            .next("nothing, while a key file or a passphrase opens the vault; else start the desktop's keyring"),
    }
}

async fn audit(patient: &Patient<'_>) -> Vec<Finding> {
    let Ok(Some(store)) = &patient.store else { return Vec::new() };
    match crate::secrets::audit(store).await {
        Err(error) => vec![Finding::new(Level::Unknown, "vault-audit", "vault.db", error.to_string())],
        Ok(rows) => match verify_audit(&rows) {
            Ok(()) => Vec::new(),
            Err(broken) => vec![Finding::from_error("vault-audit", "vault.db", &broken.into())],
        },
    }
}

/// Secrets that resolve in a way that somebody should look at.
fn secrets(patient: &Patient<'_>) -> Vec<Finding> {
    let standings = patient.secrets.status(Filter::default());
    let n_present = standings.iter().filter(|standing| standing.source.is_some()).count();
    let mut findings = vec![Finding::new(Level::Info, "vault-secrets", "secrets", format!("{n_present} have a value"))];
    for standing in &standings {
        for warning in &standing.warnings {
            let (evidence, next) = warning.split_once(". Next: ").unwrap_or((warning, ""));
            findings.push(Finding::new(Level::Warn, "vault-secret", &standing.id, evidence).next(next));
        }
        if matches!(standing.status, "empty" | "source_refused" | "corrupt") {
            let evidence = format!("has no value that may be used: {}", standing.status);
            findings.push(
                Finding::new(Level::Warn, "vault-secret", &standing.id, evidence).next(format!("vox secrets explain {}", standing.id)),
            );
        }
    }
    if patient.in_ci && patient.secrets.profile() == vox_vault::Profile::Dev {
        let evidence = "`CI` is set, and the profile is `dev`: the vault goes before the environment";
        findings.push(Finding::new(Level::Info, "vault-profile", "profile", evidence).next("set VOX_SECRETS_PROFILE=ci"));
    }
    findings
}
