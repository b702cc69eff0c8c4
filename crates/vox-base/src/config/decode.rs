//! Decodes nodes through serde; every error carries the place of the innermost node it concerns.

use super::{InvalidConfig, Node, Value};
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};

pub(super) struct Decoder<'a>(pub(super) &'a Node);

impl de::Error for InvalidConfig {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self { file: String::new(), line: 0, key: String::new(), message: message.to_string() }
    }
}

impl InvalidConfig {
    /// Fills in the place unless a node further in has done so.
    pub(super) fn placed(mut self, node: &Node) -> Self {
        if self.line == 0 {
            self.file = node.file.to_string();
            self.line = node.line;
        }
        self
    }

    fn under(mut self, segment: &str) -> Self {
        self.key = match self.key.as_str() {
            "" => segment.to_owned(),
            rest if rest.starts_with('[') => format!("{segment}{rest}"),
            rest => format!("{segment}.{rest}"),
        };
        self
    }
}

impl<'de> de::Deserializer<'de> for Decoder<'_> {
    type Error = InvalidConfig;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidConfig> {
        match &self.0.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => visitor.visit_i64(*value),
            Value::Real(text) => visitor.visit_f64(text.parse().map_err(de::Error::custom)?),
            Value::Text(text) => visitor.visit_str(text),
            Value::List(items) => visitor.visit_seq(Items { items, at: 0 }),
            Value::Map(entries) => visitor.visit_map(Entries { entries, at: 0 }),
        }
        .map_err(|error| error.placed(self.0))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidConfig> {
        match self.0.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, InvalidConfig> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, InvalidConfig> {
        match &self.0.value {
            Value::Text(name) => visitor.visit_enum(name.as_str().into_deserializer()),
            Value::Map(entries) if entries.len() == 1 => visitor.visit_enum(Variant(&entries[0])),
            _ => Err(de::Error::custom("expected a name")),
        }
        .map_err(|error: InvalidConfig| error.placed(self.0))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, InvalidConfig> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier
    }
}

struct Items<'a> {
    items: &'a [Node],
    at: usize,
}

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = InvalidConfig;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, InvalidConfig> {
        let Some(item) = self.items.get(self.at) else { return Ok(None) };
        self.at += 1;
        seed.deserialize(Decoder(item)).map(Some).map_err(|error| error.placed(item).under(&format!("[{}]", self.at - 1)))
    }
}

struct Entries<'a> {
    entries: &'a [(String, Node)],
    at: usize,
}

impl<'de> de::MapAccess<'de> for Entries<'_> {
    type Error = InvalidConfig;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, InvalidConfig> {
        let Some((key, node)) = self.entries.get(self.at) else { return Ok(None) };
        seed.deserialize(key.as_str().into_deserializer()).map(Some).map_err(|error: InvalidConfig| error.placed(node).under(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, InvalidConfig> {
        let (key, node) = &self.entries[self.at];
        self.at += 1;
        seed.deserialize(Decoder(node)).map_err(|error| error.placed(node).under(key))
    }
}

struct Variant<'a>(&'a (String, Node));

impl<'de> de::EnumAccess<'de> for Variant<'_> {
    type Error = InvalidConfig;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), InvalidConfig> {
        let name = seed.deserialize(self.0.0.as_str().into_deserializer()).map_err(|error: InvalidConfig| error.placed(&self.0.1))?;
        Ok((name, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_> {
    type Error = InvalidConfig;

    fn unit_variant(self) -> Result<(), InvalidConfig> {
        Err(de::Error::custom(format!("`{}` takes no value", self.0.0)))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, InvalidConfig> {
        seed.deserialize(Decoder(&self.0.1)).map_err(|error| error.placed(&self.0.1).under(&self.0.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, InvalidConfig> {
        de::Deserializer::deserialize_any(Decoder(&self.0.1), visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, InvalidConfig> {
        de::Deserializer::deserialize_any(Decoder(&self.0.1), visitor).map_err(|error| error.under(&self.0.0))
    }
}
