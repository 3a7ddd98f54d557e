"""What skopeo means by its last words: which side failed, and why.

skopeo has one exit code for everything, so its text is all there is. The texts here are those of skopeo
1.9.3 (containers/image 5.23) as they come from real registries and from servers that fail on purpose; the
words that name a step come from skopeo, those after them from the registry. Where neither is known, the host
that is named decides the side, and the reason is that the side is unavailable.
"""

import json
import re
from dataclasses import dataclass

from gitops_backup.domain.reasons import Reason
from gitops_backup.registry.failures import Side, printable
from gitops_backup.registry.locations import Endpoint

_FATAL = re.compile(r'level=fatal msg=("(?:[^"\\]|\\.)*"|\S+)')
_MOST_WORDS = 4000
_FROM_SOURCE_WHILE_WRITING = "happened during read"
_STEPS = re.compile(
    r"(?P<destination>initializing destination|trying to reuse blob|writing blob|writing manifest"
    r"|uploading manifest|Uploading manifest|Manifest list must be converted|writing signatures)"
    r"|(?P<source>initializing source|initializing image from source|determining manifest MIME type"
    r"|reading manifest|reading config|reading blob|reading input blob|parsing |Source image rejected)"
)
_LIMITED = r"too ?many ?requests"
_ANOTHER = (
    r"does not match provided manifest digest|digest did not match|digest verification failed"
    r"|didn't match the manifest's digest|would not match destination|digest invalid"
)
_FULL = (
    r"quota|exceed the configured upper limit|insufficient storage|no space left|storage limit"
    r"|request entity too large|StatusCode: 413|\b413 \("
)
_UNAVAILABLE = r"pinging container registry .*(?:\b404\b|\b5\d\d\b)|proxy authentication required"
_REFUSED = (
    r"unauthorized|denied|authentication required|invalid username/password|unable to retrieve auth token"
    r"|\b401 \(|\b403 \(|StatusCode: 40[13]|forbidden"
)
_NOT_FOUND = r"manifest unknown|name unknown|blob unknown|not found|StatusCode: 404|\b404 \("


@dataclass(frozen=True, slots=True)
class Complaint:
    """Which side failed, why, and skopeo's own words in one line."""

    side: Side
    reason: Reason
    text: str


def read_complaint(stderr: bytes, *, source: Endpoint, destination: Endpoint) -> Complaint:
    """What skopeo's output says about a copy from `source` to `destination` that failed."""
    said = _last_words(stderr.decode("utf-8", "replace"))[:_MOST_WORDS]
    # an image may be called quota or denied; its name says nothing about the failure
    meaning = re.sub(r"uploading manifest \S+ to", "uploading manifest to", said)
    for endpoint in (source, destination):
        meaning = meaning.replace(f"{endpoint.host}/{endpoint.repository}", endpoint.host)
        meaning = meaning.replace(f"/v2/{endpoint.repository}/", "/v2/")
        meaning = meaning.replace(f"repository {endpoint.repository}:", "repository:")
    side = _side(meaning, source=source, destination=destination)
    return Complaint(side, _reason(meaning, side), printable(said))


def _last_words(output: str) -> str:
    fatal = _FATAL.findall(output)
    if not fatal:
        return next((line for line in reversed(output.splitlines()) if line.strip()), "it said nothing")
    quoted = str(fatal[-1])
    try:
        return str(json.loads(quoted)) if quoted.startswith('"') else quoted
    except ValueError:
        return quoted.strip('"')


def _side(meaning: str, *, source: Endpoint, destination: Endpoint) -> Side:
    if _FROM_SOURCE_WHILE_WRITING in meaning:
        return Side.SOURCE
    if step := _STEPS.search(meaning):
        return Side.SOURCE if step["source"] else Side.DESTINATION
    named = destination.host in meaning and source.host not in meaning
    return Side.DESTINATION if named else Side.SOURCE


def _reason(meaning: str, side: Side) -> Reason:
    table = (
        (_LIMITED, Reason.RATE_LIMITED),
        (_ANOTHER, Reason.DIGEST_MISMATCH),
        *([(_FULL, Reason.QUOTA_EXCEEDED)] if side is Side.DESTINATION else []),
        (_UNAVAILABLE, side.unavailable),
        (_REFUSED, side.refused),
        (_NOT_FOUND, side.not_found),
    )
    found = (reason for pattern, reason in table if re.search(pattern, meaning, re.IGNORECASE))
    return next(found, side.unavailable)
