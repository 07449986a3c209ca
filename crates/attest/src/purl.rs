//! Package URLs (purl, ECMA-427): names of packages, models among them, in their normal form.

use std::fmt;

/// A package URL. Two that name the same are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Purl {
    /// The type, such as `huggingface`, lower case.
    pub kind: String,
    /// The namespace, such as an organisation, segment by segment.
    pub namespace: Vec<String>,
    /// The name.
    pub name: String,
    /// The version or revision.
    pub version: Option<String>,
    /// What tells variants apart, by lower-case keys, sorted.
    pub qualifiers: Vec<(String, String)>,
    /// A part of the package.
    pub subpath: Vec<String>,
}

/// Why a text is no package URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no package URL: {0}")]
pub struct PurlError(&'static str);

/// Longest package URL, bytes.
pub const LIMIT: usize = 4096;

impl Purl {
    /// Reads one, from the right to the left as its specification has it.
    pub fn parse(text: &str) -> Result<Purl, PurlError> {
        if text.len() > LIMIT {
            return Err(PurlError("longer than 4,096 bytes"));
        }
        if text.chars().any(|one| one.is_control() || one.is_whitespace()) {
            return Err(PurlError("a space or control character"));
        }
        let (scheme, rest) = text.split_once(':').unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("pkg") {
            return Err(PurlError("does not begin with pkg:"));
        }
        let (rest, subpath) = cut(rest, '#');
        let (rest, qualifiers) = cut(rest, '?');
        let (kind, rest) = rest.trim_matches('/').split_once('/').ok_or(PurlError(
            "expected pkg:TYPE/NAME, such as pkg:huggingface/org/name@revision",
        ))?;
        let kind = kind.to_ascii_lowercase();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        if !kind.starts_with(|one: char| one.is_ascii_alphabetic()) || !kind.bytes().all(plain) {
            return Err(PurlError("the type has other characters than letters, digits, . and -"));
        }
        // An @ that begins a segment, as in npm's scopes, is no version's.
        let (path, version) = match rest.rsplit_once('@') {
            Some((path, version)) if !path.is_empty() && !path.ends_with('/') => {
                (path, Some(decode(version)?).filter(|version| !version.is_empty()))
            }
            Some(_) | None => (rest, None),
        };
        let mut namespace = segments(path)?;
        let name = namespace.pop().ok_or(PurlError("has no name"))?;
        let mut subpath = segments(subpath)?;
        subpath.retain(|one| one != "." && one != "..");
        let qualifiers = qualified(qualifiers)?;
        let mut purl = Purl { kind, namespace, name, version, qualifiers, subpath };
        purl.normalise();
        Ok(purl)
    }

    /// What the types' own rules make equal.
    fn normalise(&mut self) {
        let kind = self.kind.as_str();
        // Names without case are ASCII: the signs for kelvin and K are two.
        let lower = |text: &mut String| text.make_ascii_lowercase();
        if LOWER_NAMESPACE.contains(&kind) {
            self.namespace.iter_mut().for_each(lower);
        }
        let databricks = kind == "mlflow"
            && self.qualifier("repository_url").is_some_and(|url| {
                let url = url.to_lowercase();
                url.contains("databricks") && !url.contains("azureml")
            });
        if LOWER_NAME.contains(&kind) || databricks {
            lower(&mut self.name);
        }
        if kind == "pypi" {
            self.name = self.name.replace('_', "-");
        }
        if matches!(kind, "huggingface" | "oci") {
            self.version.iter_mut().for_each(lower);
        }
        if kind == "huggingface" {
            let usual = |url: &str| url.trim_end_matches('/') == "https://huggingface.co";
            self.qualifiers.retain(|(key, url)| key != "repository_url" || !usual(url));
        }
    }

    /// The value of a qualifier.
    pub fn qualifier(&self, key: &str) -> Option<&str> {
        self.qualifiers.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// What it names, whatever the version: equal for all versions of one thing. The same name in
    /// another registry is another thing, unless the version is a digest.
    pub fn unversioned(&self) -> Purl {
        let mut other = self.clone();
        other.version = None;
        let place = |key: &str| self.kind == "oci" && PLACES.contains(&key);
        other.qualifiers.retain(|(key, _)| !LABELS.contains(&key.as_str()) && !place(key));
        other
    }

    /// Whether it says where the thing is from.
    pub fn is_placed(&self) -> bool {
        self.qualifiers.iter().any(|(key, _)| PLACES.contains(&key.as_str()))
    }
}

/// Types whose namespaces, and whose names, have no case.
const LOWER_NAMESPACE: &[&str] = &[
    "alpm",
    "apk",
    "bitbucket",
    "composer",
    "github",
    "gitlab",
    "hex",
    "luarocks",
    "pypi",
    "qpkg",
];
const LOWER_NAME: &[&str] = &[
    "alpm",
    "apk",
    "bitbucket",
    "bitnami",
    "composer",
    "github",
    "gitlab",
    "hex",
    "luarocks",
    "npm",
    "oci",
    "pypi",
];
/// Qualifiers that say what something is made of, or what it is called, too.
const LABELS: &[&str] = &["checksum", "tag"];
/// Qualifiers that say where something is from.
const PLACES: &[&str] = &["download_url", "repository_url", "vcs_url"];

/// What stands before the last `mark`, and behind it.
fn cut(text: &str, mark: char) -> (&str, &str) {
    text.rsplit_once(mark).unwrap_or((text, ""))
}

fn segments(text: &str) -> Result<Vec<String>, PurlError> {
    let named = text.split('/').filter(|one| !one.is_empty());
    let segments = named.map(decode).collect::<Result<Vec<String>, PurlError>>()?;
    match segments.iter().any(|one| one.contains('/')) {
        true => Err(PurlError("a segment hides a /")),
        false => Ok(segments),
    }
}

fn qualified(text: &str) -> Result<Vec<(String, String)>, PurlError> {
    let mut found: Vec<(String, String)> = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or(PurlError("a qualifier has no value"))?;
        let key = key.to_ascii_lowercase();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if !key.starts_with(|one: char| one.is_ascii_alphabetic()) || !key.bytes().all(plain) {
            return Err(PurlError("the key of a qualifier has characters that none has"));
        }
        if found.iter().any(|(other, _)| *other == key) {
            return Err(PurlError("a qualifier stands there twice"));
        }
        let value = decode(value)?;
        if !value.is_empty() {
            found.push((key, value));
        }
    }
    found.sort();
    Ok(found)
}

fn decode(text: &str) -> Result<String, PurlError> {
    const BAD: PurlError = PurlError("% is not followed by two hexadecimal digits");
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.bytes());
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit().ok_or(BAD)?, digit().ok_or(BAD)?);
        bytes.push(u8::try_from(high * 16 + low).map_err(|_| BAD)?);
    }
    let text = String::from_utf8(bytes).map_err(|_| PurlError("not UTF-8 behind its %"))?;
    match text.chars().any(char::is_control) {
        true => Err(PurlError("a control character")),
        false => Ok(text),
    }
}

