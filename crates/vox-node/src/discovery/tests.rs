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
        let resolve = |id: &str| (id == "openai.api_key").then(|| Secret::new("sk-list".to_owned()));
        let (snapshot, _) = assemble(config(contract, providers), &resolve, cache.path(), &[], clock.now()).unwrap();
        Self { cache, clock, entropy: SeededEntropy::new(3), http: Http::new(AddressPolicy::default()), snapshot, offline: false }
    }

    /// Lays rules over the shipped ones.
    fn rules(&mut self, yaml: &str) {
        let document = Contract::document().overlaid(Document::parse("routing.yaml", yaml).unwrap());
        self.snapshot.contract = Contract::from_document(&document).unwrap();
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
        self.load().0
    }

    fn load(&self) -> (Catalog, Vec<Warning>) {
        load(self.cache.path(), &config(self.snapshot.contract.clone(), self.snapshot.providers.clone()), self.clock.now())
    }

    fn standing(&self) -> Standing {
        let (all, _) =
            standing(self.cache.path(), &self.snapshot.contract, &self.snapshot.providers, &self.snapshot.board, self.clock.now());
        all.into_iter().find(|standing| standing.source == "mine").unwrap()
    }
}

/// A configuration without files of the user's but these.
fn config(contract: Contract, providers: Providers) -> Config {
    let (models, prices) = (vox_route::catalog::ModelsFile::default(), vox_route::catalog::PriceOverlay::builtin());
    let layers = vox_route::contract::Layers::shipped();
    Config { settings: crate::settings::Settings::builtin(), providers, contract, layers, models, prices }
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

/// RT-12.
#[tokio::test]
async fn rt_12_a_list_is_fetched_with_its_key_and_then_not_again_before_it_is_due() {
    let fake = FakeProvider::scripted([listed(&models(2)), listed(&models(3))]);
    let home = Home::new(&entry(&fake));
    let first = home.one(false).await;
    assert_eq!((first.outcome, first.n_before, first.n_after, first.n_added, first.n_requests), (Outcome::Fetched, 0, 2, 2, 1));
    assert_eq!(fake.requests()[0].header("authorization"), Some("Bearer sk-list"));
    let again = home.one(false).await;
    assert_eq!((again.outcome, again.n_requests), (Outcome::Fresh, 0));
    assert_eq!((again.next_refresh_at.clone(), again.next_refresh_at), (first.next_refresh_at, home.standing().next_refresh_at));
    home.clock.advance_ms(29_000);
    let forced = home.one(true).await;
    assert_eq!((forced.outcome, forced.n_requests), (Outcome::Fresh, 0), "force leaves thirty seconds between two fetches");
    assert_eq!(fake.n_requests(), 1);
    home.clock.advance_ms(1_000);
    let second = home.one(true).await;
    assert_eq!((second.outcome, second.n_before, second.n_after, second.n_added, second.n_changed), (Outcome::Fetched, 2, 3, 1, 0));
    assert_eq!(home.catalog().find("mine", "model-2").unwrap().context_tokens, Some(1002));
    assert_eq!(home.standing().state, State::Fresh);
    home.clock.advance_ms(48 * 3_600_000);
    assert!(!home.standing().is_too_old());
    home.clock.advance_ms(1);
    assert_eq!(home.standing().state, State::Stale);
    assert!(home.standing().is_too_old());
}

/// RT-02: how long one answer is waited for is what the contract says.
#[tokio::test]
async fn rt_02_a_list_that_takes_longer_than_the_contract_waits_is_given_up() {
    let gate = vox_testkit::Gate::new();
    let fake = FakeProvider::scripted([listed(&models(2)).hold_piece(0, &gate)]);
    let mut home = Home::new(&entry(&fake));
    home.rules("discovery: { openai_compatible: { timeout_ms: 150 } }");
    let slow = home.one(false).await;
    assert_eq!((slow.outcome, slow.n_requests), (Outcome::Failed, 1));
    assert_eq!(slow.error.as_deref(), Some("no whole answer within 150ms"));
    gate.open();
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
async fn a_fetch_that_fails_keeps_the_list_before_it_and_is_tried_again_ever_later() {
    let busy = Reply::new(503, "no").header("retry-after", "600");
    let fake = FakeProvider::scripted([listed(&models(12)), Reply::new(500, "oops"), busy, listed(&json!([])), listed(&models(13))]);
    let home = Home::new(&entry(&fake));
    home.one(false).await;
    home.clock.advance_ms(25 * 3_600_000);
    let failed = home.one(false).await;
    assert_eq!((failed.outcome, failed.n_after), (Outcome::Failed, 12));
    assert!(failed.error.unwrap().contains("500"));
    assert_eq!(home.standing().state, State::Failed);
    home.clock.advance_ms(59_999);
    assert_eq!(home.one(false).await.outcome, Outcome::BackingOff, "a minute after the first failure");
    home.clock.advance_ms(1);
    assert_eq!(home.one(false).await.outcome, Outcome::Failed);
    home.clock.advance_ms(599_999);
    let waiting = (home.one(false).await.outcome, home.one(true).await.outcome);
    assert_eq!(waiting, (Outcome::BackingOff, Outcome::BackingOff), "the provider asked for ten minutes, and force does not press it");
    home.clock.advance_ms(1);
    let empty = home.one(false).await;
    assert_eq!((empty.outcome, empty.n_after), (Outcome::Failed, 12));
    assert!(empty.error.unwrap().contains("empty"));
    assert!(home.catalog().find("mine", "model-11").is_some());
    home.clock.advance_ms(240_000);
    assert_eq!(home.one(false).await.outcome, Outcome::Fetched);
    assert_eq!((home.standing().state, home.standing().last_error), (State::Fresh, None), "a good list ends the row of failures");
}

/// RT-16: whatever a source sends that is no list, the one before it stays.
#[tokio::test]
async fn rt_16_a_source_that_lies_keeps_its_last_good_list() {
    let bad = |n_bad: usize| (0..100).map(|n| if n < n_bad { json!({}) } else { json!({"id": format!("x-{n}")}) }).collect();
    let huge = vec![b'x'; 5_000];
    let cut = listed(&models(40)).cut_after_bytes(900);
    let lies = [
        (Reply::new(200, "<html>sign in</html>").header("content-type", "text/html"), "not a model list"),
        (listed(&bad(21)), "21 of 100 entries"),
        (Reply::new(200, huge), "over 4096 bytes"),
        (cut, "cut"),
        (listed(&json!([])), "empty"),
        (Reply::new(200, r#"{"data":[{"id":"a"}"#), "not a model list"),
    ];
    let fake = FakeProvider::start();
    let mut home = Home::new(&entry(&fake));
    home.rules("discovery: { openai_compatible: { max_body_bytes: 4096 } }");
    fake.script([listed(&models(12))]);
    home.one(false).await;
    for (lie, why) in lies {
        fake.script([lie]);
        home.clock.advance_ms(30_000);
        // Force would take an empty list, so these are asked for when they are due.
        home.clock.advance_ms(25 * 3_600_000);
        let fetch = home.one(false).await;
        assert_eq!((fetch.outcome, fetch.n_after), (Outcome::Failed, 12), "{why}");
        assert!(fetch.error.clone().unwrap().contains(why), "{why}: {:?}", fetch.error);
        assert!(home.catalog().find("mine", "model-11").is_some());
    }
    fake.script([listed(&json!([{"id": "dear", "pricing": {"prompt": "3000", "completion": "0.000001"}}]))]);
    home.clock.advance_ms(25 * 3_600_000);
    let fetch = home.one(false).await;
    assert_eq!(fetch.outcome, Outcome::Fetched);
    assert!(fetch.warnings[0].contains("not plausible"), "{:?}", fetch.warnings);
    assert_eq!(home.catalog().find("mine", "dear").unwrap().prices.input, None);
}

const ANTHROPIC_PAGES: [&str; 3] = [
    include_str!("../../../vox-route/src/source/tests/anthropic-1.json"),
    include_str!("../../../vox-route/src/source/tests/anthropic-2.json"),
    include_str!("../../../vox-route/src/source/tests/anthropic-3.json"),
];
const GOOGLE_PAGES: [&str; 3] = [
    include_str!("../../../vox-route/src/source/tests/google-1.json"),
    include_str!("../../../vox-route/src/source/tests/google-2.json"),
    include_str!("../../../vox-route/src/source/tests/google-3.json"),
];

/// RT-09.
#[tokio::test]
async fn rt_09_paged_lists_come_whole_or_not_at_all_and_the_key_stands_in_no_address() {
    let page = |text: &str| Reply::new(200, text).header("content-type", "application/json");
    for (provider, yaml, pages, key_header, path, n_models) in [
        (
            "anthropic",
            "    auth: { kind: header, header: x-api-key }\n    secret_ids: [openai.api_key]\n",
            ANTHROPIC_PAGES,
            "x-api-key",
            "/v1/models",
            5,
        ),
        ("google", "    secret_ids: [openai.api_key]\n", GOOGLE_PAGES, "x-goog-api-key", "/models", 3),
    ] {
        let fake = FakeProvider::scripted(pages.map(page));
        let home = Home::new(&format!("  {provider}:\n    base_url: {}/v1\n{yaml}", fake.url()));
        let fetch = home.discover(&[provider], false).await.unwrap().remove(0);
        assert_eq!((fetch.outcome, fetch.n_after, fetch.n_requests), (Outcome::Fetched, n_models, 3), "{:?}", fetch.error);
        for request in fake.requests() {
            assert_eq!((request.path.as_str(), request.header(key_header)), (path, Some("sk-list")), "{provider}");
            assert!(!request.query.contains("sk-list"));
            assert_eq!(request.header("authorization"), None, "{provider}: the key goes in one header only");
        }
        let catalog = home.catalog();
        let listed: Vec<_> = catalog.offers().iter().filter(|offer| &*offer.provider == provider).collect();
        let priced = listed.iter().filter(|offer| offer.provenance.get("prices.input").is_some_and(|source| &**source == "price_overlay"));
        assert!(priced.count() >= n_models - 1, "prices come from the overlay: {listed:#?}");

        fake.script([page(pages[0]), page(pages[1]), Reply::new(500, "no")]);
        home.clock.advance_ms(49 * 3_600_000);
        let failed = home.discover(&[provider], false).await.unwrap().remove(0);
        assert_eq!((failed.outcome, failed.n_after, failed.n_requests), (Outcome::Failed, n_models, 3), "two pages of three are no list");
        assert!(failed.error.unwrap().starts_with("request 3: answered 500"));
        let (all, _) =
            standing(home.cache.path(), &home.snapshot.contract, &home.snapshot.providers, &home.snapshot.board, home.clock.now());
        let standing = all.into_iter().find(|standing| standing.source == provider).unwrap();
        assert!(standing.is_too_old() && standing.n_models == Some(n_models), "{standing:?}");
    }
}

/// RT-19: what is listed is what was answered.
#[tokio::test]
async fn rt_19_no_source_reports_anything_of_its_own() {
    let home = Home::new("  mine: { dialect: openai, base_url: 'https://mine.example/v1', secret_ids: [openai.api_key] }\n");
    let kinds: std::collections::BTreeSet<_> =
        sources(&home.snapshot.contract, &home.snapshot.providers).iter().map(|source| source.kind).collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), SourceKind::ALL, "every form of list has a shipped provider");
    for (provider, empty) in [
        ("openrouter", r#"{"data":[]}"#),
        ("openai", r#"{"object":"list","data":[]}"#),
        ("anthropic", r#"{"data":[],"has_more":false,"first_id":null,"last_id":null}"#),
        ("google", r#"{"models":[]}"#),
        ("ollama", r#"{"models":[]}"#),
    ] {
        let fake = FakeProvider::scripted([Reply::new(200, empty)]);
        let home = Home::new(&format!("  {provider}:\n    base_url: {}/v1\n    secret_ids: [openai.api_key]\n", fake.url()));
        let fetch = home.discover(&[provider], false).await.unwrap().remove(0);
        assert_eq!((fetch.outcome, fetch.n_after, fetch.n_requests), (Outcome::Fetched, 0, 1), "{provider}: {:?}", fetch.error);
        fake.script([Reply::new(200, "{}")]);
        home.clock.advance_ms(60_000);
        let fetch = home.discover(&[provider], true).await.unwrap().remove(0);
        assert_eq!((fetch.outcome, fetch.n_after), (Outcome::Failed, 0), "{provider}");
    }
}

#[tokio::test]
async fn rt_14_a_damaged_cache_is_moved_aside_and_the_shipped_catalog_stands() {
    let home = Home::new("  mine: { dialect: openai, base_url: 'https://mine.example/v1', secret_ids: [openai.api_key] }\n");
    let path = home.cache.path().join(CACHE_FILE);
    std::fs::write(&path, "{\"x-vox-version\": 1, \"sources\": {").unwrap();
    let (catalog, warnings) = home.load();
    assert!(catalog.offers().len() >= 20);
    let warning = warnings.iter().find(|warning| &*warning.source == "cache").unwrap();
    let aside = home.cache.path().join(format!("{CACHE_FILE}.bad-{}", home.clock.now().millis()));
    assert!(warning.message.contains(&aside.display().to_string()), "{warning}");
    assert!(aside.exists() && !path.exists());
    let (_, warnings) = home.load();
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
