"""Judges configurations by the published JSON Schema, with a validator that is not ours.

Reads `{"schema": ..., "instances": [...]}` from a file and prints a list of true and false."""

import json
import sys

from jsonschema import Draft202012Validator

with open(sys.argv[1], encoding="utf-8") as file:
    given = json.load(file)
Draft202012Validator.check_schema(given["schema"])
validator = Draft202012Validator(given["schema"])
print(json.dumps([validator.is_valid(instance) for instance in given["instances"]]))
