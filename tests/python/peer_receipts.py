"""The other implementation of provenance receipts: it writes chains for us, and verifies ours.

usage: peer_receipts.py write DIR                    a chain, its public key and statement
       peer_receipts.py verify CHAIN PEM [STATEMENT]  prints its report as one JSON object
"""

import base64
import json
import pathlib
import sys

from raucle.provenance import (
    AgentIdentity,
    CapabilityStatement,
    ProvenanceLogger,
    ProvenanceVerifier,
    _canonical_json,
    _sha256_hex,
)


def write(folder):
    agent = AgentIdentity.generate(
        "agent:peer", allowed_models=["m1"], allowed_tools=["mail", "redactor"], ttl_seconds=3600
    )
    # Only by hand: what makes an agent has no parameter for it.
    agent.statement.sanitisation_authority = ["external_user"]
    signature = agent.sign(_canonical_json(agent.statement.body()))
    agent.statement.signature = base64.b64encode(signature).decode()
    (folder / "public.pem").write_bytes(agent.public_key_pem())
    (folder / "statement.json").write_text(json.dumps(agent.statement.to_dict()))
    with ProvenanceLogger(agent, folder / "chain.jsonl", tenant="tenant \U0001f511") as log:
        asked = log.record_user_input("grüße \U0001f511")
        found = log.record_retrieval(
            parents=[asked], corpus="wiki", query="q", retrieved_chunks=[{"\uffff": 1, "é": 2}]
        )
        scanned = log.record_guardrail_scan(
            parents=[asked, found],
            scanned_text="text",
            verdict="CLEAN",
            ruleset_hash="sha256:" + "0" * 64,
        )
        answered = log.record_model_call(
            parents=[scanned], model="m1", input_text="in", output_text="out"
        )
        called = log.record_tool_call(
            parents=[answered], tool="mail", input_args={"to": "dana"}, output={"sent": True}
        )
        handed = log.record_agent_handoff(
            parents=[called], target_agent_id="agent:other", handoff_payload={"task": 1}
        )
        merged = log.record_merge(parents=[answered, handed], output={"all": "done"})
        log.record_sanitisation(
            parents=[merged],
            removed_taints={"external_user"},
            sanitiser_id="redactor",
            input_text="in",
            output_text="[gone]",
        )


def verify(chain, pem, statement=None):
    pem = pathlib.Path(pem).read_bytes()
    key_id = _sha256_hex(pem)[:16]
    statements = None
    if statement:
        read = json.loads(pathlib.Path(statement).read_text())
        statements = {key_id: CapabilityStatement.from_dict(read)}
    print(json.dumps(ProvenanceVerifier({key_id: pem}, statements).verify_chain(chain).to_dict()))


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(pathlib.Path(sys.argv[2]))
    else:
        verify(*sys.argv[2:])