/// The canonical text.
impl fmt::Display for Purl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pkg:{}/", self.kind)?;
        for one in &self.namespace {
            write!(f, "{}/", encode(one, b":"))?;
        }
        write!(f, "{}", encode(&self.name, b":"))?;
        if let Some(version) = &self.version {
            write!(f, "@{}", encode(version, b":"))?;
        }
        for (at, (key, value)) in self.qualifiers.iter().enumerate() {
            write!(f, "{}{key}={}", if at == 0 { '?' } else { '&' }, encode(value, b":/"))?;
        }
        for (at, one) in self.subpath.iter().enumerate() {
            write!(f, "{}{}", if at == 0 { '#' } else { '/' }, encode(one, b":"))?;
        }
        Ok(())
    }
}

/// Text with `%` before whatever is neither unreserved (RFC 3986) nor in `plain`.
pub(crate) fn encode(text: &str, plain: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || plain.contains(&byte) {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_the_same_is_equal() {
        for (text, normal) in [
            ("pkg:huggingface/Org/Name@ABCDEF", "pkg:huggingface/Org/Name@abcdef"),
            ("PKG:HuggingFace//Org//Name/", "pkg:huggingface/Org/Name"),
            ("pkg://pypi/Some_Package@1.0", "pkg:pypi/some-package@1.0"),
            (
                "pkg:oci/Image@sha256%3aAB?tag=v1&Arch=amd64",
                "pkg:oci/image@sha256:ab?arch=amd64&tag=v1",
            ),
            ("pkg:npm/%40angular/core@1%2B2", "pkg:npm/%40angular/core@1%2B2"),
            ("pkg:npm/@angular/core", "pkg:npm/%40angular/core"),
            ("pkg:generic/a%20b@1?x=&y=/z#./c/../d", "pkg:generic/a%20b@1?y=/z#c/d"),
            ("pkg:generic/x@", "pkg:generic/x"),
            ("pkg:generic/x@%2f/1", "pkg:generic/x@%2F%2F1"),
            (
                "pkg:mlflow/Name@3?repository_url=https://x.azuredatabricks.net/api",
                "pkg:mlflow/name@3?repository_url=https://x.azuredatabricks.net/api",
            ),
            (
                "pkg:mlflow/Name@3?repository_url=https://x.azureml.ms",
                "pkg:mlflow/Name@3?repository_url=https://x.azureml.ms",
            ),
        ] {
            let purl = Purl::parse(text).unwrap();
            assert_eq!(purl.to_string(), normal);
            assert_eq!(Purl::parse(normal), Ok(purl), "{text}");
        }
        let plain = |text: &str| Purl::parse(text).unwrap().unversioned();
        assert_eq!(plain("pkg:oci/a@sha256:1?repository_url=x"), plain("pkg:oci/a@sha256:2?tag=y"));
        assert_ne!(plain("pkg:generic/a@1?file=x"), plain("pkg:generic/a@1"));
        // one name in two registries
        let mlflow = "pkg:mlflow/a@1?repository_url=https://x.example";
        assert_ne!(plain(mlflow), plain("pkg:mlflow/a@1?repository_url=https://y.example"));
        assert_ne!(plain(mlflow), plain("pkg:mlflow/a@1"));
        let hub = "pkg:huggingface/o/a@1?repository_url=https://huggingface.co/";
        assert_eq!(plain(hub), plain("pkg:huggingface/o/a@1"));
        // a kelvin is no K
        assert_ne!(plain("pkg:github/o/%E2%84%AA"), plain("pkg:github/o/k"));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "pkg",
            "pkg:",
            "pkg:x",
            "pkg:/x",
            "pkg:x/",
            "npm:x/y",
            "pkg:1x/y",
            "pkg:a b/c",
            "pkg:x/a%2",
            "pkg:x/a%zz",
            "pkg:x/a%ff",
            "pkg:x/a%00",
            "pkg:x/a%2Fb",
            "pkg:x/y?z",
            "pkg:x/y?1a=b",
            "pkg:x/y?a=1&A=2",
            "pkg:x/y@1 2",
            "pkg:x/\u{7}",
        ] {
            assert!(Purl::parse(text).is_err(), "{text}");
        }
        assert!(Purl::parse(&format!("pkg:x/{}", "y".repeat(LIMIT))).is_err());
    }
}
