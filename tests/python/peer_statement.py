"""PyPI in-toto-attestation and securesystemslib as the other side of statements and envelopes.

peer_statement.py statement BUNDLE          (in-toto reads and validates the payload; prints what it saw)
peer_statement.py verify BUNDLE PUBLIC      (securesystemslib judges the envelope; prints yes, or no)
peer_statement.py sign PAYLOAD PRIVATE OUT  (securesystemslib signs; OUT is a bundle around its envelope)
"""

import base64
import hashlib
import json
import sys

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey


def read(path):
    with open(path, "rb") as file:
        return file.read()


def key_of(public):
    """The key, and the name that our bundles give it."""
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    hint = base64.b64encode(hashlib.sha256(der).digest()).decode()
    return SSlibKey.from_crypto(public, keyid=hint), hint


act, first, *rest = sys.argv[1:]
if act == "sign":
    private = load_pem_private_key(read(rest[0]), None)
    key, hint = key_of(private.public_key())
    envelope = Envelope(read(first), "application/vnd.in-toto+json", {})
    envelope.sign(CryptoSigner(private, key))
    bundle = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": hint}},
        "dsseEnvelope": envelope.to_dict(),
    }
    with open(rest[1], "w", encoding="utf-8") as file:
        json.dump(bundle, file)
elif act == "verify":
    envelope = Envelope.from_dict(json.loads(read(first))["dsseEnvelope"])
    key, _ = key_of(load_pem_public_key(read(rest[0])))
    # This library looks at a signature only if its keyid is the key's; ours names none.
    key.keyid = next(iter(envelope.signatures))
    try:
        envelope.verify([key], 1)
        print("yes")
    except VerificationError:
        print("no")
elif act == "statement":
    payload = base64.b64decode(json.loads(read(first))["dsseEnvelope"]["payload"])
    # Unknown members are refused: all of ours are in-toto's own.
    message = json_format.Parse(payload, statement_pb2.Statement())
    Statement.copy_from_pb(message).validate()
    print(json.dumps({
        "type": message.predicate_type,
        "subjects": {one.name: one.digest["sha256"] for one in message.subject},
        "members": sorted(message.predicate.keys()),
    }))
else:
    sys.exit(f"unknown act {act}")
