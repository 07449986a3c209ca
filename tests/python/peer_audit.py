"""The other implementation of the audit log: it writes logs for us to verify, and verifies ours.

usage: peer_audit.py write DIR        two logs, their keys and receipts for each entry
       peer_audit.py verify LOG ID=HEX  prints its report as one JSON object
"""

import json
import pathlib
import sys

from signet.audit.backend import JsonlBackend
from signet.audit.chain import HmacChain
from signet.audit.keyring import Key, KeyRing
from signet.audit.verifier import ChainVerifier
from signet.core.audit import AuditEntry, Decision
from signet.core.owner import Owner
from signet.server.receipt import Ed25519ReceiptSigner, HmacReceiptSigner

SECRETS = {"k1": bytes(range(32)), "k2": bytes(range(32, 64))}

# What a line may hold: every owner and decision, and every corner of its JSON.
METADATA = [
    {},
    {"float": [0.1, 1e16, 1e-05, 5e-324, -0.0, 1.0], "big": 2**70, "neg": -(2**65)},
    {"\uffff": 1, "\U00010000": 2, "nested": {"b": [None, True], "a": "\x7f\u2028\ufeff"}},
    {"controls": "".join(map(chr, range(32))), 'quo"te\\': "/"},
]
OWNERS = [Owner.human("alice"), Owner.agent("billing"), Owner.policy("p@1"), Owner.unresolved()]


def entries():
    for number, (owner, decision) in enumerate(zip(OWNERS, Decision, strict=True)):
        yield AuditEntry(
            owner=owner,
            check_name="pipeline.admission",
            decision=decision,
            reason=f"grund {number}: \U0001f511 \n\t\"",
            request_fingerprint="" if number == 0 else "sha256:" + "0" * 64,
            metadata=METADATA[number],
        )


def write(folder):
    ring = KeyRing(active=Key("k1", SECRETS["k1"]))
    signer = Ed25519ReceiptSigner.generate("ed-1")
    (folder / "ed.pub.pem").write_bytes(signer.public_pem())
    receipts = []
    chain = HmacChain(JsonlBackend(folder / "plain.jsonl"), ring)
    for entry in entries():
        linked = chain.append(entry)
        receipts += [HmacReceiptSigner(ring).sign(linked), signer.sign(linked)]
    chain = HmacChain(JsonlBackend(folder / "rotated.jsonl"), ring)
    for entry in entries():
        chain.append(entry)
    ring.rotate(Key("k2", SECRETS["k2"]))
    for entry in entries():
        chain.append(entry)
    (folder / "keyring").write_text("".join(f"{k}={v.hex()}\n" for k, v in SECRETS.items()))
    print(json.dumps(receipts))


def verify(log, key):
    key_id, secret = key.split("=")
    ring = KeyRing(active=Key(key_id, bytes.fromhex(secret)))
    report = ChainVerifier(JsonlBackend(log), ring).verify()
    print(
        json.dumps(
            {
                "ok": report.ok,
                "total": report.total_entries,
                "head": report.last_known_good_hmac,
                "breaks": [[found.index, found.kind] for found in report.breaks],
            }
        )
    )


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(pathlib.Path(sys.argv[2]))
    else:
        verify(pathlib.Path(sys.argv[2]), sys.argv[3])
