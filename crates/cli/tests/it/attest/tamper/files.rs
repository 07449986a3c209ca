//! What lies on the disk, and how it is named.

use super::*;

pub const CASES: &[Case] = &[
    case(
        "T36",
        "a file of the same length",
        |p| replace(p, "app/system.txt", "handbook", "bookhand"),
        12,
        &["023"],
    ),
    case(
        "T37",
        "two files exchanged",
        |p| {
            let (one, two) = (p.path("data/docs/a.md"), p.path("data/docs/b.md"));
            let (first, second) = (fs::read(&one).expect("read"), fs::read(&two).expect("read"));
            fs::write(one, second).expect("written");
            fs::write(two, first).expect("written");
        },
        12,
        &["022"],
    ),
    case(
        "T38",
        "a template more",
        |p| fs::write(p.path("app/templates/more/new.txt"), "x").expect("written"),
        12,
        &["024"],
    ),
    case(
        "T39",
        "a document more, hidden",
        |p| fs::write(p.path("data/docs/.c.md"), "x").expect("written"),
        12,
        &["024"],
    ),
    case(
        "T40",
        "a template less",
        |p| fs::remove_file(p.path("app/templates/more/cite.txt")).expect("removed"),
        12,
        &["021"],
    ),
    case(
        "T41",
        "a directory less",
        |p| fs::remove_dir_all(p.path("app/tools")).expect("removed"),
        12,
        &["021"],
    ),
    case(
        "T42",
        "a link in the place of a file",
        |p| {
            fs::rename(p.path("app/system.txt"), p.path("elsewhere.txt")).expect("moved");
            symlink("../elsewhere.txt", p.path("app/system.txt")).expect("linked");
        },
        12,
        &["025"],
    ),
    case(
        "T43",
        "a link in the place of a directory",
        |p| {
            fs::rename(p.path("route"), p.path("elsewhere")).expect("moved");
            symlink("elsewhere", p.path("route")).expect("linked");
        },
        12,
        &["025"],
    ),
    case(
        "T44",
        "a device in the place of a file",
        |p| {
            fs::remove_file(p.path("app/system.txt")).expect("removed");
            symlink("/dev/zero", p.path("app/system.txt")).expect("linked");
        },
        12,
        &["025"],
    ),
    case("T45", "a path that leads out", |p| astray(p, "../../etc/passwd"), 14, &["017"]),
    case("T46", "an absolute path", |p| astray(p, "/etc/passwd"), 14, &["017"]),
    case("T47", "a device as a path", |p| astray(p, "/dev/zero"), 14, &["017"]),
    case(
        "T48",
        "another size, signed",
        |p| {
            lone(p, |_| {});
            p.restate("prompt", |one| one.subjects[0].size += 1);
        },
        12,
        &["022"],
    ),
    case(
        "T49",
        "no subjects",
        |p| {
            lone(p, |_| {});
            p.restate("prompt", |one| one.subjects.clear());
        },
        14,
        &["016"],
    ),
    case(
        "T50",
        "a tree that is not said to be one",
        |p| {
            lone(p, |_| {});
            p.restate("prompt", |one| one.trees.clear());
        },
        14,
        &["018"],
    ),
];
