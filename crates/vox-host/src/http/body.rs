//! The body of a response, and whether it came to its end.

use bytes::{Bytes, BytesMut};
use hyper::body::{Body as _, Incoming};
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
#[derive(Debug)]
pub struct IncomingBody(Incoming);

impl IncomingBody {
    pub(super) const fn new(inner: Incoming) -> Self {
        Self(inner)
    }

    /// Waits for the next bytes; `None` is the clean end.
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Polls for the next bytes; `None` is the clean end.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            let bytes = match ready!(Pin::new(&mut self.0).poll_frame(cx)) {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(Some(Err(BodyError::Cut(Arc::new(error))))),
                None => return Poll::Ready(None),
            };
            // Trailers carry no data.
            if !bytes.is_empty() {
                return Poll::Ready(Some(Ok(bytes)));
            }
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

fn within(bytes: Bytes, limit: usize, before: usize) -> Result<Bytes, BodyError> {
    if before + bytes.len() > limit { Err(BodyError::TooLong { limit }) } else { Ok(bytes) }
}
