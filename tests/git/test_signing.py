"""Commits are signed with the key that is given, as git itself verifies, and say nothing of it anywhere."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitops_backup.errors import UsageError
from gitops_backup.git.signing import Signer, SigningFailed, open_signer
from gitops_backup.process import ProgramMissing
from gitops_backup.sandbox.waiting import until
from tests.git.bare import BareRepository, run_git
from tests.git.conftest import OpenStore
from tests.git.keys import OpenPgpKey, OpenSshKey

pytestmark = pytest.mark.usefixtures("gpg")

_FILES = {"a.yaml": b"image: nginx\n"}
_NEW = {"a.yaml": b"image: backup/nginx\n"}


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path: gpg's agent listens on a socket in it."""
    folder = Path(tempfile.mkdtemp(prefix="gb-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def openpgp(short: Path) -> Iterator[OpenPgpKey]:
    """An OpenPGP key."""
    key = OpenPgpKey(short / "openpgp")
    yield key
    key.close()


def _private(folder: Path, name: str = "private") -> Path:
    private = folder / name
    private.mkdir(mode=0o700)
    return private


def _committed(bare: BareRepository, open_store: OpenStore, signer: Signer, when: datetime) -> str:
    head = bare.commit(_FILES)
    branch = open_store(signer=signer).open(bare.url)
    assert branch.fetch().commit == head
    commit = branch.commit(head, _NEW, message="Use a backup\n\nBody", when=when)
    branch.push(commit, expected=head)
    assert bare.head() == commit
    return commit


def test_git_verifies_what_an_openpgp_key_signed(
    short: Path, openpgp: OpenPgpKey, bare: BareRepository, open_store: OpenStore
) -> None:
    """The commit is what it would be unsigned, and the signature is dated as the commit is."""
    now = datetime.now(UTC).replace(microsecond=0)
    signer = open_signer(openpgp.file, passphrase=None, folder=_private(short))
    commit = _committed(bare, open_store, signer, now)
    signer.close()
    said = openpgp.verify(bare.path, commit)
    assert said.returncode == 0, said.stderr
    assert f"GOODSIG {openpgp.key_id}".encode() in said.stderr
    assert f" {int(now.timestamp())} ".encode() in said.stderr
    assert bare.show("a.yaml") == _NEW["a.yaml"]
    shown = run_git(bare.path, "show", "-s", "--format=%an|%ae|%B", commit).decode()
    assert shown.rstrip() == "Backup Bot|bot@example.org|Use a backup\n\nBody"
    assert signer.key_ids == {openpgp.key_id}


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_git_verifies_what_an_ssh_key_signed(
    kind: str, short: Path, bare: BareRepository, open_store: OpenStore
) -> None:
    """Whatever its type, and however wide its file's rights are; it has no name that Argo CD knows."""
    key = OpenSshKey(short / "ssh", kind)
    key.file.chmod(0o644)
    key.file.write_bytes(key.file.read_bytes().rstrip())
    signer = open_signer(key.file, passphrase=None, folder=_private(short))
    said = key.verify(bare.path, _committed(bare, open_store, signer, datetime.now(UTC)))
    assert said.returncode == 0, said.stderr
    assert signer.key_ids == frozenset()


def test_a_key_with_a_passphrase_is_unlocked_by_a_file(
    short: Path, bare: BareRepository, open_store: OpenStore
) -> None:
    """Neither the key nor the passphrase stands in the commit; without the right one there is no signer."""
    key = OpenPgpKey(short / "locked", passphrase="correct horse")
    signer = open_signer(key.file, passphrase=key.passphrase, folder=_private(short))
    commit = _committed(bare, open_store, signer, datetime.now(UTC))
    signer.close()
    assert key.verify(bare.path, commit).returncode == 0
    key.close()
    wrong = short / "wrong"
    wrong.write_text("battery staple\n")
    for number, passphrase in enumerate((None, wrong)):
        with pytest.raises(UsageError, match="cannot sign") as caught:
            open_signer(key.file, passphrase=passphrase, folder=_private(short, f"private{number}"))
        assert "git_signing_passphrase" in str(caught.value)
        assert "battery" not in str(caught.value)


@pytest.mark.parametrize("age", [timedelta(), timedelta(days=1)], ids=["new", "older-than-the-key"])
@pytest.mark.parametrize("kind", ["openpgp", "ssh"])
def test_the_same_commit_is_made_again_by_another_process(
    kind: str, age: timedelta, short: Path, openpgp: OpenPgpKey, bare: BareRepository, open_store: OpenStore
) -> None:
    """A step that was taken before a crash is the same step after it: the signature is the same, too."""
    file = openpgp.file if kind == "openpgp" else OpenSshKey(short / "ssh").file
    when, head = datetime.now(UTC) - age, bare.commit(_FILES)
    made = set()
    for name in ("one", "two"):
        time.sleep(1)  # signatures are dated in whole seconds
        signer = open_signer(file, passphrase=None, folder=_private(short, name))
        branch = open_store(name, signer=signer).open(bare.url)
        branch.fetch()
        made.add(branch.commit(head, _NEW, message="Use a backup", when=when))
        signer.close()
    assert len(made) == 1


def test_the_same_commit_twice_in_a_row_is_signed_once(
    short: Path, bare: BareRepository, open_store: OpenStore
) -> None:
    """Also where a signature is another one each time, as those of ECDSA are."""
    signer = open_signer(OpenSshKey(short / "ssh", "ecdsa").file, passphrase=None, folder=_private(short))
    when = datetime.now(UTC)
    assert signer.sign(b"x", when=when) != signer.sign(b"x", when=when)
    head = bare.commit(_FILES)
    branch = open_store(signer=signer).open(bare.url)
    branch.fetch()
    first, second, other = (
        branch.commit(head, _NEW, message="Use a backup", when=at)
        for at in (when, when, when + timedelta(seconds=1))
    )
    assert first == second != other


def test_a_commit_that_is_older_than_the_key_is_signed_as_of_the_key(
    short: Path, openpgp: OpenPgpKey, bare: BareRepository, open_store: OpenStore
) -> None:
    """A push that had failed for long may be tried again with a new key."""
    signer = open_signer(openpgp.file, passphrase=None, folder=_private(short))
    commit = _committed(bare, open_store, signer, datetime(2026, 3, 1, 12, tzinfo=UTC))
    signer.close()
    assert openpgp.verify(bare.path, commit).returncode == 0


def test_a_subkey_and_its_primary_key_are_both_names_of_the_key(short: Path, openpgp: OpenPgpKey) -> None:
    """Argo CD takes either of them in a project."""
    subkey = openpgp.add_signing_subkey()
    signer = open_signer(openpgp.file, passphrase=None, folder=_private(short))
    signer.close()
    assert signer.key_ids == {openpgp.key_id, subkey}
    assert subkey != openpgp.key_id


def test_what_is_no_private_key_is_refused(short: Path, openpgp: OpenPgpKey) -> None:
    """A missing file, a public key, a damaged one, and an SSH key that is locked: one line, with a remedy."""
    ssh = OpenSshKey(short / "ssh", passphrase="correct horse")
    damaged = short / "damaged"
    damaged.write_text("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nxxxx\n-----END PGP PRIVATE KEY BLOCK-----\n")
    cases = {
        short / "gone": "cannot be read",
        ssh.file.with_suffix(".pub"): "no private key in a known form",
        damaged: "no key that gpg takes",
        ssh.file: "must have no passphrase",
    }
    for number, (file, words) in enumerate(cases.items()):
        with pytest.raises(UsageError) as caught:
            open_signer(file, passphrase=None, folder=_private(short, f"private{number}"))
        assert words in str(caught.value)
        assert str(caught.value).isprintable()
    with pytest.raises(UsageError, match="for OpenPGP keys"):
        open_signer(ssh.file, passphrase=openpgp.passphrase, folder=_private(short))


@pytest.mark.parametrize("kind", ["openpgp", "ssh"])
def test_the_program_that_signs_is_missing(
    kind: str, short: Path, openpgp: OpenPgpKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named."""
    file = openpgp.file if kind == "openpgp" else OpenSshKey(short / "ssh").file
    private = _private(short)
    with monkeypatch.context() as nowhere:
        nowhere.setenv("PATH", str(private))
        with pytest.raises(ProgramMissing, match=r"^(gpg|ssh-keygen) is not on PATH"):
            open_signer(file, passphrase=None, folder=private)


def test_the_agent_ends_with_the_signer_and_no_commit_is_made_without_a_signature(
    short: Path, openpgp: OpenPgpKey, bare: BareRepository, open_store: OpenStore
) -> None:
    """When the key's home is gone, a commit fails as something that may work later."""
    private = _private(short)
    signer = open_signer(openpgp.file, passphrase=None, folder=private)
    socket = private / "S.gpg-agent"
    assert socket.exists()
    signer.close()
    until(lambda: not socket.exists(), what="the agent to end")
    shutil.rmtree(private)
    head = bare.commit(_FILES)
    branch = open_store(signer=signer).open(bare.url)
    branch.fetch()
    with pytest.raises(SigningFailed):
        branch.commit(head, _NEW, message="Use a backup", when=datetime.now(UTC))
    assert bare.head() == head
