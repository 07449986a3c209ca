//! The types of statements: one file and one line of the table each.

mod corpus;
mod eval;
mod model;
mod prompt;
mod route;
mod slo;

use crate::shape::Field;

/// A type of statement.
#[derive(Debug)]
pub struct Type {
    /// Its name in commands, file names and as the member of the predicate that holds its own fields.
    pub name: &'static str,
    /// Its predicateType.
    pub uri: &'static str,
    /// What its statements are about, in one sentence.
    pub about: &'static str,
    /// What files a statement is made of.
    pub roles: &'static [Role],
    /// The members of its own part of the predicate.
    pub fields: &'static [Field],
    /// Types of which a statement must name one each among what it depends on.
    pub needs: &'static [&'static str],
}

/// What a file is for.
#[derive(Debug)]
pub struct Role {
    /// Its name, in configurations and as the annotation `role` of subjects.
    pub name: &'static str,
    /// How many files it has.
    pub count: Count,
    /// What they are, in one sentence.
    pub about: &'static str,
}

/// How many files a role has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// One.
    One,
    /// One or none.
    Optional,
    /// A list of files, perhaps empty.
    Files,
    /// All files below a directory, one at least: none may be added later.
    Tree,
    /// The same, or no directory at all.
    OptionalTree,
}

/// All types.
pub const ALL: [&Type; 6] =
    [&prompt::TYPE, &corpus::TYPE, &eval::TYPE, &route::TYPE, &slo::TYPE, &model::TYPE];

/// The type with this name.
pub fn named(name: &str) -> Option<&'static Type> {
    ALL.into_iter().find(|one| one.name == name)
}

/// The type with this predicateType.
pub fn of_uri(uri: &str) -> Option<&'static Type> {
    ALL.into_iter().find(|one| one.uri == uri)
}

impl Type {
    /// The role with this name.
    pub fn role(&self, name: &str) -> Option<&'static Role> {
        self.roles.iter().find(|role| role.name == name)
    }
}

impl PartialEq for Type {
    fn eq(&self, other: &Type) -> bool {
        self.uri == other.uri
    }
}

impl Eq for Type {}

const fn role(name: &'static str, count: Count, about: &'static str) -> Role {
    Role { name, count, about }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_what_is_needed_exists() {
        for one in ALL {
            assert_eq!(named(one.name), Some(one));
            assert_eq!(of_uri(one.uri), Some(one));
            assert!(one.needs.iter().all(|need| named(need).is_some()));
            assert!(
                one.roles
                    .iter()
                    .all(|role| one.role(role.name).map(|r| r.about) == Some(role.about))
            );
        }
    }
}
