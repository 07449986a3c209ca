#!/usr/bin/env python3
"""Writes inputs.json and cases.json anew; the results are those of OPA (README.md)."""

import json
import hashlib
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

from policies import CONTRADICTIONS, DIFFERS, POLICIES, REFUSED, V0

HERE = os.path.dirname(os.path.abspath(__file__))
OPA = os.environ.get("OPA", "opa")
PACKAGE = "package countersign.gate\n\n"
HELPERS = [
    (
        "helper-package",
        [
            ("gate.rego", PACKAGE + 'import data.lib.kinds\n\nviolations contains k if {\n  some k in kinds.wanted\n  not k in kinds.there\n}\n'),
            ("kinds.rego", 'package lib.kinds\n\nwanted := {"prompt", "slo"}\n\nthere contains s.type if some s in input.statements\n'),
        ],
    ),
    (
        "two-files-one-package",
        [
            ("a.rego", PACKAGE + 'violations contains "a" if count(input.statements) > 0\n'),
            ("b.rego", PACKAGE + 'violations contains "b" if count(input.statements) > 1\n'),
        ],
    ),
    (
        "helper-alias",
        [
            ("gate.rego", PACKAGE + "import data.lib.age as a\n\nviolations contains s.type if {\n  some s in input.statements\n  a.old(s)\n}\n"),
            ("age.rego", "package lib.age\n\nold(s) if time.parse_rfc3339_ns(s.at) < input.now_ns - 172800000000000\n"),
        ],
    ),
]


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def statement(kind, own, *, at="2026-11-20T12:00:00Z", signers=("ci",), files=(), depends=(), **common):
    predicate = {
        "id": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "generated_at": at,
        "generator": {"name": "countersign", "version": "0.1.0"},
        "manifest": digest(kind + "manifest"),
        "depends_on": [{"name": d["type"], "digest": {"sha256": d["payload"][7:]}} for d in depends],
        "privacy": {"mode": "hash_only"},
        "sensitivity": ["internal"],
        kind: own,
        **common,
    }
    subject = [
        {"name": name, "digest": {"sha256": digest(content)}, "annotations": {"role": role, "size": len(content)}}
        for role, name, content in files
    ]
    payload = "sha256:" + digest(json.dumps([predicate, subject], sort_keys=True))
    return {
        "type": kind,
        "payload": payload,
        "bundles": [f"{kind}-{payload[7:23]}.bundle.json"],
        "signers": list(signers),
        "at": at,
        "subject": subject,
        "predicate": predicate,
    }


def eval_of(accuracy, regression, **more):
    return {
        "suite_id": "rag-smoke",
        "metrics": {"accuracy": accuracy, "recall": "0.81", **more},
        "baseline": {"accuracy": "0.93", "recall": "0.8"},
        "thresholds": {"accuracy": {"min": "0.9"}, "recall": {"min": "0.75"}},
        "passed": not regression,
        "regression_detected": regression,
        "failures": ["accuracy"] if regression else [],
    }


def inputs():
    prompt = statement("prompt", {"version": "7"}, files=[
        ("system_prompt", "app/system.txt", "Answer from the documents."),
        ("templates", "app/templates/a.txt", "{question}"),
        ("templates", "app/templates/empty.txt", "")], source={"commit": "abc123"}, signers=["alice", "ci"])
    corpus = statement("corpus", {"snapshot_id": "2026-11", "embedding_model": "m", "index_builder_image": digest("i")},
                       files=[("documents", "data/one.txt", "x" * 120000)], source={"commit": "abc123"}, at="2026-11-01T00:00:00Z")
    good = statement("eval", eval_of("0.95", False), depends=[prompt, corpus], files=[("testset", "eval/test.jsonl", "{}")],
                     signers=["bob"], at="2026-11-21T09:30:00Z", expires_at="2026-11-22T00:00:00Z", source={"commit": "abc123"})
    bad = statement("eval", eval_of("0.89", True, groundedness="1.0"), depends=[prompt], files=[("testset", "eval/test.jsonl", "{}")],
                    at="2026-11-10T09:30:00Z", signers=["ci", "bob"], source={"commit": "def456"})
    route = statement("route", {"strategy": "cheapest", "providers": [
        {"provider": "north", "model": "n-1", "statement": digest("n")}, {"provider": "east", "model": "e-2"}]},
        depends=[good], files=[("route_config", "route/route.yaml", "a: 1\n")], generator={"name": "countersign", "version": "0.2.1"})
    slo = statement("slo", {"profile_id": "p", "window": {"start": "2026-11-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"},
        "ttft_ms_p50": "300", "ttft_ms_p95": "900.5", "tokens_per_second_p50": "40", "cost_per_1k_tokens_cap_usd": "0.06",
        "error_rate_cap": "0.01", "error_budget_remaining": "0.5"}, depends=[route], files=[("profile", "slo/p.json", "{}")], signers=[])
    model = statement("model", {"name": "small", "purl": "pkg:huggingface/org/small@r1", "root": digest("r"),
        "quantisation": {"method": "int4", "bits": 4}, "chain": [{"role": "judge", "name": "j"}, {"role": "primary", "name": "small"}]},
        files=[("weights", "model/w.bin", "0101")], at="2026-11-15T08:00:00Z",
        privacy={"mode": "plaintext_explicit", "files": [{"name": "app/public/a.txt", "content": "a"}, {"name": "model/LICENSE", "content": "b"}]})
    sealed = statement("prompt", {}, files=[("system_prompt", "app/système.txt", "Réponds."), ("safety_policy", "app/copy.txt", "{}")],
        privacy={"mode": "encrypted_payload", "ciphertext": digest("c"), "commitment": digest("p"), "recipients": 1},
        sensitivity=["secret"], at="2026-11-30T00:00:00Z", generator={"name": "other tool", "version": "one"})

    def document(statements, changes, *findings, result="ok"):
        return {
            "version": 1,
            "now": "2026-11-21T12:00:00Z",
            "now_ns": 1795262400000000000,
            "all": changes is None,
            "changes": [{"path": p.lstrip("-"), "gone": p.startswith("-")} for p in changes or []],
            "verification": {"ok": result == "ok", "result": result, "findings": [
                {"code": code, "severity": severity, "place": place, "detail": ""} for code, severity, place in findings]},
            "statements": statements,
        }

    return [
        document([prompt, corpus, good, route, slo, model], ["app/system.txt", "route/route.yaml", "docs/README.md"]),
        document([prompt, bad], ["app/a.txt", "app/templates/deep/b.txt", "-app/old.yaml", "x.yaml"],
                 ("CS-GATE-008", "warning", "countersign.gate.yaml")),
        document([], None),
        document([sealed, good, bad], ["app/système.txt", "data/Ünï.txt", "App/B.TXT", "-data/x/y/z.yaml"],
                 ("CS-ATTEST-020", "error", "a.bundle.json"), ("CS-CHAIN-001", "warning", "b"), result="tampered"),
        document([model], []),
    ]


