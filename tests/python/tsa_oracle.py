"""What rfc3161-client makes of timestamps: reads a JSON list of {name, root, reply, data} on standard
input (certificate PEM, base64, base64) and prints {name: "good" or why not}."""

import base64
import json
import sys

import cryptography.x509
from rfc3161_client import VerifierBuilder, decode_timestamp_response

verdicts = {}
for case in json.load(sys.stdin):
    try:
        root = cryptography.x509.load_pem_x509_certificate(case["root"].encode())
        reply = decode_timestamp_response(base64.b64decode(case["reply"]))
        verifier = VerifierBuilder().add_root_certificate(root).build()
        verifier.verify_message(reply, base64.b64decode(case["data"]))
        verdicts[case["name"]] = "good"
    except Exception as error:  # whatever it raises is its no
        verdicts[case["name"]] = f"{type(error).__name__}: {error}"
json.dump(verdicts, sys.stdout)
