"""Where programs come from, and that they are made once."""

import os
import threading
from pathlib import Path

import pytest

from gitops_backup.errors import UsageError
from gitops_backup.sandbox.archive import Archive, this_platform
from gitops_backup.sandbox.binaries import Binaries
from gitops_backup.sandbox.build import BUILDABLE, Builder, BuildFailed
from gitops_backup.sandbox.cache import cache_folder, hold, holder
from gitops_backup.sandbox.packages import Packages

_NOWHERE = Archive(base_url="http://127.0.0.1:1")
# stands for a Go compiler: notes what it was asked to build, and takes a moment for it
_COMPILER = """#!/bin/sh
case "$1" in
version) echo go version go1.26.0 test/test ;;
mod) if [ "$2" = edit ]; then
       printf '{"Replace": [%s, %s]}' \
         '{"Old": {"Path": "k8s.io/api"}, "New": {"Path": "./staging/src/k8s.io/api"}}' \
         '{"Old": {"Path": "a.example/b"}, "New": {"Path": "c.example/b", "Version": "v1.2.3"}}'
     else printf '{"GoMod": "%s/upstream.mod", "Dir": "%s"}' "$PWD" "$PWD"; fi ;;
list) cat go.mod >> NOTES; echo a ;;
build) echo a >&2; sleep 0.5; echo built >> NOTES
       while [ "$1" != -o ]; do shift; done; printf '#!/bin/sh\\n' > "$2"; chmod 755 "$2" ;;
esac
"""


