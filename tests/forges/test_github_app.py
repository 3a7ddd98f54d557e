"""Tokens of a GitHub App: asked for with what its key signed, and again before they end."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitops_backup.forges.errors import ForgeRefused
from gitops_backup.forges.github_app import AppKey, GitHubApp
from gitops_backup.process import run
from gitops_backup.proxies import Proxies
from tests.forges.described import DescribedForge, Request

_DESCRIPTION = Path(__file__).parent / "github.json"
_NOW = 1_700_000_000
_IN_AN_HOUR = "2023-11-14T23:13:20Z"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private key as GitHub makes it for an App."""
    path = tmp_path_factory.mktemp("app") / "key.pem"
    done = run(["openssl", "genrsa", "-traditional", "-out", str(path), "2048"], timeout=60)
    assert done.returncode == 0, done.stderr
    return path


def _app(server: DescribedForge, key: Path, clock: Callable[[], float]) -> GitHubApp:
    return GitHubApp(AppKey(12, 34, key), server.base, Proxies({}), wall_clock=clock)


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_a_token_is_asked_for_with_a_signed_proof(key: Path, tmp_path: Path) -> None:
    """Which GitHub can check with the App's public key, and which is good for ten minutes at the most."""
    given = {"token": "ghs_1", "expires_at": _IN_AN_HOUR}
    with DescribedForge(_DESCRIPTION, prefix="", act=lambda request: given) as server:
        assert _app(server, key, lambda: _NOW).token() == "ghs_1"
    (request,) = server.requests
    assert request.path == {"installation_id": "34"}
    kind, _, proof = request.headers["authorization"].partition(" ")
    head, claims, signature = proof.split(".")
    assert (kind, json.loads(_decoded(head))) == ("Bearer", {"alg": "RS256", "typ": "JWT"})
    said = json.loads(_decoded(claims))
    assert said["iss"] == "12"
    assert said["iat"] < _NOW < said["exp"] <= said["iat"] + 600
    public, signed = tmp_path / "public.pem", tmp_path / "signature"
    public.write_bytes(run(["openssl", "rsa", "-in", str(key), "-pubout"], timeout=60).stdout)
    signed.write_bytes(_decoded(signature))
    argv = ["openssl", "dgst", "-sha256", "-verify", str(public), "-signature", str(signed)]
    assert run(argv, timeout=60, input=f"{head}.{claims}".encode()).returncode == 0


def test_a_token_is_used_until_shortly_before_its_end(key: Path) -> None:
    """Then there is another one."""
    now = [float(_NOW)]

    def act(request: Request) -> Any:
        return {"token": f"ghs_{len(server.requests)}", "expires_at": _IN_AN_HOUR}

    with DescribedForge(_DESCRIPTION, prefix="", act=act) as server:
        app = _app(server, key, lambda: now[0])
        assert [app.token(), app.token()] == ["ghs_1", "ghs_1"]
        now[0] += 49 * 60
        assert app.token() == "ghs_1"
        now[0] += 2 * 60
        assert app.token() == "ghs_2"


@pytest.mark.parametrize("content", ["", "no key\n"])
def test_a_key_that_cannot_sign_is_named(tmp_path: Path, content: str) -> None:
    """In one line."""
    bad = tmp_path / "bad.pem"
    bad.write_text(content)
    with (
        DescribedForge(_DESCRIPTION, prefix="", act=lambda request: {}) as server,
        pytest.raises(ForgeRefused, match=r"the private key in .*bad\.pem cannot sign"),
    ):
        _app(server, bad, lambda: _NOW).token()
