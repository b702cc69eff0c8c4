//! What can answer: offers merged from every source, sorted, and indexed for the ways a request can name them.
//!
//! `entry` is the wire and file type, `merge` turns layers of entries into offers, `cache` is the file that keeps the
//! last good lists, `overlay` the prices that lists do not carry.

mod cache;
mod capability;
mod entry;
mod infer;
mod merge;
mod observed;
mod overlay;
mod overrides;
mod unlisted;

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use vox_base::Digest;

pub use cache::{CacheFile, CachedSource, CorruptCache};
pub use capability::{Capabilities, Capability};
pub use entry::{Availability, Entry, Lifecycle, Locality, PriceState, Prices, Tier};
pub use infer::{Reason, why_strengths};
pub use merge::{Layer, Trust, Warning};
pub(crate) use merge::{plausible, valid_id};
pub use observed::{Observed, PriceConfidence};
pub use overlay::{OverlayRow, PriceOverlay};
pub use overrides::{ModelsFile, OVERRIDES, Override};
use unlisted::Unlisted;

/// A (provider, model) pair able to answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// `provider/native_id`; orders offers.
    pub id: Arc<str>,
    /// The model whoever serves it, `family/name`.
    pub model_id: Arc<str>,
    /// Who serves it.
    pub provider: Arc<str>,
    /// What the provider's API calls it.
    pub native_id: Arc<str>,
    /// Who made it.
    pub family: Arc<str>,
    /// How capable it is taken to be.
    pub tier: Tier,
    /// What it is good at.
    pub strengths: Vec<Arc<str>>,
    /// What it can do; `None` if nobody said.
    pub capabilities: Option<Capabilities>,
    /// Input and output together, as really served; `None` if nobody said.
    pub context_tokens: Option<u64>,
    /// Longest answer; `None` if nobody said.
    pub max_output_tokens: Option<u64>,
    /// What it costs.
    pub prices: Prices,
    /// What is known about the prices.
    pub price_state: PriceState,
    /// Month or day the prices were looked up, where the source says.
    pub price_as_of: Option<Arc<str>>,
    /// Where it runs.
    pub locality: Locality,
    /// Whether `vox/auto` may use it.
    pub lifecycle: Lifecycle,
    /// How it has been answering, by its source.
    pub availability: Availability,
    /// What its provider was seen to charge, where that differs from its prices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observed>,
    /// Which source each field came from.
    pub provenance: BTreeMap<Arc<str>, Arc<str>>,
}

/// All offers, sorted by id.
#[derive(Debug, Clone)]
pub struct Catalog {
    offers: Vec<Arc<Offer>>,
    confirmed: Vec<u32>,
    by_model: HashMap<Arc<str>, Vec<u32>>,
    by_native: HashMap<Arc<str>, Vec<u32>>,
    unlisted: Unlisted,
    digest: Digest,
}

impl Offer {
    /// Returns an offer that no list mentions, for a model that was named explicitly: everything but its name is
    /// unknown, and its price is unknown unless it runs on the user's own machine.
    #[must_use]
    pub fn uncatalogued(contract: &crate::Contract, provider: &str, native_id: &str, local: bool) -> Self {
        let entry = Entry { locality: Some(if local { Locality::Local } else { Locality::Remote }), ..Entry::new(provider, native_id) };
        merge::offer(contract, &entry, BTreeMap::new())
    }

    /// Returns whether a pattern with `*` for any text fits this offer's id.
    #[must_use]
    pub fn matches(&self, pattern: &str) -> bool {
        crate::name::fits(pattern, &self.id)
    }

    /// Returns the price of three parts input and one part output, or `None` if either is unknown.
    #[must_use]
    pub fn blended_price(&self) -> Option<vox_base::Micros> {
        let prices = self.expected_prices();
        let (input, output) = (prices.input?.get(), prices.output?.get());
        Some(vox_base::Micros::new((3 * input + output) / 4))
    }
}

impl Catalog {
    /// Merges layers of entries field by field: a more trusted layer wins, and each field remembers its source.
    ///
    /// The contract names the known strengths and the models that count as confirmed because a rule names them. Entries
    /// with a bad id, unknown strengths and absurd numbers are reported.
    #[must_use]
    pub fn build(contract: &crate::Contract, layers: Vec<Layer>, overlay: &PriceOverlay) -> (Self, Vec<Warning>) {
        let (offers, warnings) = merge::merge(contract, layers, overlay);
        (Self::indexed(offers), warnings)
    }

