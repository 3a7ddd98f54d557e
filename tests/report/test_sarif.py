"""The report as SARIF: what forges read of it."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from gitops_backup import __version__
from gitops_backup.report.model import Report
from gitops_backup.report.sarif import render_sarif
from tests.report.forms import everything, harmful
from tests.report.reports import report

_GOLDEN = Path(__file__).parent / "golden"
_TEXT = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string", "minLength": 1}},
    "additionalProperties": False,
}
# the part of the standard's schema that is used, with nothing besides (SARIF 2.1.0, section 3)
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/run"}},
    },
    "$defs": {
        "run": {
            "type": "object",
            "required": ["tool", "results"],
            "additionalProperties": False,
            "properties": {
                "tool": {
                    "type": "object",
                    "required": ["driver"],
                    "additionalProperties": False,
                    "properties": {"driver": {"$ref": "#/$defs/driver"}},
                },
                "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
            },
        },
        "driver": {
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string"},
                "version": {"type": "string"},
                "rules": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["id"],
                        "additionalProperties": False,
                        "properties": {
                            "id": {"type": "string"},
                            "shortDescription": _TEXT,
                            "fullDescription": _TEXT,
                            "help": _TEXT,
                            "defaultConfiguration": {
                                "type": "object",
                                "properties": {"level": {"enum": ["none", "note", "warning", "error"]}},
                            },
                        },
                    },
                },
            },
        },
        "result": {
            "type": "object",
            "required": ["message"],
            "additionalProperties": False,
            "properties": {
                "ruleId": {"type": "string"},
                "ruleIndex": {"type": "integer", "minimum": 0},
                "level": {"enum": ["none", "note", "warning", "error"]},
                "message": _TEXT,
                "locations": {"type": "array", "items": {"$ref": "#/$defs/location"}},
                "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        },
        "location": {
            "type": "object",
            "required": ["physicalLocation"],
            "properties": {
                "physicalLocation": {
                    "type": "object",
                    "required": ["artifactLocation", "region"],
                    "properties": {
                        "artifactLocation": {
                            "type": "object",
                            "properties": {
                                # relative, and of the characters that a URI has (RFC 3986, section 2)
                                "uri": {"type": "string", "pattern": r"^[A-Za-z0-9._~%-][A-Za-z0-9._~%/-]*$"},
                                "uriBaseId": {"type": "string"},
                            },
                        },
                        "region": {
                            "type": "object",
                            "properties": {"startLine": {"type": "integer", "minimum": 1}},
                        },
                    },
                }
            },
        },
    },
}


def _log(made: Report) -> dict[str, Any]:
    log: dict[str, Any] = json.loads(render_sarif(made))
    Draft202012Validator(_SCHEMA).validate(log)
    return log


def test_the_whole_report() -> None:
    """A result for what is written in Git, at the line where it is now; what is used twice is one result."""
    golden = (_GOLDEN / "report.sarif.json").read_text()
    assert render_sarif(everything()).replace(f'"{__version__}"', '"VERSION"') == golden
    _log(everything())


def test_a_path_is_a_uri() -> None:
    """Byte by byte, whatever is in it; text is ASCII and valid, whatever an image is called."""
    (run,) = _log(harmful())["runs"]
    (result,) = run["results"]
    location = result["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "a%20b/%C3%BC%25%7C%60%FF.yaml"
    assert render_sarif(harmful()).isascii()


def test_a_clean_report_has_a_run_without_results() -> None:
    """So that a forge closes what it had open."""
    (run,) = _log(report())["runs"]
    assert run["results"] == []
