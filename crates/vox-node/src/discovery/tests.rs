use super::*;
use serde_json::json;
use vox_base::{Clock as _, Document, Secret};
use vox_host::http::{AddressPolicy, Http};
use vox_testkit::{FakeProvider, FixedClock, Reply, SeededEntropy};
use vox_vault::Registry;

struct Home {
    cache: tempfile::TempDir,
    clock: FixedClock,
    entropy: SeededEntropy,
    http: Http,
    snapshot: Snapshot,
    offline: bool,
}

impl Home {
    /// A home whose providers are these entries besides the shipped ones; only `openai.api_key` has a value.
    fn new(entries: &str) -> Self {
        let overlay = Document::parse("mine.yaml", &format!("providers:\n{entries}")).unwrap();
        let providers = Providers::load(vec![overlay], &Registry::builtin()).unwrap();
        let cache = tempfile::tempdir().unwrap();
        let (contract, clock) = (Contract::builtin(), FixedClock::default());
        let (catalog, _) = load(cache.path(), &contract, &providers, clock.now());
        let resolve = |id: &str| (id == "openai.api_key").then(|| Secret::new("sk-list".to_owned()));
        let settings = crate::settings::Settings::builtin();
        let snapshot = Snapshot::build(Inputs { settings, providers, contract, catalog, resolve: &resolve }).unwrap();
        Self { cache, clock, entropy: SeededEntropy::new(3), http: Http::new(AddressPolicy::default()), snapshot, offline: false }
    }

    async fn discover(&self, only: &[&str], force: bool) -> Result<Vec<Fetch>, Coded> {
        let discovery = Discovery {
            snapshot: &self.snapshot,
            http: &self.http,
            cache_dir: self.cache.path(),
            entropy: &self.entropy,
            now: self.clock.now(),
            offline: self.offline,
        };
        discovery.run(&Wanted { only: only.iter().map(|name| (*name).to_owned()).collect(), force }).await
    }

    async fn one(&self, force: bool) -> Fetch {
        self.discover(&["mine"], force).await.unwrap().remove(0)
    }

    fn catalog(&self) -> Catalog {
        load(self.cache.path(), &self.snapshot.contract, &self.snapshot.providers, self.clock.now()).0
    }

    fn standing(&self) -> Standing {
        let (all, _) =
            standing(self.cache.path(), &self.snapshot.contract, &self.snapshot.providers, &self.snapshot.board, self.clock.now());
        all.into_iter().find(|standing| standing.source == "mine").unwrap()
    }
}

fn entry(fake: &FakeProvider) -> String {
    format!(
        "  mine:\n    dialect: openai\n    base_url: {}/v1\n    secret_ids: [openai.api_key]\n    catalog: {{ source: openai_compatible }}\n",
        fake.url()
    )
}

fn listed(models: &serde_json::Value) -> Reply {
    Reply::json(200, &json!({ "object": "list", "data": models }))
}

fn models(n: usize) -> serde_json::Value {
    (0..n).map(|n| json!({ "id": format!("model-{n}"), "context_window": 1000 + n })).collect()
}

#[tokio::test]
async fn a_list_is_fetched_with_its_key_and_then_not_again_before_it_is_due() {
    let fake = FakeProvider::scripted([listed(&models(2)), listed(&models(3))]);
    let home = Home::new(&entry(&fake));
    let first = home.one(false).await;
    assert_eq!((first.outcome, first.n_before, first.n_after, first.n_added, first.n_requests), (Outcome::Fetched, 0, 2, 2, 1));
    let request = fake.requests().remove(0);
    assert_eq!((request.path.as_str(), request.header("authorization")), ("/v1/models", Some("Bearer sk-list")));
    assert_eq!(home.one(false).await.outcome, Outcome::Fresh);
    home.clock.advance_ms(3_599_000);
    assert_eq!(home.one(true).await.outcome, Outcome::Fresh, "force does not beat the least time between two fetches");
    assert_eq!(fake.n_requests(), 1);
    home.clock.advance_ms(1_000);
    let second = home.one(true).await;
    assert_eq!((second.outcome, second.n_before, second.n_after, second.n_added, second.n_changed), (Outcome::Fetched, 2, 3, 1, 0));
    assert_eq!(home.catalog().find("mine", "model-2").unwrap().context_tokens, Some(1002));
    assert_eq!(home.standing().state, State::Fresh);
    home.clock.advance_ms(48 * 3_600_000 + 1);
    assert_eq!(home.standing().state, State::Stale);
}

