//! The one table of finding codes.
//!
//! Each code has an id that never changes its meaning, a severity, one exit class (contracts: 12,
//! 11, 14, 13, 10 in that order of precedence), a sentence of explanation and a remedy. The pages
//! under `docs/codes/` are generated from this table and tested against it.

use std::fmt;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The claim does not hold.
    Error,
    /// Worth a look; never changes the exit.
    Warning,
    /// A fact the reader should know.
    Info,
}

impl Severity {
    /// Lower-case name, as printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }
}

/// What a finding means for the exit of a command. The numbers live in the command line alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExitClass {
    /// All is well.
    Ok,
    /// What was asked for is not there.
    Missing,
    /// A signature is bad, or its signer is not trusted, expired or unknown.
    Untrusted,
    /// A digest differs, a link is broken, something was cut off.
    Tampered,
    /// A rule was broken: capability, taint, sanitisation.
    Violated,
    /// The evidence is malformed, or its chain does not hold together.
    Malformed,
}

impl ExitClass {
    /// Stable lower-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            ExitClass::Ok => "ok",
            ExitClass::Missing => "missing",
            ExitClass::Untrusted => "untrusted",
            ExitClass::Tampered => "tampered",
            ExitClass::Violated => "violated",
            ExitClass::Malformed => "malformed",
        }
    }

    /// Which class decides when several apply: the smallest rank wins.
    pub fn rank(self) -> u8 {
        match self {
            ExitClass::Tampered => 0,
            ExitClass::Untrusted => 1,
            ExitClass::Malformed => 2,
            ExitClass::Violated => 3,
            ExitClass::Missing => 4,
            ExitClass::Ok => 5,
        }
    }
}

macro_rules! codes {
    ($($variant:ident = $id:literal, $severity:ident, $exit:ident, $title:literal, $explanation:literal, $remedy:literal;)*) => {
        /// A finding code: closed, one row of the table each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = concat!("`", $id, "`: ", $title)] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The stable id, such as `CS-RECEIPT-001`.
            pub fn id(self) -> &'static str {
                match self { $(Code::$variant => $id,)* }
            }

            /// One line that names what is wrong.
            pub fn title(self) -> &'static str {
                match self { $(Code::$variant => $title,)* }
            }

            /// What it means and why it matters.
            pub fn explanation(self) -> &'static str {
                match self { $(Code::$variant => $explanation,)* }
            }

            /// What to do about it.
            pub fn remedy(self) -> &'static str {
                match self { $(Code::$variant => $remedy,)* }
            }

            /// How much it weighs.
            pub fn severity(self) -> Severity {
                match self { $(Code::$variant => Severity::$severity,)* }
            }

            /// The exit class; always `Ok` for warnings and information.
            pub fn exit(self) -> ExitClass {
                match self { $(Code::$variant => ExitClass::$exit,)* }
            }
        }
    };
}

