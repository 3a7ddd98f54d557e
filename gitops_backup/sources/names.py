"""Names of Kubernetes' objects."""

import re

_LONGEST = 253
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")


def is_name(text: str) -> bool:
    """Whether a text may be an object's name or namespace: such end in arguments of Helm."""
    return len(text) <= _LONGEST and _NAME.fullmatch(text) is not None
