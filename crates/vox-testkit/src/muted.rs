//! A way to a PostgreSQL on which notifications get lost, as they do behind a proxy that pools transactions.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

/// What a server's notification begins with.
const NOTIFICATION: u8 = b'A';

/// Listens on a free port and passes everything on between whoever connects and a server's port, except for
/// notifications. Returns its port; it ends with the process.
///
/// # Panics
/// There is no free port.
#[must_use]
pub fn muted(server: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
            let (Ok(from_client), Ok(to_server)) = (client.try_clone(), server.try_clone()) else { continue };
            std::thread::spawn(move || until_closed(from_client, to_server, |from, to| std::io::copy(from, to).map(|_| ())));
            std::thread::spawn(move || until_closed(server, client, without_notifications));
        }
    });
    port
}

fn until_closed(mut from: TcpStream, mut to: TcpStream, pass: impl Fn(&mut TcpStream, &mut TcpStream) -> std::io::Result<()>) {
    let _ = pass(&mut from, &mut to);
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// Passes messages on: each is a letter, four bytes of length that count themselves, and the rest.
fn without_notifications(from: &mut TcpStream, to: &mut TcpStream) -> std::io::Result<()> {
    let mut from = std::io::BufReader::new(from);
    loop {
        let mut message = vec![0; 5];
        from.read_exact(&mut message)?;
        let length = u32::from_be_bytes([message[1], message[2], message[3], message[4]]);
        from.by_ref().take(u64::from(length.saturating_sub(4))).read_to_end(&mut message)?;
        if message[0] != NOTIFICATION {
            to.write_all(&message)?;
        }
    }
}
