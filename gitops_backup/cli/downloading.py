"""From settings to what Applications are rendered from besides the repository at hand."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gitops_backup.cli.wiring import locations_of
from gitops_backup.controller.elsewhere import Elsewhere, Git
from gitops_backup.controller.reading import Readable
from gitops_backup.domain.urls import UrlPrefix
from gitops_backup.downloads.charts import Downloads
from gitops_backup.downloads.credentials import DownloadCredentials
from gitops_backup.downloads.fetching import Allowed, Fetcher
from gitops_backup.downloads.store import Store
from gitops_backup.proxies import Proxies
from gitops_backup.registry.client import RegistryClient
from gitops_backup.registry.cooldown import Cooldowns
from gitops_backup.registry.credentials import Authfile
from gitops_backup.registry.failures import Side
from gitops_backup.registry.transport import Transport
from gitops_backup.settings import Settings

_SECONDS = 60.0
_USER_AGENT = "gitops-backup"


@contextmanager
def open_downloads(settings: Settings, credentials: DownloadCredentials) -> Iterator[Downloads]:
    """What downloads charts and files. Raises `UsageError` for what is wrong in the settings."""
    locations, proxies = locations_of(settings), Proxies(os.environ)
    registry = RegistryClient(
        Side.SOURCE,
        locations=locations,
        credentials=credentials,
        cooldowns=Cooldowns(time.monotonic),
        proxies=proxies,
        timeout=_SECONDS,
    )
    fetcher = Fetcher(
        allowed=allowed(settings),
        transport=Transport(timeout=_SECONDS, user_agent=_USER_AGENT, proxies=proxies),
        locations=locations,
        credentials=credentials.named,
    )
    downloads = Downloads(fetcher=fetcher, registry=registry, store=Store(settings.cache / "charts"))
    try:
        yield downloads
    finally:
        downloads.close()


def download_credentials(settings: Settings) -> DownloadCredentials:
    """Who we are to servers of charts. Raises `UsageError` for a file that cannot be read."""
    file = settings.download_authfile
    return DownloadCredentials(lambda: Authfile.read(file) if file is not None else None)


def allowed(settings: Settings) -> Allowed:
    """From where something may be downloaded."""
    return Allowed(UrlPrefix.parse(prefix) for prefix in settings.download_prefixes)


@contextmanager
def open_elsewhere(settings: Settings, git: Git) -> Iterator[Elsewhere]:
    """All places that are not the commit at hand. Raises `UsageError` for what is wrong in the settings."""
    with open_downloads(settings, download_credentials(settings)) as downloads:
        yield Elsewhere(git, downloads)


@dataclass(frozen=True, slots=True)
class AllowedGit:
    """Other repositories than the one at hand, where the settings allow it; `open_git` opens the clones."""

    allowed: Allowed
    open_git: Callable[[], Git]

    def snapshot(self, url: str, revision: str) -> Readable:
        """A revision of a repository. Raises `Unavailable`."""
        self.allowed.check_repository(url)
        return self.open_git().snapshot(url, revision)