def _executable(path: Path, content: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(0o755)
    return path


def _compiler(folder: Path, content: str = _COMPILER) -> dict[str, str]:
    """An environment with this compiler on PATH, which takes its notes in the folder."""
    _executable(folder / "path" / "go", content.replace("NOTES", str(folder / "notes")))
    return {"PATH": f"{folder / 'path'}:/usr/bin:/bin"}


def test_the_cheapest_place_wins(tmp_path: Path) -> None:
    """KUBEBUILDER_ASSETS before PATH before what was made earlier."""
    made = _executable(tmp_path / "bin" / f"etcd-{BUILDABLE['etcd'].version}-{this_platform()}")
    on_path = _executable(tmp_path / "path" / "etcd")
    asset = _executable(tmp_path / "assets" / "etcd")
    environ = {"KUBEBUILDER_ASSETS": str(asset.parent), "PATH": str(on_path.parent)}
    lines: list[str] = []

    def provided() -> Path:
        return Binaries(cache=tmp_path, environ=environ, progress=lines.append).provide(["etcd"])["etcd"]

    assert provided() == asset
    asset.chmod(0o644)
    assert provided() == on_path
    on_path.unlink()
    assert provided() == made
    assert lines == []


def test_what_two_want_at_the_same_time_is_built_once(tmp_path: Path) -> None:
    """The second waits for the first and says so; sources and compiled packages are removed afterwards."""
    environ = _compiler(tmp_path)
    lines: list[str] = []
    binaries = Binaries(cache=tmp_path / "cache", environ=environ, progress=lines.append, archive=_NOWHERE)
    threads = [threading.Thread(target=binaries.provide, args=(["kube-apiserver"],)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    notes = (tmp_path / "notes").read_text()
    assert notes.count("built") == 1
    assert "require k8s.io/kubernetes v1.36.3\nreplace k8s.io/api => k8s.io/api v0.36.3\n" in notes
    assert "replace a.example/b => c.example/b v1.2.3\n" in notes
    assert sum("another process is making the same programs" in line for line in lines) == 1
    assert any("cannot be reached" in line and "building from source" in line for line in lines)
    assert not (tmp_path / "cache" / "go").exists()
    name = f"kube-apiserver-v1.36.3-{this_platform()}"
    assert sorted(path.name for path in (tmp_path / "cache" / "bin").iterdir()) == [".lock", name]


@pytest.mark.parametrize(
    ("step", "message"), [("build", "go build failed: disk full"), ("list", "go list failed: disk full")]
)
def test_a_build_that_fails_says_what_the_compiler_said(tmp_path: Path, step: str, message: str) -> None:
    """It leaves no program behind, but what was compiled, so that the next attempt goes on there."""
    failing = _COMPILER.replace(f"{step})", f"{step}) echo one >&2; echo disk full >&2; exit 2;")
    environ = _compiler(tmp_path, failing)
    builder = Builder(cache=tmp_path, environ=environ, progress=lambda _: None)
    target = tmp_path / "bin" / "etcd"
    with pytest.raises(BuildFailed, match=message):
        builder.build(BUILDABLE["etcd"], target)
    assert not target.parent.exists() or list(target.parent.iterdir()) == []
    assert (tmp_path / "go").exists()


def test_a_compiler_that_is_too_old_is_not_used(tmp_path: Path) -> None:
    """One is installed with pip; where that cannot be, the message says what to do."""
    environ = _compiler(tmp_path, _COMPILER.replace("go1.26.0", "go1.19.8"))
    environ |= {"PIP_INDEX_URL": "http://127.0.0.1:1", "PIP_RETRIES": "0", "PIP_NO_INDEX": "1"}
    builder = Builder(cache=tmp_path, environ=environ, progress=lambda _: None)
    with pytest.raises(UsageError, match=r"no Go compiler.*install Go 1\.26 or newer"):
        builder.build(BUILDABLE["etcd"], tmp_path / "bin" / "etcd")


def test_the_cache_is_where_the_environment_says(tmp_path: Path) -> None:
    """Or in the user's cache folder."""
    assert cache_folder({"GITOPS_BACKUP_CACHE": str(tmp_path)}) == tmp_path
    assert cache_folder({}).name == "gitops-backup"


def test_a_lock_is_held_by_one_and_tells_by_whom(tmp_path: Path) -> None:
    """Until it is let go; a file that was removed meanwhile is no obstacle."""
    path = tmp_path / "deep" / "lock"
    assert holder(path) is None
    first = hold(path, text="first")
    assert first is not None
    assert hold(path, text="second") is None
    assert holder(path) == "first"
    path.unlink()
    os.close(first)
    second = hold(path, text="second")
    assert second is not None
    assert holder(path) == "second"
    os.close(second)
    assert holder(path) is None


def _packages(folder: Path, programs: tuple[str, ...], *, may_install: bool) -> Packages:
    for name in programs:
        _executable(folder / "path" / name)
    environ = {"PATH": str(folder / "path")}
    cache = folder / "cache"
    return Packages(cache=cache, environ=environ, progress=lambda _: None, may_install=may_install)


@pytest.mark.parametrize("name", ["docker-registry", "registry"])
def test_programs_on_path_are_used(tmp_path: Path, name: str) -> None:
    """The registry's goes by two names."""
    packages = _packages(tmp_path, ("skopeo", "git", name), may_install=False)
    assert packages.provide() == tmp_path / "path" / name


@pytest.mark.parametrize("may_install", [False, True])
def test_one_line_says_what_to_install(tmp_path: Path, may_install: bool) -> None:
    """Without the right to install, and as root where there is no apt."""
    packages = _packages(tmp_path, ("git",), may_install=may_install)
    with pytest.raises(UsageError, match=r"not on PATH: skopeo, docker-registry \(install") as missing:
        packages.provide()
    assert "\n" not in str(missing.value)


def test_with_apt_the_missing_are_installed_and_the_registry_only_unpacked(tmp_path: Path) -> None:
    """The registry's package would start a service; a script of our own stands for apt."""
    installed = tmp_path / "installed"
    apt = f"""#!/bin/sh
echo "$@" >> {installed}
if [ "$1" = download ]; then : > registry.deb; fi
"""
    unpack = """#!/bin/sh
/bin/mkdir -p "$3/usr/bin"; echo '#!/bin/sh' > "$3/usr/bin/docker-registry"
/bin/chmod 755 "$3/usr/bin/docker-registry"
"""
    _executable(tmp_path / "path" / "apt-get", apt)
    _executable(tmp_path / "path" / "dpkg-deb", unpack)
    packages = _packages(tmp_path, ("git",), may_install=True)
    registry = packages.provide()
    assert registry == tmp_path / "cache" / "bin" / "docker-registry"
    assert os.access(registry, os.X_OK)
    assert installed.read_text().splitlines() == [
        "update -qq",
        "install -qq --no-install-recommends skopeo",
        "download -qq docker-registry",
    ]
    packages.provide_gpg()
    assert installed.read_text().splitlines()[-1] == "install -qq --no-install-recommends gpg gpg-agent"
    packages.provide_c_compiler()
    assert installed.read_text().splitlines()[-1] == "install -qq --no-install-recommends gcc libc6-dev"


def test_gpg_is_installed_where_it_is_missing_alone(tmp_path: Path) -> None:
    """It is wanted together with its agent."""
    _packages(tmp_path, ("gpg", "gpg-agent"), may_install=False).provide_gpg()
    (tmp_path / "path" / "gpg-agent").unlink()
    with pytest.raises(UsageError, match=r"not on PATH: gpg-agent \(install"):
        _packages(tmp_path, ("gpg",), may_install=False).provide_gpg()


@pytest.mark.parametrize("name", ["redis-server", "redis-check-rdb"])
def test_redis_goes_by_two_names(tmp_path: Path, name: str) -> None:
    """The second comes with its tools, and is the server when it is called so."""
    assert _packages(tmp_path, (name,), may_install=False).provide_redis() == tmp_path / "path" / name


@pytest.mark.parametrize("may_install", [False, True])
def test_one_line_says_that_redis_is_wanted(tmp_path: Path, may_install: bool) -> None:
    """Without the right to install, and as root where there is no apt."""
    with pytest.raises(UsageError, match=r"not on PATH: redis-server \(install") as missing:
        _packages(tmp_path, (), may_install=may_install).provide_redis()
    assert "\n" not in str(missing.value)


def test_with_apt_redis_is_installed_without_its_service(tmp_path: Path) -> None:
    """The package with its tools has the program, and no service; a script of our own stands for apt."""
    installed = tmp_path / "installed"
    tools = tmp_path / "path" / "redis-check-rdb"
    apt = f"""#!/bin/sh
echo "$@" >> {installed}
if [ "$1" = install ]; then : > {tools}; /bin/chmod 755 {tools}; fi
"""
    _executable(tmp_path / "path" / "apt-get", apt)
    assert _packages(tmp_path, (), may_install=True).provide_redis() == tools
    assert installed.read_text().splitlines() == [
        "update -qq",
        "install -qq --no-install-recommends redis-tools",
    ]
