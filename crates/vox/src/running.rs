//! What a running node leaves for other commands to find it: its address, its process and the token of its own API.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;
use vox_api::{Transport, Unreachable};
use vox_base::{Coded, Digest, Entropy, Secret};
use vox_host::fs;

pub(crate) use vox_api::Running;

const FILE: &str = "node.json";
const TOKEN: &str = "admin-token";
const MAX_ANSWER_BYTES: u64 = 64 * 1024;
const PROBE: Duration = Duration::from_millis(500);

/// Returns the node that runs on this home, if its process lives.
pub(crate) fn read(state_dir: &Path) -> Option<Running> {
    let bytes = fs::read(&state_dir.join(FILE), 4096).ok()?;
    let running: Running = serde_json::from_slice(&bytes).ok()?;
    vox_host::process::is_alive(running.pid).then_some(running)
}

/// Leaves word of the node.
pub(crate) fn write(state_dir: &Path, running: &Running, entropy: &dyn Entropy) -> Result<(), Coded> {
    let bytes = serde_json::to_vec(running).unwrap_or_default();
    Ok(fs::replace(&state_dir.join(FILE), &bytes, entropy)?)
}

/// Takes the word back.
pub(crate) fn remove(state_dir: &Path) {
    let _ = fs::remove(&state_dir.join(FILE));
}

/// Returns the token that opens the node's own API, made at first use and kept 0600.
pub(crate) fn admin_token(state_dir: &Path, entropy: &dyn Entropy) -> Result<Secret<String>, Coded> {
    let path = state_dir.join(TOKEN);
    match fs::read(&path, 256) {
        Ok(bytes) if bytes.len() >= 32 => {
            fs::check_private(&path)?;
            Ok(Secret::new(String::from_utf8_lossy(&bytes).trim().to_owned()))
        }
        Ok(_) => make_token(&path, entropy),
        Err(error) if error.is_missing() => make_token(&path, entropy),
        Err(error) => Err(error.into()),
    }
}

fn make_token(path: &Path, entropy: &dyn Entropy) -> Result<Secret<String>, Coded> {
    let mut random = [0; 32];
    entropy.fill(&mut random);
    let token = format!("voxadmin_{}", Digest::from_bytes(random));
    fs::replace(path, token.as_bytes(), entropy)?;
    Ok(Secret::new(token))
}

/// Returns whether a vox answers at an address of this machine.
pub(crate) fn answers_as_vox(address: SocketAddr) -> bool {
    vox_api::Client::new(&Loopback { address }).readiness().is_ok()
}

/// Talks to a node of this machine, one connection a request.
pub(crate) struct Loopback {
    pub(crate) address: SocketAddr,
}

impl Transport for Loopback {
    fn send(&self, method: &str, path: &str) -> Result<(u16, Vec<u8>), Unreachable> {
        let exchange = || -> std::io::Result<Vec<u8>> {
            let mut stream = TcpStream::connect_timeout(&self.address, PROBE)?;
            stream.set_read_timeout(Some(PROBE))?;
            write!(stream, "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", self.address)?;
            let mut answer = Vec::new();
            stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer)?;
            Ok(answer)
        };
        let answer = exchange().map_err(|error| Unreachable(format!("nobody answers at {}: {error}", self.address)))?;
        parse(&answer).ok_or_else(|| Unreachable(format!("what answers at {} is no vox node", self.address)))
    }
}

/// Returns the status and body of an answer.
fn parse(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?.to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let body = &answer[end + 4..];
    let chunked = head.lines().any(|line| line.starts_with("transfer-encoding:") && line.contains("chunked"));
    Some((status, if chunked { joined(body)? } else { body.to_vec() }))
}

/// Returns the content of a chunked body.
fn joined(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let line_end = body.windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&body[..line_end]).ok()?.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        let from = line_end + 2;
        whole.extend_from_slice(body.get(from..from + size)?);
        body = body.get(from + size + 2..)?;
    }
}
