//! One upstream call: builds the request, sends it, and reads as much of the answer as is needed to know that it is one —
//! the whole body, or a stream's events up to the first token.

use super::offline;
use crate::providers::StreamUsage;
use crate::settings::Settings;
use crate::snapshot::Route;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use vox_base::Timestamp;
use vox_host::http::{Http, IncomingBody, Outgoing, SendError};
use vox_route::Failure;
use vox_telemetry::Traceparent;
use vox_wire::json::Document;
use vox_wire::{Chat, Delta, Endpoint, FailureHint, Frames, Reader, Shown, Tally, UpstreamError, Writer, sse};

/// Why one upstream call gave no answer.
pub(super) struct Failed {
    pub(super) class: Failure,
    /// One line for people, without secrets.
    pub(super) message: String,
    pub(super) http_status: Option<u16>,
    /// Whether the provider may have worked on it, and so may charge.
    pub(super) may_charge: bool,
    /// The provider's name for the call.
    pub(super) request_id: Option<String>,
    /// Whether the provider allows the same call again.
    pub(super) may_retry: bool,
}

impl Failed {
    pub(super) fn new(class: Failure, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), http_status: None, may_charge: false, request_id: None, may_retry: true }
    }
}

/// An upstream call that brings an answer.
pub(super) struct Opened {
    pub(super) request_id: Option<String>,
    pub(super) answer: Answer,
}

/// The answer as far as it was read.
pub(super) enum Answer {
    /// All of it, in the caller's dialect.
    Whole { body: Bytes, tally: Box<Tally> },
    /// The beginning of a stream, up to its first token.
    Stream(Box<Beginning>),
}

/// A stream that has shown its first token.
pub(super) struct Beginning {
    pub(super) source: Source,
    pub(super) frames: Frames,
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
            Self::Network(body) => body.poll_next(cx).map(|piece| piece.map(|bytes| bytes.map_err(drop))),
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
    /// It went to `out`.
    Passed { token: bool, end: bool },
    /// The provider says that the stream failed; the tally knows how.
    Failed,
    /// It is no event of this dialect.
    Malformed,
}

impl Transcoder {
    pub(super) fn event(&mut self, event: &sse::Event, out: &mut BytesMut) -> Seen {
        let facts = match &mut self.writer {
            None => self.reader.event(event, &mut |_| {}),
            Some(writer) => self.reader.event(event, &mut |delta| {
                if !matches!(delta, Delta::Error(_)) {
                    writer.delta(&delta, out);
                }
            }),
        };
        let Ok(facts) = facts else { return Seen::Malformed };
        if facts.error {
            return Seen::Failed;
        }
        if self.writer.is_none() && !(facts.usage_only && self.withhold_usage) {
            out.extend_from_slice(&event.raw);
        }
        Seen::Passed { token: facts.carries_token, end: facts.end }
    }

    pub(super) fn tally(&self) -> &Tally {
        self.reader.tally()
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
    pub(super) traceparent: Option<Traceparent>,
    pub(super) settings: &'a Settings,
    pub(super) deadline: Option<Instant>,
    /// Model name as the caller gets to see it in a translated answer.
    pub(super) shown_model: &'a str,
    pub(super) now: Timestamp,
    /// Names the answer where vox itself writes it.
    pub(super) answer_id: String,
}

impl Request<'_> {
    /// Makes the call.
    pub(super) async fn open(self) -> Result<Opened, Failed> {
        if self.route.is_offline {
            let canned = offline::answer(self.chat, &self.answer_id, self.now.millis() / 1000);
            return self.read(Source::Canned(Some(canned)), None, Instant::now()).await;
        }
        let started = Instant::now();
        let first_byte = match (self.chat.stream, self.route.provider.local) {
            (false, _) => self.settings.timeouts.response_ms,
            (true, false) => self.settings.timeouts.first_byte_ms,
            (true, true) => self.settings.timeouts.local_first_byte_ms,
        };
        let until = self.until(started, first_byte);
        let incoming = timeout_at(until, self.http.send(self.outgoing()?))
            .await
            .map_err(|_| self.too_late())?
            .map_err(|error| send_failure(&error))?;
        let request_id =
            ["x-request-id", "request-id"].iter().find_map(|name| Some(incoming.headers.get(*name)?.to_str().ok()?.to_owned()));
        if incoming.status != 200 {
            return Err(self.refused(incoming, request_id, until).await);
        }
        if self.chat.stream && is_document(&incoming.headers) {
            return Err(self.instead_of_a_stream(incoming, request_id, until).await);
        }
        self.read(Source::Network(incoming.body), request_id, started).await
    }

