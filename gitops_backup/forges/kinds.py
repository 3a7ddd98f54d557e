"""Which kind of forge a host is, and where its API is: as set, as known, or as the host itself says."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from gitops_backup.domain.pull_requests import ForgeKind
from gitops_backup.errors import GitopsBackupError
from gitops_backup.forges.api import Api
from gitops_backup.forges.errors import ForgeUnavailable, UnknownForge
from gitops_backup.proxies import Proxies

_KNOWN = {
    "github.com": ForgeKind.GITHUB,
    "gitlab.com": ForgeKind.GITLAB,
    "gitea.com": ForgeKind.GITEA,
    "codeberg.org": ForgeKind.FORGEJO,
}
_APIS = {
    ForgeKind.GITHUB: "/api/v3",
    ForgeKind.GITLAB: "/api/v4",
    ForgeKind.GITEA: "/api/v1",
    ForgeKind.FORGEJO: "/api/v1",
}
# the one that answers with a version where nobody has logged in; Forgejo has Gitea's as well, and comes first
_ASKED = (
    (ForgeKind.FORGEJO, "/api/forgejo/v1/version"),
    (ForgeKind.GITEA, "/api/v1/version"),
)


def api_address(origin: str, kind: ForgeKind) -> str:
    """Where the API of a forge is by default; `origin` is its scheme and host, of https or http."""
    if urlsplit(origin).netloc == "github.com":
        return "https://api.github.com"
    return f"{origin}{_APIS[kind]}"


def kind_of(origin: str, *, proxies: Proxies) -> ForgeKind:
    """The kind of the forge at `origin`. Raises `UnknownForge`, and `ForgeUnavailable` where it is away."""
    known = _KNOWN.get(urlsplit(origin).netloc)
    if known is not None:
        return known
    api = Api(origin, authorize=_anonymous, proxies=proxies)
    for kind, path in _ASKED:
        if _says_version(api, path):
            return kind
    raise UnknownForge(
        f"{origin} does not say what kind of forge it is",
        hint="say in the setting repositories whether it is github, gitlab, gitea or forgejo",
    )


def _says_version(api: Api, path: str) -> bool:
    try:
        answer = api.get(path)
    except ForgeUnavailable:
        raise
    except GitopsBackupError:
        return False
    return isinstance(answer, Mapping) and isinstance(answer.get("version"), str)


def _anonymous() -> Mapping[str, str]:
    return {}
