//! Whether a payload is a statement, and its parts fit each other.

use std::collections::{BTreeMap, BTreeSet};

use record::report::{Code, Finding};

use super::Stage;
use super::subjects::is_tree;
use crate::files::is_path;
use crate::statement::{Statement, StatementError, Subject, Tree};
use crate::types::{Count, Type};

/// What could be read of a payload.
pub struct Read {
    /// The type, also of a statement that has faults.
    pub kind: Option<&'static Type>,
    /// The statement.
    pub statement: Option<Statement>,
}

/// Reads a payload; says all that is wrong with it.
pub fn read(payload: &[u8]) -> (Read, Vec<(Stage, Finding)>) {
    let schema = |code, detail: String| (Stage::Schema, Finding::new(code, "", detail));
    match Statement::read_stated(payload) {
        Ok((statement, stated)) => {
            let mut found = fit(&statement);
            let given = statement.manifest();
            if stated != given {
                let detail = format!("it says {stated}, they give {given}");
                found.push((Stage::Digest, Finding::new(Code::AttestManifest, "", detail)));
            }
            (Read { kind: Some(statement.kind), statement: Some(statement) }, found)
        }
        Err(error) => {
            let (kind, found) = match error {
                StatementError::Json(why) => (None, vec![schema(Code::AttestJson, why)]),
                StatementError::Kind(why) => (None, vec![schema(Code::AttestType, why)]),
                StatementError::Manifest => {
                    (None, vec![schema(Code::AttestManifest, String::new())])
                }
                StatementError::Misfits(kind, misfits) => {
                    let told = |misfit: crate::shape::Misfit| {
                        schema(Code::AttestMember, misfit.to_string())
                    };
                    (Some(kind), misfits.into_iter().map(told).collect())
                }
            };
            (Read { kind, statement: None }, found)
        }
    }
}

/// Says where the parts of a statement do not fit each other.
pub fn fit(statement: &Statement) -> Vec<(Stage, Finding)> {
    let mut found = Vec::new();
    let mut schema = |code, detail: String| {
        found.push((Stage::Schema, Finding::new(code, "", detail)));
    };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for run in statement.subjects.chunk_by(|one, next| one.role == next.role) {
        if let Some(first) = run.first() {
            *counts.entry(&first.role).or_default() += run.len();
        }
    }
    fn place(one: &Subject) -> (&str, &str) {
        (&one.role, &one.path)
    }
    // as they are made they stand in their order, and none of them is there twice
    let distinct = statement.subjects.is_sorted_by(|one, next| place(one) < place(next));
    let mut places = BTreeSet::new();
    for subject in &statement.subjects {
        if !is_path(&subject.path) {
            schema(Code::AttestPath, format!("{:?}", subject.path));
        }
        if !distinct && !places.insert(place(subject)) {
            let detail = format!("{:?} is {:?} twice", subject.path, subject.role);
            schema(Code::AttestRoles, detail);
        }
    }
    for name in counts.keys().filter(|name| statement.kind.role(name).is_none()) {
        schema(Code::AttestRoles, format!("there is no role {name:?}"));
    }
    for role in statement.kind.roles {
        let count = counts.get(role.name).copied().unwrap_or(0);
        let wanted = match role.count {
            Count::One if count != 1 => "one",
            Count::Optional if count > 1 => "one or none",
            Count::Tree if count == 0 => "one or more",
            Count::One | Count::Optional | Count::Files | Count::Tree | Count::OptionalTree => {
                continue;
            }
        };
        schema(Code::AttestRoles, format!("{:?} has {count} files, wanted {wanted}", role.name));
    }
    trees(statement, &mut schema);
    if let Some(end) = statement.expires_at
        && end <= statement.generated_at
    {
        schema(Code::AttestTimes, format!("expires at {end}, made at {}", statement.generated_at));
    }
    found
}

/// A role that is a directory says which, so that a verifier notices what was added to it.
fn trees(statement: &Statement, schema: &mut impl FnMut(Code, String)) {
    let whole = |name: &str| {
        statement
            .kind
            .role(name)
            .is_some_and(|role| matches!(role.count, Count::Tree | Count::OptionalTree))
    };
    for tree in &statement.trees {
        if !is_tree(tree) {
            schema(Code::AttestPath, format!("{:?}", tree.path));
        }
        if !whole(&tree.role) {
            schema(Code::AttestRoles, format!("{:?} is no directory's role", tree.role));
        }
    }
    for subject in statement.subjects.iter().filter(|one| whole(&one.role)) {
        let within = |tree: &&Tree| tree.role == subject.role && tree.holds(&subject.path);
        if !statement.trees.iter().any(|tree| within(&tree)) {
            let detail = format!("{:?} lies in no directory of {:?}", subject.path, subject.role);
            schema(Code::AttestRoles, detail);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::Privacy;
    use seal::Digest;
    use seal::json::Value;
    use seal::time::UnixMillis;

    #[test]
    fn a_file_is_there_once_for_a_role_wherever_it_stands() {
        let told = |places: &[(&str, &str)]| {
            let subject = |(role, path): &(&str, &str)| Subject {
                role: (*role).into(),
                path: (*path).into(),
                digest: Digest::of(b"x"),
                size: 1,
                salt: None,
            };
            let statement = Statement {
                kind: crate::types::named("slo").unwrap(),
                id: "0f8fad5b-d9cb-469f-a165-70867728950e".into(),
                generated_at: UnixMillis(0),
                expires_at: None,
                generator: ("x".into(), "1".into()),
                source: None,
                subjects: places.iter().map(subject).collect(),
                trees: Vec::new(),
                depends_on: Vec::new(),
                privacy: Privacy::HashOnly,
                sensitivity: Vec::new(),
                own: Value::Object(Vec::new()),
            };
            let details = fit(&statement).into_iter().map(|(_, finding)| finding.detail);
            details.filter(|detail| detail.contains("twice")).count()
        };
        let (a, b, c) = (("profile", "a"), ("profile", "b"), ("other", "a"));
        assert_eq!(told(&[c, a, b]), 0);
        assert_eq!(told(&[b, c, a]), 0);
        assert_eq!(told(&[c, a, a, b]), 1);
        assert_eq!(told(&[a, b, c, a, b]), 2);
    }
}
