//! What a running node leaves for other commands to find it: its address, its process and the token of its own API.

use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;
use vox_base::{Coded, Digest, Entropy, Secret, Timestamp};
use vox_host::fs;

const FILE: &str = "node.json";
const TOKEN: &str = "admin-token";
const PROBE: Duration = Duration::from_millis(300);

/// Where a node runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Running {
    /// Its process.
    pub(crate) pid: u32,
    /// Its address.
    pub(crate) address: SocketAddr,
    /// When it began.
    pub(crate) started_at: Timestamp,
}

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

/// Asks an address of this machine whether a vox answers there.
pub(crate) fn answers_as_vox(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, PROBE)?;
        stream.set_read_timeout(Some(PROBE))?;
        write!(stream, "GET / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
        let mut answer = [0; 512];
        let n = stream.read(&mut answer)?;
        Ok(answer[..n].windows(14).any(|window| window == b"vox is running"))
    };
    ask().unwrap_or(false)
}

/// Asks a running node for a page of its own API.
pub(crate) fn ask(running: &Running, token: &Secret<String>, path: &str) -> Option<serde_json::Value> {
    let mut stream = TcpStream::connect_timeout(&running.address, PROBE).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n", running.address, token.expose()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}
