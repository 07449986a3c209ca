//! `POST /scan` and `POST /scan/batch` on the admin listener: what the rules in force say of texts.
//! Nothing is recorded of it, and nothing is forwarded. Bytes: spec/gateway.md.

use std::time::Duration;

use http::request::Parts;
use http::{Method, Response};
use hyper::body::Incoming;
use scan::{Engine, Hit, Target, Verdict};
use seal::escape;
use seal::json::{Limits, Value, parse, write_plain};

use crate::admin;
use crate::body::Body;
use crate::problem::{Refusal, answer, ok};
use crate::receive::{announced, whole};
use crate::server::App;

/// Whether this is one of the two paths.
pub(crate) fn is_path(path: &str) -> bool {
    matches!(path, "/scan" | "/scan/batch")
}

/// Answers one request, or says why not; `Host` and `Origin` have been checked.
pub(crate) async fn handle(
    app: &App,
    head: &Parts,
    body: Incoming,
) -> Result<Response<Body>, Refusal> {
    if !admin::authorised(&head.headers, app.admin_token()) {
        return Err(Refusal::Unauthorised);
    }
    if head.method != Method::POST {
        return Err(Refusal::MethodNotAllowed { allow: "POST" });
    }
    let limits = &app.config.limits;
    announced(&head.headers, limits.body_bytes)?;
    let deadline = Duration::from_secs(limits.body_read_seconds);
    let bytes = whole(body, limits.body_bytes, deadline).await?;
    // One after the other: what operators ask never takes the places of requests, and a request
    // waits for one such scan at most. It is never closed.
    let turn = app.scans.acquire().await.map_err(|_| Refusal::Busy)?;
    let (rules, batch) = (app.rules.now(), head.uri.path() == "/scan/batch");
    let work = move || {
        let asked = Asked::read(&bytes, batch)?;
        Ok::<_, Refusal>(asked.answer(rules.engine(), batch))
    };
    let length = usize::try_from(limits.body_bytes).unwrap_or(usize::MAX);
    let text = app.aside.run(length, work).await?;
    drop(turn);
    Ok(answer(ok(), "application/json", Body::from(text), &admin::fresh_id(), None))
}

/// Texts, and what they are.
struct Asked {
    texts: Vec<String>,
    target: Target,
}

impl Asked {
    fn read(bytes: &[u8], batch: bool) -> Result<Asked, Refusal> {
        let wrong = |kind| Refusal::Malformed { kind };
        let limits = Limits { bytes: bytes.len(), depth: 3 };
        let value = parse(bytes, limits).map_err(|_| wrong("not_json"))?;
        let members = value.as_object().ok_or_else(|| wrong("not_an_object"))?;
        let (mut texts, mut target) = (None, Target::Input);
        for (name, value) in members {
            match (name.as_str(), value) {
                ("text", Value::String(text)) if !batch => texts = Some(vec![text.clone()]),
                ("texts", Value::Array(items)) if batch => {
                    if items.len() > TEXTS {
                        return Err(wrong("too_many_texts"));
                    }
                    let all = items.iter().map(|item| item.as_str().map(str::to_owned));
                    let all = all.collect::<Option<Vec<String>>>();
                    texts = Some(all.ok_or_else(|| wrong("text_not_a_string"))?);
                }
                ("target", Value::String(name)) => {
                    let known = Target::ALL.into_iter().find(|known| known.as_str() == name);
                    target = known.ok_or_else(|| wrong("unknown_target"))?;
                }
                _ => return Err(wrong("unknown_member")),
            }
        }
        Ok(Asked { texts: texts.ok_or_else(|| wrong("text_missing"))?, target })
    }

    fn answer(&self, engine: &Engine, batch: bool) -> String {
        let mut left = HITS;
        let said = self.texts.iter().map(|text| said(engine, text, self.target, &mut left));
        let mut results: Vec<Value> = said.collect();
        let ruleset = ("ruleset".to_owned(), Value::from(engine.ruleset_digest()));
        let members = match results.pop() {
            Some(Value::Object(mut members)) if !batch => {
                members.push(ruleset);
                members
            }
            last => {
                results.extend(last);
                vec![ruleset, ("results".to_owned(), Value::Array(results))]
            }
        };
        escape::json(&write_plain(&Value::Object(members)))
    }
}

/// What is said of one text. `left` is how many hits may still be told.
fn said(engine: &Engine, text: &str, target: Target, left: &mut usize) -> Value {
    let scan = engine.scan(text, target);
    let told = scan.hits.len().min(*left);
    *left -= told;
    let action = match scan.verdict {
        Verdict::Clean => "ALLOW",
        Verdict::Suspicious => "ALERT",
        Verdict::Malicious => "BLOCK",
    };
    Value::object([
        ("verdict", Value::from(scan.verdict.as_str())),
        ("action", action.into()),
        ("incomplete", scan.incomplete().into()),
        ("hits", Value::Array(scan.hits.iter().take(told).map(hit).collect())),
        ("hits_omitted", ((scan.hits.len() - told) as u64).into()),
    ])
}

fn hit(hit: &Hit) -> Value {
    Value::object([
        ("rule", Value::from(&*hit.rule)),
        ("category", hit.category.as_str().into()),
        ("technique", (&*hit.technique).into()),
        ("severity", hit.severity.as_str().into()),
        ("source", hit.source.name().as_str().into()),
        ("content_hash", hit.source.content_hash().into()),
        ("monitor", hit.monitor.into()),
        ("start", (hit.span.start as u64).into()),
        ("end", (hit.span.end as u64).into()),
        ("decoded", hit.decoded.into()),
    ])
}

/// Texts of one request.
const TEXTS: usize = 1_000;
/// Hits that one answer tells.
const HITS: usize = 4_096;
