//! The bare proxy: reads a request whole, sends it on, streams the answer back, and knows nothing.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, server::conn::http1};
use hyper_util::client::legacy::{Client, Error, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::process::ExitCode;

type Upstream = Client<HttpConnector, Full<Bytes>>;

pub(crate) fn serve(port: u16, upstream: u16) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async move {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client: Upstream = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(256).build(connector);
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let client = client.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| forward(client.clone(), upstream, request));
                http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
    ExitCode::SUCCESS
}

async fn forward(client: Upstream, upstream: u16, request: Request<Incoming>) -> Result<Response<Incoming>, Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let url = format!("http://127.0.0.1:{upstream}{}", head.uri.path());
    let request = Request::builder()
        .method(head.method)
        .uri(url)
        .header("content-type", "application/json")
        .body(Full::new(body))
        .expect("a valid request");
    client.request(request).await
}
