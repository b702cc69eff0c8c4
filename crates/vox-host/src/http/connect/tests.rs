use super::*;

const ONLINE: AddressPolicy = AddressPolicy { offline: false };

async fn listener() -> (tokio::net::TcpListener, u16) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

async fn open(url: &str) -> Result<Stream, SendError> {
    Connector::new(ONLINE).connect(&url.parse().unwrap()).await
}

/// GW-47, the client side.
#[tokio::test]
async fn gw_47_sockets_to_providers_have_nagle_off() {
    let (_listener, port) = listener().await;
    match open(&format!("http://127.0.0.1:{port}")).await {
        Ok(MaybeHttpsStream::Http(stream)) => assert!(stream.inner().nodelay().unwrap()),
        _ => panic!("expected a plain connection"),
    }
}

#[tokio::test]
async fn a_name_is_tried_address_by_address() {
    // `localhost` may come as ::1 first, where nobody listens.
    let (_listener, port) = listener().await;
    assert!(open(&format!("http://localhost:{port}")).await.is_ok());
}

#[tokio::test]
async fn tls_is_set_up_at_the_first_https_request_only() {
    let (_listener, port) = listener().await;
    let connector = Connector::new(ONLINE);
    connector.connect(&format!("http://127.0.0.1:{port}").parse().unwrap()).await.unwrap();
    assert!(connector.tls.get().is_none());
    drop(_listener);
    let error = connector.connect(&format!("https://127.0.0.1:{port}").parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, SendError::Connect { .. }), "{error:?}");
    assert!(connector.tls.get().is_some());
}

#[test]
fn a_name_with_one_bad_address_is_reached_at_the_others() {
    let tcp = Tcp { policy: ONLINE, allow_private: false };
    let both: Vec<SocketAddr> = vec!["169.254.169.254:443".parse().unwrap(), "93.184.216.34:443".parse().unwrap()];
    assert_eq!(tcp.permitted("x", true, both.clone()).unwrap(), both[1..]);
    assert!(matches!(tcp.permitted("x", true, both[..1].to_vec()), Err(SendError::Refused { .. })));
    assert!(matches!(tcp.permitted("x", true, Vec::new()), Err(SendError::Dns { .. })));
}
