//! Loads one target over kept connections for some seconds and measures each answer from the first byte sent to the last
//! byte read. Blocking clients: they acknowledge late, as ordinary ones do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// One way of loading.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) stream: bool,
    pub(crate) connections: usize,
}

impl Case {
    pub(crate) const fn new(name: &'static str, stream: bool, connections: usize) -> Self {
        Self { name, stream, connections }
    }
}

/// What one round came to.
#[derive(Clone)]
pub(crate) struct Measured {
    pub(crate) rate: f64,
    pub(crate) p50_us: f64,
    pub(crate) n_requests: u64,
}

/// Waits until a target answers.
pub(crate) fn wait_for(port: u16) {
    let until = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "nobody listens on {port}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Loads one target.
pub(crate) fn run(case: &Case, port: u16, key: Option<&str>, seconds: u64) -> Measured {
    let stream = if case.stream { r#""stream":true,"stream_options":{"include_usage":true},"# } else { "" };
    let body = format!(r#"{{"model":"mock/m",{stream}"messages":[{{"role":"user","content":"hi"}}]}}"#);
    let auth = key.map_or_else(String::new, |key| format!("authorization: Bearer {key}\r\n"));
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n{auth}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let started = Instant::now();
    let until = started + Duration::from_secs(seconds);
    let clients: Vec<_> = (0..case.connections)
        .map(|_| {
            let request = request.clone();
            std::thread::spawn(move || client(port, request.as_bytes(), until))
        })
        .collect();
    let mut latencies: Vec<u64> =
        clients.into_iter().flat_map(|client| client.join().expect("a client ends").expect("every answer is complete")).collect();
    let elapsed = started.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let p50_us = latencies[latencies.len() / 2] as f64 / 1000.0;
    Measured { rate: latencies.len() as f64 / elapsed, p50_us, n_requests: latencies.len() as u64 }
}

fn client(port: u16, request: &[u8], until: Instant) -> std::io::Result<Vec<u64>> {
    let mut writer = TcpStream::connect(("127.0.0.1", port))?;
    writer.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(64 * 1024, writer.try_clone()?);
    let mut latencies = Vec::new();
    let mut scratch = Vec::new();
    while Instant::now() < until {
        let sent = Instant::now();
        writer.write_all(request)?;
        read_answer(&mut reader, &mut scratch)?;
        latencies.push(u64::try_from(sent.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    Ok(latencies)
}

fn read_answer(reader: &mut BufReader<TcpStream>, scratch: &mut Vec<u8>) -> std::io::Result<()> {
    let mut length = None;
    let status = line(reader, scratch)?.to_vec();
    if !status.starts_with(b"HTTP/1.1 200") {
        return Err(std::io::Error::other(String::from_utf8_lossy(&status).into_owned()));
    }
    loop {
        let header = line(reader, scratch)?;
        if header == b"\r\n" {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix(b"content-length:") {
            length = std::str::from_utf8(value).ok().and_then(|value| value.trim().parse::<usize>().ok());
        }
    }
    if let Some(length) = length {
        return take(reader, scratch, length);
    }
    loop {
        let size = line(reader, scratch)?;
        let size = std::str::from_utf8(size)
            .ok()
            .and_then(|size| usize::from_str_radix(size.trim(), 16).ok())
            .ok_or_else(|| std::io::Error::other("no chunk size"))?;
        take(reader, scratch, size + 2)?;
        if size == 0 {
            return Ok(());
        }
    }
}

fn line<'a>(reader: &mut BufReader<TcpStream>, scratch: &'a mut Vec<u8>) -> std::io::Result<&'a [u8]> {
    scratch.clear();
    match reader.read_until(b'\n', scratch)? {
        0 => Err(std::io::Error::other("the connection was closed")),
        _ => Ok(scratch),
    }
}

fn take(reader: &mut BufReader<TcpStream>, scratch: &mut Vec<u8>, length: usize) -> std::io::Result<()> {
    scratch.resize(length, 0);
    reader.read_exact(scratch)
}