codes! {
    // ---- one receipt ---------------------------------------------------------------------
    ReceiptLimit = "CS-RECEIPT-001", Error, Malformed,
        "receipt exceeds a size or depth limit",
        "A receipt is at most 65,536 characters, its payload at most 32,768 bytes and 32 levels deep. Larger input is not read at all, so that a hostile line cannot exhaust the verifier.",
        "Ask the emitter for a receipt within the limits; hashes belong into a receipt, content does not.";
    ReceiptEncoding = "CS-RECEIPT-002", Error, Malformed,
        "receipt is not three strict base64url segments",
        "A receipt is header.payload.signature in base64url without padding, with canonical trailing bits and nothing else. Laxer decoding would give one signature many receipt hashes, and anyone could mint them.",
        "Restore the receipt as its emitter wrote it, byte for byte.";
    ReceiptJson = "CS-RECEIPT-003", Error, Malformed,
        "header or payload is not JSON",
        "The header and the payload of a receipt are UTF-8 JSON without byte order mark and without lone surrogates.",
        "Restore the receipt from its source; the emitter is broken if it wrote these bytes.";
    ReceiptCanonical = "CS-RECEIPT-004", Error, Malformed,
        "header or payload is not canonical JSON",
        "The bytes must equal their own canonical re-encoding: keys in UTF-16 order, no spaces, minimal escapes, no duplicate keys, integers within +-(2^53-1) and no floats. Bytes that two parsers could read differently are refused.",
        "Fix the emitter; a receipt cannot be re-encoded after signing.";
    ReceiptHeader = "CS-RECEIPT-005", Error, Malformed,
        "receipt header is not the one of the format",
        "The header has exactly five members: alg EdDSA, crit [\"raucle/v1\"], kid, raucle/v1 provenance and typ provenance-receipt/v1; kid equals the payload's agent_key_id. Any other algorithm or member is refused, so that no header can weaken the check.",
        "Use an emitter of provenance-receipt/v1.";
    ReceiptType = "CS-RECEIPT-006", Error, Malformed,
        "payload is not a receipt of this type",
        "The payload is a JSON object whose typ agrees with the header.",
        "Check that the file holds provenance receipts and not another kind of token.";
    ReceiptMember = "CS-RECEIPT-007", Error, Malformed,
        "a required member is missing or of the wrong type",
        "iss, typ, iat, agent_id, agent_key_id, operation, parents and taint are always present; iss is a non-empty string, iat a positive integer of seconds, parents and taint are arrays of strings.",
        "Fix the emitter; the detail names the member.";
    ReceiptAgentId = "CS-RECEIPT-008", Error, Malformed,
        "agent id is not well formed",
        "An agent id is agent: followed by 1 to 128 of a-z 0-9 _ - and dots that separate non-empty parts, beginning with a letter or digit.",
        "Correct the agent id where the identity is made.";
    ReceiptKeyId = "CS-RECEIPT-009", Error, Malformed,
        "key id is not 16 lower-case hex digits",
        "A key id is the first 16 hex digits of SHA-256 over the canonical PEM text of the public key.",
        "Fix the emitter's key id.";
    ReceiptOperation = "CS-RECEIPT-010", Error, Malformed,
        "operation is unknown",
        "A verifier that does not know an operation cannot know its rules, so it must refuse it.",
        "Use one of user_input, model_call, tool_call, retrieval, guardrail_scan, agent_handoff, sanitisation, merge.";
    ReceiptHash = "CS-RECEIPT-011", Error, Malformed,
        "a hash is not sha256: and 64 lower-case hex digits",
        "A hash member that holds anything else may hold raw content, which receipts promise never to carry.",
        "Fix the emitter: hash the content and put the digest there.";
    ReceiptUnknownMember = "CS-RECEIPT-012", Error, Malformed,
        "payload has a member the format does not know",
        "Only members of the format and extensions that begin with x_ may appear. Anything else could smuggle content or meaning past the reader.",
        "Rename the member to x_<vendor>_<name> or remove it.";
    ReceiptVerdict = "CS-RECEIPT-013", Error, Malformed,
        "guardrail verdict is not one of the three",
        "guardrail_verdict is CLEAN, SUSPICIOUS or MALICIOUS.",
        "Fix the emitter's verdict.";
    ReceiptOptional = "CS-RECEIPT-014", Error, Malformed,
        "an optional member is empty, null or not a string",
        "Optional members are left out when they have no value (tenant may be an empty string); null and the empty string say nothing and have two spellings.",
        "Leave the member out.";
    ReceiptTag = "CS-RECEIPT-015", Error, Malformed,
        "a taint tag is empty or has forbidden characters",
        "Tags are non-empty and have no comma and no control characters: a comma could never be named in a sanitisation's removed list.",
        "Rename the tag.";
    ReceiptOrder = "CS-RECEIPT-016", Error, Malformed,
        "parents or taint are not sorted and unique",
        "Both lists are sorted by UTF-16 code units and have no duplicates, so that one set has one spelling.",
        "Fix the emitter's sorting.";
    ReceiptRequired = "CS-RECEIPT-017", Error, Malformed,
        "the operation lacks a member it requires",
        "Each operation has members that make it meaningful, for example a model_call its model, input_hash and output_hash.",
        "Fix the emitter; the detail names operation and member.";
    ReceiptParents = "CS-RECEIPT-018", Error, Malformed,
        "the operation has the wrong number of parents",
        "user_input is a root, guardrail_scan may be one, merge has at least two parents, everything else at least one.",
        "Fix the emitter; a step that depends on earlier steps cites them.";
    ReceiptRemoved = "CS-RECEIPT-019", Error, Malformed,
        "sanitisation does not say what it removed",
        "The corpus of a sanitisation is removed: and the comma-separated tags it cleared. Without it nobody can tell what was taken out.",
        "Fix the emitter.";
    ReceiptSignature = "CS-RECEIPT-020", Error, Untrusted,
        "signature does not verify",
        "The Ed25519 signature is not that of the named key over these bytes: the receipt was altered or forged, or its signature was cut.",
        "Get the receipt from its source again; if it stays so, treat it as forged.";
    ReceiptKeyUnknown = "CS-RECEIPT-021", Error, Untrusted,
        "signed by a key nobody trusts",
        "No key of purpose receipts with this id is in the trust file, and no key is believed because it travels with what it signs.",
        "If you know the signer, add its key with `countersign trust add`.";
    ReceiptKeyTime = "CS-RECEIPT-022", Error, Untrusted,
        "receipt lies outside the key's time",
        "The receipt's iat is before the key's valid.from or not before its valid.until.",
        "Check the key's validity in the trust file; if the key was retired, the receipt should not exist.";
    ReceiptKeyAgent = "CS-RECEIPT-023", Error, Untrusted,
        "the key may not sign as this agent",
        "The trust file binds the key to an agent id; it may sign as that agent and its dotted sub-scopes only.",
        "Correct agent_id in the trust file, or treat the receipt as misattributed.";

    // ---- chains and the DAG --------------------------------------------------------------
    ChainEnvelope = "CS-CHAIN-001", Error, Malformed,
        "chain line is not an envelope",
        "Each line is one JSON object with exactly receipt_hash and jws, both strings.",
        "Restore the line, or remove it together with what depends on it.";
    ChainHash = "CS-CHAIN-002", Error, Tampered,
        "receipt hash differs from the receipt",
        "The hash written beside the receipt is not the SHA-256 of the receipt: one of the two was changed.",
        "Restore the file from a copy; do not correct the hash by hand.";
    ChainDuplicate = "CS-CHAIN-003", Error, Malformed,
        "the same receipt appears twice",
        "A receipt names one event; a second copy in a chain makes counts meaningless.",
        "Remove the second copy.";
    ChainParent = "CS-CHAIN-004", Error, Malformed,
        "a parent is not in the chain",
        "A receipt cites a parent that is not there, so the walk to the root ends in nothing.",
        "Add the file that holds the parent, or find out why it was left out.";
    ChainOrder = "CS-CHAIN-005", Error, Malformed,
        "a child stands before its parent",
        "A receipt can only cite what already existed; a chain is written in that order.",
        "Restore the original order of the lines.";
    ChainTime = "CS-CHAIN-006", Error, Malformed,
        "a child claims to be older than its parent",
        "The child's iat is before its parent's by more than the allowed clock skew.",
        "Check the clocks of the signers.";
    ChainEmpty = "CS-CHAIN-007", Error, Missing,
        "the chain is empty",
        "There is no receipt to judge.",
        "Check the path; an empty file proves nothing.";
    ChainTruncated = "CS-CHAIN-008", Error, Tampered,
        "the chain is shorter or other than its expected head",
        "The expected head or count does not agree with the chain: lines were cut off, added or replaced.",
        "Restore the missing lines; compare with the place the head was taken from.";
    ChainTorn = "CS-CHAIN-009", Error, Malformed,
        "the last line is torn",
        "The file ends inside a line, as a crash while writing leaves it. Nothing before it is affected.",
        "Remove the torn line after keeping a copy; the writer must begin a new line.";
    ChainLine = "CS-CHAIN-010", Error, Malformed,
        "a line is longer than the limit",
        "A chain line is at most 128 KiB.",
        "Check that the file is a receipt chain.";
    ChainLegacy = "CS-CHAIN-011", Error, Malformed,
        "the line is an envelope of an older draft",
        "Early drafts copied the payload beside the receipt. The copy is unsigned and may differ from what was signed.",
        "Migrate the chain: keep only receipt_hash and jws of each line.";
    ChainTaint = "CS-CHAIN-012", Error, Violated,
        "taint was dropped without a sanitisation",
        "A receipt carries every tag of its parents; only a sanitisation may remove one. Here a tag vanished.",
        "Treat the output as tainted; find out why the emitter lost the tag.";
    ChainSanitised = "CS-CHAIN-013", Error, Violated,
        "sanitisation's taint is not parents minus removed",
        "A sanitisation's taint is exactly the union of its parents' tags without those it names as removed: it neither adds nor keeps others.",
        "Fix the emitter; treat the output as tainted.";
    ChainRetrieval = "CS-CHAIN-014", Warning, Ok,
        "retrieval carries no rag: tag for its corpus",
        "Content from a corpus is tainted rag:<corpus> unless the corpus is attested. Without the tag later readers cannot see where it came from.",
        "Attest the corpus, or let the emitter add the tag.";
    ChainFraming = "CS-CHAIN-015", Warning, Ok,
        "the file's framing is unusual",
        "Blank lines, CRLF endings or a missing last newline do not touch the evidence, but something rewrote the file.",
        "Write chains with LF endings and one receipt per line.";
    ChainFuture = "CS-CHAIN-016", Warning, Ok,
        "a receipt is dated in the future",
        "The receipt's iat lies after the time of verification by more than the allowed clock skew.",
        "Check the signer's clock.";
    ChainChanged = "CS-CHAIN-017", Error, Tampered,
        "the chain changed while it was read",
        "Receipts that cite what does not stand before them are read a second time. Then they were not the ones that were there the first time, so the verdict is about no one file.",
        "Verify a copy that nobody writes to; if that is the case already, find out who does.";

    // ---- capability statements -----------------------------------------------------------
    CapMalformed = "CS-CAP-001", Error, Malformed,
        "capability statement is malformed",
        "A statement has exactly the members of the format, each of its type, without duplicate keys.",
        "Issue the statement again.";
    CapKey = "CS-CAP-002", Error, Untrusted,
        "capability statement is not about the key it names",
        "The statement's key_id is the id of its public key, and that key is the one you hold for it.",
        "Issue a statement for the right key.";
    CapSignature = "CS-CAP-003", Error, Untrusted,
        "capability statement's signature does not verify",
        "Neither the agent's own key nor any trusted issuer of purpose capabilities signed these words: the statement was altered, or its issuer is not trusted.",
        "Get the statement from its issuer again, or add the issuer's key to the trust file.";
    CapMissing = "CS-CAP-004", Error, Violated,
        "no capability statement for this key",
        "Statements are in force, and a key without one may do nothing.",
        "Supply the agent's statement.";
    CapAgent = "CS-CAP-005", Error, Violated,
        "receipt's agent is not the statement's agent",
        "The statement allows another agent id than the one the receipt was signed as.",
        "Issue a statement for this agent, or treat the receipt as misattributed.";
    CapTime = "CS-CAP-006", Error, Untrusted,
        "receipt lies outside the statement's time",
        "The receipt's iat is before issued_at or not before expires_at.",
        "Renew the statement before it expires.";
    CapModel = "CS-CAP-007", Error, Violated,
        "the model is not allowed",
        "The agent's statement lists the models it may call, and this is none of them.",
        "Widen the statement if this was intended.";
    CapTool = "CS-CAP-008", Error, Violated,
        "the tool is not allowed",
        "The agent's statement lists the tools and sanitisers it may use, and this is none of them.",
        "Widen the statement if this was intended.";
    CapSanitise = "CS-CAP-009", Error, Violated,
        "the agent may not clear this tag",
        "A sanitisation removed a tag that the statement's sanitisation_authority does not cover.",
        "Grant the authority, or treat the output as still tainted.";

    // ---- trust ---------------------------------------------------------------------------
    TrustNone = "CS-TRUST-001", Error, Untrusted,
        "no trust material",
        "No trust file and no key was given: bytes can be checked against themselves, but nothing is signed by anyone you trust.",
        "Give --trust FILE, or an explicit key.";
    TrustLevel = "CS-TRUST-002", Error, Untrusted,
        "required assurance is not reached",
        "The evidence does not reach the assurance level that was required.",
        "Read the other findings and notes; lower --require only if you mean it.";
    TrustPurpose = "CS-TRUST-003", Error, Untrusted,
        "the key is trusted for something else",
        "A key has one purpose. This one is in the trust file, but not for what it signed here.",
        "Use a separate key for each purpose.";
    TrustQuorum = "CS-TRUST-004", Error, Untrusted,
        "witness quorum is not met",
        "The trust file, or the policy that was given, asks for a quorum of witnesses on this log, and the checkpoint does not carry it.",
        "Get a checkpoint with the witnesses' cosignatures.";
    TrustExpired = "CS-TRUST-005", Warning, Ok,
        "a key in the trust file has expired",
        "The key is past its valid.until: new evidence under it will be refused.",
        "Rotate the key, or remove it.";
    TrustNotYet = "CS-TRUST-006", Warning, Ok,
        "a key in the trust file is not valid yet",
        "The key is before its valid.from.",
        "Nothing, if this was planned.";

    // ---- keys over time ------------------------------------------------------------------
    KeyStatement = "CS-KEY-001", Error, Malformed,
        "a rotation or revocation is not one of the format",
        "A statement about a key is a compact JWS of type countersign-key-rotation/v1 or countersign-key-revocation/v1, at most 4,096 bytes, with a canonical payload of exactly the members that spec/key-changes.md lists.",
        "Make it with `countersign keys rotate` or `countersign keys revoke`; the bytes that lie in the log cannot be corrected.";
    KeyStatementSigner = "CS-KEY-002", Error, Untrusted,
        "a rotation or revocation is not signed by a trusted root key",
        "Only a key of purpose root in the trust file, in its time, may say that another key comes or goes. This statement changes nothing.",
        "If it is yours, add the root key that signed it to the trust file; if not, find out who could write to the log.";
    KeyStatementRefused = "CS-KEY-003", Error, Untrusted,
        "a rotation or revocation does not fit this log",
        "It is signed by a trusted root, but for another log, about a key that is not known here for this purpose, about one that was replaced already, with a key that somebody has already, with another agent, or it lies here twice. This statement changes nothing.",
        "Read the detail; a statement that was meant for this log has to be made anew.";
    KeyGone = "CS-KEY-004", Error, Untrusted,
        "signed by a key after it was replaced or revoked",
        "The evidence lies at or behind the entry that took the key away: whoever signed it used a key that did not count any more.",
        "Treat it as forged unless you know the signer; let him use the key that counts and sign again.";
    KeyEarly = "CS-KEY-005", Error, Untrusted,
        "signed by a key before it counted",
        "The key was brought by a rotation further down. Before that entry nobody could know it.",
        "Treat it as forged: somebody put it before the rotation.";
    KeyCompromised = "CS-KEY-006", Error, Untrusted,
        "signed by a compromised key, and nothing shows that it is older",
        "The key's revocation states a time from which somebody else may have used it. Evidence of that key is believed only under a checkpoint that was timestamped or witnessed before that time.",
        "Anchor or witness the log regularly; what is not covered has to be confirmed in another way.";
    KeySecret = "CS-KEY-007", Error, Untrusted,
        "the HMAC secret is not the one that the rotation names",
        "A rotation of an HMAC key says what the new secret is recognised by. The secret at hand under this id is another one, and was not used.",
        "Restore the file of the secret from a copy.";

    // ---- ledger --------------------------------------------------------------------------
    LedgerHeader = "CS-LEDGER-001", Error, Tampered,
        "a frame's header is damaged",
        "The header's own checksum does not agree: bytes of the journal were changed or lost.",
        "Restore the segment from a copy; `countersign ledger repair` explains what would be lost.";
    LedgerLeaf = "CS-LEDGER-002", Error, Tampered,
        "a leaf is damaged",
        "The leaf's checksum or form does not agree with what was written.",
        "Restore the segment from a copy; `countersign ledger repair` explains what would be lost.";
    LedgerBody = "CS-LEDGER-003", Error, Tampered,
        "a body differs from its leaf's digest",
        "The evidence stored beside the leaf is not the evidence that was logged.",
        "Restore the body from a copy; the leaf still says what its digest was.";
    LedgerTrailer = "CS-LEDGER-004", Error, Tampered,
        "a batch trailer is damaged",
        "The trailer's count or checksum does not agree with the batch before it.",
        "Restore the segment from a copy; `countersign ledger repair` explains what would be lost.";
    LedgerSegment = "CS-LEDGER-005", Error, Tampered,
        "a journal segment is damaged or missing",
        "Segments are named by their first index and follow each other without a gap.",
        "Restore the segment from a copy.";
    LedgerUnlisted = "CS-LEDGER-006", Error, Malformed,
        "a file in the ledger does not belong there",
        "The ledger directory holds evidence and nothing else; a file that no rule knows may hide something.",
        "Move the file out of the ledger.";
    LedgerHead = "CS-LEDGER-007", Error, Tampered,
        "the journal does not agree with the head",
        "The head names a size and a root that the journal does not have: entries were removed or replaced.",
        "Restore the ledger from a copy; never edit the head.";
    LedgerHeadDamaged = "CS-LEDGER-008", Error, Tampered,
        "the head is damaged",
        "The head file is not one the sequencer wrote.",
        "Restore the head from a copy; the journal and the checkpoint tell what it was.";
    LedgerCheckpoint = "CS-LEDGER-009", Error, Malformed,
        "the checkpoint is malformed",
        "The checkpoint is a signed note with origin, size and root, and with no lines beyond them.",
        "Restore public/checkpoint from a copy, or start the ledger to have it written again.";
    LedgerCheckpointSignature = "CS-LEDGER-010", Error, Untrusted,
        "the checkpoint's signature does not verify",
        "The log's trusted key did not sign this checkpoint.",
        "Restore public/checkpoint from a copy; if it stays so, treat the ledger as forged.";
    LedgerCheckpointRoot = "CS-LEDGER-011", Error, Tampered,
        "the checkpoint's root is not the journal's",
        "At the checkpoint's size the journal hashes to another root: an entry below it was changed.",
        "Restore the journal from a copy; find the first entry that differs from it.";
    LedgerSequence = "CS-LEDGER-012", Error, Tampered,
        "a writer's sequence has a gap",
        "Each writer counts its entries from 0; a number is missing or repeated.",
        "Find the missing entry in a copy of the ledger.";
    LedgerTime = "CS-LEDGER-013", Error, Malformed,
        "the ledger's time runs backwards",
        "The sequencer's timestamps never decrease.",
        "Check whether entries were moved.";
    LedgerTorn = "CS-LEDGER-014", Warning, Ok,
        "the journal ends in a torn batch",
        "A crash left an unfinished batch that was never acknowledged. The next start sets it aside and records that.",
        "Nothing; start the ledger once, or run `countersign ledger repair`.";
    LedgerBeyond = "CS-LEDGER-015", Info, Ok,
        "entries lie beyond the last checkpoint",
        "They agree with themselves but no signature covers them yet.",
        "Wait for the next checkpoint, or stop the ledger cleanly.";
    LedgerRepair = "CS-LEDGER-016", Warning, Ok,
        "the ledger was repaired",
        "An entry of kind repair says that a torn tail was set aside, with the digest of what it held.",
        "Check that the time of the repair is the time of a crash you know.";
    LedgerNoCheckpoint = "CS-LEDGER-017", Error, Untrusted,
        "there is no checkpoint",
        "Without a signed checkpoint nobody vouches for the ledger's contents.",
        "Start the ledger once, or restore public/checkpoint.";
    LedgerOrigin = "CS-LEDGER-018", Error, Untrusted,
        "the log is not in the trust file",
        "The checkpoint's origin names a log whose key you do not trust.",
        "If you know the log, add its verifier key with `countersign trust add`.";
    LedgerTruncated = "CS-LEDGER-019", Error, Tampered,
        "the ledger is shorter than its checkpoint",
        "The signed checkpoint covers more entries than the journal has: the end was cut off.",
        "Restore the journal from a copy.";
    LedgerKind = "CS-LEDGER-020", Error, Malformed,
        "an entry is of an unknown kind",
        "A reader that does not know a kind cannot judge it.",
        "Use a version that knows this kind.";
    LedgerPruned = "CS-LEDGER-021", Info, Ok,
        "a body was pruned",
        "The evidence was removed after its retention ended; the leaf proves that it was logged.",
        "Nothing; restore the body from an archive to judge its content.";
    LedgerId = "CS-LEDGER-022", Error, Tampered,
        "an entry's id is not that of its body",
        "The leaf files the body under another id than the body has.",
        "Restore the journal from a copy.";
    LedgerLimit = "CS-LEDGER-023", Error, Malformed,
        "an entry exceeds the limit of its kind",
        "Each kind of body and every leaf has a size limit.",
        "Check what wrote the entry.";
    LedgerStray = "CS-LEDGER-024", Error, Malformed,
        "bytes lie outside the frames",
        "A segment holds frames and nothing between or after them.",
        "Restore the segment from a copy.";
    LedgerDuplicate = "CS-LEDGER-025", Error, Malformed,
        "two entries claim one id",
        "An id names one piece of evidence; a second entry under it makes citations ambiguous.",
        "Find out which writer repeated the id.";
    LedgerStripped = "CS-LEDGER-026", Error, Tampered,
        "a body is gone and no prune entry accounts for it",
        "Bodies are removed under a written retention policy alone, and an entry of kind prune under the checkpoint says whose. Here a leaf has no body and no such entry says so: somebody removed evidence.",
        "Restore the bodies with `countersign log restore` from an archive, and find out who could write to the ledger.";
    LedgerPruneRecord = "CS-LEDGER-027", Error, Malformed,
        "a prune entry is not in the form the ledger writes",
        "What a prune entry says accounts for missing bodies, so it has exactly one form. This one explains nothing.",
        "Find out who wrote the entry; the ledger alone may.";
    LedgerEncrypted = "CS-LEDGER-028", Info, Ok,
        "a body is encrypted",
        "The body is encrypted for recipients, and no identity that was given opens it. The leaf proves that it was logged; nothing in it was verified.",
        "Give the identity with --identity to have it judged.";
    LedgerTile = "CS-LEDGER-029", Error, Tampered,
        "a tile or entry bundle does not agree with the journal",
        "Tiles and bundles are made from the journal; this one holds other hashes or leaves, and whoever proves from it fails.",
        "Run `countersign ledger repair`: when the journal and its signed root hold, it makes the file anew and records that.";
    LedgerTileMissing = "CS-LEDGER-030", Error, Malformed,
        "a tile or entry bundle is missing",
        "The head or checkpoint covers entries whose tile or bundle is not there, so proofs for them cannot be made from the files.",
        "Run `countersign ledger repair`: it makes the file anew from the journal and records that.";
    LedgerUntiled = "CS-LEDGER-031", Warning, Ok,
        "the ledger has no tiles",
        "Entries are covered by the head, but no tile and no entry bundle is there, or they were being made for the first time when a crash came. So it is with a ledger from before there were tiles, and where somebody removed them all. The journal agrees with what was recorded and signed, so nothing is lost, but nobody can prove from the files.",
        "Ask who removed them if the ledger had them; the next start, or `countersign log checkpoint`, makes them anew from the journal.";

    // ---- proofs of a log as files --------------------------------------------------------
    LogProof = "CS-LOG-001", Error, Malformed,
        "not a proof file",
        "The file is not a .tlog-proof or a consistency proof of spec/log-proofs.md, or the checkpoint or leaf with it is none.",
        "Get the proof again from where it was made; `countersign log prove` writes one.";
    LogCheckpoint = "CS-LOG-002", Error, Untrusted,
        "the checkpoint is not signed by a log of the policy",
        "None of the logs that the policy names signed the checkpoint, or a known key's signature on it does not verify.",
        "Compare the policy's log line with the verifier key of the log. A bad signature by a known key means that the checkpoint was altered: fetch it again.";
    LogTree = "CS-LOG-003", Error, Tampered,
        "the proof does not lead to the checkpoint",
        "The entry is not in the log at this index, or the newer checkpoint does not extend the older one. Two checkpoints of one log that are not consistent prove that it showed different histories.",
        "Keep all the files. If entry, index and checkpoint are the ones you were given, the log or whoever gave you the proof has to explain it.";
    LogBody = "CS-LOG-004", Error, Tampered,
        "this is not what was logged",
        "The body has another digest or length, or the entry another id, than the leaf in the log states.",
        "Get body and proof again from the ledger; `countersign ledger show --id` prints a body as it was logged.";

    // ---- audit lines ---------------------------------------------------------------------
    AuditMalformed = "CS-AUDIT-001", Error, Malformed,
        "audit line is malformed",
        "An audit line is a JSON object with exactly the 12 members of the format, each of its type.",
        "Restore the line from a copy.";
    AuditCanonical = "CS-AUDIT-002", Error, Malformed,
        "audit line is not canonical",
        "The stored bytes must equal their re-encoding: otherwise reformatting, duplicate keys and extra members would go unseen.",
        "Restore the line as it was written.";
    AuditLink = "CS-AUDIT-003", Error, Tampered,
        "audit line does not follow its predecessor",
        "prev_hmac is not the hmac of the line before: a line was removed, inserted or moved.",
        "Restore the log from a copy.";
    AuditMac = "CS-AUDIT-004", Error, Tampered,
        "audit line's HMAC does not agree",
        "The line was changed after it was written, or was written without the key.",
        "Restore the line from a copy.";
    AuditKeyUnknown = "CS-AUDIT-005", Error, Untrusted,
        "audit line names an HMAC key that is not given",
        "The line's _signing_key_id is not in the keyring.",
        "Add the key of purpose hmac to the trust file, or give --hmac-key.";
    AuditKeyMissing = "CS-AUDIT-006", Error, Malformed,
        "audit line names no HMAC key",
        "metadata._signing_key_id is absent or empty, so the line cannot be checked.",
        "Restore the line from a copy.";
    AuditFraming = "CS-AUDIT-007", Warning, Ok,
        "the log's framing is unusual",
        "A byte order mark, blank lines, CRLF endings or a missing last newline do not touch the evidence, but something rewrote the file.",
        "Write logs with LF endings and one entry per line.";
    AuditUnchecked = "CS-AUDIT-008", Info, Ok,
        "audit HMACs were not checked",
        "No key of purpose hmac is at hand. Links were checked; every public claim rests on the log's signature alone.",
        "Give --hmac-key to check them.";
    AuditTime = "CS-AUDIT-009", Warning, Ok,
        "audit time runs backwards",
        "A line's ts_ns is before that of the line before it.",
        "Check the writer's clock.";

    // ---- timestamps ----------------------------------------------------------------------
    AnchorMalformed = "CS-ANCHOR-001", Error, Malformed,
        "timestamp is malformed",
        "What stands here as the reply of a timestamp authority is not one: RFC 3161 in strict DER, with one signer over TSTInfo and nothing before or after. Some writers store whatever came with HTTP 200.",
        "Restore the entry from a copy. If it was written like this, the entry is unstamped: check what answers at the authority's address.";
    AnchorRefused = "CS-ANCHOR-002", Error, Malformed,
        "the authority refused to stamp",
        "The reply's status is not granted, so there is no timestamp in it. RFC 3161 section 2.4.2 names the reasons.",
        "Treat the evidence as unstamped; ask the authority again, in a way its policy allows.";
    AnchorAlgorithm = "CS-ANCHOR-003", Error, Untrusted,
        "timestamp rests on an algorithm that does not count",
        "Digests are SHA-256, SHA-384 or SHA-512; signatures ECDSA over P-256 or P-384, RSA of 2,048 bits or more (PKCS #1 v1.5, or PSS with a salt as long as the digest), or Ed25519. Whatever is weaker or unknown proves nothing here.",
        "Use an authority that signs with one of these.";
    AnchorSignature = "CS-ANCHOR-004", Error, Untrusted,
        "timestamp's signature does not verify",
        "The signed attributes do not cover the content, or their signature is not that of the signer's key: the timestamp was changed or forged.",
        "Restore the timestamp from a copy.";
    AnchorSigner = "CS-ANCHOR-005", Error, Untrusted,
        "timestamp's signer is not fit to sign timestamps",
        "The signer's certificate must come along or be trusted, be the very one that the signed attributes name (ESSCertID), be no CA, and have exactly one extended key usage, timeStamping, marked critical. RFC 3161 section 2.3.",
        "Use an authority that keeps to RFC 3161; if its replies leave the certificate out, put it before the root in the trust file.";
    AnchorUntrusted = "CS-ANCHOR-006", Error, Untrusted,
        "timestamp's authority is not trusted",
        "No chain of certificates leads from the signer to a certificate of purpose tsa in the trust file. Certificates that travel with a timestamp are not believed.",
        "If you trust the authority, add its root with countersign trust add --name NAME --purpose tsa --key ROOT.pem.";
    AnchorExpired = "CS-ANCHOR-007", Error, Untrusted,
        "timestamp lies outside the time of its authority",
        "A certificate of the chain, or the valid window of the trust file, does not hold the time that the timestamp states.",
        "Check the window in the trust file; a timestamp made after its certificate's end proves nothing.";
    AnchorImprint = "CS-ANCHOR-008", Error, Tampered,
        "timestamp is over something else",
        "The digest in the timestamp is not that of what it stands beside: the entry was changed after it was stamped, or the timestamp was taken from another entry.",
        "Restore the entry and its timestamp from a copy.";
    AnchorRequest = "CS-ANCHOR-009", Error, Tampered,
        "timestamp answers another request",
        "The nonce is not the one that was sent, so the reply is a repeated or a foreign one.",
        "Ask the authority again.";
    AnchorPolicy = "CS-ANCHOR-010", Error, Untrusted,
        "timestamp was made under a policy that is not accepted",
        "The policy of the timestamp is not among those that were asked for.",
        "Ask for an accepted policy, or accept this one.";
    AnchorOrder = "CS-ANCHOR-011", Error, Malformed,
        "timestamps run backwards",
        "Entries are stamped in the order in which they are chained. A timestamp before that of an entry above it means that the order was made up later, or that a clock was wrong.",
        "Compare with the authority's own record of its serial numbers.";
    AnchorMissing = "CS-ANCHOR-012", Error, Missing,
        "no timestamp where one is required",
        "The level anchored is required, and not all of the evidence stands under a timestamp that holds.",
        "Require less (--require signed, or consistent for a log by itself), or have the evidence stamped when it is written.";
    AnchorUnjudged = "CS-ANCHOR-013", Info, Ok,
        "timestamps were not judged",
        "The evidence holds timestamps; to judge them takes a trusted authority and, for audit lines, the HMAC keys, since the stamped digest is an HMAC.",
        "Add the authority's root to the trust file with purpose tsa, and give the HMAC keys.";
    AnchorTime = "CS-ANCHOR-014", Warning, Ok,
        "timestamp is far from the entry's own time",
        "An entry is stamped when it is written. More than 300 seconds beyond the timestamp's accuracy lie between the two: the clock of the writer was wrong, or the entry was written, or written anew by a holder of the key, when it was stamped. That the entry existed is shown from its timestamp on, not from its own time on.",
        "Believe the timestamp's time, and look for a copy from before it.";
    AnchorBody = "CS-ANCHOR-015", Error, Malformed,
        "anchor entry is malformed",
        "The body of an anchor entry is not countersign-anchor/v1: canonical JSON with the signed checkpoint and the authority's reply, and nothing else.",
        "Restore the entry from a copy. What it should prove is unproven until then.";
    AnchorCheckpoint = "CS-ANCHOR-016", Error, Untrusted,
        "anchored checkpoint is not signed by the log",
        "The checkpoint inside an anchor entry names another log, or its signature is not that of the log's key in the trust file. Somebody had something stamped, and it was not a checkpoint of this log.",
        "Find out who appended the entry. It anchors nothing.";
    AnchorRoot = "CS-ANCHOR-017", Error, Tampered,
        "anchored checkpoint is not of this history",
        "The log signed this size and root once and an authority stamped it, but the entries here have another root at that size, or were fewer when the anchor was written. So the log was changed or forked after the timestamp.",
        "Treat the log as tampered with. The anchor tells since when: compare with a copy from before.";

    // ---- witnesses -----------------------------------------------------------------------
    WitnessSignature = "CS-WITNESS-001", Error, Untrusted,
        "a witness's cosignature does not verify",
        "A line under the checkpoint is in the name and key id of a witness of the policy, and that witness did not sign this checkpoint.",
        "Get a checkpoint whose cosignatures verify, and find out who changed this one.";
    WitnessUnknown = "CS-WITNESS-002", Error, Malformed,
        "a line under the checkpoint is of nobody that was named",
        "Under a log's checkpoint stand its own signature and those of the witnesses of its policy in the trust file. Anything else proves nothing and has no business there.",
        "Name the witness in the policy of the log (quorum, in the trust file), or get a checkpoint without the line.";
    WitnessTime = "CS-WITNESS-003", Warning, Ok,
        "a cosignature is older than what it covers",
        "A witness says that it saw the checkpoint more than 300 seconds before the last entry under it was logged: its clock was behind, or that of the log was ahead. Where a moment counts (what a compromised key signed), the later of the two is taken.",
        "Set the clocks of the witness and of the log right; the next checkpoint is cosigned anew.";

    // ---- decision receipts ---------------------------------------------------------------
    DecisionMalformed = "CS-DECISION-001", Error, Malformed,
        "decision receipt is malformed",
        "A decision receipt is a compact JWS of at most 2,048 bytes with typ countersign-decision/v1 and the members of the format.",
        "Take the receipt again from the answer's X-Countersign-Receipt header.";
    DecisionCanonical = "CS-DECISION-002", Error, Malformed,
        "decision receipt is not canonical",
        "Its header and payload must equal their canonical re-encoding.",
        "Take the receipt again from the answer it came with.";
    DecisionSignature = "CS-DECISION-003", Error, Untrusted,
        "decision receipt's signature does not verify",
        "The named key did not sign these bytes.",
        "Treat the receipt as forged unless a clean copy verifies.";
    DecisionKeyUnknown = "CS-DECISION-004", Error, Untrusted,
        "decision receipt is signed by a key nobody trusts",
        "No key of purpose decisions with this id is in the trust file.",
        "If you know the gateway, add its decision key with `countersign trust add`.";
    DecisionKeyTime = "CS-DECISION-005", Error, Untrusted,
        "decision receipt lies outside the key's time",
        "The receipt's iat is before the key's valid.from or not before its valid.until.",
        "Check the key's validity in the trust file.";
    DecisionLog = "CS-DECISION-006", Error, Tampered,
        "decision receipt binds another log",
        "The receipt names a log origin that is not the log it was found in.",
        "Verify it against the ledger it names.";
    DecisionAudit = "CS-DECISION-007", Error, Malformed,
        "the audit entry it names is missing",
        "The receipt cites an audit entry that the ledger does not have.",
        "Restore the ledger; an acknowledged answer has its entry.";
    DecisionHeads = "CS-DECISION-008", Error, Malformed,
        "a receipt it cites is missing",
        "The decision's heads are receipts that the ledger does not have.",
        "Restore the ledger; an acknowledged answer has its receipts.";
    DecisionDigest = "CS-DECISION-009", Error, Malformed,
        "a configuration or ruleset it names is missing",
        "The decision was taken under a configuration and a ruleset whose bodies are stored once each; one of them is not there.",
        "Restore the ledger; without the body the decision cannot be replayed.";
    DecisionMismatch = "CS-DECISION-010", Error, Tampered,
        "decision and audit entry disagree",
        "The receipt and the audit entry it names do not say the same about one request, or its evidence profile is not what the configuration it names asks for.",
        "Treat both as suspect; compare with copies.";
    DecisionMissing = "CS-DECISION-011", Error, Malformed,
        "an outcome has no decision receipt",
        "An audit entry ends a request, and the decision receipt that is logged with it is not there. Counted refusals alone have none.",
        "Restore the ledger; an acknowledged answer has its decision receipt.";

    // ---- feeds ---------------------------------------------------------------------------
    FeedLimit = "CS-FEED-001", Error, Malformed,
        "feed is too large",
        "A feed document is at most 128 MiB, of 8,000,000 values and 500,000 indicators. Larger input is not judged at all, so that a hostile mirror cannot exhaust the verifier.",
        "Ask the publisher to split the feed.";
    FeedJson = "CS-FEED-002", Error, Malformed,
        "feed is not strict JSON",
        "UTF-8 without byte order mark, no duplicate keys, no lone surrogates, nothing behind the value. What two parsers could read differently is refused.",
        "Fetch the feed again; if it stays, the publisher's tool is broken.";
    FeedMember = "CS-FEED-003", Error, Malformed,
        "a member of the feed is missing, unknown or of the wrong type",
        "A feed has exactly ten members. Numbers are JSON integers: a string or float that another reader would coerce is not what was signed. An unknown member is outside of the signature, so anybody could have added it.",
        "Fetch the feed again from its publisher; the detail names the member.";
    FeedVersion = "CS-FEED-004", Error, Malformed,
        "feed is of another version",
        "The only version of the format is raucle-feed/v1; another one may sign other bytes.",
        "Check that the file is a feed, and not a later format.";
    FeedKey = "CS-FEED-005", Error, Malformed,
        "the key that the feed carries is no key",
        "public_key_pem is the canonical PEM text of an Ed25519 public key: LF line ends, a final LF.",
        "Fetch the feed again from its publisher.";
    FeedKeyWeak = "CS-FEED-006", Error, Untrusted,
        "the key has small order",
        "Under a key of small order one constant signature verifies for any text: whoever pins it believes everybody.",
        "Do not pin this key. Ask the publisher for a real one.";
    FeedKeyId = "CS-FEED-007", Error, Malformed,
        "key_id is not that of the key",
        "A key id is the first 16 hex digits of the SHA-256 over the key's PEM text. The feed names another one.",
        "Fetch the feed again from its publisher.";
    FeedUnpinned = "CS-FEED-008", Error, Untrusted,
        "nobody says that this key may publish",
        "A feed carries its key, and a key is not believed because it travels with what it signs: anyone can sign a feed with a key of his own.",
        "Get the publisher's key over another way and give it with --pin, or add it to the trust file with purpose feed.";
    FeedPin = "CS-FEED-009", Error, Untrusted,
        "feed is signed by another key than the pinned one",
        "The feed may be intact, but it is not from the publisher whose key was pinned. Keys are compared by their 32 bytes, however the PEM text is laid out.",
        "If the publisher has a new key, take it with a rotation that the old one signed; otherwise somebody else offers this feed.";
    FeedIssuer = "CS-FEED-010", Error, Untrusted,
        "feed is issued in a name that its key was not pinned for",
        "A pin binds a key to one issuer. With a free choice of name a publisher could speak for any other.",
        "Pin the key for this issuer, if the publisher told you so.";
    FeedKeyTime = "CS-FEED-011", Error, Untrusted,
        "feed was issued outside of its key's time",
        "issued_at lies before the pinned key's valid.from, or not before its valid.until.",
        "Check the key's validity in the trust file.";
    FeedRoot = "CS-FEED-012", Error, Tampered,
        "the list of indicators is not the one that was signed",
        "The declared root is not the digest of the indicators' ids: some were added, removed, doubled or changed.",
        "Fetch the feed again, from another mirror. A part of a feed can be verified indicator by indicator instead.";
    FeedCount = "CS-FEED-013", Error, Tampered,
        "ioc_count is not the number of indicators",
        "The document says how many indicators it has, and has more or fewer.",
        "Fetch the feed again, from another mirror.";
    FeedSignatureForm = "CS-FEED-014", Error, Untrusted,
        "the feed's signature is not 64 bytes in base64url",
        "A signature has one spelling: 86 characters without padding, with canonical trailing bits. What was cut off or respelled is not what the publisher wrote.",
        "Fetch the feed again, from another mirror.";
    FeedSignature = "CS-FEED-015", Error, Untrusted,
        "the feed's signature does not verify",
        "The key that the feed carries did not sign this manifest: issuer, feed id, time, key or root were changed, or the feed was made up.",
        "Fetch the feed again, from another mirror.";
    IocMember = "CS-FEED-016", Error, Malformed,
        "a member of an indicator is missing, unknown or of the wrong type",
        "An indicator has exactly twelve members; expires_at is null or an integer, and never left out.",
        "Fetch the feed again; if it stays, tell the publisher.";
    IocKind = "CS-FEED-017", Error, Malformed,
        "an indicator is of an unknown kind",
        "Kinds are regex, substring and unicode_signature. An indicator that nobody can match would be silently without effect.",
        "Tell the publisher, or leave such indicators out with --skip-bad.";
    IocSeverity = "CS-FEED-018", Error, Malformed,
        "an indicator is of an unknown severity",
        "Severities are low, medium, high and critical, in lower case. What a match leads to must not be guessed.",
        "Tell the publisher, or leave such indicators out with --skip-bad.";
    IocPattern = "CS-FEED-019", Error, Malformed,
        "an indicator's pattern cannot be used",
        "It is empty, which matches everything, too long, no list of code points, or a regular expression that the linear engine refuses. It must not be dropped silently: that is how a feed stops protecting.",
        "Tell the publisher, or leave such indicators out with --skip-bad.";
    IocIssuer = "CS-FEED-020", Error, Untrusted,
        "an indicator speaks in another's name",
        "Issuer and key id of each indicator must be those of the feed. One that names another issuer could revoke that issuer's indicators.",
        "Do not use the feed. With --skip-bad the rest of it is taken, without this one.";
    IocHash = "CS-FEED-021", Error, Tampered,
        "an indicator is not what its id says",
        "content_hash is the SHA-256 of the indicator's ten signed members. One of them, or the id, was changed.",
        "Fetch the feed again, from another mirror.";
    IocSignature = "CS-FEED-022", Error, Untrusted,
        "an indicator's signature does not verify",
        "The key of the feed did not sign this indicator, or the signature is not 86 characters of base64url.",
        "Fetch the feed again, from another mirror.";
    IocDuplicate = "CS-FEED-023", Error, Malformed,
        "an indicator stands there twice",
        "Ids are unique in a feed: one that comes twice changes the root and says nothing more.",
        "Fetch the feed again; if it stays, tell the publisher.";
    IocSkipped = "CS-FEED-024", Warning, Ok,
        "a bad indicator was left out",
        "It is signed by the publisher and of no use: unknown kind or severity, a pattern that cannot be matched, another's name. With --skip-bad the rest of the feed counts.",
        "Tell the publisher. What this indicator was to find is not found.";
    FeedRollback = "CS-FEED-025", Error, Tampered,
        "feed is older than one that was accepted before",
        "Its issued_at lies before that of the feed accepted last, before the time asked for with --min-issued-at, or before what the ledger says was accepted. Whoever serves it may be hiding what was published since.",
        "Keep what was accepted; fetch from another mirror, and ask the publisher if it stays.";
    FeedFork = "CS-FEED-026", Error, Tampered,
        "two feeds of one moment differ",
        "A feed with the same issued_at and another root was accepted before, here or by what the ledger says. The publisher, or somebody with his key, shows different feeds to different readers.",
        "Keep both documents and ask the publisher; an honest one signs each feed with a later time.";
    FeedStale = "CS-FEED-027", Error, Untrusted,
        "feed is older than its subscription allows",
        "Its issued_at lies further back than the subscription's max_age. A mirror that always serves the same old feed hides what was published since.",
        "Fetch from another mirror; if the publisher is just slow, subscribe again with a larger --max-age.";
    FeedFuture = "CS-FEED-028", Error, Untrusted,
        "feed was issued in the future",
        "Its issued_at lies more than ten minutes ahead of this machine's clock. Accepted, it would make every honest feed until then a rollback.",
        "Check this machine's clock; else tell the publisher.";
    FeedOther = "CS-FEED-029", Error, Untrusted,
        "another feed of the publisher was served",
        "Its feed_id is not the one that was subscribed to. A mirror may not put one feed of a publisher in the place of another.",
        "Check the address; subscribe to the other feed beside this one if you want it.";
    FeedWithdrawn = "CS-FEED-030", Warning, Ok,
        "an indicator vanished without a revocation",
        "It counted before, the new feed does not have it, and nothing of its publisher revokes it. It is kept until it is revoked or expires, so that leaving it out switches nothing off.",
        "Ask the publisher for a revocation if it is to go.";
    FeedRotation = "CS-FEED-031", Error, Untrusted,
        "the statement of a new feed key does not hold",
        "The key of a feed changes by a statement of countersign-feed-rotation/v1 that the key before it signed, in the name of the subscribed issuer. This one is malformed, about another key or name, or signed by somebody else.",
        "Get the statement again from the publisher; else get the new key another way and subscribe with --pin.";
    FeedSeal = "CS-FEED-032", Error, Tampered,
        "what is stored of a subscription was changed",
        "The record, the feed or the indicators kept of a subscription are not those that were sealed when they were accepted, or the key of the seal is another one. Pins and high-water marks lie there, so nothing of it is used.",
        "Find out who writes to .countersign/feeds; then subscribe again with --pin. What the ledger says was accepted still counts.";
    FeedStrange = "CS-FEED-033", Warning, Ok,
        "a feed revokes another publisher's indicator",
        "What a publisher says has effect on that publisher's indicators alone. The revocation is without effect.",
        "Nothing is lost; ask what the publisher means by it.";
    FeedProof = "CS-FEED-034", Error, Malformed,
        "the proof beside the feed is malformed",
        "A proof is countersign-feed-proof/v1: a statement as a compact JWS in canonical JSON, and perhaps a C2SP tlog-proof. A part of a feed is countersign-feed-part/v1: the statement, and indicators with their paths.",
        "Fetch feed and proof again; if it stays, the publisher's tool is broken.";
    FeedProofSignature = "CS-FEED-035", Error, Untrusted,
        "the statement in the proof is not signed by the feed's key",
        "Publishing number, end and tree count only when the publisher says them. This statement names another key, or its signature does not verify.",
        "Fetch feed and proof again, from another mirror.";
    FeedProofOther = "CS-FEED-036", Error, Tampered,
        "the proof is about another feed",
        "The statement names the digest of another manifest. A proof taken from another publishing, or another feed, would hide which one this is.",
        "Fetch both again: a publisher may just have put new files there. If it stays, use another mirror.";
    FeedProofTree = "CS-FEED-037", Error, Tampered,
        "what is proved is not in the tree",
        "The indicators do not give the root that the publisher stated, an indicator's path does not lead there, or the manifest is not the entry that the log has.",
        "Do not use what cannot be proved; fetch again, from another mirror.";
    FeedProofTime = "CS-FEED-038", Error, Untrusted,
        "the publishing is past its end",
        "The statement says until when this publishing counts, and that time is over. A mirror that goes on serving it hides what was published since.",
        "Fetch from another mirror, or ask the publisher for a new publishing.";
    FeedProofLog = "CS-FEED-039", Error, Untrusted,
        "the manifest is not shown to be in a log that counts",
        "The policy names logs and witnesses. The proof has no log part, its checkpoint is signed by none of these logs, or the quorum did not see it: the publisher may show others another feed.",
        "Ask the publisher for a proof from a log of the policy; until then keep what was accepted before.";
    FeedProofMissing = "CS-FEED-040", Error, Missing,
        "there is no proof beside the feed",
        "A proof was asked for, or was there before: once a feed had one it is required, so that leaving it out is no way back to a feed without end and number.",
        "Fetch the proof, which lies beside the feed as NAME.proof.json.";

    // ---- gates over attestations ---------------------------------------------------------
    GateMissing = "CS-GATE-001", Error, Violated,
        "a required attestation is missing",
        "A gate of the policy applies to the change, and no statement of the type that it requires was found that holds. Statements whose verification failed do not count.",
        "Make, sign and verify a statement of this type for what is to be released.";
    GateAge = "CS-GATE-002", Error, Violated,
        "an attestation is too old, or of a time to come",
        "The gate limits the age of statements, by a trusted timestamp where there is one, else by generated_at. A statement from more than ten minutes ahead of the clock never counts.",
        "Make the statement anew from what is there now; else check the clocks.";
    GateSigner = "CS-GATE-003", Error, Violated,
        "an attestation is not signed by those the gate asks for",
        "The gate names signers, or how many there must be. Only distinct keys of the trust file whose signatures verify over this payload are counted.",
        "Have the missing signers sign the same statement.";
    GateCondition = "CS-GATE-004", Error, Violated,
        "an attestation does not say what the gate asks for",
        "A condition on the predicate does not hold. A member that is missing fulfils no condition, not even !=.",
        "Mend what was attested, such as a regression, and attest it again.";
    GateUncovered = "CS-GATE-005", Error, Violated,
        "a changed file is in no attestation",
        "The gate requires that statements cover the change, and this file is no subject of any that counts: what it holds was not reviewed.",
        "Name the file in the statement's configuration and make the statement anew, or keep it out of these paths.";
    GatePlaintext = "CS-GATE-006", Error, Violated,
        "an attestation holds files in clear that the policy does not allow",
        "Statements travel far. One with privacy mode plaintext_explicit must be named in the policy's list plaintext, by its payload digest or by its type and the paths of all its files.",
        "Attest with hash_only or encrypted_payload, or have the policy's owners allow it.";
    GateRego = "CS-GATE-007", Error, Violated,
        "a Rego policy is violated",
        "The policy's rule violations has an entry, or its rule allow is false. A violation counts whatever allow says.",
        "The entry says what is wrong; the policy's authors wrote it.";
    GateRules = "CS-GATE-008", Warning, Ok,
        "the change touches what it is judged by",
        "The policy or the trust file is among the changed files. The change was judged by what the base has, so that no change can let itself pass; the new rules count once they are in the base.",
        "Have the owners of the rules look at the change.";
    GateVsa = "CS-GATE-009", Error, Untrusted,
        "the verification summary does not count",
        "A summary stands for a verification that was done elsewhere. It counts when a key of the trust file with purpose vsa signed it, it says PASSED, it is within the age that was asked for, and no attested file has changed since the commit that it names.",
        "Verify what is to be released, in a checkout without changes, or have somebody do it whose summaries are trusted.";
    GateVsaOpen = "CS-GATE-010", Error, Violated,
        "a statement is not in the verification summary",
        "The summary names what was verified by digest. This statement came later or was left out, so nobody has compared it with the files.",
        "Verify again with all statements, and use the new summary.";
    GateLog = "CS-GATE-011", Error, Violated,
        "an attestation is not in a log that counts",
        "The gate asks for statements that are logged: beside every bundle lies the proof of a log of the trust file, and its quorum of witnesses saw it.",
        "Log the bundles with `countersign attest sign --log`, and have the log's key and witnesses in the trust file.";
    GateTime = "CS-GATE-012", Error, Violated,
        "nobody trusted says when an attestation was there",
        "The gate asks for a time that the signer cannot choose: a timestamp of an authority of the trust file, or the quorum of witnesses of a log.",
        "Sign with `countersign attest sign --tsa URL`, or log the bundle where witnesses cosign.";
    // ---- attestations --------------------------------------------------------------------
    AttestBundle = "CS-ATTEST-001", Error, Malformed,
        "not a bundle of a signed statement",
        "A bundle is a Sigstore bundle of version 0.3 in strict JSON: media type, verification material with the hint of a key, and one DSSE envelope with one signature. Unknown members are refused.",
        "Sign the statement again with `countersign attest sign`.";
    AttestUnsigned = "CS-ATTEST-002", Error, Untrusted,
        "the bundle has no signature",
        "An envelope without a signature says what anybody could have written.",
        "Sign the statement, or take the bundle again from where it was published.";
    AttestPayloadType = "CS-ATTEST-003", Error, Malformed,
        "the envelope signs something else than a statement",
        "Statements are signed as application/vnd.in-toto+json. The type is under the signature, so that a document of another kind never passes for a statement.",
        "Check where the bundle comes from.";
    AttestNoTrust = "CS-ATTEST-004", Error, Untrusted,
        "nobody is trusted to sign statements",
        "There is no trust file, or it has no key of purpose statements. No key is believed because it travels with what it signs.",
        "Add the signer's key: `countersign trust add --purpose statements --key FILE`.";
    AttestKeyUnknown = "CS-ATTEST-005", Error, Untrusted,
        "signed by a key nobody trusts",
        "The bundle names a key that is not in the trust file. Whoever re-signs somebody's statement with a key of his own ends here.",
        "If you know the signer, add his key to the trust file with purpose statements.";
    AttestKeyPurpose = "CS-ATTEST-006", Error, Untrusted,
        "the key is for another purpose",
        "The trust file has this key, but not for statements. One key has one purpose.",
        "Sign with a key of purpose statements.";
    AttestKeyType = "CS-ATTEST-007", Error, Untrusted,
        "the key may not sign this type of statement",
        "The trust file limits the key to some types, and this is none of them.",
        "Have the statement signed by who may, or extend `types` of the key.";
    AttestSignature = "CS-ATTEST-008", Error, Untrusted,
        "the statement's signature does not verify",
        "The key that the bundle names did not sign this payload under this payload type: one of them, or the signature, was changed.",
        "Treat the bundle as forged unless a clean copy verifies.";
    AttestHint = "CS-ATTEST-009", Error, Untrusted,
        "the bundle names another key than the one that signed",
        "Hint and keyid are names and prove nothing, but they must name the one key that signed: a bundle that says otherwise was changed.",
        "Take the bundle again from where it was published, or sign the statement again.";
    AttestKeyTime = "CS-ATTEST-010", Error, Untrusted,
        "the statement lies outside the key's time",
        "It was made before the key's valid.from, or not before its valid.until.",
        "Check the key's validity in the trust file.";
    AttestFuture = "CS-ATTEST-011", Error, Untrusted,
        "the statement was made in the future",
        "Its generated_at lies more than ten minutes ahead of this machine's clock.",
        "Check both clocks; else ask the signer.";
    AttestExpired = "CS-ATTEST-012", Error, Untrusted,
        "the statement has expired",
        "Its expires_at is over. What it says was true of another time, and a mirror that goes on serving it hides what came since.",
        "Attest again.";
    AttestThreshold = "CS-ATTEST-013", Error, Untrusted,
        "too few have signed the statement",
        "A threshold asks for several signers. Those count who are different keys of the trust file, may sign this type, and signed the very same payload, each in a bundle of its own.",
        "Have the statement signed by the others, too: each signature is one more bundle beside the first.";
    AttestJson = "CS-ATTEST-014", Error, Malformed,
        "the signed payload is not strict JSON",
        "UTF-8, no duplicate keys, nothing behind the value. What two parsers could read differently is refused, signed or not.",
        "Make the statement with `countersign attest create`.";
    AttestType = "CS-ATTEST-015", Error, Malformed,
        "the statement is of no known type",
        "_type and predicateType name the format and the type. One that nobody here can read proves nothing here.",
        "Check the predicateType against spec/attestations.md.";
    AttestMember = "CS-ATTEST-016", Error, Malformed,
        "a member of the statement is missing, unknown or wrong",
        "Every member has its place and shape (`countersign attest schema TYPE`). The place is a JSON Pointer.",
        "Make the statement with `countersign attest create`.";
    AttestPath = "CS-ATTEST-017", Error, Malformed,
        "a subject's path is not one below the attested root",
        "Paths are relative, with / between plain names. One that is absolute or has .. could make the verifier read any file of this machine.",
        "Treat the statement as hostile; nobody's tool writes such paths by accident.";
    AttestRoles = "CS-ATTEST-018", Error, Malformed,
        "the subjects are not those of the type",
        "Each type has roles, and each role so many files: a prompt has one system prompt and templates, for example. A role that is missing, unknown or filled twice, or a file that stands there twice, is refused.",
        "Attest again with all the files of the type.";
    AttestTimes = "CS-ATTEST-019", Error, Malformed,
        "times contradict each other",
        "A statement ends after it was made, and a window after it began.",
        "Correct the configuration and attest again.";
    AttestManifest = "CS-ATTEST-020", Error, Tampered,
        "the manifest's digest is not that of the subjects",
        "The predicate has a digest over all subjects with roles, paths and sizes. It is another one: subjects were exchanged, added or left out.",
        "Attest again; if you did not change the statement, find out who did.";
    SubjectMissing = "CS-ATTEST-021", Error, Tampered,
        "an attested file is not there",
        "The statement names a file that the root does not have.",
        "Restore the file, or attest again without it.";
    SubjectSize = "CS-ATTEST-022", Error, Tampered,
        "an attested file has another length",
        "The file is not the one that was attested. Lengths are compared before anything is read.",
        "Restore the file, or review what changed and attest again.";
    SubjectDigest = "CS-ATTEST-023", Error, Tampered,
        "an attested file was changed",
        "Its SHA-256 is another one: what would run is not what was reviewed.",
        "Restore the file, or review what changed and attest again.";
    SubjectAdded = "CS-ATTEST-024", Error, Tampered,
        "a file was added to an attested directory",
        "A role that is a directory stands for all of its files. One more template or document is a change like any other.",
        "Remove the file, or review it and attest again.";
    SubjectRefused = "CS-ATTEST-025", Error, Tampered,
        "an attested file cannot be read as one",
        "It is a link, a pipe or a device, leads out of the root, or cannot be read. The one that was attested was a plain file below the root.",
        "Put the plain file back.";
    SubjectSalt = "CS-ATTEST-026", Error, Missing,
        "the salt of a commitment is not there",
        "The statement does not give the digest of this file but a commitment under a salt that is kept apart. Without the salt nobody can tell whether the file is the one.",
        "Give the file of salts with --salts.";
    SubjectsUnchecked = "CS-ATTEST-027", Warning, Ok,
        "files were not compared",
        "Signatures, schemas and chain were judged, the files themselves were not looked at.",
        "Run `countersign attest verify` with --subjects where the files are.";
    LinkMissing = "CS-ATTEST-028", Error, Malformed,
        "a statement names no predecessor of a type that it needs",
        "An eval builds on a prompt and a corpus, a route on an eval, an SLO on a route. Without the link nobody can tell what was evaluated.",
        "Attest again, with the predecessor among depends_on.";
    LinkDangling = "CS-ATTEST-029", Error, Malformed,
        "a predecessor is not there",
        "depends_on names a statement by the digest of its payload, and no bundle here has that payload.",
        "Put the bundle of that statement beside the others, or attest again on top of the one that is here.";
    LinkKind = "CS-ATTEST-030", Error, Malformed,
        "a predecessor is of another type than it is said to be",
        "depends_on names type and digest; the statement with this digest is of another type.",
        "Attest again.";
    LinkOrder = "CS-ATTEST-031", Error, Malformed,
        "a predecessor is younger than what builds on it",
        "What a statement builds on was there before it.",
        "Check the clocks of who attests, and attest again in the order of the chain.";
    LinkCycle = "CS-ATTEST-032", Error, Malformed,
        "statements build on each other in a circle",
        "A chain has a beginning.",
        "Attest again, in the order of the chain.";
    LinkId = "CS-ATTEST-033", Error, Malformed,
        "two statements share an id",
        "Ids are random and are never used again. Two payloads under one id let one pass for the other.",
        "Remove the one that is not meant, or attest again.";
    EvalFigures = "CS-ATTEST-034", Error, Tampered,
        "the figures are not those of the results",
        "Metrics, thresholds and verdict are computed again from the attested result files, and come out otherwise.",
        "Attest the eval again; figures are computed, never typed in.";
    EvalResults = "CS-ATTEST-035", Error, Malformed,
        "the results of an eval cannot be read",
        "Results are JSON lines with an id and scores, the scoring configuration names an aggregate for each metric. Figures that nobody can compute again are none.",
        "Correct the file that the detail names and attest again.";
    EvalFails = "CS-ATTEST-036", Warning, Ok,
        "an eval did not pass",
        "The statement says honestly that a threshold was missed, a metric is missing or a regression was found. Whether that stops anything is for a gate to say.",
        "Look at its failures; ask for `passed == true` in a gate.";
    AttestBounds = "CS-ATTEST-037", Error, Malformed,
        "members of the statement contradict each other",
        "A 95th percentile is not below the median, a part of one lies between 0 and 1, a price or speed is not negative, a threshold asks for something, and an eval that passed has no failures.",
        "Correct the configuration and attest again.";
    ModelRoot = "CS-ATTEST-038", Error, Tampered,
        "the root of the model is not that of its weights",
        "The root is the SHA-256 over the digests of the weights in the order of their paths. It is another one.",
        "Attest the model again; if you did not change the statement, find out who did.";
    ModelReference = "CS-ATTEST-039", Error, Malformed,
        "a model statement that is referred to is not there",
        "A provider or a part of a chain of models names a statement by digest, and no bundle here has that payload, or it is about no model.",
        "Put the bundle of the model beside the others.";
    PrivacyContent = "CS-ATTEST-040", Error, Tampered,
        "an embedded text is not the file it stands for",
        "With plaintext_explicit the files are in the statement. This one is no subject, or has another digest.",
        "Attest again.";
    AttestTypeMissing = "CS-ATTEST-041", Error, Missing,
        "there is no statement of a type that was asked for",
        "A threshold or --require names a type, and no statement of it is here.",
        "Attest it, or check the directory.";
    VsaMalformed = "CS-ATTEST-042", Error, Malformed,
        "not a verification summary",
        "A summary is a bundle around an in-toto statement of predicateType https://slsa.dev/verification_summary/v1 with the members of spec/attestations.md.",
        "Make it again with `countersign attest verify --vsa`.";
    VsaUntrusted = "CS-ATTEST-043", Error, Untrusted,
        "the verification summary is not signed by who may",
        "A summary stands for a verification that happened elsewhere. It counts when a key of purpose vsa signed it.",
        "Add the verifier's key to the trust file with purpose vsa, or verify here.";
    VsaFailed = "CS-ATTEST-044", Error, Violated,
        "the verification summary says FAILED",
        "Whoever verified found faults.",
        "Look at that verification's report.";
    AttestStamp = "CS-ATTEST-045", Warning, Ok,
        "no timestamp of the bundle counts",
        "The bundle has timestamps over its signature, and none is of an authority of the trust file. The statement's own times are taken, which its signer chose.",
        "Add the authority to the trust file with purpose tsa, if you know it.";
    AttestLogProof = "CS-ATTEST-080", Error, Malformed,
        "the proof beside a bundle is not one",
        "NAME.tlog-proof lies beside NAME.bundle.json and is a C2SP tlog-proof: index, hashes and a signed checkpoint.",
        "Remove it, and have it made again with `countersign attest sign --log`.";
    AttestLogOther = "CS-ATTEST-081", Error, Tampered,
        "the proof of the log is not about this bundle",
        "What is logged is the bundle byte for byte, by its digest. The entry names other bytes, or the hashes do not lead from it to the root: bundle or proof was exchanged after it was logged.",
        "Find out which of the two was changed; sign and log again.";
    AttestLog = "CS-ATTEST-082", Error, Untrusted,
        "the log's word for a bundle does not count",
        "The checkpoint of the proof is not signed by the key that the trust file names for this log, its witnesses are not the quorum that is asked for there, or a log is asked for and the trust file does not name this one.",
        "Ask for a proof under a checkpoint that counts; name the log in the trust file, if you know it.";
    AttestLogMissing = "CS-ATTEST-083", Error, Missing,
        "there is no proof of a log beside the bundle",
        "A log is asked for, so that nobody signs what nobody sees. NAME.tlog-proof should lie beside NAME.bundle.json.",
        "Make it with `countersign attest sign --log`, or fetch it from where the bundle came from.";
    AttestLogUnjudged = "CS-ATTEST-084", Info, Ok,
        "a log says that it has the bundle, and the trust file does not name it",
        "What a log says counts under a key of the trust file. A promise without proof, and entries of a kind that is not known here, are not judged either.",
        "Add the log to the trust file, if you know it.";

    // ---- bills of materials --------------------------------------------------------------
    BomUnattested = "CS-BOM-001", Error, Missing,
        "a component of the bill of materials is not attested",
        "No statement that holds has one of its SHA-256 digests, or its package URL with the same version. A package URL without a version names no state of anything, and stands for nothing by itself.",
        "Attest what it names, list it with the digest or the package URL of what is attested, or take it out.";
    BomDiffers = "CS-BOM-002", Error, Tampered,
        "a component has another digest than what is attested under its package URL",
        "A statement names this very version, and none of its files, nor its root, has the digest that the bill of materials gives: what is listed under that name is not what was reviewed.",
        "Find out which of the two was changed; attest again only what was reviewed.";
    BomNothing = "CS-BOM-003", Error, Missing,
        "the bill of materials lists nothing that could be attested",
        "It has no model and no data (in CycloneDX `machine-learning-model` and `data`, or a package URL of a registry of models). That nothing is missing from a list without entries shows nothing.",
        "Have its tool list models and data, or judge components of all kinds with --all.";

    // ---- evidence at large ---------------------------------------------------------------
    EvidenceNotFound = "CS-EVIDENCE-001", Error, Missing,
        "what was asked for is not there",
        "No entry, receipt or decision has this hash or id.",
        "Check the id, and that the ledger is the one the answer came from.";
    EvidenceEmpty = "CS-EVIDENCE-002", Error, Missing,
        "there is no evidence",
        "The path holds nothing to judge.",
        "Check the path.";
    EvidenceOpen = "CS-EVIDENCE-003", Warning, Ok,
        "an admission has no outcome",
        "A request was admitted and nothing says how it ended. On a live ledger it may still be running; the next start closes it as interrupted.",
        "Look again when the request has ended, or start the gateway once.";
    EvidenceKind = "CS-EVIDENCE-004", Error, Malformed,
        "the evidence is of no kind we know",
        "The input is no ledger, receipt chain, receipt or decision receipt.",
        "Check the path.";
    EvidenceReference = "CS-EVIDENCE-005", Error, Malformed,
        "a reference leads nowhere",
        "An entry cites a digest or id that the ledger does not have.",
        "Restore the ledger.";

    // ---- files ---------------------------------------------------------------------------
    FileLimit = "CS-FILE-001", Error, Malformed,
        "the file is too large for its kind",
        "A single receipt, statement or decision is small; a file beyond the limit is not read.",
        "Check the path.";
    FileSpecial = "CS-FILE-002", Error, Malformed,
        "not a regular file",
        "Evidence is read from regular files only: a pipe, device or link could change between two reads.",
        "Replace it by a regular file.";
}

