//! The user's configuration laid over the shipped one: settings, providers, routing rules, what the user knows of models and
//! of prices, what a project says of routing, and what the environment says of them.

use crate::providers::Providers;
use crate::settings::{Settings, invalid};
use std::path::{Path, PathBuf};
use vox_base::{Coded, Document, InvalidConfig, Kind, Value};
use vox_host::fs;
use vox_route::Contract;
use vox_route::catalog::{ModelsFile, OVERRIDES, PriceOverlay};
use vox_route::contract::{LayerKind, Layers};

/// The user's configuration laid over the shipped one.
pub struct Config {
    /// How the gateway behaves.
    pub settings: Settings,
    /// Where models can be called.
    pub providers: Providers,
    /// How to choose.
    pub contract: Contract,
    /// What that is made of.
    pub layers: Layers,
    /// What the user knows of models.
    pub models: ModelsFile,
    /// Prices that lists do not carry.
    pub prices: PriceOverlay,
}

/// What the environment says of the configuration, over every file.
#[derive(Debug, Clone, Default)]
pub struct Variables {
    /// Base URLs by provider id; later ones count.
    pub base_urls: Vec<(String, String)>,
    /// Numbers of `discovery`: the kind of source, the key, the value, and the variable that says it.
    pub discovery: Vec<(String, &'static str, String, String)>,
}

/// Name of a project's file.
pub const PROJECT: &str = "Vox.toml";
/// The table of it that is about routing; all others belong to others.
const ROUTING: &str = "routing";
/// Name of the user's file of prices.
const PRICES: &str = "price-overlay.yaml";
const MAX_CONFIG_BYTES: usize = 4 * 1024 * 1024;

impl Config {
    /// Reads the configuration directory, and the file of the project for which is decided; a missing file is the shipped
    /// default.
    ///
    /// # Errors
    /// A file does not hold together, or the project's says more than it may; the error names file, line and key.
    pub fn read(config_dir: &Path, project: Option<&Path>, variables: &Variables, registry: &vox_vault::Registry) -> Result<Self, Coded> {
        let settings = Settings::overlaid(document(&config_dir.join("gateway.yaml"))?).map_err(refused)?;
        let mut overlays = Vec::new();
        for file in provider_files(config_dir) {
            overlays.extend(document(&file)?);
        }
        overlays.extend(variables.base_urls.iter().map(|(id, url)| crate::providers::base_url_overlay(id, url)));
        let providers = Providers::load(overlays, registry).map_err(refused)?;
        let own_models = document(&config_dir.join(OVERRIDES))?;
        let models = models(own_models.clone()).map_err(refused)?;
        let mut layers = Layers::shipped();
        // The user's file of models is the same layer as `routing.yaml`.
        let own_rules = document(&config_dir.join("routing.yaml"))?.into_iter();
        for rules in own_rules.chain(own_models.map(|file| file.only(&["premium_alias"]))) {
            layers.add(LayerKind::User, rules);
        }
        if let Some(rules) = project.map(project_rules).transpose()?.flatten() {
            layers.project(rules)?;
        }
        for rules in variables.rules() {
            layers.add(LayerKind::Environment, rules);
        }
        let contract = layers.contract()?;
        Ok(Self { settings, providers, contract, layers, models, prices: prices(config_dir)? })
    }

    /// Returns every file that [`Config::read`] reads, there or not.
    #[must_use]
    pub fn files(config_dir: &Path, project: Option<&Path>) -> Vec<PathBuf> {
        let named = ["gateway.yaml", "routing.yaml", OVERRIDES, PRICES].map(|name| config_dir.join(name));
        named.into_iter().chain(provider_files(config_dir)).chain(project.map(Path::to_owned)).collect()
    }
}

impl Variables {
    /// Returns the rules that variables set, each as a document of its own so that an error names the variable.
    fn rules(&self) -> impl Iterator<Item = Document> {
        self.discovery.iter().filter_map(|(source, key, value, variable)| {
            let value = value.parse::<u32>().map_or_else(|_| serde_json::Value::from(value.as_str()), serde_json::Value::from);
            let source = serde_json::Value::from(source.as_str());
            Document::parse(variable, &format!("discovery:\n  {source}:\n    {key}: {value}\n")).ok()
        })
    }
}

fn refused(error: InvalidConfig) -> Coded {
    invalid(&error)
}

fn models(own: Option<Document>) -> Result<ModelsFile, InvalidConfig> {
    let shipped = Document::parse("models.v1.yaml", ModelsFile::YAML)?;
    ModelsFile::from_document(&own.into_iter().fold(shipped, Document::overlaid))
}

fn prices(config_dir: &Path) -> Result<PriceOverlay, Coded> {
    let shipped = PriceOverlay::builtin();
    match document(&config_dir.join(PRICES))? {
        Some(own) => Ok(PriceOverlay::from_document(&own).map_err(refused)?.over(shipped, PRICES)),
        None => Ok(shipped),
    }
}

fn provider_files(config_dir: &Path) -> Vec<PathBuf> {
    fs::with_extension(&config_dir.join("providers.d"), "yaml")
}

/// Returns what a project's file says of routing; nothing if it does not.
fn project_rules(path: &Path) -> Result<Option<Document>, Coded> {
    let invalid = |error: InvalidConfig| {
        let key = if error.key.is_empty() { String::new() } else { format!(": {}", error.key) };
        Coded::new(Kind::Usage, "route.project_invalid", error.message)
            .at(format!("{}:{}{key}", error.file, error.line))
            .next("mend the file")
    };
    let Some(text) = fs::read_text(path, MAX_CONFIG_BYTES)? else { return Ok(None) };
    let document = Document::parse_toml(&path.display().to_string(), &text).map_err(invalid)?;
    // Other tables are not vox's to judge yet, but one that is this one misspelt would silently restrict nothing.
    if let Value::Map(tables) = &document.root().value
        && let Some((table, _)) = tables.iter().find(|(table, _)| table != ROUTING && vox_route::name::is_near(table, ROUTING))
    {
        return Err(invalid(document.fault(table, format!("no table is called so: did you mean `{ROUTING}`?"))));
    }
    Ok(document.part(ROUTING))
}

fn document(path: &Path) -> Result<Option<Document>, Coded> {
    let Some(text) = fs::read_text(path, MAX_CONFIG_BYTES)? else { return Ok(None) };
    Document::parse(&path.display().to_string(), &text).map(Some).map_err(refused)
}
