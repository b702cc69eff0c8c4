use super::*;

#[test]
fn only_loopback_names_with_the_right_port_are_ours() {
    for host in ["127.0.0.1:8642", "localhost:8642", "[::1]:8642"] {
        assert!(is_own_host(host, 8642), "{host}");
    }
    for host in [
        "evil.test",
        "evil.test:8642",
        "127.0.0.1",
        "127.0.0.1:80",
        "127.0.0.1:86420",
        "localhost.evil.test:8642",
        "",
        ":8642",
        "127.0.0.1:",
    ] {
        assert!(!is_own_host(host, 8642), "{host}");
    }
}

#[test]
fn two_different_keys_are_refused_and_one_twice_is_fine() {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "Bearer a".parse().unwrap());
    assert_eq!(presented_key(&headers).unwrap(), "a");
    headers.insert("x-api-key", "a".parse().unwrap());
    assert_eq!(presented_key(&headers).unwrap(), "a");
    headers.insert("x-api-key", "b".parse().unwrap());
    assert_eq!(presented_key(&headers).unwrap_err().code, "gateway.key_invalid");
    assert_eq!(presented_key(&HeaderMap::new()).unwrap_err().code, "gateway.key_missing");
}
