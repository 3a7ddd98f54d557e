"""Label selectors: `matchLabels` and `matchExpressions` (Kubernetes' LabelSelector), on any texts by name.

Those of generators may name any value, such as a URL (applicationset/utils/selector.go in Argo CD).
"""

from collections.abc import Mapping
from typing import Any

from gitops_backup.errors import GitopsBackupError, one_line


class InvalidSelector(GitopsBackupError):
    """A selector that Argo CD refuses."""


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether labels are as a selector wants them; an empty one wants nothing. Raises `InvalidSelector`."""
    wanted = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or []
    if not isinstance(wanted, Mapping) or not isinstance(expressions, list):
        raise InvalidSelector("matchLabels is expected to be a mapping, and matchExpressions a list")
    # every expression is looked at, so that what is wrong with one is always said
    met = [_is_met(each, labels) for each in expressions]
    return all(met) and all(labels.get(key) == value for key, value in wanted.items())


def is_empty(selector: Mapping[str, Any]) -> bool:
    """Whether a selector wants nothing."""
    return not selector.get("matchLabels") and not selector.get("matchExpressions")


def _is_met(expression: object, labels: Mapping[str, str]) -> bool:
    expression = expression if isinstance(expression, Mapping) else {}
    key, operator, values = expression.get("key"), expression.get("operator"), expression.get("values") or []
    if not isinstance(key, str) or not isinstance(values, list) or bool(values) != _TAKES.get(str(operator)):
        shown = one_line(str(dict(expression)))
        raise InvalidSelector(
            f"{shown} is no expression of a selector: expected key, operator and its values"
        )
    match operator:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return key not in labels or labels[key] not in values
        case "Exists":
            return key in labels
    return key not in labels


_TAKES = {"In": True, "NotIn": True, "Exists": False, "DoesNotExist": False}
