//! Images between data URLs and base64 blocks, byte for byte, and ids that both dialects take.

use super::ledger::{At, refused};
use super::verdicts::Group;
use super::{Target, Untranslatable};
use crate::json::{Out, Value};
use std::borrow::Cow;

/// Writes the Anthropic block for an image address, which may be a data URL.
pub(super) fn put_anthropic_image(out: &mut Out, url: &str, target: &Target, at: At<'_>) -> Result<(), Untranslatable> {
    let Some(data) = url.strip_prefix("data:") else {
        return put_remote_image(out, url, target, at);
    };
    let (media_type, base64) =
        data.split_once(";base64,").ok_or_else(|| refused(Group::Block, "image_url", at, "a data URL must be base64"))?;
    out.object(|out| {
        out.key("type").str("image");
        out.key("source").object(|out| {
            out.key("type").str("base64");
            out.key("media_type").str(media_type);
            out.key("data").str(base64);
        });
    });
    Ok(())
}

fn put_remote_image(out: &mut Out, url: &str, target: &Target, at: At<'_>) -> Result<(), Untranslatable> {
    if !target.image_urls {
        return Err(Untranslatable::ImageUrl { pointer: at.to_string() });
    }
    out.object(|out| {
        out.key("type").str("image");
        out.key("source").object(|out| {
            out.key("type").str("url");
            out.key("url").str(url);
        });
    });
    Ok(())
}

/// Returns the base64 text of an image that is given as a data URL.
pub(super) fn inline_image<'a>(url: Cow<'a, str>, at: At<'_>) -> Result<Cow<'a, str>, Untranslatable> {
    let Some(data) = url.strip_prefix("data:") else { return Err(Untranslatable::ImageUrl { pointer: at.to_string() }) };
    let Some((media_type, _)) = data.split_once(";base64,") else {
        return Err(refused(Group::Block, "image_url", at, "a data URL must be base64"));
    };
    let start = "data:".len() + media_type.len() + ";base64,".len();
    Ok(match url {
        Cow::Borrowed(url) => Cow::Borrowed(&url[start..]),
        Cow::Owned(url) => Cow::Owned(url[start..].to_owned()),
    })
}

/// Writes the OpenAI part for an Anthropic image block.
pub(super) fn put_openai_image(out: &mut Out, block: Value<'_>, target: &Target, at: At<'_>) -> Result<(), Untranslatable> {
    let source = block.get("source");
    let text = |key: &str| source.and_then(|source| source.get(key)).map(Value::raw_inner).unwrap_or_default();
    match text("type") {
        "base64" => put_image_url(out, &["data:", text("media_type"), ";base64,", text("data")]),
        "url" if target.image_urls => put_image_url(out, &[text("url")]),
        "url" => return Err(Untranslatable::ImageUrl { pointer: at.to_string() }),
        _ => return Err(refused(Group::Block, "image", at, "the image is neither inline nor an address")),
    }
    Ok(())
}

fn put_image_url(out: &mut Out, pieces: &[&str]) {
    out.object(|out| {
        out.key("type").str("image_url");
        out.key("image_url").object(|out| out.key("url").str_of_raw(pieces.iter().copied()));
    });
}

/// Returns an id of letters, digits, `_` and `-`, as Anthropic wants; the same id always becomes the same.
pub(super) fn anthropic_tool_id(id: &str) -> Cow<'_, str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !id.is_empty() && id.bytes().all(allowed) {
        return Cow::Borrowed(id);
    }
    let spelled = |byte: u8| if allowed(byte) { char::from(byte).to_string() } else { format!("_{byte:02x}") };
    Cow::Owned(std::iter::once("vox_".to_owned()).chain(id.bytes().map(spelled)).collect())
}
