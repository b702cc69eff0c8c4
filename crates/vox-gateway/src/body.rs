//! Bodies: reading a request's within its limit, and answering whole or as a stream.

use crate::router::Slot;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use vox_node::chat::ChatStream;

/// An answer's body.
pub(crate) enum Body {
    /// Everything at once.
    Whole(Option<Bytes>),
    /// Events as they come, and the place among open requests that they hold.
    Stream(Box<ChatStream>, #[expect(dead_code, reason = "held for its Drop")] Slot),
}

/// The stream was cut; the connection closes without the mark of a complete body.
#[derive(Debug, thiserror::Error)]
#[error("the stream was cut")]
pub(crate) struct CutShort;

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().filter(|bytes| !bytes.is_empty()).map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(stream, _) => stream.poll_bytes(cx).map(|piece| piece.map(|bytes| bytes.map(Frame::data).map_err(|_| CutShort))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Stream(..) => SizeHint::default(),
        }
    }
}

/// Why a request body could not be read.
pub(crate) enum Unread {
    /// It is longer than the limit.
    TooLarge,
    /// The caller stopped sending.
    Broken,
}

/// Reads a request body; one that announces too much is refused before it is read.
pub(crate) async fn read(mut body: Incoming, limit: usize) -> Result<Bytes, Unread> {
    if body.size_hint().lower() > limit as u64 {
        return Err(Unread::TooLarge);
    }
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        if first.len() + joined.len() + data.len() > limit {
            return Err(Unread::TooLarge);
        }
        if first.is_empty() && joined.is_empty() {
            first = data;
            continue;
        }
        if joined.is_empty() {
            joined.extend_from_slice(&std::mem::take(&mut first));
        }
        joined.extend_from_slice(&data);
    }
    Ok(if joined.is_empty() { first } else { joined.freeze() })
}
