use super::*;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use vox_base::Id;
use vox_host::keychain::PATIENCE;
use vox_store::{Access, OpenOptions};
use vox_testkit::{FixedClock, SeededEntropy};
use vox_vault::{Filter, Source, Status};

const ID: &str = "openai.api_key";

/// A home with a store, an environment, and whatever opens its vault. Nobody sits in front of it.
struct Home {
    dir: tempfile::TempDir,
    env: BTreeMap<String, String>,
    profile: Profile,
    key_file: Option<PathBuf>,
    passphrase: Option<&'static str>,
}

impl Home {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), env: BTreeMap::new(), profile: Profile::Dev, key_file: None, passphrase: None }
    }

    /// A home whose vault opens with a key file.
    fn with_key_file() -> Self {
        let mut home = Self::new();
        home.key_file = Some(home.private("key", &[7; 32], 0o600));
        home
    }

    fn private(&self, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn store(&self) -> Store {
        let now = FixedClock::default().now();
        let store_id = Id::new(now, [1; 10]);
        Store::open(OpenOptions {
            data_dir: self.data_dir(),
            db: None,
            may_migrate: false,
            access: Access::Create,
            now,
            vox_version: "0.0.0",
            store_id,
        })
        .unwrap()
    }

    fn open(&self) -> Secrets {
        let (env, passphrase) = (self.env.clone(), self.passphrase);
        let ask: Option<Ask> = passphrase.map(|text| -> Ask { Arc::new(move |_| Ok(Secret::new(text.to_owned()))) });
        static SEED: AtomicUsize = AtomicUsize::new(1);
        let seed = SEED.fetch_add(1, Ordering::Relaxed) as u64 * 1_000_003;
        Secrets::open(Options {
            store: Some(self.store()),
            data_dir: self.data_dir(),
            config_dir: self.dir.path().join("config"),
            secret_dir: Some(self.dir.path().join("mounted")),
            profile: self.profile,
            env: Arc::new(move |name| env.get(name).cloned().map(Secret::new)),
            unlocking: Unlocking {
                keychain: Keychain::of_session(None, PATIENCE),
                key_file: self.key_file.clone(),
                passphrase_fd: None,
                ask,
            },
            entropy: Arc::new(SeededEntropy::new(seed)),
            clock: Arc::new(FixedClock::default()),
        })
    }

    async fn read(&self) -> Secrets {
        let secrets = self.open();
        secrets.refresh().await.unwrap();
        secrets
    }
}

async fn set(secrets: &Secrets, value: &str) -> Result<Changed, Coded> {
    let value = Secret::new(value.to_owned());
    secrets.set(&NewValue { id: ID, value: &value, expires: None, if_version: None }).await
}

fn used(secrets: &Secrets) -> (Option<String>, Option<Source>, Status) {
    let resolution = secrets.resolve(ID).unwrap();
    (resolution.value.ok().map(|value| value.expose().clone()), resolution.source, resolution.status)
}

#[tokio::test]
async fn a_value_survives_the_process_and_a_removed_one_is_gone() {
    let home = Home::with_key_file();
    let first = set(&home.open(), "sk-1").await.unwrap();
    assert_eq!((first.version, first.op, first.vault_made_for), (1, "create", Some("key_file")));
    let second = home.read().await;
    assert_eq!(used(&second), (Some("sk-1".into()), Some(Source::Vault), Status::Present));
    let changed = set(&second, "sk-2").await.unwrap();
    assert_eq!((changed.version, changed.op, changed.vault_made_for), (2, "rotate", None));
    assert_eq!(second.remove(ID).await.unwrap().op, "delete");
    assert_eq!(used(&home.read().await).2, Status::MissingRequired);
    assert_eq!(home.open().remove(ID).await.unwrap_err().code, "secret.missing_required");
}

