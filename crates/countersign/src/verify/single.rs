//! One receipt or decision receipt, and who signed it.

use record::report::{Code, Finding, Report};
use record::verify::{verify_decision_jws, verify_receipt_jws};
use record::{decision, receipt};
use seal::Digest;
use seal::json::{self, Limits};

use super::Verifier;

/// Longest token taken apart to see what it is.
const LIMIT: usize = receipt::JWS_LIMIT;

/// Judges a token of either kind. The hash of a receipt comes back.
pub(super) fn verify(
    place: &str,
    token: &str,
    verifier: &Verifier,
    report: &mut Report,
) -> Option<Digest> {
    match typ(token).as_deref() {
        Some(decision::TYP) => {
            report.kind = "decision receipt".to_owned();
            if let Some(signed) = verify_decision_jws(token, place, verifier.believed(), report) {
                report.count("decisions", 1);
                report.note(format!(
                    "request {}: {} ({}), by {} under log {}",
                    signed.decision.request_id,
                    signed.decision.decision,
                    signed.decision.reason_code,
                    if signed.decision.upstream.is_empty() {
                        "nobody upstream"
                    } else {
                        &signed.decision.upstream
                    },
                    signed.decision.log_origin,
                ));
                report.note(
                    "what it binds (audit entry, receipts, ruleset) is in the ledger: `countersign trace` walks it",
                );
            }
            None
        }
        Some(receipt::TYP) | None => {
            report.kind = "receipt".to_owned();
            let judge = verifier.judge(report);
            let signed = verify_receipt_jws(token, place, &judge, report);
            if let Some(signed) = &signed {
                report.count("receipts", 1);
                report.note(format!("receipt {}", signed.hash));
                if !signed.receipt.parents.is_empty() {
                    report.note(format!(
                        "its {} parents are not part of this file and were not looked at",
                        signed.receipt.parents.len()
                    ));
                }
            }
            signed.map(|signed| signed.hash)
        }
        Some(other) => {
            report.kind = "token".to_owned();
            let detail = format!(
                "a token of type {other:?}; expected {} or {}",
                receipt::TYP,
                decision::TYP
            );
            report.push(Finding::new(Code::EvidenceKind, place, detail));
            None
        }
    }
}

/// The type the header states; `None` when there is none to read.
fn typ(token: &str) -> Option<String> {
    let header = token.get(..token.find('.')?)?;
    if header.len() > LIMIT {
        return None;
    }
    let bytes = seal::base64::url_decode(header).ok()?;
    let value = json::parse(&bytes, Limits::RECEIPT).ok()?;
    value.get("typ")?.as_str().map(str::to_owned)
}