#[tokio::test]
async fn rt_11_the_context_is_read_however_the_list_spells_it() {
    let spelt = json!([
        { "id": "a", "context_length": 1 }, { "id": "b", "context_window": 2 }, { "id": "c", "max_context_length": 3 },
        { "id": "d", "max_model_len": 4 }, { "id": "e", "meta": { "n_ctx_train": 5 } },
    ]);
    let fake = FakeProvider::scripted([listed(&spelt)]);
    let home = Home::new(&entry(&fake));
    home.one(false).await;
    let catalog = home.catalog();
    for (name, tokens) in [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)] {
        assert_eq!(catalog.find("mine", name).unwrap().context_tokens, Some(tokens), "{name}");
    }
}

#[tokio::test]
async fn a_fetch_that_fails_keeps_the_list_before_it() {
    let fake = FakeProvider::scripted([listed(&models(12)), Reply::new(500, "oops"), listed(&json!([]))]);
    let home = Home::new(&entry(&fake));
    home.one(false).await;
    home.clock.advance_ms(25 * 3_600_000);
    let failed = home.one(false).await;
    assert_eq!((failed.outcome, failed.n_after), (Outcome::Failed, 12));
    assert!(failed.error.unwrap().contains("500"));
    assert_eq!(home.standing().state, State::Failed);
    let empty = home.one(false).await;
    assert_eq!((empty.outcome, empty.n_after), (Outcome::Failed, 12));
    assert!(empty.error.unwrap().contains("empty"));
    assert!(home.catalog().find("mine", "model-11").is_some());
}

#[tokio::test]
async fn rt_14_a_damaged_cache_is_moved_aside_and_the_shipped_catalog_stands() {
    let home = Home::new("  mine: { dialect: openai, base_url: 'https://mine.example/v1', secret_ids: [openai.api_key] }\n");
    let path = home.cache.path().join(CACHE_FILE);
    std::fs::write(&path, "{\"x-vox-version\": 1, \"sources\": {").unwrap();
    let (catalog, warnings) = load(home.cache.path(), &home.snapshot.contract, &home.snapshot.providers, home.clock.now());
    assert!(catalog.offers().len() >= 20);
    let warning = warnings.iter().find(|warning| &*warning.source == "cache").unwrap();
    let aside = home.cache.path().join(format!("{CACHE_FILE}.bad-{}", home.clock.now().millis()));
    assert!(warning.message.contains(&aside.display().to_string()), "{warning}");
    assert!(aside.exists() && !path.exists());
    let (_, warnings) = load(home.cache.path(), &home.snapshot.contract, &home.snapshot.providers, home.clock.now());
    assert!(warnings.iter().all(|warning| &*warning.source != "cache"));
}

#[tokio::test]
async fn offline_asks_nobody_but_engines_on_this_machine() {
    let fake = FakeProvider::scripted([listed(&models(1))]);
    let local = format!(
        "  mine:\n    dialect: openai\n    base_url: {}/v1\n    auth: {{ kind: none }}\n    local: true\n    catalog: {{ source: openai_compatible }}\n",
        fake.url()
    );
    let mut home = Home::new(&local);
    home.offline = true;
    let error = home.discover(&["openai"], false).await.unwrap_err();
    assert_eq!((error.code, error.kind), ("route.offline", vox_base::Kind::Offline));
    assert_eq!(home.one(false).await.outcome, Outcome::Fetched);
    assert_eq!(home.discover(&["nobody"], false).await.unwrap_err().code, "route.source_unknown");
}

#[tokio::test]
async fn an_engine_that_does_not_run_is_no_failure_and_a_missing_key_no_request() {
    let refusing = FakeProvider::refusing_url();
    let home = Home::new(&format!(
        "  mine:\n    dialect: openai\n    base_url: {refusing}/v1\n    auth: {{ kind: none }}\n    local: true\n    catalog: {{ source: openai_compatible }}\n"
    ));
    assert_eq!(home.one(false).await.outcome, Outcome::NotRunning);
    assert_eq!(home.discover(&["groq"], false).await.unwrap()[0].outcome, Outcome::Unconfigured);
    assert_eq!(home.standing().state, State::Never);
}

#[tokio::test]
async fn the_cache_is_private_and_its_directory_is_tagged() {
    use std::os::unix::fs::PermissionsExt as _;
    let fake = FakeProvider::scripted([listed(&models(1))]);
    let home = Home::new(&entry(&fake));
    home.one(false).await;
    let mode = std::fs::metadata(home.cache.path().join(CACHE_FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(home.cache.path().join("CACHEDIR.TAG").exists());
}