impl Code {
    /// The code with this id.
    pub fn from_id(id: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.id() == id)
    }

    /// The area, such as `RECEIPT`.
    pub fn area(self) -> &'static str {
        self.id().split('-').nth(1).unwrap_or("")
    }

    /// The page of `docs/codes/` for this code, as Markdown.
    pub fn page(self) -> String {
        let exit = match self.exit() {
            ExitClass::Ok => "none: it never changes the exit".to_string(),
            class => class.as_str().to_string(),
        };
        format!(
            "# {}\n\n**{}**\n\n| severity | exit class |\n|---|---|\n| {} | {} |\n\n{}\n\n## What to do\n\n{}\n",
            self.id(),
            capitalise(self.title()),
            self.severity().as_str(),
            exit,
            self.explanation(),
            self.remedy()
        )
    }

    /// The index page of `docs/codes/`.
    pub fn index_page() -> String {
        let mut page = String::from(
            "# Finding codes\n\nGenerated from the table in `crates/record/src/codes.rs`.\n\n| code | severity | exit class | meaning |\n|---|---|---|---|\n",
        );
        for code in Code::ALL {
            page.push_str(&format!(
                "| [{id}]({id}.md) | {} | {} | {} |\n",
                code.severity().as_str(),
                code.exit().as_str(),
                code.title(),
                id = code.id()
            ));
        }
        page
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

fn capitalise(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}
