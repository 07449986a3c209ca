//! The JSON Schema of a type, for readers that are not ours: the tables, and as much as a schema can
//! say of what `verify::schema` asks beyond them. The order of times, and which files lie in which
//! directory, it cannot say.

use seal::json::Value;

use super::{COMMON, MODES, PRIVACY, STATEMENT, SUBJECT, of_mode};
use crate::shape::Shape;
use crate::types::{Count, Role, Type};

/// The JSON Schema of statements of a type.
pub fn schema(kind: &'static Type) -> Value {
    let mut subject = Shape::List(&Shape::Object(SUBJECT), 1).schema();
    at(&mut subject, &["items", "properties", "name"], path(false));
    let role = ["items", "properties", "annotations", "properties", "role"];
    at(&mut subject, &role, names(kind.roles.iter()));
    let counts = kind.roles.iter().filter_map(|role| {
        let (least, most) = match role.count {
            Count::One => (1, Some(1)),
            Count::Optional => (0, Some(1)),
            Count::Tree => (1, None),
            Count::Files | Count::OptionalTree => return None,
        };
        Some(some(subject_of(role), least, most))
    });
    add(&mut subject, "allOf", Value::array(counts));
    let properties = [
        ("_type", Shape::Is(STATEMENT).schema()),
        ("predicateType", Shape::Is(kind.uri).schema()),
        ("subject", subject),
        ("predicate", predicate(kind)),
    ];
    let required = properties.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let told = kind.roles.iter().filter(|role| role.count == Count::OptionalTree).map(|role| {
        let trees = object("trees", some(tree_of(role), 1, None));
        Value::object([
            ("if", object("subject", some(subject_of(role), 1, None))),
            ("then", object("predicate", trees)),
        ])
    });
    let told: Vec<Value> = told.collect();
    let mut schema = Value::object([
        ("$schema", Value::from("https://json-schema.org/draft/2020-12/schema")),
        ("$id", format!("{}/schema.json", kind.uri).into()),
        ("title", format!("countersign {} statement", kind.name).into()),
        ("type", "object".into()),
        ("required", Value::array(required)),
        ("properties", Value::object(properties)),
        ("additionalProperties", false.into()),
    ]);
    if !told.is_empty() {
        add(&mut schema, "allOf", Value::array(told));
    }
    schema
}

fn predicate(kind: &'static Type) -> Value {
    let mut predicate = Shape::Object(COMMON).schema();
    let mut own = Shape::Object(kind.fields).schema();
    if let Value::Object(members) = &mut own {
        members.insert(0, ("description".into(), kind.about.into()));
    }
    if let Some(properties) = predicate.get_mut("properties") {
        add(properties, kind.name, own);
    }
    if let Some(Value::Array(required)) = predicate.get_mut("required") {
        required.push(kind.name.into());
    }
    if let Some(schema) = place(&mut predicate, &["properties", "trees"]) {
        trees(kind, schema);
    }
    if let Some(privacy) = place(&mut predicate, &["properties", "privacy"]) {
        add(privacy, "oneOf", Value::array(MODES.map(mode)));
    }
    predicate
}

/// Which roles have directories, and which must have one.
fn trees(kind: &'static Type, schema: &mut Value) {
    let whole = |role: &&Role| matches!(role.count, Count::Tree | Count::OptionalTree);
    let roles: Vec<&Role> = kind.roles.iter().filter(whole).collect();
    at(schema, &["items", "properties", "path"], path(true));
    at(schema, &["items", "properties", "role"], names(roles.iter().copied()));
    let there = roles.iter().filter(|role| role.count == Count::Tree);
    let there: Vec<Value> = there.map(|role| some(tree_of(role), 1, None)).collect();
    match (roles.is_empty(), there.is_empty()) {
        (true, _) => at(schema, &["maxItems"], 0u32.into()),
        (false, true) => {}
        (false, false) => add(schema, "allOf", Value::array(there)),
    }
}

/// What `privacy` has in a mode, and what it has not.
fn mode(name: &'static str) -> Value {
    let wanted = of_mode(name);
    let others = PRIVACY.iter().map(|field| field.name);
    let others = others.filter(|one| *one != "mode" && !wanted.contains(one));
    let mut properties = vec![("mode".to_owned(), Shape::Is(name).schema())];
    properties.extend(others.map(|one| (one.to_owned(), Value::Bool(false))));
    Value::object([
        ("properties", Value::Object(properties)),
        ("required", Value::array(wanted.iter().copied())),
    ])
}

/// A path below the root; [`crate::Tree::ROOT`] where the root itself may be meant.
fn path(root: bool) -> Value {
    let text = |pattern: &str| Value::object([("pattern", Value::from(pattern))]);
    let mut schema = Shape::Text.schema();
    let refused = ["(^|/)\\.?\\.?(/|$)", "[\\\\\\x00-\\x1f\\x7f-\\x9f]"].map(text);
    at(&mut schema, &["not"], Value::object([("anyOf", Value::array(refused))]));
    match root {
        true => Value::object([("anyOf", Value::array([Shape::Is(".").schema(), schema]))]),
        false => schema,
    }
}

fn names<'r>(roles: impl Iterator<Item = &'r Role>) -> Value {
    Value::object([("enum", Value::array(roles.map(|role| role.name)))])
}

fn subject_of(role: &Role) -> Value {
    object("annotations", object("role", Shape::Is(role.name).schema()))
}

fn tree_of(role: &Role) -> Value {
    object("role", Shape::Is(role.name).schema())
}

/// An object with this member.
fn object(name: &str, schema: Value) -> Value {
    Value::object([
        ("properties", Value::object([(name, schema)])),
        ("required", Value::array([name])),
    ])
}

/// A list with so many items like this.
fn some(item: Value, least: u32, most: Option<u32>) -> Value {
    let mut schema = Value::object([("contains", item), ("minContains", least.into())]);
    if let Some(most) = most {
        add(&mut schema, "maxContains", most.into());
    }
    schema
}

fn place<'v>(value: &'v mut Value, way: &[&str]) -> Option<&'v mut Value> {
    way.iter().try_fold(value, |value, name| value.get_mut(name))
}

fn at(value: &mut Value, way: &[&str], to: Value) {
    if let Some(place) = place(value, way) {
        *place = to;
    }
}

fn add(value: &mut Value, name: &str, member: Value) {
    if let Value::Object(members) = value {
        members.push((name.into(), member));
    }
}
