use super::*;

/// Streams in every spelling the format allows.
const CORPUS: &[&str] = &[
    "data: {\"a\":1}\n\ndata: [DONE]\n\n",
    "data: {\"a\":1}\r\n\r\ndata: [DONE]\r\n\r\n",
    "data: {\"a\":1}\r\rdata: [DONE]\r\r",
    "\u{feff}data: first\n\n",
    "\u{feff}event: x\r\ndata: first\r\n\r\n",
    ": comment\n\ndata: x\n\n: OPENROUTER PROCESSING\n\n",
    ": comment\ndata: x\n: in between\ndata: y\nretry: 10\nid: 7\n\n",
    "event: message_start\ndata: {\"type\":\"message_start\"}\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n",
    "data: one\ndata: two\ndata:\ndata: four\n\n",
    "data\n\n",
    "data:\n\n",
    "data:no space\ndata:  two spaces\n\n",
    "event:\ndata: unnamed\n\n",
    "event: named\n\n",
    "data: naïve ☕ 😀 漢字\n\n",
    "\n\n\ndata: after blanks\n\n\n\n",
    "\r\n\r\ndata: after blanks\r\n\r\n\r\n",
    "data: mixed\r\n\ndata: ends\n\r\ndata: here\r\r\n",
    "data: cut short\n",
    "data: cut shor",
    "data: x\r",
    "unknown: y\nxdata: z\ndatax: w\n\n",
    "",
    "\n",
    "\r",
    ":",
];

type Seen = (Vec<(String, Option<Vec<u8>>)>, Vec<u8>);

fn feed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Seen {
    let (mut decoder, mut seen) = (Decoder::new(), Seen::default());
    let mut note = |event: Event| {
        seen.1.extend_from_slice(&event.raw);
        if event.data.is_some() || event.name.is_some() {
            seen.0.push((event.name().to_owned(), event.data.map(|data| data.to_vec())));
        }
    };
    for piece in pieces {
        decoder.push(Bytes::copy_from_slice(piece));
        while let Some(event) = decoder.next_event().unwrap() {
            note(event);
        }
    }
    if let Some(event) = decoder.finish() {
        note(event);
    }
    seen
}

fn data(text: &str) -> Vec<String> {
    feed([text.as_bytes()]).0.into_iter().map(|(_, data)| String::from_utf8(data.unwrap_or_default()).unwrap()).collect()
}

#[test]
fn fields_are_read_as_the_standard_says() {
    assert_eq!(data(CORPUS[0]), ["{\"a\":1}", "[DONE]"]);
    assert_eq!(data(CORPUS[1]), data(CORPUS[0]));
    assert_eq!(data(CORPUS[2]), data(CORPUS[0]));
    assert_eq!(data(CORPUS[3]), ["first"]);
    assert_eq!(data(CORPUS[6]), ["x\ny"]);
    assert_eq!(data(CORPUS[8]), ["one\ntwo\n\nfour"]);
    assert_eq!(data(CORPUS[9]), [""]);
    assert_eq!(data(CORPUS[11]), ["no space\n two spaces"]);
    assert_eq!(data(CORPUS[17]), ["mixed", "ends", "here"]);
    assert_eq!(feed([CORPUS[7].as_bytes()]).0[0].0, "message_start");
    assert_eq!(feed([CORPUS[12].as_bytes()]).0[0].0, "");
}

#[test]
fn gw_22_every_cut_decodes_the_same() {
    for text in CORPUS {
        let bytes = text.as_bytes();
        let whole = feed([bytes]);
        assert_eq!(whole.1, bytes, "{text:?}");
        for cut in 0..=bytes.len() {
            for second in [cut, (cut + 1).min(bytes.len()), bytes.len()] {
                let pieces = [&bytes[..cut], &bytes[cut..second], &bytes[second..]];
                assert_eq!(feed(pieces), whole, "{text:?} cut at {cut} and {second}");
            }
        }
        assert_eq!(feed(bytes.chunks(1)), whole, "{text:?} byte by byte");
    }
}

