//! x
/// v
pub fn unicode_version() -> String {
    String::new()
}
