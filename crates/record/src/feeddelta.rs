//! What changed between two publishings of a feed (`spec/feed-subscriptions.md`).
//!
//! Not signed: it only saves bytes. A reader makes the newer document of the one it has, and judges it
//! like one that came whole; root and manifest show whether it is right.

use std::collections::{BTreeMap, BTreeSet};

use seal::json::{Limits, Value, parse, write_plain, write_pretty};

use crate::feed::{self, Feed};
use crate::ioc::SignedIoc;

/// The type constant.
pub const TYPE: &str = "countersign-feed-delta/v1";

/// What leads from `base` to `new`; `None` where nothing would be saved.
pub fn write(base: &Feed, new: &Feed) -> Option<String> {
    let known: BTreeSet<_> = base.iocs.iter().map(|ioc| ioc.content_hash).collect();
    let added: Vec<&SignedIoc> =
        new.iocs.iter().filter(|ioc| !known.contains(&ioc.content_hash)).collect();
    if added.len() == new.iocs.len() {
        return None;
    }
    let bare = Feed { iocs: Vec::new(), ..new.clone() };
    let Ok(Value::Object(mut head)) = parse(bare.to_json().as_bytes(), Limits::DOCUMENT) else {
        return None;
    };
    head.retain(|(name, _)| name != "iocs");
    Some(write_plain(&Value::object([
        ("version", Value::from(TYPE)),
        ("base", base.root.into()),
        ("head", Value::Object(head)),
        ("ids", Value::array(new.iocs.iter().map(|ioc| ioc.content_hash))),
        ("added", Value::array(added.into_iter().map(SignedIoc::to_value))),
    ])))
}

/// The newer document, as its publisher's tool writes it. Nothing of it is judged.
pub fn apply(base: &Feed, delta: &[u8]) -> Result<Vec<u8>, String> {
    // Bounded like a feed: it comes from whoever serves it, and a few packed bytes can be many values.
    let Ok(Value::Object(members)) = feed::value(delta) else {
        return Err("the delta is no JSON object".into());
    };
    let mut members: BTreeMap<String, Value> = members.into_iter().collect();
    let mut member = |name: &str| members.remove(name).ok_or(format!("{name} is missing"));
    if member("version")?.as_str() != Some(TYPE) {
        return Err(format!("expected version {TYPE:?}"));
    }
    if member("base")?.as_str() != Some(&base.root.text()) {
        return Err("it leads on from another publishing".into());
    }
    let (Value::Object(mut head), Value::Array(ids), Value::Array(added)) =
        (member("head")?, member("ids")?, member("added")?)
    else {
        return Err("head is no object, or ids or added is no list".into());
    };
    let mut known: BTreeMap<String, Value> =
        base.iocs.iter().map(|ioc| (ioc.content_hash.text(), ioc.to_value())).collect();
    for ioc in added {
        let id = ioc.get("content_hash").and_then(Value::as_str).map(str::to_owned);
        known.insert(id.ok_or("an indicator has no id")?, ioc);
    }
    // Each at most once, so that what comes out is no larger than what went in.
    let one = |id: Value| {
        let taken = id.as_str().and_then(|id| known.remove(id));
        taken.ok_or_else(|| format!("{} is in neither, or twice", write_plain(&id)))
    };
    let iocs = ids.into_iter().map(one).collect::<Result<Vec<Value>, String>>()?;
    head.retain(|(name, _)| name != "iocs");
    head.push(("iocs".into(), Value::Array(iocs)));
    let mut text = write_pretty(&Value::Object(head));
    text.pop();
    Ok(text.into_bytes())
}