/// A million streams of up to twelve letters that matter to the format, in up to three reads, against the plain rule
/// applied to the whole text.
#[test]
fn gw_22_a_million_random_streams() {
    const LETTERS: [&[u8]; 8] = [b"\n", b"\r", b":", b" ", b"data", b"event", b"\xc3\xa9", b"\xef\xbb\xbf"];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut text = Vec::new();
    for case in 0..1_000_000 {
        text.clear();
        for _ in 0..random(8) {
            text.extend_from_slice(LETTERS[random(LETTERS.len())]);
        }
        let mut decoder = Decoder::new();
        let first = random(text.len() + 1);
        let mut length = 0;
        let mut with_data = 0;
        let stream = Bytes::copy_from_slice(&text);
        for piece in [stream.slice(..first), stream.slice(first..)] {
            decoder.push(piece);
            while let Some(event) = decoder.next_event().unwrap() {
                assert_eq!(event.raw, text[length..length + event.raw.len()], "case {case}: {text:?}");
                length += event.raw.len();
                with_data += usize::from(event.data.is_some());
            }
        }
        length += decoder.finish().map_or(0, |event| event.raw.len());
        assert_eq!(length, text.len(), "case {case}: {text:?}");
        assert_eq!(with_data, plain_count(&text), "case {case}: {text:?} cut at {first}");
    }
}

/// Counts the complete events with data by the letter of the standard, over the whole text at once.
fn plain_count(text: &[u8]) -> usize {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let (mut n_events, mut has_data, mut at) = (0, false, 0);
    while let Some(end) = text[at..].iter().position(|byte| matches!(byte, b'\n' | b'\r')).map(|length| at + length) {
        let line = &text[at..end];
        at = end + if text[end..].starts_with(b"\r\n") { 2 } else { 1 };
        if line.is_empty() {
            n_events += usize::from(std::mem::take(&mut has_data));
        } else {
            has_data |= line == b"data" || line.starts_with(b"data:");
        }
    }
    n_events
}

#[test]
fn an_event_in_one_read_is_not_copied() {
    let read = Bytes::from_static(b"data: one\n\ndata: two\n\n");
    let mut decoder = Decoder::new();
    decoder.push(read.clone());
    let first = decoder.next_event().unwrap().unwrap();
    assert_eq!(first.raw.as_ptr(), read.as_ptr());
    assert_eq!(first.data.unwrap().as_ptr(), read[6..].as_ptr());
    assert_eq!(decoder.next_event().unwrap().unwrap().raw.as_ptr(), read[11..].as_ptr());
}

#[test]
fn a_comment_is_given_out_at_once() {
    let mut decoder = Decoder::new();
    decoder.push(Bytes::from_static(b": keep alive\n\n"));
    let event = decoder.next_event().unwrap().unwrap();
    assert_eq!((event.raw.as_ref(), event.data), (&b": keep alive\n\n"[..], None));
}

#[test]
fn a_carriage_return_ends_an_event_without_waiting_for_more() {
    let mut decoder = Decoder::new();
    decoder.push(Bytes::from_static(b"data: x\r\n\r"));
    assert!(decoder.next_event().unwrap().is_some());
    decoder.push(Bytes::from_static(b"\ndata: y\r\n\r\n"));
    assert_eq!(decoder.next_event().unwrap().unwrap().data.unwrap(), "y");
}

#[test]
fn reads_may_pile_up_before_they_are_decoded() {
    let mut decoder = Decoder::new();
    for piece in ["data: a\n", "\ndata: b", "\n\n"] {
        decoder.push(Bytes::copy_from_slice(piece.as_bytes()));
    }
    assert_eq!(decoder.next_event().unwrap().unwrap().data.unwrap(), "a");
    assert_eq!(decoder.next_event().unwrap().unwrap().data.unwrap(), "b");
    assert_eq!(decoder.next_event().unwrap(), None);
    assert_eq!(decoder.finish(), None);
}

#[test]
fn gw_65_an_event_has_a_largest_size() {
    let mut decoder = Decoder::new();
    let largest = MAX_EVENT_BYTES - "data: \n\n".len();
    decoder.push(Bytes::from(format!("data: {}\n\n", "x".repeat(largest))));
    assert!(decoder.next_event().unwrap().is_some());
    decoder.push(Bytes::from(format!("data: {}\n\n", "x".repeat(largest + 1))));
    assert_eq!(decoder.next_event(), Err(EventTooLarge));
    let mut decoder = Decoder::new();
    let endless = Bytes::from(vec![b'x'; 1024 * 1024]);
    let refused = (0..10).position(|_| {
        decoder.push(endless.clone());
        decoder.next_event().is_err()
    });
    assert_eq!(refused, Some(4));
}

#[test]
fn data_that_is_not_utf_8_is_handed_on() {
    let mut decoder = Decoder::new();
    decoder.push(Bytes::from_static(b"data: \xff\xfe\n\n"));
    assert_eq!(decoder.next_event().unwrap().unwrap().data.unwrap(), &b"\xff\xfe"[..]);
}
