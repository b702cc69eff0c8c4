//! The body of a response, and whether it came to its end.

use super::pool::{Destination, Live, Pool};
use bytes::{Bytes, BytesMut};
use hyper::body::{Body as _, Frame, Incoming};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// A body did not come as promised.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BodyError {
    /// The connection ended before the last chunk, or short of the content length.
    #[error("the connection was cut in the middle of the body")]
    Cut(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// It is longer than the reader takes.
    #[error("the body is over {limit} bytes")]
    TooLong {
        /// Most bytes that are read.
        limit: usize,
    },
}

/// A body, read as it comes. Dropping it before its end closes the connection.
pub struct IncomingBody {
    inner: Incoming,
    /// The connection, until the body has ended.
    carrier: Option<Carrier>,
}

struct Carrier {
    live: Live,
    pool: Pool,
    destination: Destination,
}

impl IncomingBody {
    pub(super) const fn new(inner: Incoming, live: Live, pool: Pool, destination: Destination) -> Self {
        Self { inner, carrier: Some(Carrier { live, pool, destination }) }
    }

    /// Waits for the next bytes; `None` is the clean end.
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Polls for the next bytes; `None` is the clean end.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            let bytes = match ready!(self.poll_frame(cx)) {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(error)) => {
                    self.carrier = None;
                    return Poll::Ready(Some(Err(BodyError::Cut(Arc::new(error)))));
                }
                None => {
                    if let Some(Carrier { live, pool, destination }) = self.carrier.take() {
                        pool.put(destination, live, cx);
                    }
                    return Poll::Ready(None);
                }
            };
            // Trailers carry no data.
            if !bytes.is_empty() {
                return Poll::Ready(Some(Ok(bytes)));
            }
        }
    }

    /// Polls the body, and the connection that fills it.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut body = Pin::new(&mut self.inner);
        match &mut self.carrier {
            Some(carrier) => carrier.live.poll(cx, |cx| body.as_mut().poll_frame(cx)),
            None => body.poll_frame(cx),
        }
    }

    /// Reads the whole body, at most this many bytes.
    ///
    /// # Errors
    /// The body is cut short or longer.
    pub async fn collect(mut self, limit: usize) -> Result<Bytes, BodyError> {
        let Some(first) = self.next().await else { return Ok(Bytes::new()) };
        let first = within(first?, limit, 0)?;
        let Some(second) = self.next().await else { return Ok(first) };
        let mut all = BytesMut::from(first);
        all.extend_from_slice(&within(second?, limit, all.len())?);
        while let Some(bytes) = self.next().await {
            all.extend_from_slice(&within(bytes?, limit, all.len())?);
        }
        Ok(all.freeze())
    }
}

impl std::fmt::Debug for IncomingBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IncomingBody").field("ended", &self.carrier.is_none()).finish()
    }
}

fn within(bytes: Bytes, limit: usize, before: usize) -> Result<Bytes, BodyError> {
    if before + bytes.len() > limit { Err(BodyError::TooLong { limit }) } else { Ok(bytes) }
}
