//! YAML by the tables of `attest::shape`: what stands there as `0.90` stays `0.90`, because the table
//! and not the reader of YAML says what it is.

use std::fmt;

use attest::shape::{Field, Shape};
use seal::json::Value;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Options;

/// No snippet of the file in a message, `true` and `false` only, no merge keys.
pub fn options() -> Options {
    serde_saphyr::options! {
        with_snippet: false,
        strict_booleans: true,
        merge_keys: serde_saphyr::MergeKeyPolicy::Error,
    }
}

/// What a reader of YAML said, for people.
pub fn told(error: &serde_saphyr::Error) -> String {
    let error = error.without_snippet();
    let said = error.to_string();
    let said = said.lines().next().unwrap_or_default();
    // what a programmer could do about it is no help to who writes the file
    let place = said.find(" at line ").and_then(|at| said.get(at..)).unwrap_or_default();
    let hint = [", set DuplicateKeyPolicy", "; use "].iter().find_map(|hint| said.find(hint));
    let said = &match hint.and_then(|at| said.get(..at)) {
        Some(fault) => format!("{fault}{place}"),
        None => said.to_owned(),
    };
    match (error.location(), said.contains("line")) {
        (Some(at), false) => format!("line {}: {said}", at.line()),
        _ => said.clone(),
    }
}

/// Reads a value of a shape; what the shape says beyond its form is judged later.
#[derive(Clone, Copy)]
pub struct Shaped(pub Shape);

impl<'de> DeserializeSeed<'de> for Shaped {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        use serde::Deserialize as _;
        match self.0 {
            Shape::Bool => bool::deserialize(from).map(Value::Bool),
            Shape::Count => u64::deserialize(from).map(Value::from),
            Shape::List(inner, _) => from.deserialize_seq(List(*inner)),
            Shape::Map(inner, _) => from.deserialize_map(Map(*inner)),
            Shape::Object(fields) => from.deserialize_map(Object(fields)),
            _ => String::deserialize(from).map(Value::String),
        }
    }
}

struct List(Shape);

impl<'de> Visitor<'de> for List {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Shaped(self.0))? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }
}

struct Map(Shape);

impl<'de> Visitor<'de> for Map {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            members.push((name, map.next_value_seed(Shaped(self.0))?));
        }
        Ok(Value::Object(members))
    }
}

struct Object(&'static [Field]);

impl<'de> Visitor<'de> for Object {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let field = self.0.iter().find(|field| field.name == name).ok_or_else(|| {
                let known: Vec<&str> = self.0.iter().map(|field| field.name).collect();
                A::Error::custom(format!("unknown key {name:?}; known are {}", known.join(", ")))
            })?;
            members.push((name, map.next_value_seed(Shaped(field.shape))?));
        }
        Ok(Value::Object(members))
    }
}

/// One text, or a list of them.
pub struct Texts;

impl<'de> DeserializeSeed<'de> for Texts {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Vec<String>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Texts {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a path, or a list of paths")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<String>, E> {
        Ok(vec![text.to_owned()])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<String>, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = seq.next_element::<String>()? {
            texts.push(text);
        }
        Ok(texts)
    }
}
