//! Vectors for texts, asked for the OpenAI way of a provider with another form of them: Ollama's `/api/embed`.

use crate::Chat;
use crate::answer::{Malformed, Reader};
use crate::json::{Document, Kind, Out, Value};
use bytes::Bytes;
use vox_base::Usage;

/// How the caller wants each vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VectorForm {
    /// As numbers.
    Numbers,
    /// As base64 of 32-bit floats, least byte first.
    Base64,
}

impl Chat {
    /// Returns how the caller of an embedding call wants the vectors; other forms do not come through translation.
    #[must_use]
    pub fn vector_form(&self) -> VectorForm {
        let is_base64 = self.document.root().get("encoding_format").is_some_and(|form| form.is_str("base64"));
        if is_base64 { VectorForm::Base64 } else { VectorForm::Numbers }
    }
}

impl Reader {
    /// Reads Ollama's vectors and returns OpenAI's body with them.
    ///
    /// # Errors
    /// The body holds no vectors.
    pub fn embeddings(&mut self, body: &Document, model: &str, form: VectorForm) -> Result<Bytes, Malformed> {
        let vectors = body.root().get("embeddings").filter(|vectors| vectors.kind() == Kind::Array);
        let vectors = vectors.ok_or_else(|| Malformed::new("no vectors"))?;
        let usage = self.ended(body.root());
        let mut out = Out::with_capacity(body.bytes().len() + 256);
        out.try_object(|out| {
            out.key("object").str("list");
            out.key("data").try_array(|out| vectors.items().enumerate().try_for_each(|(index, vector)| put(out, index, vector, form)))?;
            out.key("model").str(model);
            put_usage(out, &usage);
            Ok(())
        })?;
        Ok(out.finish())
    }
}

fn put(out: &mut Out, index: usize, vector: Value<'_>, form: VectorForm) -> Result<(), Malformed> {
    out.try_object(|out| {
        out.key("object").str("embedding");
        out.key("index").number(index as u64);
        out.key("embedding");
        match form {
            VectorForm::Numbers => out.raw(vector.raw()),
            VectorForm::Base64 => out.str(&base64(&floats(vector)?)),
        }
        Ok(())
    })
}

fn put_usage(out: &mut Out, usage: &Usage) {
    if let Some(n_tokens) = usage.total_input() {
        out.key("usage").object(|out| {
            out.key("prompt_tokens").number(n_tokens);
            out.key("total_tokens").number(n_tokens);
        });
    }
}

fn floats(vector: Value<'_>) -> Result<Vec<u8>, Malformed> {
    let mut bytes = Vec::new();
    for number in vector.items() {
        let number: f32 = number.raw().parse().map_err(|_| Malformed::new("a vector holds what is no number"))?;
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    Ok(bytes)
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let letter = ALPHABET[(word >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dialect, Endpoint, Target, UsageRules, Verdicts};

    fn chat(body: &str) -> Chat {
        Chat::parse(Dialect::Openai, Endpoint::Embeddings, Bytes::copy_from_slice(body.as_bytes())).unwrap()
    }

    fn asked(body: &str) -> Result<serde_json::Value, crate::Untranslatable> {
        let target = Target { context_tokens: Some(2048), ..Target::default() };
        let translated = chat(body).translate(Dialect::Ollama, "nomic-embed-text", &target, &Verdicts::built_in(), false)?;
        Ok(serde_json::from_slice(&translated.body).unwrap())
    }

    #[test]
    fn texts_are_asked_for_without_being_cut() {
        let body = asked(r#"{"model":"m","input":["a","b"],"dimensions":64,"encoding_format":"base64","user":"u"}"#).unwrap();
        let expected = serde_json::json!({"model": "nomic-embed-text", "input": ["a", "b"], "dimensions": 64, "truncate": false,
            "options": {"num_ctx": 2048}});
        assert_eq!(body, expected);
        assert!(asked(r#"{"model":"m","input":[1,2]}"#).is_err(), "Ollama takes texts, not tokens");
        assert!(asked(r#"{"model":"m","input":"a","mood":1}"#).is_err());
    }

    #[test]
    fn vectors_come_back_in_the_form_the_caller_wants() {
        let body = r#"{"model":"nomic-embed-text","embeddings":[[0.25,-1.5]],"total_duration":9,"load_duration":1,"prompt_eval_count":8}"#;
        let document = Document::parse(Bytes::from_static(body.as_bytes())).unwrap();
        let read = |form| {
            let mut reader = Reader::new(Dialect::Ollama, UsageRules::default());
            let bytes = reader.embeddings(&document, "ollama/nomic-embed-text", form).unwrap();
            (serde_json::from_slice::<serde_json::Value>(&bytes).unwrap(), reader.into_tally())
        };
        let (numbers, tally) = read(VectorForm::Numbers);
        assert_eq!(numbers["data"], serde_json::json!([{"object": "embedding", "index": 0, "embedding": [0.25, -1.5]}]));
        assert_eq!((&numbers["usage"]["prompt_tokens"], tally.usage.input), (&serde_json::json!(8), Some(8)));
        assert!(tally.is_complete(Dialect::Ollama, false));
        assert_eq!(read(VectorForm::Base64).0["data"][0]["embedding"], "AACAPgAAwL8=");
        assert_eq!(chat(r#"{"model":"m","input":"a","encoding_format":"base64"}"#).vector_form(), VectorForm::Base64);
        assert!(asked(r#"{"model":"m","input":"a","encoding_format":"hex"}"#).is_err());
        assert!(
            Reader::new(Dialect::Ollama, UsageRules::default())
                .embeddings(&Document::parse(Bytes::from_static(b"{}")).unwrap(), "m", VectorForm::Numbers)
                .is_err()
        );
    }

    #[test]
    fn base64_is_padded() {
        for (bytes, text) in [(&b""[..], ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v"), (b"foob", "Zm9vYg==")] {
            assert_eq!(base64(bytes), text);
        }
    }
}
