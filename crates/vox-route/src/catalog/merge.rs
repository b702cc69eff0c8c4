//! Merges what several sources say about the same (provider, native id), field by field, by trust.

use super::infer;
use super::{Entry, Lifecycle, Locality, Offer, PriceOverlay, PriceState, Prices, Tier};
use crate::Contract;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

const MAX_ENTRIES: usize = 5000;
const MAX_ID_BYTES: usize = 200;
const MAX_PRICE_MICROS: i64 = 1_000_000_000;
const MAX_CONTEXT_TOKENS: u64 = 100_000_000;

/// How much a source is believed; later ones win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// Shipped with vox.
    Bootstrap,
    /// The price overlay, shipped or the user's.
    PriceOverlay,
    /// The provider's own list.
    ProviderList,
    /// The list of an engine of the user's own.
    OwnEngine,
    /// The user's own word.
    Override,
}

/// The entries of one source.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Its name, as provenance shows it.
    pub source: Arc<str>,
    /// How much it is believed.
    pub trust: Trust,
    /// What it says.
    pub entries: Vec<Entry>,
}

/// Something in a source that was left out or changed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Warning {
    /// Which source.
    pub source: Arc<str>,
    /// Which entry, as far as it has a name.
    pub entry: String,
    /// What was wrong with it.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.source, self.entry, self.message)
    }
}

/// An entry under construction and where its fields came from.
type Draft = (Entry, BTreeMap<Arc<str>, Arc<str>>);

pub(super) fn merge(contract: &Contract, mut layers: Vec<Layer>, overlay: &PriceOverlay) -> (Vec<Offer>, Vec<Warning>) {
    let mut warnings = Vec::new();
    for layer in &mut layers {
        let source = layer.source.clone();
        layer.entries.retain_mut(|entry| {
            let mut warn = |message| warnings.push(Warning { source: source.clone(), entry: name(entry), message });
            if !valid_id(&entry.provider) || !valid_id(&entry.native_id) {
                warn(format!("left out: expected an id of at most {MAX_ID_BYTES} bytes of A-Z a-z 0-9 . _ : / @ + -"));
                return false;
            }
            for message in plausible(entry).into_iter().chain(known_strengths(entry, contract)) {
                warnings.push(Warning { source: source.clone(), entry: name(entry), message });
            }
            true
        });
        confirm_local(layer);
    }
    layers.extend(overlay.layers(&layers));
    layers.sort_by(|a, b| (a.trust, &a.source).cmp(&(b.trust, &b.source)));
    let mut offers: Vec<Offer> = drafts(layers).into_values().map(|(entry, provenance)| offer(contract, &entry, provenance)).collect();
    confirm_named(contract, &mut offers);
    if offers.len() > MAX_ENTRIES {
        let dropped = offers.len() - MAX_ENTRIES;
        warnings.push(Warning {
            source: "catalog".into(),
            entry: "-".into(),
            message: format!("{dropped} offers left out: at most {MAX_ENTRIES} are kept"),
        });
        // Confirmed offers stay; among equals the order of ids decides.
        offers.sort_by_key(|offer| offer.lifecycle != Lifecycle::Confirmed);
        offers.truncate(MAX_ENTRIES);
    }
    (offers, warnings)
}

fn name(entry: &Entry) -> String {
    let full = format!("{}/{}", entry.provider, entry.native_id);
    full.chars().take(MAX_ID_BYTES).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}

pub(crate) fn valid_id(id: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'/' | b'@' | b'+' | b'-'))
}

/// Forgets numbers that can only be unit mistakes, and says which.
pub(crate) fn plausible(entry: &mut Entry) -> Vec<String> {
    let mut faults = Vec::new();
    for (class, price) in entry.prices.classes_mut() {
        if let Some(micros) = price.filter(|micros| !(0..=MAX_PRICE_MICROS).contains(&micros.get())) {
            faults.push(format!("{class} price {} is not plausible and counts as unknown", micros.get()));
            *price = None;
        }
    }
    for (field, tokens) in [
        ("context_tokens", &mut entry.context_tokens),
        ("context_effective_tokens", &mut entry.context_effective_tokens),
        ("max_output_tokens", &mut entry.max_output_tokens),
    ] {
        if let Some(n_tokens) = tokens.filter(|n_tokens| !(1..=MAX_CONTEXT_TOKENS).contains(n_tokens)) {
            faults.push(format!("{field} {n_tokens} is not plausible and counts as unknown"));
            *tokens = None;
        }
    }
    faults
}

fn known_strengths(entry: &mut Entry, contract: &Contract) -> Vec<String> {
    let known = &contract.rules().strengths;
    let mut faults = Vec::new();
    if let Some(strengths) = &mut entry.strengths {
        strengths.retain(|strength| {
            let keep = known.contains(strength);
            if !keep {
                faults.push(format!("unknown strength `{strength}`: expected one of {}", known.join(", ")));
            }
            keep
        });
    }
    faults
}

/// What the user's own engines list, and what the user wrote down, needs no further proof.
fn confirm_local(layer: &mut Layer) {
    for entry in &mut layer.entries {
        if matches!(layer.trust, Trust::Override | Trust::OwnEngine) {
            entry.lifecycle.get_or_insert(Lifecycle::Confirmed);
        }
    }
}

