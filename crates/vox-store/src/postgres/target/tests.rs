use super::Target;
use tokio_postgres::config::SslMode;
use vox_base::Secret;

#[test]
fn st_57_the_password_comes_from_either_place_and_is_never_shown() {
    let apart = Secret::new("hunter2".to_owned());
    for (url, password) in [
        ("postgres://ada:s3cr3t@db.example/vox", None),
        ("postgresql://ada@db.example:5433/vox?vox_schema=team", Some(&apart)),
        ("postgres://ada:s3cr3t@db.example/vox", Some(&apart)),
    ] {
        let target = Target::parse(url, password).unwrap();
        let own = if url.contains("s3cr3t") { "s3cr3t" } else { "hunter2" };
        assert_eq!(target.config.get_password(), Some(own.as_bytes()));
        for shown in [target.to_string(), format!("{target:?}")] {
            assert!(!shown.contains("s3cr3t") && !shown.contains("hunter2"), "{shown}");
            assert!(shown.starts_with("postgres://ada@db.example"), "{shown}");
        }
    }
}

#[test]
fn an_address_that_cannot_be_read_is_refused_without_being_repeated() {
    for url in ["postgres://ada:s3cr3t@host:port/vox", "postgres://ada:s3cr3t@h/v?sslmode=s3cr3t", "postgres://h/v?vox_schema=A-B"] {
        let error = Target::parse(url, None).unwrap_err();
        assert_eq!(error.code(), "store.url");
        assert!(!error.to_string().contains("s3cr3t"), "{error}");
    }
}

#[test]
fn another_machine_is_reached_by_tls_unless_it_is_written_out() {
    let mode = |url: &str| {
        let target = Target::parse(url, None).unwrap();
        (target.config.get_ssl_mode(), target.is_unencrypted())
    };
    assert_eq!(mode("postgres://db.example/vox"), (SslMode::Require, false));
    assert_eq!(mode("postgres://db.example/vox?sslmode=prefer"), (SslMode::Require, false));
    assert_eq!(mode("postgres://db.example/vox?sslmode=disable"), (SslMode::Disable, true));
    assert_eq!(mode("postgres://127.0.0.1/vox"), (SslMode::Disable, false));
    assert_eq!(mode("postgres://%2Frun%2Fpostgresql/vox"), (SslMode::Disable, false));
    assert_eq!(mode("postgres://localhost/vox?sslmode=verify-full"), (SslMode::Require, false));
}

#[test]
fn two_schemas_of_one_database_do_not_share_locks() {
    let space = |schema: &str| Target::parse(&format!("postgres://h/v?vox_schema={schema}"), None).unwrap().lock_space();
    assert_eq!(space("vox"), Target::parse("postgres://elsewhere/v", None).unwrap().lock_space());
    assert_ne!(space("vox"), space("vox2"));
}
