//! Every rule over the whole repository, one test each. `./x tidy` runs these alone.

use std::sync::LazyLock;

use xtask::tidy::RULES;
use xtask::tree::Tree;

static TREE: LazyLock<Tree> =
    LazyLock::new(|| Tree::of_repository().expect("the repository is readable"));

fn check(name: &str) {
    let (_, rule) = RULES.iter().find(|(rule, _)| *rule == name).expect("a rule of this name");
    let broken = rule(&TREE);
    assert!(broken.is_empty(), "{name}:\n  {}", broken.join("\n  "));
}

macro_rules! rules {
    ($($test:ident: $name:literal,)*) => {
        $(#[test] fn $test() { check($name); })*

        #[test]
        fn every_rule_is_run() {
            assert_eq!(RULES.iter().map(|(name, _)| *name).collect::<Vec<_>>(), [$($name),*]);
        }
    };
}

rules! {
    floors: "arrows point down",
    testkit: "only tests use the testkit",
    homes: "one home for each library that matters",
    pure: "pure crates touch nothing outside",
    flow: "the request path reads as a page",
    exit_numbers: "exit numbers live in one file",
    status_codes: "HTTP status codes live in one file",
    codes: "every finding code has a page",
    config: "every configuration key is documented",
    vectors: "every vector is used",
    links: "every link leads somewhere",
    documents: "the house's documents are there",
    settings: "every crate keeps the house's settings",
    length: "no file has grown past one subject",
    unfinished: "nothing unfinished or blunt",
    sleeps: "no sleeping",
    names: "other products' names are wire constants",
    machines: "nothing of a machine or a registry",
    tracked: "no build output, no vendored code, no large file",
    supply: "licences and bans",
    versions: "versions are said once",
}