/// A model that is confirmed somewhere, or that a rule names, is confirmed at every provider on the network: what is
/// curated is the model. A local engine must list it first, because only then is it really there.
fn confirm_named(contract: &Contract, offers: &mut [Offer]) {
    let rules = contract.rules();
    let mut confirmed: BTreeSet<Arc<str>> =
        offers.iter().filter(|offer| offer.lifecycle == Lifecycle::Confirmed).map(|offer| offer.model_id.clone()).collect();
    confirmed.extend(rules.premium_alias.values().chain(rules.aliases.values()).map(|id| Arc::from(id.as_str())));
    for offer in offers.iter_mut() {
        let promoted =
            offer.lifecycle == Lifecycle::Provisional && offer.locality == Locality::Remote && confirmed.contains(&offer.model_id);
        if promoted {
            offer.lifecycle = Lifecycle::Confirmed;
            offer.provenance.insert("lifecycle".into(), "model".into());
        }
    }
}

fn drafts(layers: Vec<Layer>) -> BTreeMap<(String, String), Draft> {
    let mut drafts: BTreeMap<(String, String), Draft> = BTreeMap::new();
    for layer in layers {
        for entry in layer.entries {
            let key = (entry.provider.clone(), entry.native_id.clone());
            let (draft, provenance) = drafts.entry(key).or_insert_with(|| (Entry::new(&entry.provider, &entry.native_id), BTreeMap::new()));
            lay_over(draft, provenance, entry, &layer.source);
        }
    }
    drafts
}

fn lay_over(draft: &mut Entry, provenance: &mut BTreeMap<Arc<str>, Arc<str>>, mut entry: Entry, source: &Arc<str>) {
    let mut took = |field: &str| {
        provenance.insert(field.into(), source.clone());
    };
    macro_rules! take {
        ($($field:ident)*) => {$(
            if let Some(value) = entry.$field.take() {
                draft.$field = Some(value);
                took(stringify!($field));
            }
        )*};
    }
    // A new statement about what the prices are makes older prices of another kind void.
    if matches!(entry.price_state, Some(PriceState::Free | PriceState::Dynamic | PriceState::Unknown)) {
        draft.prices = Prices::default();
    } else if !entry.prices.is_empty() {
        entry.price_state = Some(PriceState::Known);
    }
    for ((class, new), (_, old)) in entry.prices.classes().into_iter().zip(draft.prices.classes_mut()) {
        if new.is_some() {
            *old = new;
            took(&format!("prices.{class}"));
        }
    }
    take!(supported_parameters input_modalities output_modalities);
    take!(model_id family tier strengths capabilities context_tokens context_effective_tokens max_output_tokens price_state as_of);
    take!(locality lifecycle);
    if entry.availability.uptime_ppm.is_some() {
        draft.availability.uptime_ppm = entry.availability.uptime_ppm;
        took("availability.uptime_ppm");
    }
    if entry.availability.p50_ms.is_some() {
        draft.availability.p50_ms = entry.availability.p50_ms;
        took("availability.p50_ms");
    }
}

/// Makes an offer of a merged entry, filling in what follows from the rest.
pub(super) fn offer(contract: &Contract, entry: &Entry, mut provenance: BTreeMap<Arc<str>, Arc<str>>) -> Offer {
    let model_id = entry.model_id.clone().unwrap_or_else(|| default_model_id(entry));
    let locality = entry.locality.unwrap_or_default();
    let (prices, price_state) = price(entry, locality);
    let mut inferred = |field: &str| drop(provenance.insert(field.into(), INFERRED.into()));
    let capabilities = entry.capabilities.or_else(|| {
        let capabilities = infer::capabilities(contract, entry)?;
        inferred("capabilities");
        Some(capabilities)
    });
    let mut offer = Offer {
        id: format!("{}/{}", entry.provider, entry.native_id).into(),
        family: entry.family.clone().unwrap_or_else(|| model_id.split('/').next().unwrap_or_default().to_owned()).into(),
        model_id: model_id.into(),
        provider: entry.provider.as_str().into(),
        native_id: entry.native_id.as_str().into(),
        tier: entry.tier.unwrap_or(if locality == Locality::Local { Tier::Local } else { Tier::Unknown }),
        strengths: entry.strengths.iter().flatten().map(|name| name.as_str().into()).collect(),
        capabilities,
        context_tokens: entry.context_effective_tokens.or(entry.context_tokens),
        max_output_tokens: entry.max_output_tokens,
        prices,
        price_state,
        price_as_of: entry.as_of.as_deref().map(Into::into),
        locality,
        lifecycle: entry.lifecycle.unwrap_or_default(),
        availability: entry.availability,
        observed: None,
        provenance: BTreeMap::new(),
    };
    if offer.strengths.is_empty() {
        let strengths = infer::strengths(&infer::reasons(contract, &infer::traits(&offer)));
        offer.strengths = strengths.iter().map(|name| name.as_str().into()).collect();
        inferred("strengths");
    }
    // A context that a server really loads counts before the one a model was made for, and so does its source.
    if let Some(source) = provenance.remove("context_effective_tokens") {
        provenance.insert("context_tokens".into(), source);
    }
    Offer { provenance, ..offer }
}

/// Names the contract's rules as the source of a field.
const INFERRED: &str = "inferred";

pub(super) fn default_model_id(entry: &Entry) -> String {
    if entry.native_id.contains('/') { entry.native_id.clone() } else { format!("{}/{}", entry.provider, entry.native_id) }
}

/// Free needs somebody to have said so, or an engine of the user's own that nobody priced.
fn price(entry: &Entry, locality: Locality) -> (Prices, PriceState) {
    let complete = entry.prices.input.is_some() && entry.prices.output.is_some();
    match entry.price_state {
        Some(PriceState::Free) => (Prices::FREE, PriceState::Free),
        Some(PriceState::Dynamic) => (Prices::default(), PriceState::Dynamic),
        _ if complete => (entry.prices, PriceState::Known),
        _ if locality == Locality::Local => (Prices::FREE, PriceState::Free),
        _ => (entry.prices, PriceState::Unknown),
    }
}
