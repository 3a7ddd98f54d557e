"""skopeo's last words, as version 1.9.3 has them, and what they mean."""

import pytest

from gitops_backup.domain.reasons import Reason
from gitops_backup.registry.complaints import Complaint, read_complaint
from gitops_backup.registry.failures import Side
from gitops_backup.registry.locations import Endpoint

_SOURCE = Endpoint("src.example:5000", "library/nginx")
_DESTINATION = Endpoint("bak.example", "m/library_nginx")
_DIGEST = "sha256:" + "4" * 64
_READING = (
    f"initializing source docker://src.example:5000/library/nginx@{_DIGEST}: "
    f"reading manifest {_DIGEST} in src.example:5000/library/nginx: "
)
_PINGING = (
    f"initializing source docker://src.example:5000/library/nginx@{_DIGEST}: "
    "pinging container registry src.example:5000: "
)
_REUSING = f"trying to reuse blob {_DIGEST} at destination: "
_STARTING = "writing blob: initiating layer upload to /v2/m/library_nginx/blobs/uploads/ in bak.example: "
_PUTTING = "writing manifest: uploading manifest 1.25 to bak.example/m/library_nginx: "
_UPLOAD = "https://bak.example/v2/m/library_nginx/blobs/uploads/0?_state=private"

_OTHER_BYTES = (
    f"determining manifest MIME type for docker://src.example:5000/library/nginx@{_DIGEST}: "
    f"Manifest does not match provided manifest digest {_DIGEST}"
)
_PART_MISSING = (
    "copying image 2/2 from manifest list: determining manifest MIME type for "
    f"docker://src.example:5000/library/nginx@{_DIGEST}: reading manifest {_DIGEST} in "
    "src.example:5000/library/nginx: manifest unknown"
)
_CONFIG_REFUSED = (
    "copying config: writing blob: uploading layer chunked: received unexpected HTTP status: "
    "500 Internal Server Error"
)
_INDEX_REFUSED = (
    'Manifest list must be converted to type "application/vnd.docker.distribution.manifest.list.v2+json" to '
    'be written to destination, but we cannot modify it: "Instructed to preserve digests"'
)


def _read(message: str, *, source: Endpoint = _SOURCE, destination: Endpoint = _DESTINATION) -> Complaint:
    quoted = message.replace('"', '\\"')
    stderr = f'Getting image\ntime="2024-05-01T12:00:00Z" level=fatal msg="{quoted}"\n'
    return read_complaint(stderr.encode(), source=source, destination=destination)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (_READING + "manifest unknown", Reason.SOURCE_NOT_FOUND),
        (_READING + "name unknown: repository name not known to registry", Reason.SOURCE_NOT_FOUND),
        (_READING + "unauthorized: authentication required", Reason.SOURCE_AUTH_FAILED),
        (_READING + "denied: requested access to the resource is denied", Reason.SOURCE_AUTH_FAILED),
        (_READING + "received unexpected HTTP status: 500 Internal Server Error", Reason.SOURCE_UNAVAILABLE),
        (_READING + "toomanyrequests: You have reached your pull rate limit.", Reason.RATE_LIMITED),
        (_READING + "StatusCode: 404, <html>", Reason.SOURCE_NOT_FOUND),
        (_READING + "StatusCode: 403, <html>", Reason.SOURCE_AUTH_FAILED),
        (_PINGING + "too many requests to registry", Reason.RATE_LIMITED),
        (_PINGING + "invalid status code from registry 404 (Not Found)", Reason.SOURCE_UNAVAILABLE),
        (_PINGING + "invalid status code from registry 403 (Forbidden)", Reason.SOURCE_AUTH_FAILED),
        (_PINGING + "invalid status code from registry 503 (Service Unavailable)", Reason.SOURCE_UNAVAILABLE),
        (
            _PINGING + 'Get "https://src.example:5000/v2/": x509: certificate signed by unknown authority',
            Reason.SOURCE_UNAVAILABLE,
        ),
        (
            _OTHER_BYTES,
            Reason.DIGEST_MISMATCH,
        ),
        (
            _PART_MISSING,
            Reason.SOURCE_NOT_FOUND,
        ),
        (
            f"reading blob {_DIGEST}: unable to retrieve auth token: invalid username/password: x",
            Reason.SOURCE_AUTH_FAILED,
        ),
        (
            f"reading blob {_DIGEST}: Error fetching blob: invalid status code from registry 404 (Not Found)",
            Reason.SOURCE_NOT_FOUND,
        ),
        (
            f'reading blob {_DIGEST}: Get "https://src.example:5000/v2/": read: connection reset by peer',
            Reason.SOURCE_UNAVAILABLE,
        ),
        (
            f'writing blob: Patch "{_UPLOAD}": readfrom tcp 1->2: happened during read: unexpected EOF',
            Reason.SOURCE_UNAVAILABLE,
        ),
        (
            f'writing blob: Patch "{_UPLOAD}": happened during read: Digest did not match, expected a, got b',
            Reason.DIGEST_MISMATCH,
        ),
    ],
)
def test_what_the_source_does_wrong_is_told_from_the_rest(message: str, reason: Reason) -> None:
    """Also where it shows only while something is written."""
    complaint = _read(message)
    assert (complaint.side, complaint.reason) == (Side.SOURCE, reason)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            _REUSING + f"checking whether a blob {_DIGEST} exists in bak.example/m/library_nginx: "
            "unauthorized: authentication required",
            Reason.DESTINATION_AUTH_FAILED,
        ),
        (
            _REUSING + "failed to read from destination repository m/library_nginx: 403 (Forbidden)",
            Reason.DESTINATION_AUTH_FAILED,
        ),
        (
            _REUSING + "failed to read from destination repository m/library_nginx: 429 (Too Many Requests)",
            Reason.RATE_LIMITED,
        ),
        (
            _REUSING
            + "pinging container registry bak.example: invalid status code from registry 404 (Not Found)",
            Reason.DESTINATION_UNAVAILABLE,
        ),
        (
            _REUSING + 'Head "https://bak.example/v2/": connection reset by peer',
            Reason.DESTINATION_UNAVAILABLE,
        ),
        (_STARTING + "denied: requested access to the resource is denied", Reason.DESTINATION_AUTH_FAILED),
        (_STARTING + "name unknown: no such repository", Reason.DESTINATION_UNAVAILABLE),
        (_STARTING + "toomanyrequests: slow down", Reason.RATE_LIMITED),
        (
            _STARTING + "received unexpected HTTP status: 507 Insufficient Storage",
            Reason.QUOTA_EXCEEDED,
        ),
        (
            _STARTING + "denied: adding 3 MiB of storage resource, which when updated to current usage of "
            "10 GiB will exceed the configured upper limit of 10 GiB.",
            Reason.QUOTA_EXCEEDED,
        ),
        (_STARTING + "denied: Quota exceeded.", Reason.QUOTA_EXCEEDED),
        ("writing blob: uploading layer chunked: StatusCode: 413, <html>", Reason.QUOTA_EXCEEDED),
        ("writing blob: uploading layer chunked: unknown: no space left on device", Reason.QUOTA_EXCEEDED),
        (f"writing blob: uploading layer to {_UPLOAD}: digest invalid: x", Reason.DIGEST_MISMATCH),
        (_PUTTING + "manifest invalid", Reason.DESTINATION_UNAVAILABLE),
        (_PUTTING + "unauthorized: authentication required", Reason.DESTINATION_AUTH_FAILED),
        (
            _CONFIG_REFUSED,
            Reason.DESTINATION_UNAVAILABLE,
        ),
        (
            _INDEX_REFUSED,
            Reason.DESTINATION_UNAVAILABLE,
        ),
    ],
)
def test_what_the_backup_registry_does_wrong_is_told_from_the_rest(message: str, reason: Reason) -> None:
    """A full registry has a reason of its own."""
    complaint = _read(message)
    assert (complaint.side, complaint.reason) == (Side.DESTINATION, reason)


