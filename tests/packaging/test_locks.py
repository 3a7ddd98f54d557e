"""The pinned dependencies: complete, hashed, in agreement, and from no place in particular."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUN = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
DEVELOP = [Requirement(text) for text in PROJECT["project"]["optional-dependencies"]["dev"]]
BUILD = [Requirement(text) for text in PROJECT["build-system"]["requires"]]

LOCKS = {
    "requirements.txt": RUN,
    "requirements-dev.txt": [*RUN, *DEVELOP, *BUILD],
    "requirements-build.txt": BUILD,
}


def pinned(lock: str) -> dict[str, tuple[str, list[str]]]:
    """The version and the hashes of each package in a lock file."""
    found: dict[str, tuple[str, list[str]]] = {}
    for entry in (ROOT / lock).read_text().replace("\\\n", " ").splitlines():
        requirement, *hashes = re.split(r"\s+--hash=", entry)
        name, _, version = requirement.partition(";")[0].strip().partition("==")
        found[canonicalize_name(name)] = (version, hashes)
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_what_is_asked_for(lock: str) -> None:
    """Every requirement is there, in a version that satisfies it."""
    versions = {name: version for name, (version, _) in pinned(lock).items()}
    for requirement in LOCKS[lock]:
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)])


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_of_a_lock_has_hashes(lock: str) -> None:
    """pip refuses anything that was exchanged on its way."""
    for version, hashes in pinned(lock).values():
        assert version
        assert hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}\s*", each) for each in hashes)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_place(lock: str) -> None:
    """Where packages come from is the business of whoever installs them."""
    assert not re.search(r"://|--(extra-)?index-url|--find-links|@", (ROOT / lock).read_text())


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-build.txt"])
def test_what_runs_is_what_was_tested(lock: str) -> None:
    """The image's versions are those that the tests had."""
    assert pinned(lock).items() <= pinned("requirements-dev.txt").items()
