"""Rewrites as they were seen last, before they are on record in their ImageBackup.

Each look at a workload can change what became of its rewrites, and one ImageBackup can have hundreds of them:
they are gathered here and written together. What is lost with the process is at most the last few seconds of
observation; the state itself is observed again.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from gitops_backup.domain.backups import MOST_REWRITES, ImageBackup, Rewrite, RewriteState
from gitops_backup.domain.rewrites import merged, observe
from gitops_backup.domain.workloads import Workload, WorkloadKey

RewriteKey = tuple[str, str]


class Journal:
    """The rewrites of each ImageBackup (by its name) that are not on record yet.

    `now` returns the time in UTC; `on_reversal` is called for each rewrite that somebody undid.
    """

    def __init__(self, now: Callable[[], datetime], on_reversal: Callable[[], None] = lambda: None) -> None:
        self._now = now
        self._on_reversal = on_reversal
        self._lock = threading.Lock()
        self._news: dict[str, dict[RewriteKey, Rewrite]] = {}
        self._versions: Counter[str] = Counter()

    def note(self, backup: str, rewrite: Rewrite) -> None:
        """Remember what became of a rewrite."""
        with self._lock:
            self._news.setdefault(backup, {})[rewrite.key] = rewrite
            self._versions[backup] += 1

    def withdraw(self, backup: str, rewrite: Rewrite, *, before: Rewrite | None) -> None:
        """A rewrite that was noted beforehand was not made: what was known before holds."""
        with self._lock:
            news = self._news.get(backup, {})
            self._versions[backup] += 1
            if news.get(rewrite.key) == rewrite:
                del news[rewrite.key]
                if before is not None:
                    news[rewrite.key] = before

    def forget(self, backup: str, recorded: Mapping[RewriteKey, Rewrite]) -> None:
        """Drop what is on record now, unless there was news in between."""
        with self._lock:
            news = self._news.get(backup, {})
            for key, rewrite in recorded.items():
                if news.get(key) == rewrite:
                    del news[key]
            if not news:
                self._news.pop(backup, None)
            self._versions[backup] += 1

    def drop(self, backup: str) -> None:
        """An ImageBackup is gone, and with it what was to be put on its record."""
        with self._lock:
            self._news.pop(backup, None)

    def drop_workload(self, workload: WorkloadKey) -> None:
        """A workload is gone; another one of its name starts anew."""
        with self._lock:
            for backup, news in self._news.items():
                gone = [key for key in news if key[0] == str(workload)]
                for key in gone:
                    del news[key]
                self._versions[backup] += bool(gone)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            for backup in self._news:
                self._versions[backup] += 1
            self._news.clear()

    def version(self, backup: str) -> int:
        """A number that is another one after each change of what is known of an ImageBackup."""
        with self._lock:
            return self._versions[backup]

    def pending(self, backup: str) -> Mapping[RewriteKey, Rewrite]:
        """What is not on record yet."""
        with self._lock:
            return dict(self._news.get(backup, {}))

    def urgent(self, backup: str) -> bool:
        """Whether somebody undid a rewrite, which decisions must know before anything else happens."""
        return any(r.state == RewriteState.REVERTED for r in self.pending(backup).values())

    def apply(self, backup: ImageBackup) -> ImageBackup:
        """The ImageBackup with the news in its record."""
        news = self.pending(backup.name)
        if not news:
            return backup
        rewrites = merged(backup.status.rewrites, news)
        return replace(backup, status=backup.status.model_copy(update={"rewrites": rewrites}))

    def look(
        self,
        backup: ImageBackup,
        workload: Workload,
        *,
        container: str,
        names_backup: bool,
        recorded: Rewrite | None,
    ) -> None:
        """Take note of what a container of a workload shows now, if it was rewritten before.

        `recorded` is what the ImageBackup has on record about it. Where that is nothing, because the process
        ended right after a patch, the workload's own annotation tells.
        """
        key = str(workload.key), container
        with self._lock:
            known = self._news.get(backup.name, {}).get(key, recorded)
        if known is None and names_backup and workload.was_patched(container, backup.image):
            known = self._unrecorded(backup, key)
        if known is None:
            return
        seen = observe(known, names_backup=names_backup, rollout=workload.rollout, now=self._now())
        if seen != known:
            self.note(backup.name, seen)
            if seen.state == RewriteState.REVERTED:
                self._on_reversal()

    def _unrecorded(self, backup: ImageBackup, key: RewriteKey) -> Rewrite | None:
        if len(backup.status.rewrites) >= MOST_REWRITES:
            return None  # it was on record, and made room for others
        return Rewrite(workload=key[0], container=key[1], state=RewriteState.COMMITTED, at=self._now())
