//! The rules. Each takes the tree and returns what breaks it.

mod floors;
mod flow;
mod house;
mod length;
mod numbers;
mod pages;
mod pure;
mod supply;
mod tracked;
mod words;

use crate::tree::Tree;

/// What one rule does: the lines it returns are what is wrong.
pub type Rule = fn(&Tree) -> Vec<String>;

/// Every rule with its name; `tests/tidy.rs` runs them all.
pub const RULES: &[(&str, Rule)] = &[
    ("arrows point down", floors::arrows_point_down),
    ("only tests use the testkit", floors::testkit_is_for_tests),
    ("one home for each library that matters", floors::one_home),
    ("pure crates touch nothing outside", pure::touches_nothing_outside),
    ("the request path reads as a page", flow::reads_as_a_page),
    ("exit numbers live in one file", numbers::exit_numbers),
    ("HTTP status codes live in one file", numbers::status_codes),
    ("every finding code has a page", pages::finding_codes),
    ("every configuration key is documented", pages::config_keys),
    ("every vector is used", pages::vectors),
    ("every link leads somewhere", pages::links),
    ("the house's documents are there", house::documents),
    ("every crate keeps the house's settings", house::crate_settings),
    ("no file has grown past one subject", length::files),
    ("nothing unfinished or blunt", words::unfinished),
    ("no sleeping", words::sleeps),
    ("other products' names are wire constants", words::product_names),
    ("nothing of a machine or a registry", words::machines),
    ("no build output, no vendored code, no large file", tracked::files),
    ("licences and bans", supply::licences_and_bans),
    ("versions are said once", supply::versions_once),
];

/// `path:line: what` for the byte offset of a hit.
fn at(path: &str, text: &str, offset: usize, what: &str) -> String {
    format!("{path}:{}: {what}", text[..offset].matches('\n').count() + 1)
}
