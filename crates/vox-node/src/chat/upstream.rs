//! One upstream call: builds the request, sends it, and reads as much of the answer as is needed to know that it is one —
//! the whole body, or a stream's events up to the first token.

use super::offline;
use crate::providers::StreamUsage;
use crate::snapshot::Route;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use vox_base::Timestamp;
use vox_host::http::{Http, IncomingBody, Outgoing, SendError};
use vox_route::Failure;
use vox_wire::{Chat, Dialect, Document, Endpoint, Reader, Tally, Writer, sse};

/// Why one upstream call gave no answer.
pub(super) struct Failed {
    pub(super) class: Failure,
    /// One line for people, without secrets.
    pub(super) message: String,
    pub(super) http_status: Option<u16>,
    /// Whether the provider may have worked on it, and so may charge.
    pub(super) may_charge: bool,
    /// Whether this class came from the provider's own words and goes to the caller as such.
    pub(super) request_id: Option<String>,
}

impl Failed {
    pub(super) fn new(class: Failure, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), http_status: None, may_charge: false, request_id: None }
    }
}

/// An upstream call that brings an answer.
pub(super) struct Opened {
    pub(super) request_id: Option<String>,
    pub(super) tally: Tally,
    pub(super) answer: Answer,
}

/// The answer as far as it was read.
pub(super) enum Answer {
    /// All of it, in the caller's dialect.
    Whole(Bytes),
    /// The beginning of a stream, up to its first token.
    Stream(Box<Beginning>),
}

/// A stream that has shown its first token.
pub(super) struct Beginning {
    pub(super) source: Source,
    pub(super) decoder: sse::Decoder,
    pub(super) transcoder: Transcoder,
    /// What the caller gets first.
    pub(super) held: BytesMut,
    /// Whether the end was already among it.
    pub(super) ended: bool,
    /// A failure right behind the first token: too late for another offer.
    pub(super) failed: Option<Failed>,
}

/// Where the bytes of an answer come from.
pub(super) enum Source {
    Network(IncomingBody),
    Canned(Option<Bytes>),
}

impl Source {
    /// Returns the next bytes, `None` at a clean end, or an error when the connection was cut.
    pub(super) fn poll_bytes(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<Result<Bytes, ()>>> {
        match self {
            Self::Network(body) => body.poll_bytes(cx).map(|piece| piece.map(|bytes| bytes.map_err(drop))),
            Self::Canned(bytes) => std::task::Poll::Ready(bytes.take().map(Ok)),
        }
    }

    async fn next(&mut self) -> Option<Result<Bytes, ()>> {
        std::future::poll_fn(|cx| self.poll_bytes(cx)).await
    }
}

/// Turns upstream events into the caller's bytes and keeps the tally.
pub(super) struct Transcoder {
    pub(super) reader: Reader,
    /// Present when the caller speaks another dialect.
    pub(super) writer: Option<Writer>,
    /// The caller did not ask for the usage chunk that vox asked for.
    pub(super) withhold_usage: bool,
}

/// What an event was.
pub(super) enum Seen {
    /// It went to `out`; the flag says that it carries a token.
    Passed { token: bool, end: bool },
    /// The provider says that the stream failed.
    Failed(vox_wire::UpstreamError),
    /// It is no event of this dialect.
    Malformed,
}

impl Transcoder {
    pub(super) fn event(&mut self, event: &sse::Event, tally: &mut Tally, out: &mut BytesMut) -> Seen {
        let mut error = None;
        let writer = &mut self.writer;
        let facts = self.reader.event(event, &mut |delta| {
            tally.add(&delta);
            if let vox_wire::Delta::Error(failure) = &delta {
                error = Some(failure.clone());
            } else if let Some(writer) = writer {
                writer.delta(&delta, out);
            }
        });
        let Ok(facts) = facts else { return Seen::Malformed };
        if let Some(error) = error {
            return Seen::Failed(error);
        }
        if self.writer.is_none() && !(facts.usage_only && self.withhold_usage) {
            out.extend_from_slice(&event.raw);
        }
        Seen::Passed { token: facts.carries_token, end: facts.end }
    }
}

/// What one upstream call needs to know.
pub(super) struct Request<'a> {
    pub(super) http: &'a Http,
    pub(super) route: &'a Route,
    pub(super) chat: &'a Chat,
    pub(super) body: Bytes,
    pub(super) forward: &'a HeaderMap,
    pub(super) query: Option<&'a str>,
    pub(super) traceparent: Option<String>,
    pub(super) timeouts: &'a crate::settings::Timeouts,
    pub(super) limits: &'a crate::settings::Limits,
    pub(super) deadline: Option<Instant>,
    /// Model name as the caller gets to see it in a translated answer.
    pub(super) shown_model: &'a str,
    pub(super) now: Timestamp,
    pub(super) interaction: String,
}

