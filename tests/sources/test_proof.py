"""The proof: whatever an edit changes besides the intended scalar, it fails and says where."""

import pytest

from gitops_backup.sources.documents import File, Position
from gitops_backup.sources.manifests import find_images
from gitops_backup.sources.proof import ProofFailed, prove
from tests.sources.samples import NEW, deployment

BEFORE = deployment("image: nginx:1.25").replace(
    "metadata:\n", "metadata:\n  labels: {a: &x b, c: *x, d: b, e: 'f'}\n"
)
AFTER = BEFORE.replace("nginx:1.25", NEW)

TAMPERED = {
    "nothing was done": (BEFORE, "line 12.*would say 'nginx:1.25' instead of"),
    "another image": (
        BEFORE.replace("nginx:1.25", "bak.example/other"),
        "line 12.*would say 'bak.example/other'",
    ),
    "another value": (AFTER.replace("containerPort: 80", "containerPort: 81"), "line 13.*would become '81'"),
    "another key": (AFTER.replace("ports:", "port:"), "line 13.*would become 'port'"),
    "a key more": (AFTER + "status: {}\n", "line 1.*would have 5 entries instead of 4"),
    "a key fewer": (AFTER.replace("apiVersion: apps/v1\n", ""), "would"),
    "a key twice": (AFTER + "kind: Deployment\n", "would have 5 entries"),
    "an item more": (AFTER.replace("80}]", "80}, {}]"), "line 13.*would have 2 entries instead of 1"),
    "another order": (
        AFTER.replace("apiVersion: apps/v1\nkind: Deployment\n", "kind: Deployment\napiVersion: apps/v1\n"),
        "would become",
    ),
    "a document more": (AFTER + "---\na: b\n", "would have more documents"),
    "no document": ("# nothing\n", "would have fewer documents"),
    "quotes": (AFTER.replace("80", "'80'"), "line 13.*would become something else"),
    "other quotes": (
        AFTER.replace("kind: Deployment", "kind: 'Deployment'"),
        "line 2.*would become something else",
    ),
    "another kind of quotes": (AFTER.replace("'f'", '"f"'), "line 4.*in another style"),
    "a tag": (
        AFTER.replace("kind: Deployment", "kind: !!str Deployment"),
        "line 2.*would become something else",
    ),
    "a collection": (AFTER.replace("d: b", "d: [e]"), "line 4.*would become something else"),
    "an alias gone": (AFTER.replace("c: *x", "c: b"), "line 4.*would no longer share its anchor"),
    "an alias more": (AFTER.replace("d: b", "d: *x"), "line 4.*share its anchor"),
    "the image within a list": (AFTER.replace(f"image: {NEW}", f"image: [{NEW}]"), "line 12.*would say"),
    "the image without a place": (
        AFTER.split("spec:", maxsplit=1)[0] + "spec: x\n",
        "line 12.*would be gone",
    ),
}


@pytest.mark.parametrize("case", TAMPERED.values(), ids=TAMPERED.keys())
def test_any_other_change_is_found(case: tuple[str, str]) -> None:
    """What else differs is named with its line."""
    after, message = case
    with pytest.raises(ProofFailed, match=rf"^web\.yaml.*{message}"):
        prove(
            File.read("web.yaml", BEFORE.encode()),
            File.read("web.yaml", after.encode()),
            intended(BEFORE, NEW),
        )


def test_the_intended_change_is_proven() -> None:
    """The new text at the intended position, and nothing else, is what an edit is to make."""
    prove(
        File.read("web.yaml", BEFORE.encode()), File.read("web.yaml", AFTER.encode()), intended(BEFORE, NEW)
    )


def test_a_shared_scalar_is_proven_by_any_of_its_positions() -> None:
    """An anchor and its aliases change together, and stay together."""
    before = BEFORE.replace("image: nginx:1.25", "image: &i nginx:1.25").replace("80", "*i")
    after = before.replace("nginx:1.25", NEW)
    prove(
        File.read("web.yaml", before.encode()), File.read("web.yaml", after.encode()), intended(before, NEW)
    )


@pytest.mark.parametrize("text", ["12", "1.5", "1_000", "0x1f", "12:30", "true", "null", "2001-01-01"])
def test_a_name_that_is_no_text_needs_its_quotes(text: str) -> None:
    """Without quotes some names are numbers, times or nothing to a reader of YAML."""
    plain = deployment(f"image: {text}")
    quoted = deployment(f"image: '{text}'")
    with pytest.raises(ProofFailed, match="without quotes"):
        prove(
            File.read("web.yaml", deployment("image: nginx:1.25").encode()),
            File.read("web.yaml", plain.encode()),
            intended(plain, text),
        )
    before = deployment("image: 'nginx:1.25'")
    prove(
        File.read("web.yaml", before.encode()), File.read("web.yaml", quoted.encode()), intended(before, text)
    )


def intended(content: str, text: str) -> dict[Position, str]:
    """The new text at the position of the only image."""
    (manifest,) = find_images(File.read("web.yaml", content.encode()))
    return {image.position: text for image in manifest.images}
