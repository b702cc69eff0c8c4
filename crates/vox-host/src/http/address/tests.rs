use super::*;

const ONLINE: AddressPolicy = AddressPolicy { offline: false };

#[test]
fn base_urls_have_a_plain_form() {
    for (text, local, expected) in [
        ("https://api.example.com/v1", false, Ok(())),
        ("https://10.0.0.8/v1", false, Ok(())),
        ("http://127.0.0.1:8080", false, Ok(())),
        ("http://localhost:11434/v1", false, Ok(())),
        ("http://[::1]:1/v1", false, Ok(())),
        ("http://192.168.1.4:8000/v1", true, Ok(())),
        ("http://box.lan:8000/v1", true, Ok(())),
        ("http://192.168.1.4:8000/v1", false, Err(InvalidBaseUrl::PlainText)),
        ("http://box.lan:8000/v1", false, Err(InvalidBaseUrl::PlainText)),
        ("http://8.8.8.8/", true, Err(InvalidBaseUrl::PlainText)),
        ("ftp://example.com/", true, Err(InvalidBaseUrl::PlainText)),
        ("https://user:pw@example.com/", false, Err(InvalidBaseUrl::UserInfo)),
        ("https://example.com/?key=1", false, Err(InvalidBaseUrl::Query)),
        ("https://example.com/#x", false, Err(InvalidBaseUrl::Query)),
        ("/v1", false, Err(InvalidBaseUrl::Form)),
        ("example.com", false, Err(InvalidBaseUrl::Form)),
        ("https://example.com:port/", false, Err(InvalidBaseUrl::Form)),
        ("https://169.254.169.254/", true, Err(InvalidBaseUrl::Address("169.254.169.254".parse().unwrap()))),
    ] {
        assert_eq!(check_base_url(text, local).map(|_| ()), expected, "{text}");
    }
}

#[test]
fn some_addresses_are_never_providers_however_they_are_written() {
    for address in [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "fe80::1",
        "fd00:ec2::254",
        "224.0.0.1",
        "ff02::1",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "::ffff:0.0.0.0",
        "255.255.255.255",
    ] {
        let address: IpAddr = address.parse().unwrap();
        assert!(!is_permitted(address, true, true, ONLINE), "{address}");
    }
}

#[test]
fn plain_http_reaches_loopback_and_what_is_local() {
    for (address, plain, plain_local, https) in [
        ("127.0.0.2", true, true, true),
        ("::1", true, true, true),
        ("::ffff:127.0.0.1", true, true, true),
        ("10.1.2.3", false, true, true),
        ("::ffff:192.168.0.1", false, true, true),
        ("fd12::1", false, true, true),
        ("93.184.216.34", false, false, true),
        ("2606:2800::1", false, false, true),
    ] {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(is_permitted(address, false, false, ONLINE), plain, "{address}");
        assert_eq!(is_permitted(address, false, true, ONLINE), plain_local, "{address}");
        assert_eq!(is_permitted(address, true, false, ONLINE), https, "{address}");
        let offline = AddressPolicy { offline: true };
        assert_eq!(is_permitted(address, true, true, offline), reach(address) == Reach::Loopback, "{address}");
    }
}