@pytest.mark.parametrize("word", ["unauthorized", "quota", "toomanyrequests", "denied", "forbidden"])
def test_an_image_may_be_called_like_a_failure(word: str) -> None:
    """What stands in a name or a tag says nothing about the reason."""
    source, destination = Endpoint("src.example", f"a/{word}"), Endpoint("bak.example", f"m/a_{word}")
    said = f"initializing source docker://src.example/a/{word}@{_DIGEST}: reading manifest {_DIGEST} in "
    complaint = _read(f"{said}src.example/a/{word}: manifest unknown", source=source, destination=destination)
    assert complaint.reason is Reason.SOURCE_NOT_FOUND
    said = f"writing manifest: uploading manifest {word} to bak.example/m/a_{word}: x"
    complaint = _read(said, source=source, destination=destination)
    assert complaint.reason is Reason.DESTINATION_UNAVAILABLE
    said = f"{_REUSING}failed to read from destination repository m/a_{word}: 500 (Internal Server Error)"
    complaint = _read(said, source=source, destination=destination)
    assert complaint.reason is Reason.DESTINATION_UNAVAILABLE
    said = f"writing blob: initiating layer upload to /v2/m/a_{word}/blobs/uploads/ in bak.example: x"
    complaint = _read(said, source=source, destination=destination)
    assert complaint.reason is Reason.DESTINATION_UNAVAILABLE


@pytest.mark.parametrize(
    ("message", "side", "reason"),
    [
        ("something about bak.example", Side.DESTINATION, Reason.DESTINATION_UNAVAILABLE),
        ("something about src.example:5000", Side.SOURCE, Reason.SOURCE_UNAVAILABLE),
        ("something new", Side.SOURCE, Reason.SOURCE_UNAVAILABLE),
    ],
)
def test_words_that_nobody_knows_fall_back_to_the_side_that_is_named(
    message: str, side: Side, reason: Reason
) -> None:
    """And are shown as they are."""
    assert _read(message) == Complaint(side, reason, message)


@pytest.mark.parametrize(
    ("stderr", "text"),
    [
        (b"", "it said nothing"),
        (b"panic: oh\n\ngoroutine 1\n", "goroutine 1"),
        (b'time="x" level=fatal msg=short\n', "short"),
        (b'time="x" level=fatal msg="tab\\tand \\"quotes\\""\nUsage:\n', 'tab and "quotes"'),
        (b'time="x" level=fatal msg="\\x1b[31mred"\n', "[31mred"),
        (b"\xff\xfe\n", "\ufffd\ufffd"),
    ],
)
def test_the_last_words_are_one_line_whatever_they_are(stderr: bytes, text: str) -> None:
    """A crash, a usage message, bytes that are no text."""
    said = read_complaint(stderr, source=_SOURCE, destination=_DESTINATION).text
    assert said.removeprefix("\\x1b") == text


@pytest.mark.parametrize("filler", ["pinging container registry ", 'level=fatal msg="', "http://", "\\"])
def test_megabytes_of_words_are_read_soon(filler: str) -> None:
    """A registry's own text is part of them."""
    assert len(_read(filler * (2_000_000 // len(filler))).text) <= 300


def test_signatures_in_urls_are_not_repeated() -> None:
    """Storage services put a signature into the query."""
    said = f'reading blob {_DIGEST}: Get "https://s3.example/x?X-Amz-Signature=secret": reset'
    assert _read(said).text == f'reading blob {_DIGEST}: Get "https://s3.example/x?…": reset'