    /// Returns the shipped entries, so that a machine without network starts.
    ///
    /// # Panics
    /// Never: a test reads the embedded file.
    #[must_use]
    pub fn bootstrap() -> Layer {
        entry::bootstrap()
    }

    /// Returns the JSON Schema of the shipped catalog and of its entries.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(entry::BootstrapFile).to_value()
    }

    fn indexed(mut offers: Vec<Offer>) -> Self {
        offers.sort_by(|a, b| a.id.cmp(&b.id));
        let digest = Digest::of(&snapshot(&offers));
        let mut catalog = Self {
            offers: Vec::new(),
            confirmed: Vec::new(),
            by_model: HashMap::new(),
            by_native: HashMap::new(),
            unlisted: Unlisted::default(),
            digest,
        };
        let mut providers: HashMap<Arc<str>, Arc<str>> = HashMap::new();
        for (at, mut offer) in (0_u32..).zip(offers) {
            // One allocation per provider lets `decide` recognise a run of offers of the same provider by its pointer.
            offer.provider = providers.entry(offer.provider.clone()).or_insert(offer.provider).clone();
            if offer.lifecycle == Lifecycle::Confirmed {
                catalog.confirmed.push(at);
            }
            catalog.by_model.entry(offer.model_id.clone()).or_default().push(at);
            catalog.by_native.entry(offer.native_id.clone()).or_default().push(at);
            catalog.offers.push(Arc::new(offer));
        }
        catalog
    }

    /// Returns all offers in the order of their ids.
    #[must_use]
    pub fn offers(&self) -> &[Arc<Offer>] {
        &self.offers
    }

    /// Returns the confirmed offers in the order of their ids.
    pub fn confirmed(&self) -> impl ExactSizeIterator<Item = &Arc<Offer>> {
        self.confirmed.iter().map(|&at| &self.offers[at as usize])
    }

    /// Returns the offer of this provider under its own name for the model, or under the model id.
    #[must_use]
    pub fn find(&self, provider: &str, native_id: &str) -> Option<&Arc<Offer>> {
        match self.offers.binary_search_by(|offer| offer.id.bytes().cmp(full_id(provider, native_id))) {
            Ok(at) => Some(&self.offers[at]),
            Err(_) => self.serving(native_id).find(|offer| &*offer.provider == provider).or_else(|| {
                self.offers.iter().find(|offer| &*offer.provider == provider && offer.model_id.bytes().eq(full_id(provider, native_id)))
            }),
        }
    }

    /// Returns the offer that is named so, listed or not, and whether no list mentions it. One that is not listed runs on
    /// the user's own machine if `local` says so.
    pub(crate) fn find_or_make(&self, contract: &crate::Contract, provider: &str, native_id: &str, local: bool) -> (Arc<Offer>, bool) {
        if let Some(offer) = self.unlisted.get((contract.digest(), local), provider, native_id) {
            return (offer, true);
        }
        match self.find(provider, native_id) {
            Some(offer) => (offer.clone(), false),
            None => {
                let offer = Offer::uncatalogued(contract, provider, native_id, local);
                (self.unlisted.keep((contract.digest(), local), offer), true)
            }
        }
    }

    /// Returns the offers of one model, whoever serves it.
    pub fn serving(&self, model_id: &str) -> impl Iterator<Item = &Arc<Offer>> {
        self.at(self.by_model.get(model_id))
    }

    /// Returns the offers whose provider calls the model so.
    pub fn named(&self, native_id: &str) -> impl Iterator<Item = &Arc<Offer>> {
        self.at(self.by_native.get(native_id))
    }

    fn at<'a>(&'a self, places: Option<&'a Vec<u32>>) -> impl Iterator<Item = &'a Arc<Offer>> {
        places.into_iter().flatten().map(|&at| &self.offers[at as usize])
    }

    /// Returns the digest of [`Catalog::to_snapshot`].
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns bytes from which the same catalog can be restored.
    #[must_use]
    pub fn to_snapshot(&self) -> Vec<u8> {
        snapshot(&self.offers)
    }

    /// Restores a catalog.
    ///
    /// # Errors
    /// The bytes are no snapshot of this version.
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes).map(Self::indexed)
    }
}

/// The bytes of `provider/native_id`.
fn full_id(provider: &str, native_id: &str) -> impl Iterator<Item = u8> {
    provider.bytes().chain([b'/']).chain(native_id.bytes())
}

fn snapshot<O: Serialize>(offers: &[O]) -> Vec<u8> {
    serde_json::to_vec(offers).expect("offers hold only text, numbers and lists")
}

#[cfg(test)]
pub(crate) mod tests;