    fn until(&self, from: Instant, millis: u64) -> Instant {
        let until = from + Duration::from_millis(millis);
        self.deadline.map_or(until, |deadline| until.min(deadline))
    }

    fn too_late(&self) -> Failed {
        let over = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        let (class, message) =
            if over { (Failure::Deadline, "the caller's time was over") } else { (Failure::Stalled, "no answer in time") };
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
        if let Some(value) = self.traceparent.and_then(|parent| HeaderValue::from_bytes(&parent.to_bytes()).ok()) {
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
        let retry_after_ms = vox_route::attempt::retry_after(&lookup, self.now);
        let may_retry = lookup("x-should-retry").as_deref() != Some("false");
        let body = timeout_at(until, incoming.body.collect(MAX_ERROR_BYTES)).await.ok().and_then(Result::ok).unwrap_or_default();
        let error = UpstreamError::read(&body);
        let class = vox_route::attempt::classify(status, &words(&error), retry_after_ms);
        let message = if error.message.is_empty() { format!("the provider answered {status}") } else { self.route.scrub(&error.message) };
        Failed { class, message, http_status: Some(status), may_charge: false, request_id, may_retry }
    }

    /// Reads what a provider sends with 200 where a stream was asked for: its error, or a page of somebody in between.
    async fn instead_of_a_stream(&self, incoming: vox_host::http::Incoming, request_id: Option<String>, until: Instant) -> Failed {
        let body = timeout_at(until, incoming.body.collect(MAX_ERROR_BYTES)).await.ok().and_then(Result::ok).unwrap_or_default();
        let error = UpstreamError::read(&body);
        let failed = if error == UpstreamError::default() { malformed_stream() } else { in_band_error(self.route, &error) };
        Failed { http_status: Some(200), request_id, ..failed }
    }

    async fn read(self, source: Source, request_id: Option<String>, started: Instant) -> Result<Opened, Failed> {
        let answer = if self.chat.stream { self.begin(source, started).await } else { self.whole(source, started).await };
        match answer {
            Ok(answer) => Ok(Opened { request_id, answer }),
            Err(failed) => Err(Failed { http_status: failed.http_status.or(Some(200)), request_id, ..failed }),
        }
    }

    async fn whole(&self, mut source: Source, started: Instant) -> Result<Answer, Failed> {
        let until = self.until(started, self.settings.timeouts.response_ms);
        let limit = self.settings.limits.response_bytes;
        let body =
            timeout_at(until, collect(&mut source, limit)).await.map_err(|_| self.too_late())?.map_err(|unread| unread.failure(limit))?;
        let malformed = |what: &str| Failed { may_charge: true, ..Failed::new(Failure::Malformed, what) };
        let document = Document::parse(body.clone()).map_err(|_| malformed("the answer is not JSON"))?;
        let mut reader = Reader::new(self.route.provider.dialect, self.route.provider.usage_rules.clone());
        let translated = self.chat.dialect != self.route.provider.dialect;
        if translated && self.chat.endpoint == Endpoint::Embeddings {
            let body = reader.embeddings(&document, self.shown_model, self.chat.vector_form());
            let body = body.map_err(|_| malformed("the answer holds no vectors"))?;
            return Ok(Answer::Whole { body, tally: Box::new(reader.into_tally()) });
        }
        let mut answer = translated.then(vox_wire::Answer::default);
        let facts = reader.whole(&document, &mut |delta| {
            if let Some(answer) = &mut answer {
                answer.add(&delta);
            }
        });
        let facts = facts.map_err(|_| malformed("the answer has no form of its dialect"))?;
        let tally = reader.into_tally();
        if facts.error {
            return Err(self.in_band(&tally));
        }
        let body = match answer {
            None => body,
            Some(answer) => {
                answer.write(self.chat.dialect, &self.shown()).map_err(|_| malformed("a tool call's arguments are no JSON object"))?
            }
        };
        Ok(Answer::Whole { body, tally: Box::new(tally) })
    }

    fn shown(&self) -> Shown {
        let created_s = u64::try_from(self.now.millis() / 1000).unwrap_or(0);
        Shown { id: self.answer_id.clone(), model: self.shown_model.to_owned(), created_s, include_usage: self.chat.include_usage }
    }

    /// Returns what writes the stream anew, if the caller speaks another dialect.
    fn writer(&self) -> Option<Writer> {
        (self.chat.dialect != self.route.provider.dialect).then(|| Writer::new(self.chat.dialect, self.shown()))
    }

    fn in_band(&self, tally: &Tally) -> Failed {
        in_band(self.route, tally)
    }

    /// Holds events back until the first token, so that everything before it may still fail over.
    async fn begin(&self, mut source: Source, started: Instant) -> Result<Answer, Failed> {
        let provider = &self.route.provider;
        let withhold_usage = provider.stream_usage == StreamUsage::OnRequest && !self.chat.include_usage;
        let reader = Reader::new(provider.dialect, provider.usage_rules.clone());
        let mut transcoder = Transcoder { reader, writer: self.writer(), withhold_usage };
        let mut frames = Frames::new(provider.dialect);
        let mut held = BytesMut::new();
        let commit_by = self.until(Instant::now(), self.settings.timeouts.commit_after_ms);
        let first_byte_by = self
            .until(started, if provider.local { self.settings.timeouts.local_first_byte_ms } else { self.settings.timeouts.first_byte_ms });
        let mut until = first_byte_by;
        loop {
            let bytes = match timeout_at(until, source.next()).await {
                Err(_) => return Err(self.too_late()),
                Ok(None) => return Err(cut("the stream ended before its first token")),
                Ok(Some(Err(()))) => return Err(cut("the connection was cut before the first token")),
                Ok(Some(Ok(bytes))) => bytes,
            };
            until = commit_by;
            frames.push(bytes);
            let (mut token, mut ended, mut failed) = (false, false, None);
            while let Some(event) = frames.next_event().map_err(|_| malformed_stream())? {
                match transcoder.event(&event, &mut held) {
                    Seen::Passed { token: carries, end } => {
                        token |= carries;
                        ended |= end;
                    }
                    Seen::Failed => failed = Some(self.in_band(transcoder.tally())),
                    Seen::Malformed => failed = Some(malformed_stream()),
                }
                if failed.is_some() {
                    break;
                }
            }
            if let Some(failed) = failed.take_if(|_| !token) {
                return Err(failed);
            }
            if token || ended || held.len() > self.settings.limits.hold_bytes {
                return Ok(Answer::Stream(Box::new(Beginning { source, frames, transcoder, held, ended, failed })));
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
    Failed { may_charge: !error.nothing_sent(), ..Failed::new(Failure::Network, error.to_string()) }
}

/// Returns the failure that a provider reports inside its answer.
pub(super) fn in_band(route: &Route, tally: &Tally) -> Failed {
    in_band_error(route, &tally.error.clone().unwrap_or_default())
}

fn in_band_error(route: &Route, error: &UpstreamError) -> Failed {
    let class = vox_route::attempt::classify(in_band_status(error.hint()), &words(error), None);
    let message = if error.message.is_empty() { "the provider failed inside its answer".to_owned() } else { route.scrub(&error.message) };
    Failed { may_charge: true, ..Failed::new(class, message) }
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

/// Returns whether an answer says of itself that it is one document and no stream; saying nothing is saying neither.
fn is_document(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    matches!(kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase().as_str(), "application/json" | "text/html")
}

const MAX_ERROR_BYTES: usize = 64 * 1024;

fn words(error: &UpstreamError) -> String {
    format!("{} {} {}", error.kind, error.code, error.message)
}

/// Returns the HTTP status that a failure inside an answer would have had as an answer of its own.
const fn in_band_status(hint: Option<FailureHint>) -> u16 {
    match hint {
        Some(FailureHint::ContextTooLong | FailureHint::Request) => 400,
        Some(FailureHint::Auth) => 401,
        Some(FailureHint::Payment) => 402,
        Some(FailureHint::ModelGone) => 404,
        Some(FailureHint::Rate) => 429,
        Some(FailureHint::Server) | None => 500,
    }
}