impl Request<'_> {
    /// Makes the call.
    pub(super) async fn open(self) -> Result<Opened, Failed> {
        if self.route.is_offline {
            let canned = offline::answer(self.chat, &self.interaction, self.now.millis() / 1000);
            return self.read(Source::Canned(Some(canned)), None, Instant::now()).await;
        }
        let started = Instant::now();
        let first_byte = match (self.chat.stream, self.route.provider.local) {
            (false, _) => self.timeouts.response_ms,
            (true, false) => self.timeouts.first_byte_ms,
            (true, true) => self.timeouts.local_first_byte_ms,
        };
        let until = self.until(started, first_byte);
        let incoming = timeout_at(until, self.http.send(self.outgoing()?)).await.map_err(|_| self.too_late())?.map_err(|error| send_failure(&error))?;
        let request_id = ["x-request-id", "request-id"].iter().find_map(|name| Some(incoming.headers.get(*name)?.to_str().ok()?.to_owned()));
        if incoming.status != 200 {
            return Err(self.refused(incoming, request_id, until).await);
        }
        self.read(Source::Network(incoming.body), request_id, started).await
    }

    fn until(&self, from: Instant, millis: u64) -> Instant {
        let until = from + Duration::from_millis(millis);
        self.deadline.map_or(until, |deadline| until.min(deadline))
    }

    fn too_late(&self) -> Failed {
        let over = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        let (class, message) = if over { (Failure::Deadline, "the caller's time was over") } else { (Failure::Stalled, "no answer in time") };
        Failed { may_charge: true, ..Failed::new(class, message) }
    }

    fn outgoing(&self) -> Result<Outgoing, Failed> {
        let url = self.url().ok_or_else(|| Failed::new(Failure::ModelGone, "the provider has no such endpoint"))?;
        let mut headers = self.route.headers.clone();
        if self.chat.dialect == self.route.provider.dialect {
            for (name, value) in self.forward {
                headers.insert(name, value.clone());
            }
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(credential) = &self.route.credential {
            headers.insert(credential.name.clone(), credential.value.clone());
        }
        if let Some(value) = self.traceparent.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
            headers.insert("traceparent", value);
        }
        Ok(Outgoing { method: Method::POST, url, headers, body: self.body.clone(), allow_private: self.route.provider.local })
    }

    fn url(&self) -> Option<Uri> {
        let url = match self.chat.endpoint {
            Endpoint::Chat => Some(&self.route.chat_url),
            Endpoint::Embeddings => self.route.embeddings_url.as_ref(),
        }?;
        match self.query.filter(|_| self.chat.dialect == self.route.provider.dialect) {
            Some(query) => format!("{url}?{query}").parse().ok(),
            None => Some(url.clone()),
        }
    }

    /// Reads a refusal's body for its message and class.
    async fn refused(&self, incoming: vox_host::http::Incoming, request_id: Option<String>, until: Instant) -> Failed {
        let status = incoming.status.as_u16();
        let lookup = |name: &str| incoming.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let retry_after_ms = vox_route::retry_after(&lookup, self.now);
        let mut source = Source::Network(incoming.body);
        let body = timeout_at(until, collect(&mut source, 64 * 1024)).await.ok().and_then(Result::ok).unwrap_or_default();
        let error = vox_wire::read_error(self.route.provider.dialect, &body);
        let class = vox_route::classify(status, &error.kind, &error.code, &error.message, retry_after_ms);
        Failed { class, message: self.route.scrub(&error.message), http_status: Some(status), may_charge: false, request_id }
    }

    async fn read(self, source: Source, request_id: Option<String>, started: Instant) -> Result<Opened, Failed> {
        let mut tally = Tally::new(self.route.provider.dialect, self.route.provider.requires_done);
        let answer = if self.chat.stream { self.begin(source, &mut tally, started).await } else { self.whole(source, &mut tally, started).await };
        let answer = answer.map_err(|mut failed| {
            failed.http_status = failed.http_status.or(Some(200));
            failed.request_id = request_id.clone();
            failed
        })?;
        Ok(Opened { request_id, tally, answer })
    }

    async fn whole(&self, mut source: Source, tally: &mut Tally, started: Instant) -> Result<Answer, Failed> {
        let until = self.until(started, self.timeouts.response_ms);
        let limit = self.limits.response_bytes;
        let body = timeout_at(until, collect(&mut source, limit)).await.map_err(|_| self.too_late())?.map_err(|unread| unread.failure(limit))?;
        let malformed = |what: &str| Failed { may_charge: true, ..Failed::new(Failure::Malformed, what) };
        let document = Document::parse(body.clone()).map_err(|_| malformed("the answer is not JSON"))?;
        let mut reader = Reader::new(self.route.provider.dialect, self.route.provider.usage_rules.clone());
        let mut deltas = Vec::new();
        let wants_translation = self.chat.dialect != self.route.provider.dialect;
        let mut error = None;
        reader
            .whole(self.chat.endpoint, &document, &mut |delta| {
                tally.add(&delta);
                match delta {
                    vox_wire::Delta::Error(failure) => error = Some(failure),
                    delta if wants_translation => deltas.push(delta.into_owned()),
                    _ => {}
                }
            })
            .map_err(|_| malformed("the answer has no form of its dialect"))?;
        if let Some(error) = error {
            return Err(self.in_band(&error));
        }
        Ok(Answer::Whole(if wants_translation {
            vox_wire::write_whole(self.chat.dialect, self.shown_model, &self.interaction, self.now.millis() / 1000, &deltas)
        } else {
            body
        }))
    }

    fn in_band(&self, error: &vox_wire::UpstreamError) -> Failed {
        let class = vox_route::classify_in_band(&error.kind, &error.code, &error.message);
        Failed { may_charge: true, ..Failed::new(class, self.route.scrub(&error.message)) }
    }

    /// Holds events back until the first token, so that everything before it may still fail over.
    async fn begin(&self, mut source: Source, tally: &mut Tally, started: Instant) -> Result<Answer, Failed> {
        let provider = &self.route.provider;
        let writer = (self.chat.dialect != provider.dialect)
            .then(|| Writer::new(self.chat.dialect, self.shown_model, &self.interaction, self.now.millis() / 1000, self.chat.include_usage));
        let withhold_usage = provider.stream_usage == StreamUsage::OnRequest && !self.chat.include_usage;
        let mut transcoder = Transcoder { reader: Reader::new(provider.dialect, provider.usage_rules.clone()), writer, withhold_usage };
        let mut decoder = sse::Decoder::new();
        let mut held = BytesMut::new();
        let commit_by = self.until(Instant::now(), self.timeouts.commit_after_ms);
        let first_byte_by = self.until(started, if provider.local { self.timeouts.local_first_byte_ms } else { self.timeouts.first_byte_ms });
        let mut until = first_byte_by;
        loop {
            let bytes = match timeout_at(until, source.next()).await {
                Err(_) => return Err(self.too_late()),
                Ok(None) => return Err(cut("the stream ended before its first token")),
                Ok(Some(Err(()))) => return Err(cut("the connection was cut before the first token")),
                Ok(Some(Ok(bytes))) => bytes,
            };
            until = commit_by;
            decoder.push(bytes);
            let (mut token, mut ended, mut failed) = (false, false, None);
            while let Some(event) = decoder.next().map_err(|_| malformed_stream())? {
                match transcoder.event(&event, tally, &mut held) {
                    Seen::Passed { token: carries, end } => {
                        token |= carries;
                        ended |= end;
                    }
                    Seen::Failed(error) => failed = Some(self.in_band(&error)),
                    Seen::Malformed => failed = Some(malformed_stream()),
                }
                if failed.is_some() {
                    break;
                }
            }
            if let Some(failed) = failed.take_if(|_| !token) {
                return Err(failed);
            }
            if token || ended || held.len() > self.limits.hold_bytes {
                return Ok(Answer::Stream(Box::new(Beginning { source, decoder, transcoder, held, ended, failed })));
            }
        }
    }
}

