//! The least a provider can do: one thread a connection, fixed answers, twenty tokens a stream, one write an event.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;

const WHOLE: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello from the mock."},"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":11,"total_tokens":23}}"#;
const N_TOKENS: usize = 20;

pub(crate) fn serve(port: u16) -> ExitCode {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || connection(stream));
    }
    ExitCode::SUCCESS
}

fn connection(stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    let mut body = Vec::new();
    while read_request(&mut reader, &mut body)? {
        if body.windows(13).any(|window| window == b"\"stream\":true") {
            events(&mut writer)?;
        } else {
            write!(writer, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{WHOLE}", WHOLE.len())?;
        }
    }
    Ok(())
}

fn read_request(reader: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> std::io::Result<bool> {
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(false);
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line == "\r\n" {
            break;
        }
    }
    body.resize(length, 0);
    reader.read_exact(body)?;
    Ok(true)
}

fn events(writer: &mut TcpStream) -> std::io::Result<()> {
    writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")?;
    for at in 0..=N_TOKENS {
        let (delta, finish) = if at < N_TOKENS { (format!(r#"{{"content":"tok{at} "}}"#), "null") } else { ("{}".to_owned(), "\"stop\"") };
        event(
            writer,
            &format!(
                r#"{{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#
            ),
        )?;
    }
    event(
        writer,
        r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":20,"total_tokens":32}}"#,
    )?;
    event(writer, "[DONE]")?;
    writer.write_all(b"0\r\n\r\n")
}

fn event(writer: &mut TcpStream, data: &str) -> std::io::Result<()> {
    let event = format!("data: {data}\n\n");
    writer.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())
}
