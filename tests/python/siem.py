"""Reads exported events with schemas and parsers that are not ours. `siem.py FORMAT FILE` prints, as
JSON, one object an event: what a receiver understood of it. It fails on the first that is not valid.

ecs_8_11.json: names, types and allowed values of fields, taken from @elastic/ecs 8.11.5 (npm;
Elasticsearch B.V., Apache License 2.0)."""

import json
import pathlib
import re
import sys

from jsonschema import Draft202012Validator


def ocsf(data):
    from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

    schemas = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.5.0"))
    names = {6003: "api_activity", 2004: "detection_finding"}
    validators = {}
    for line in data.decode("utf-8").splitlines():
        event = json.loads(line)
        name = names[event["class_uid"]]
        if name not in validators:
            validators[name] = Draft202012Validator(schemas.get_class_schema(name))
        errors = list(validators[name].iter_errors(event))
        assert not errors, errors[0]
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        yield event


def flatten(value, path=""):
    for key, below in value.items():
        name = f"{path}.{key}" if path else key
        if isinstance(below, dict):
            yield from flatten(below, name)
        else:
            yield name, below


def ecs(data):
    fields = json.loads((pathlib.Path(__file__).parent / "ecs_8_11.json").read_text())
    text = {"keyword", "wildcard", "match_only_text", "constant_keyword", "date", "ip"}
    for line in data.decode("utf-8").splitlines():
        event = json.loads(line)
        flat = dict(flatten(event))
        for name, value in flat.items():
            if name.startswith("countersign."):
                continue
            field = fields[name]
            assert isinstance(value, list) == field.get("array", False), name
            for one in value if isinstance(value, list) else [value]:
                kind = str if field["type"] in text else int
                assert type(one) is kind, (name, field["type"], one)
                assert one in field.get("allowed", [one]), (name, one)
                assert field["type"] != "date" or re.fullmatch(
                    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", one
                ), one
        for name, field in fields.items():
            assert not field.get("required") or name in flat, name
        for category in flat["event.category"]:
            expected = fields["event.category"]["expected_types"].get(category)
            assert not expected or set(flat["event.type"]) <= set(expected), flat["event.type"]
        yield flat


def cef(data):
    import pycef

    for line in data.decode("utf-8").removesuffix("\n").split("\n"):
        event = pycef.parse(line)
        assert event is not None and len(line.split("|", 7)) == 8, line
        assert event["CEFVersion"] == "0" and 0 <= int(event["Severity"]) <= 10
        # The parser leaves the escapes of values where they are.
        yield {name: re.sub(r"\\([\\=])", r"\1", value) for name, value in event.items()}


def syslog(data, counted=False):
    from syslog_rfc5424_parser import SyslogMessage

    messages = []
    while counted and data:
        length, data = data.split(b" ", 1)
        messages.append(data[: int(length)])
        data = data[int(length) :]
    for message in messages or data.removesuffix(b"\n").split(b"\n"):
        yield SyslogMessage.parse(message.decode("utf-8")).as_dict()


def main():
    name, path = sys.argv[1:]
    data = pathlib.Path(path).read_bytes()
    if name == "syslog-counted":
        read = syslog(data, counted=True)
    else:
        read = {"ocsf": ocsf, "ecs": ecs, "cef": cef, "syslog": syslog}[name](data)
    print(json.dumps(list(read)))


main()