def told(value):
    """What crates/rego takes for violations; None where it is no answer."""
    if not isinstance(value, list):
        return None
    texts = [v if isinstance(v, str) else v.get("msg") if isinstance(v, dict) else None for v in value]
    return None if any(not isinstance(t, str) for t in texts) else sorted(set(texts), key=lambda t: t.encode())


def asked(folder, files, dialect, rule, document):
    """The value of a rule: ("value", v), ("undefined",), ("missing",) or ("error", text)."""
    names = [os.path.join(folder, name) for name, _ in files]
    command = [OPA, "eval", "--format", "json", "--strict-builtin-errors", "--stdin-input", "--" + dialect + "-compatible"]
    for name in names:
        command += ["--data", name]
    ran = subprocess.run(command + [f"data.countersign.gate.{rule}"], input=json.dumps(document), capture_output=True, text=True)
    if ran.returncode != 0:
        return ("error", ran.stdout + ran.stderr)
    result = json.loads(ran.stdout).get("result")
    return ("value", result[0]["expressions"][0]["value"]) if result else ("undefined",)


def has_rule(files, rule):
    return any(line.replace("default ", "").startswith(rule) for _, text in files if "package countersign.gate" in text for line in text.splitlines())


def result(folder, files, dialect, document):
    violations, allow = [], None
    if has_rule(files, "violations"):
        answer = asked(folder, files, dialect, "violations", document)
        violations = [] if answer[0] == "undefined" else told(answer[1]) if answer[0] == "value" else None
        # A set of OPA comes as a list; an object does not.
        if violations is None:
            return {"error": True}
    if has_rule(files, "allow"):
        answer = asked(folder, files, dialect, "allow", document)
        if answer[0] == "error" or (answer[0] == "value" and not isinstance(answer[1], bool)):
            return {"error": True}
        allow = answer[1] if answer[0] == "value" else False
    return {"violations": violations, "allow": allow}


def main():
    documents = inputs()
    cases = []
    for kind, dialect, listed in [("", "v1", POLICIES), ("", "v1", CONTRADICTIONS), ("refused", "v1", REFUSED), ("", "v0", V0)]:
        for name, body in listed:
            cases.append({"name": name, "dialect": dialect, "files": [["gate.rego", PACKAGE + body]], "kind": kind})
    cases += [{"name": name, "dialect": "v1", "files": [list(f) for f in files], "kind": ""} for name, files in HELPERS]
    assert len({case["name"] for case in cases}) == len(cases), "a name twice"

    def run(case):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in case["files"]:
                with open(os.path.join(folder, name), "w") as file:
                    file.write(text)
            if case.pop("kind") == "refused":
                case["refused"] = True
            else:
                if case["name"] in DIFFERS:
                    case["differs"] = DIFFERS[case["name"]]
                case["results"] = [result(folder, case["files"], case["dialect"], d) for d in documents]
                if all("error" in r for r in case["results"]) and case["name"] not in dict(CONTRADICTIONS) and "fault" not in case["name"]:
                    print("always an error:", case["name"], asked(folder, case["files"], case["dialect"], "violations", documents[0])[1][:400], file=sys.stderr)
        return case

    with ThreadPoolExecutor(2) as pool:
        cases = list(pool.map(run, cases))
    for name, value in [("inputs.json", documents), ("cases.json", cases)]:
        with open(os.path.join(HERE, name), "w") as file:
            file.write("[\n" + ",\n".join(json.dumps(v, ensure_ascii=False) for v in value) + "\n]\n")
    print(len(cases), "policies,", sum(len(c.get("results", [])) for c in cases), "results")


main()