#[tokio::test]
async fn sm_04_another_value_in_the_environment_is_said_once_and_not_used() {
    let home = Home::with_key_file().env("OPENAI_API_KEY", "sk-env");
    set(&home.open(), "sk-vault").await.unwrap();
    let secrets = home.read().await;
    let mut told = Vec::new();
    for _ in 0..50 {
        let resolution = secrets.resolve(ID).unwrap();
        told.extend(secrets.news(&resolution));
        assert_eq!(resolution.value.ok().unwrap().expose(), "sk-vault");
    }
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("`OPENAI_API_KEY`") && told[0].contains("vox secrets explain openai.api_key"), "{told:?}");
    assert!(!told[0].contains("sk-"));
    let standing = secrets.status(Filter::default()).into_iter().find(|standing| standing.id == ID).unwrap();
    assert!(standing.shadowed);
}

#[tokio::test]
async fn sm_04_an_equal_value_in_the_environment_is_no_news() {
    let home = Home::with_key_file().env("OPENAI_API_KEY", "sk-same");
    set(&home.open(), "sk-same").await.unwrap();
    let secrets = home.read().await;
    assert_eq!(secrets.news(&secrets.resolve(ID).unwrap()), Vec::<String>::new());
}

#[tokio::test]
async fn sm_06_an_empty_variable_is_passed_over_in_dev_and_refused_in_ci() {
    let mut home = Home::new().env("OPENAI_API_KEY", "");
    let secrets = home.read().await;
    let resolution = secrets.resolve(ID).unwrap();
    assert_eq!(secrets.news(&resolution).len(), 1);
    assert_eq!(Coded::from(resolution.value.err().unwrap()).code, "secret.missing_required");
    home.profile = Profile::Ci;
    let error: Coded = home.read().await.resolve(ID).unwrap().value.err().unwrap().into();
    assert_eq!((error.code, error.kind), ("secret.empty", Kind::Refused));
}

#[tokio::test]
async fn sm_22_without_anything_that_opens_it_no_vault_is_made() {
    let home = Home::new();
    let error = set(&home.open(), "sk-1").await.unwrap_err();
    assert_eq!(error.code, "vault.no_unlocker");
    let next = error.next.unwrap();
    for way in ["keyring", "passphrase", "VOX_VAULT_KEY_FILE"] {
        assert!(next.contains(way), "{next}");
    }
    assert!(!home.data_dir().join("vault.db").exists());
    assert!(!home.dir.path().join("config").exists());
}

#[tokio::test]
async fn sm_22_a_key_file_that_others_can_read_or_that_lies_in_a_work_tree_is_refused() {
    let mut home = Home::new();
    home.key_file = Some(home.private("key", &[7; 32], 0o644));
    let error = set(&home.open(), "sk-1").await.unwrap_err();
    assert_eq!(error.code, "vault.file_mode");
    assert!(error.next.unwrap().starts_with("chmod 0600 "));
    std::fs::create_dir(home.dir.path().join(".git")).unwrap();
    home.key_file = Some(home.private("key", &[7; 32], 0o600));
    assert_eq!(set(&home.open(), "sk-1").await.unwrap_err().code, "vault.bad_key_file");
}

