//! What a project may say of routing. Whoever clones a repository has not read its `Vox.toml`, so that it may only take
//! away: leave out providers and models, lower limits, prefer a family, choose a stricter profile.

use crate::name::nearest;
use vox_base::{Coded, Document, InvalidConfig, Kind, Node, Value};

/// The project's layer does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProjectError {
    /// It has not the form it must have.
    #[error("{0}")]
    Invalid(InvalidConfig),
    /// It says more than a project may.
    #[error("{0}")]
    Widens(InvalidConfig),
}

/// In which direction a key may be changed.
#[derive(Debug, Clone, Copy)]
enum Narrower {
    /// A number: down.
    Lower,
    /// A switch: off.
    Off,
    /// A list of what is left out: longer.
    Longer,
    /// One of these names: to one further to the front.
    Towards(&'static [&'static str]),
    /// A preference that does not spend more.
    Preference,
    /// The name of a profile that allows no more.
    Profile,
}

/// All that a project may say; `*` stands for one name.
const MAY: [(&str, Narrower); 11] = [
    ("retired_ids", Narrower::Longer),
    ("prefer", Narrower::Preference),
    ("safety.max_cost_micros_per_request", Narrower::Lower),
    ("economy_ceiling_micros_per_mtok", Narrower::Lower),
    ("exploration.enabled", Narrower::Off),
    ("exploration.max_concurrent", Narrower::Lower),
    ("exploration.budget_micros_per_day", Narrower::Lower),
    ("exploration.loss_allowance_ppm", Narrower::Lower),
    ("policy.default_profile", Narrower::Profile),
    ("policy.profiles.*.*", Narrower::Off),
    ("admission.mode", Narrower::Towards(&["explicit_only", "curated", "all"])),
];

/// Names under which somebody might try to send calls, or keys, elsewhere.
const FOREIGN: [&str; 9] = ["providers", "provider", "base_url", "url", "headers", "auth", "secret", "secrets", "secret_ids"];

/// Checks that a project's layer only narrows what is below it.
pub(super) fn check(below: &Document, project: &Document) -> Result<(), ProjectError> {
    Check { below, project }.walk("", project.root())
}

struct Check<'a> {
    below: &'a Document,
    project: &'a Document,
}