fn cut(message: &str) -> Failed {
    Failed { may_charge: true, ..Failed::new(Failure::Cut, message) }
}

fn malformed_stream() -> Failed {
    Failed { may_charge: true, ..Failed::new(Failure::Malformed, "the stream has no form of its dialect") }
}

fn send_failure(error: &SendError) -> Failed {
    Failed { may_charge: error.is_after_sending(), ..Failed::new(Failure::Network, error.to_string()) }
}

/// Why a body could not be read to its end.
enum Unread {
    Cut,
    TooLarge,
}

impl Unread {
    fn failure(self, limit: usize) -> Failed {
        match self {
            Self::Cut => cut("the answer was cut"),
            Self::TooLarge => Failed { may_charge: true, ..Failed::new(Failure::Malformed, format!("the answer is over {limit} bytes")) },
        }
    }
}

async fn collect(source: &mut Source, limit: usize) -> Result<Bytes, Unread> {
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(piece) = source.next().await {
        let piece = piece.map_err(|()| Unread::Cut)?;
        if first.len() + joined.len() + piece.len() > limit {
            return Err(Unread::TooLarge);
        }
        if first.is_empty() && joined.is_empty() {
            first = piece;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut first));
            joined.extend_from_slice(&piece);
        }
    }
    Ok(if joined.is_empty() { first } else { joined.freeze() })
}