#[tokio::test]
async fn sm_22_files_of_the_vault_that_others_can_read_are_refused() {
    let home = Home::with_key_file();
    set(&home.open(), "sk-1").await.unwrap();
    let vault = home.data_dir().join("vault.db");
    std::fs::set_permissions(&vault, std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = home.open().refresh().await.unwrap_err();
    assert_eq!(error.code, "vault.file_mode");
    assert_eq!(error.next, Some(format!("chmod 0600 {}", vault.display())));
}

#[tokio::test]
async fn sm_23_a_copied_vault_opens_only_with_what_wraps_its_key() {
    let mut home = Home::new();
    home.passphrase = Some("correct horse");
    set(&home.open(), "sk-1").await.unwrap();
    let mut other = Home::new();
    drop(other.store());
    std::fs::copy(home.data_dir().join("vault.db"), other.data_dir().join("vault.db")).unwrap();
    let stolen = other.read().await;
    assert_eq!(used(&stolen), (None, None, Status::Locked));
    assert_eq!(stolen.locked().unwrap().code, "vault.no_unlocker");
    other.passphrase = Some("wrong horse");
    assert_eq!(other.read().await.locked().unwrap().code, "vault.wrong_passphrase");
    other.passphrase = Some("correct horse");
    assert_eq!(used(&other.read().await).0, Some("sk-1".into()));
}

#[tokio::test]
async fn a_locked_vault_locks_only_what_it_holds() {
    let mut home = Home::with_key_file();
    set(&home.open(), "sk-1").await.unwrap();
    std::fs::remove_dir_all(home.dir.path().join("config")).unwrap();
    home.key_file = None;
    let home = home.env("ANTHROPIC_API_KEY", "sk-ant");
    let secrets = home.read().await;
    assert_eq!(used(&secrets).2, Status::Locked);
    assert_eq!(secrets.resolve("anthropic.api_key").unwrap().value.ok().unwrap().expose(), "sk-ant");
}

#[tokio::test]
async fn the_place_of_the_key_file_is_remembered() {
    let mut home = Home::with_key_file();
    set(&home.open(), "sk-1").await.unwrap();
    home.key_file = None;
    assert_eq!(used(&home.read().await).0, Some("sk-1".into()));
    let config = home.dir.path().join("config").join(unlock::CONFIG_FILE);
    std::fs::write(&config, "x-vox-version: 1\nunlocker: key_file\nkey_file: /nowhere\n").unwrap();
    assert_eq!(used(&home.read().await).2, Status::Locked);
    std::fs::write(&config, "x-vox-version: 1\nunlocker: sesame\n").unwrap();
    assert_eq!(home.read().await.locked().unwrap().code, "config.invalid");
}

#[tokio::test]
async fn two_processes_that_set_at_once_both_keep_their_place_in_the_log() {
    let home = Home::with_key_file();
    let (one, two) = (home.open(), home.open());
    set(&one, "sk-1").await.unwrap();
    let before = two.version().await.unwrap();
    let (first, second) = tokio::join!(set(&one, "sk-2"), set(&two, "sk-3"));
    let mut versions = [first.unwrap().version, second.unwrap().version];
    versions.sort_unstable();
    assert_eq!(versions, [2, 3]);
    assert_ne!(two.version().await.unwrap(), before);
    assert_eq!(home.read().await.damage(), []);
}

#[tokio::test]
async fn a_mounted_file_loses_one_line_end_and_goes_before_the_environment() {
    let home = Home::new().env("OPENAI_API_KEY", "sk-env");
    std::fs::create_dir(home.dir.path().join("mounted")).unwrap();
    std::fs::write(home.dir.path().join("mounted/OPENAI_API_KEY"), "sk-file\n\n").unwrap();
    assert_eq!(used(&home.read().await).0, Some("sk-file\n".into()));
}

#[tokio::test]
async fn sm_20_a_flipped_byte_makes_its_own_secret_corrupt_and_no_other() {
    let home = Home::with_key_file().env("ANTHROPIC_API_KEY", "sk-ant");
    let secrets = home.open();
    set(&secrets, "sk-1").await.unwrap();
    secrets.set(&NewValue { id: "groq.api_key", value: &Secret::new("gsk-1".into()), expires: None, if_version: None }).await.unwrap();
    let first = home.store().vault_records().await.unwrap().remove(0).bytes;
    drop(secrets);
    flip(&home.data_dir().join("vault.db"), &first[first.len() - 32..]);
    let secrets = home.read().await;
    assert_eq!(used(&secrets).2, Status::Corrupt);
    assert_eq!(secrets.damage().len(), 1, "{:?}", secrets.damage());
    assert_eq!(secrets.resolve("groq.api_key").unwrap().value.ok().unwrap().expose(), "gsk-1");
    assert_eq!(set(&secrets, "sk-2").await.unwrap().id, ID);
    assert_eq!(used(&home.read().await).0, Some("sk-2".into()));
}

/// Flips one bit of these bytes where they lie in a file.
fn flip(path: &Path, bytes: &[u8]) {
    let mut file = std::fs::read(path).unwrap();
    let at = file.windows(bytes.len()).position(|window| window == bytes).expect("the record lies in one page");
    file[at] ^= 1;
    std::fs::write(path, file).unwrap();
}
