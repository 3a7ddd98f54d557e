"""A bare repository, written object by object, so that it can hold what no work tree would."""

from collections.abc import Mapping
from pathlib import Path

from gitops_backup.process import run

_ENV = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Somebody",
    "GIT_AUTHOR_EMAIL": "somebody@example.org",
    "GIT_COMMITTER_NAME": "Somebody",
    "GIT_COMMITTER_EMAIL": "somebody@example.org",
}


def run_git(folder: Path, *arguments: str, given: bytes = b"") -> bytes:
    """Run git in a folder, with no configuration but the folder's, and return what it printed."""
    done = run(["git", *arguments], timeout=60, env=_ENV, input=given, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


class BareRepository:
    """A bare repository; `url` is the `file://` one."""

    def __init__(self, path: Path, *, object_format: str = "sha1") -> None:
        self.path = path
        self.url = f"file://{path}"
        path.mkdir(parents=True)
        run_git(
            path, "init", "--quiet", "--bare", "--initial-branch=main", f"--object-format={object_format}"
        )

    def commit(self, files: Mapping[str, bytes], *, modes: Mapping[str, str] | None = None) -> str:
        """Replace everything by these files, in a commit on top of the branch `main`; answers its name."""
        entries = {
            name.encode(): ((modes or {}).get(name, "100644"), self.blob(content))
            for name, content in files.items()
        }
        return self.commit_tree(self.tree(entries))

    def commit_tree(self, tree: str) -> str:
        """A commit of a tree on top of the branch `main`; answers its name."""
        parents = [f"-p{head}" for head in [self.head()] if head]
        commit = self.git("commit-tree", tree, *parents, "-m", "Change").decode().strip()
        self.git("update-ref", "refs/heads/main", commit)
        return commit

    def tree(self, entries: Mapping[bytes, tuple[str, str]]) -> str:
        """A tree with these entries, by path, made without the checks that git makes of names."""
        folders: dict[bytes, dict[bytes, tuple[str, str]]] = {}
        here: dict[bytes, tuple[str, str]] = {}
        for path, entry in entries.items():
            first, slash, rest = path.partition(b"/")
            if slash:
                folders.setdefault(first, {})[rest] = entry
            else:
                here[first] = entry
        for name, inner in folders.items():
            here[name] = ("40000", self.tree(inner))
        # git sorts folders as if their names ended in a slash
        ordered = sorted(here.items(), key=lambda item: item[0] + (b"/" if item[1][0] == "40000" else b""))
        raw = b"".join(
            b"%s %s\0%s" % (mode.encode(), name, bytes.fromhex(sha)) for name, (mode, sha) in ordered
        )
        return self._stored("tree", raw)

    def blob(self, content: bytes) -> str:
        """The name of a blob with this content, which is stored."""
        return self._stored("blob", content)

    def head(self, branch: str = "main") -> str | None:
        """The commit that a branch is at, if there is one."""
        done = run(
            ["git", "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}"],
            timeout=60,
            env=_ENV,
            cwd=self.path,
        )
        return done.stdout.decode().strip() or None

    def show(self, path: str, revision: str = "main") -> bytes:
        """The content of a file."""
        return self.git("cat-file", "blob", f"{revision}:{path}")

    def log(self) -> list[str]:
        """The commits of the branch `main`, newest first."""
        return self.git("rev-list", "main").decode().split()

    def hook(self, name: str, script: str) -> None:
        """Install a hook."""
        path = self.path / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def git(self, *arguments: str, given: bytes = b"") -> bytes:
        """Run git in it, and return what it printed."""
        return run_git(self.path, *arguments, given=given)

    def _stored(self, kind: str, content: bytes) -> str:
        arguments = ("hash-object", "-t", kind, "-w", "--stdin", "--literally")
        return self.git(*arguments, given=content).decode().strip()
