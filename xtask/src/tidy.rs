//! What must hold in every file and no compiler checks: the floors, where SQL, URL paths and environment variables may
//! stand, what cores may not reach for, how files open, error codes and the number of packages.

use crate::files;
use std::collections::BTreeSet;
use std::path::Path;

/// The floors of the house: a crate may depend only on crates of lower floors.
const FLOORS: [(&str, u8); 14] = [
    ("vox-base", 0),
    ("vox-wire", 1),
    ("vox-route", 1),
    ("vox-vault", 1),
    ("vox-contract", 1),
    ("vox-store", 2),
    ("vox-host", 2),
    ("vox-telemetry", 2),
    ("vox-api", 2),
    ("vox-node", 3),
    ("vox-gateway", 4),
    ("vox", 5),
    ("vox-testkit", 9),
    ("xtask", 9),
];

/// More packages than this in the lock file need a decision.
const MAX_PACKAGES: usize = 345;

/// Returns everything that is out of order, one line each.
pub(crate) fn findings(root: &Path) -> Vec<String> {
    let mut findings = Vec::new();
    floors(root, &mut findings);
    packages(root, &mut findings);
    let sources = files(&root.join("crates"), "rs");
    for (path, text) in &sources {
        let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
        let is_test = name.contains("/tests/") || name.ends_with("tests.rs") || name.contains("vox-testkit") || name.contains("/benches/");
        opening(&name, text, is_test, &mut findings);
        if !is_test {
            for rule in RULES {
                rule.apply(&name, text, &mut findings);
            }
        }
    }
    error_codes(root, &sources, &mut findings);
    findings
}

fn floor(name: &str) -> Option<u8> {
    FLOORS.iter().find(|(known, _)| *known == name).map(|(_, floor)| *floor)
}

fn floors(root: &Path, findings: &mut Vec<String>) {
    for (name, own) in FLOORS.iter().filter(|(name, _)| *name != "xtask") {
        let manifest = root.join("crates").join(name).join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest).unwrap_or_default();
        let dependencies = text.split("[dependencies]").nth(1).unwrap_or("").split("\n[").next().unwrap_or("");
        for line in dependencies.lines() {
            let dependency = line.split(['.', ' ', '=']).next().unwrap_or("");
            if let Some(below) = floor(dependency).filter(|below| below >= own) {
                findings.push(format!("crates/{name}/Cargo.toml: floor {own} depends on {dependency} of floor {below}"));
            }
        }
    }
}

fn packages(root: &Path, findings: &mut Vec<String>) {
    let lock = std::fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default();
    let n_packages = lock.matches("[[package]]").count();
    if n_packages > MAX_PACKAGES {
        findings.push(format!("Cargo.lock: {n_packages} packages, more than {MAX_PACKAGES}: say in docs/how-we/dependencies.md why"));
    }
}

fn opening(name: &str, text: &str, is_test: bool, findings: &mut Vec<String>) {
    if !is_test && !text.starts_with("//!") && !text.starts_with("// Generated") {
        findings.push(format!("{name}:1: the file does not open with what it is for (`//!`)"));
    }
}

/// Words that may stand only in some places.
struct Rule {
    words: &'static [&'static str],
    /// Path prefixes the rule looks at; empty means every crate.
    within: &'static [&'static str],
    /// Path prefixes where the words are at home.
    except: &'static [&'static str],
    because: &'static str,
}

const CORES: &[&str] = &["crates/vox-base/", "crates/vox-wire/", "crates/vox-route/", "crates/vox-vault/", "crates/vox-contract/"];

const RULES: &[Rule] = &[
    Rule {
        words: &["SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM", "PRAGMA "],
        within: &[],
        except: &["crates/vox-store/", "crates/vox-contract/"],
        because: "SQL lives in vox-store",
    },
    Rule {
        words: &["\"/v1/", "\"/api/", "\"/healthz", "\"/readyz", "\"/metrics"],
        within: &["crates/vox-gateway/"],
        except: &["crates/vox-gateway/src/router.rs"],
        because: "URL paths live in the router",
    },
    Rule {
        words: &["std::fs", "std::net", "std::process", "std::env", "SystemTime", "Instant::now", "tokio::", "getrandom"],
        within: CORES,
        except: &[],
        because: "a core does no IO and reads no clock, environment or randomness",
    },
    Rule { words: &["std::env::"], within: &[], except: &["crates/vox/src/config"], because: "the environment is read in vox/src/config" },
    Rule {
        words: &["println!", "eprintln!", "print!(", "eprint!("],
        within: &[],
        except: &["crates/vox/src/output.rs"],
        because: "only vox/src/output.rs prints",
    },
    Rule {
        words: &["todo!(", "unimplemented!(", "dbg!(", "TODO", "FIXME"],
        within: &[],
        except: &[],
        because: "unfinished work is not committed",
    },
];

impl Rule {
    fn apply(&self, name: &str, text: &str, findings: &mut Vec<String>) {
        let looked_at = self.within.is_empty() || self.within.iter().any(|prefix| name.starts_with(prefix));
        if !looked_at || self.except.iter().any(|prefix| name.starts_with(prefix)) {
            return;
        }
        let production = text.split("#[cfg(test)]").next().unwrap_or(text);
        for (at, line) in production.lines().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            if let Some(word) = self.words.iter().find(|word| code.contains(**word)) {
                findings.push(format!("{name}:{}: `{}`: {}", at + 1, word.trim(), self.because));
            }
        }
    }
}

/// Every stable code in the sources has its entry in `contracts/errors`, and every entry is used.
fn error_codes(root: &Path, sources: &[(std::path::PathBuf, String)], findings: &mut Vec<String>) {
    let listed: BTreeSet<String> = files(&root.join("contracts/errors"), "yaml")
        .iter()
        .flat_map(|(_, text)| text.lines().filter_map(listed_code).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let areas: BTreeSet<&str> = listed.iter().filter_map(|code| code.split('.').next()).collect();
    let mut used = BTreeSet::new();
    for (path, text) in sources {
        let production = text.split("#[cfg(test)]").next().unwrap_or(text);
        if path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        used.extend(production.split('"').skip(1).step_by(2).filter(|word| is_code(word, &areas)).map(str::to_owned));
    }
    findings.extend(used.difference(&listed).map(|code| format!("contracts/errors: `{code}` is used and not listed")));
    findings.extend(listed.difference(&used).map(|code| format!("contracts/errors: `{code}` is listed and not used")));
}

fn listed_code(line: &str) -> Option<&str> {
    let code = line.strip_prefix("  ")?.strip_suffix(':')?;
    (code.contains('.') && !code.contains(' ')).then_some(code)
}

fn is_code(word: &str, areas: &BTreeSet<&str>) -> bool {
    let Some((area, reason)) = word.split_once('.') else { return false };
    let is_file_name = ["yaml", "lock", "db", "json"].contains(&reason);
    areas.contains(area)
        && !is_file_name
        && !reason.is_empty()
        && reason.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