impl Check<'_> {
    fn walk(&self, path: &str, node: &Node) -> Result<(), ProjectError> {
        let Value::Map(entries) = &node.value else {
            return if path.is_empty() { Err(self.invalid(path, "expected a table")) } else { self.leaf(path, node) };
        };
        for (key, child) in entries {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            if FOREIGN.contains(&key.as_str()) {
                return Err(self.widens(&path, "a project adds no provider and no address, and names no secret"));
            }
            match rule(&path) {
                Some(rule) => self.rule(rule, &path, child)?,
                None if self.below.at(&path).is_some() => self.walk(&path, child)?,
                None if is_beside_rules(&path) => return Err(self.unknown(&path)),
                None => return Err(self.widens(&path, "a project adds nothing here")),
            }
        }
        Ok(())
    }

    /// A key of the rules that is none of a project's.
    fn leaf(&self, path: &str, node: &Node) -> Result<(), ProjectError> {
        let is_address = matches!(&node.value, Value::Text(text) if text.contains("://"));
        let message = if is_address { "a project adds no address" } else { "a project leaves this as it is" };
        Err(self.widens(path, message))
    }

    fn rule(&self, rule: Narrower, path: &str, node: &Node) -> Result<(), ProjectError> {
        let below = self.below.at(path).map(|node| &node.value);
        match rule {
            Narrower::Lower => match (&node.value, below) {
                (Value::Int(new), Some(Value::Int(old))) if new <= old => Ok(()),
                (Value::Int(new), Some(Value::Int(old))) => {
                    Err(self.widens(path, &format!("a project only lowers it: {new} is above {old}")))
                }
                _ => Err(self.invalid(path, "expected a whole number")),
            },
            Narrower::Off => match (&node.value, below) {
                (_, None) => Err(self.unknown(path)),
                (Value::Bool(new), Some(old)) if *new && *old == Value::Bool(false) => {
                    Err(self.widens(path, "a project does not switch it on"))
                }
                (Value::Bool(_), _) => Ok(()),
                _ => Err(self.invalid(path, "expected `true` or `false`")),
            },
            Narrower::Longer => self.longer(path, node, below),
            Narrower::Towards(names) => {
                let place = |value: Option<&Value>| names.iter().position(|name| matches!(value, Some(Value::Text(text)) if text == name));
                match (place(Some(&node.value)), place(below)) {
                    (Some(new), Some(old)) if new > old => {
                        Err(self.widens(path, &format!("a project does not open `{}` further", names[old])))
                    }
                    (Some(_), _) => Ok(()),
                    (None, _) => Err(self.invalid(path, &format!("expected one of {}", names.join(", ")))),
                }
            }
            Narrower::Preference => self.preference(path, node, below),
            Narrower::Profile => self.profile(path, node, below),
        }
    }

    fn longer(&self, path: &str, node: &Node, below: Option<&Value>) -> Result<(), ProjectError> {
        match &node.value {
            Value::Map(edits) if edits.iter().all(|(edit, _)| edit == "add") => Ok(()),
            Value::List(new) => {
                let old = if let Some(Value::List(old)) = below { old.as_slice() } else { &[] };
                match old.iter().find(|old| !new.iter().any(|new| new.value == old.value)) {
                    Some(_) => Err(self.widens(path, "a project does not let in what is left out; write `{ add = [...] }`")),
                    None => Ok(()),
                }
            }
            Value::Map(_) => Err(self.widens(path, "a project only adds to this list: `{ add = [...] }`")),
            _ => Err(self.invalid(path, "expected a list")),
        }
    }

    /// A family decides between near equals, and `cost` and `local` shut out more than they let in. Weighing the charge
    /// less is the user's own choice, and so is giving up what the user prefers for thrift.
    fn preference(&self, path: &str, node: &Node, below: Option<&Value>) -> Result<(), ProjectError> {
        let Value::Text(new) = &node.value else { return Err(self.invalid(path, "expected a family of models, `cost` or `local`")) };
        let old = if let Some(Value::Text(old)) = below { old.as_str() } else { "" };
        if matches!(new.as_str(), "quality" | "speed") && new != old {
            return Err(self.widens(path, "a project may prefer a family of models, `cost` or `local`"));
        }
        if matches!(old, "cost" | "local") && new != old {
            return Err(self.widens(path, &format!("a project does not give up `{old}`")));
        }
        Ok(())
    }

    fn profile(&self, path: &str, node: &Node, below: Option<&Value>) -> Result<(), ProjectError> {
        let allows = |value: Option<&Value>| {
            let Some(Value::Text(name)) = value else { return None };
            let Value::Map(switches) = &self.below.at(&format!("policy.profiles.{name}"))?.value else { return None };
            Some(switches.iter().filter(|(_, node)| node.value == Value::Bool(true)).map(|(switch, _)| switch).collect::<Vec<_>>())
        };
        // A name that no profile has is found where all names are.
        let (Some(new), Some(old)) = (allows(Some(&node.value)), allows(below)) else { return Ok(()) };
        match new.iter().find(|switch| !old.contains(switch)) {
            Some(switch) => Err(self.widens(path, &format!("a project does not loosen the profile: it would allow `{switch}`"))),
            None => Ok(()),
        }
    }

    fn unknown(&self, path: &str) -> ProjectError {
        let mut known: Vec<String> = Vec::new();
        // A table on the way to a key may be the misspelt one.
        let mut add = |key: &str| known.extend(key.match_indices('.').map(|(end, _)| key[..end].to_owned()).chain([key.to_owned()]));
        self.below.root().leaves("", &mut |key, _| rule(&key).into_iter().for_each(|_| add(&key)));
        let near = nearest(path, known.into_iter());
        if near.is_empty() {
            return self.invalid(path, "a project has no such key");
        }
        self.invalid(path, &format!("a project has no such key: did you mean `{}`?", near.join("`, `")))
    }

    fn invalid(&self, path: &str, message: &str) -> ProjectError {
        ProjectError::Invalid(self.project.fault(path, message))
    }

    fn widens(&self, path: &str, message: &str) -> ProjectError {
        ProjectError::Widens(self.project.fault(path, message))
    }
}

fn rule(path: &str) -> Option<Narrower> {
    let fits = |pattern: &str| {
        pattern.split('.').count() == path.split('.').count()
            && pattern.split('.').zip(path.split('.')).all(|(pattern, name)| pattern == "*" || pattern == name)
    };
    MAY.iter().find(|(pattern, _)| fits(pattern)).map(|(_, rule)| *rule)
}

/// Returns whether an unknown path may be a mistake for one that a project has: it is at the top, or beside one.
fn is_beside_rules(path: &str) -> bool {
    match path.rsplit_once('.') {
        None => true,
        Some((parent, _)) => MAY.iter().any(|(rule, _)| {
            let rule: Vec<&str> = rule.split('.').collect();
            let parent: Vec<&str> = parent.split('.').collect();
            rule.len() > parent.len() && rule.iter().zip(&parent).all(|(rule, name)| *rule == "*" || rule == name)
        }),
    }
}

impl From<ProjectError> for Coded {
    fn from(error: ProjectError) -> Self {
        let (kind, code, error, next) = match error {
            ProjectError::Invalid(error) => (Kind::Usage, "route.project_invalid", error, "mend the key"),
            ProjectError::Widens(error) => {
                (Kind::Refused, "route.layer_widens", error, "take the key out, or set it in your own `routing.yaml`")
            }
        };
        let key = if error.key.is_empty() { "routing".to_owned() } else { format!("routing.{}", error.key) };
        Self::new(kind, code, error.message).at(format!("{}:{}: {key}", error.file, error.line)).next(next)
    }
}
