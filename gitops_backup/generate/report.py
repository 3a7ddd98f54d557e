"""The schema of the report's JSON form, for programs that read it.

Within a version of the format fields may be added, so the schema allows what it does not know.
"""

import json

from gitops_backup.report.model import Report


def render() -> str:
    """The schema as a JSON file (JSON Schema, draft 2020-12)."""
    schema = Report.model_json_schema(mode="serialization")
    for part in (schema, *schema["$defs"].values()):
        part.pop("additionalProperties", None)
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"
