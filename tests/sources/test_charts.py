"""Charts: which files they are made of, and where their values come from."""

import gzip
import io
import tarfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_backup.domain.reasons import Reason
from gitops_backup.sources.helm import archives
from gitops_backup.sources.helm.archives import files_of_archive
from gitops_backup.sources.helm.charts import Chart, Defaults, files_of_chart, read_chart
from gitops_backup.sources.helm.options import HelmBlock
from gitops_backup.sources.helm.value_files import UnusableChart
from gitops_backup.sources.layouts import Layout
from gitops_backup.sources.mounts import ELSEWHERE
from gitops_backup.sources.rendering import FileParameter
from gitops_backup.sources.trees import Tree

CHART = "name: {}\nversion: 1.0.0\n"
VALUES = b"a: b\n"


def read(files: dict[str, bytes], *, modes: dict[str, str] | None = None, **options: object) -> Chart:
    """The chart in `app`."""
    tree = Tree({**dict.fromkeys(files, "100644"), **(modes or {})})
    block = HelmBlock(**options)  # type: ignore[arg-type]
    return read_chart(Layout("app"), options=block, tree=tree, contents=files)


def chart(folder: str, name: str, *, dependencies: str = "") -> dict[str, bytes]:
    """A chart with values."""
    described = CHART.format(name) + (f"dependencies: [{dependencies}]\n" if dependencies else "")
    return {f"{folder}/Chart.yaml": described.encode(), f"{folder}/values.yaml": VALUES}


def _mounted(name: str) -> Layout:
    folder = f"{ELSEWHERE}/{name}"
    return Layout(folder, root=folder, refs={"values": ""})


def archive(files: dict[str, bytes], *, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A chart's archive."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.type = len(content), kind
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), mtime=0)


def test_all_files_of_a_chart_belong_to_it() -> None:
    """Any of them may be printed by a template; of others, the value files and charts next door are read."""
    files = {
        **chart("app", "web", dependencies="{name: lib, repository: 'file://../lib'}"),
        **chart("lib", "lib", dependencies="{name: deep, repository: 'file://../deep'}"),
        **chart("deep", "deep"),
        "app/templates/x.yaml": b"",
        "app/charts/r.tgz": b"",
        "app/README.md": b"",
        "env/prod.yaml": b"",
        "env/test.yaml": b"",
        "application/x.yaml": b"",
    }
    tree, block = Tree(dict.fromkeys(files, "100644")), HelmBlock(value_files=("../env/prod.yaml",))
    first = files_of_chart(Layout("app"), options=block, tree=tree, contents={})
    assert first == {path for path in files if path.startswith("app/")} | {"env/prod.yaml"}
    known = {path: files[path] for path in first}
    second = files_of_chart(Layout("app"), options=block, tree=tree, contents=known)
    assert second == first | {"lib/Chart.yaml", "lib/values.yaml"}
    broken = HelmBlock(value_files=("https://x.example/y.yaml",))
    assert files_of_chart(Layout("app"), options=broken, tree=tree, contents={}) == first - {"env/prod.yaml"}


def test_a_chart_next_door_is_put_where_helm_looks_for_it() -> None:
    """Its files have their places in `charts/`, and are known to be elsewhere in the repository."""
    dependency = "{name: lib, alias: x, repository: 'file://../lib'}"
    files = {**chart("app", "web", dependencies=dependency), **chart("lib", "lib")}
    found = read(files)
    assert found.files["app/charts/lib/values.yaml"] == VALUES
    assert found.origins["app/charts/lib/values.yaml"] == "lib/values.yaml"
    assert [layer.keys for layer in found.defaults] == [(), ("x",)]
    vendored = read({**files, **chart("app/charts/lib", "lib")})
    assert vendored.origins == {}
    archived = read({**files, "app/charts/lib-1.0.0.tgz": b""})
    assert archived.origins == {}


@pytest.mark.parametrize(
    "repository", ["file://../..", "file:///etc", "file://.", "https://x.example", "file://"]
)
def test_a_chart_that_is_nowhere_is_left_to_helm(repository: str) -> None:
    """Nothing outside of the repository is read, and a chart does not contain itself."""
    files = chart("app", "web", dependencies=f"{{name: ../lib, repository: '{repository}'}}")
    assert read(files).origins == {}
    assert read(
        chart("app", "web", dependencies=f"{{name: lib, repository: '{repository}'}}")
    ).files.keys() <= {
        *files,
        *(f"app/charts/lib/{name}" for name in ("Chart.yaml", "values.yaml")),
    }


def test_values_lie_below_the_name_or_the_aliases_of_a_dependency() -> None:
    """In folders, in archives, and in charts within these."""
    dependencies = "{name: redis, alias: cache}, {name: redis, alias: queue}, {name: deep}"
    files = {
        **chart("app", "web", dependencies=dependencies),
        **chart("app/charts/redis-folder", "redis"),
        **chart("app/charts/redis-folder/charts/metrics", "metrics"),
        "app/charts/deep-1.0.0.tgz": archive(
            {**chart("deep", "deep"), **chart("deep/charts/deeper", "deeper"), "deep/templates/x.yaml": b""}
        ),
        "app/charts/broken.tgz": b"no archive",
        "app/charts/notes.txt": b"",
    }
    defaults = [(layer.keys, layer.path) for layer in read(files).defaults]
    assert defaults == [
        ((), "app/values.yaml"),
        (("deep",), None),
        (("deep", "deeper"), None),
        (("cache",), "app/charts/redis-folder/values.yaml"),
        (("cache", "metrics"), "app/charts/redis-folder/charts/metrics/values.yaml"),
        (("queue",), "app/charts/redis-folder/values.yaml"),
        (("queue", "metrics"), "app/charts/redis-folder/charts/metrics/values.yaml"),
    ]


def test_templates_are_those_of_all_charts_in_folders() -> None:
    """A folder of that name elsewhere has none."""
    names = ["templates/a.yaml", "charts/x/templates/b.yaml", "files/templates/c.yaml", "values.yaml"]
    found = read({f"app/{name}": b"" for name in names})
    assert list(found.templates) == ["app/charts/x/templates/b.yaml", "app/templates/a.yaml"]


@pytest.mark.parametrize(
    ("modes", "options", "message"),
    [
        ({"app/x": "120000"}, {}, "app/x is a symbolic link, which is not followed"),
        ({"app": "120000"}, {}, "app is a symbolic link, which is not followed"),
        ({"app/x": "160000"}, {}, "app/x is a submodule, which is not read"),
        ({"app/new\nline": "100644"}, {}, "app/new line is not a file that can be read"),
        (
            {},
            {"file_parameters": (FileParameter("a,b=/etc/passwd", "app/x"),)},
            "a,b=/etc/passwd in helm.fileParameters is not the name of one value",
        ),
    ],
)
def test_what_cannot_be_rendered_alike_is_named(
    modes: dict[str, str], options: dict[str, str], message: str
) -> None:
    """What Argo CD would read and is not read here makes another chart."""
    with pytest.raises(UnusableChart) as refused:
        read({}, modes=modes, **options)
    assert (refused.value.reason, refused.value.message) == (Reason.UNSUPPORTED_SOURCE, message)


def test_odd_charts_have_the_values_that_can_be_read() -> None:
    """Whatever is wrong with them, Helm says it."""
    for described in (
        b"[",
        b"a: [b]",
        b"dependencies: x",
        b"dependencies: [x, {name: [y]}]",
        b"? [a]\n: b",
        b"",
    ):
        files = {"app/Chart.yaml": described, "app/values.yaml": VALUES}
        assert read(files).defaults == (Defaults((), "app/values.yaml", VALUES),)
    deep = "".join("/charts/x" for _ in range(50))
    assert len(read({f"app{deep[: 9 * n]}/values.yaml": VALUES for n in range(51)}).defaults) == 9


def test_a_chart_from_elsewhere_is_only_rendered() -> None:
    """Its files are read of no repository, and none of them can be written; its values are defaults."""
    packed = archive({**chart("redis", "redis"), "redis/templates/x.yaml": b"x", "redis/../y": b"y"})
    foreign = files_of_archive(packed, whole=True)
    assert set(foreign) == {"Chart.yaml", "values.yaml", "templates/x.yaml"}
    mounted = {f"{ELSEWHERE}/redis/{path}": file for path, file in foreign.items()}
    contents = {"env/prod.yaml": VALUES, "Chart.yaml": b"another", **mounted}
    tree, layout = Tree(dict.fromkeys(contents, "100644")), _mounted("redis")
    block = HelmBlock(value_files=("values.yaml", "$values/env/prod.yaml"))
    wanted = files_of_chart(layout, options=block, tree=tree, contents={})
    assert wanted == {"env/prod.yaml", *mounted}
    found = read_chart(layout, options=block, tree=tree, contents=contents)
    assert found.files == {"env/prod.yaml": VALUES, **mounted}
    assert [path for path in found.files if found.is_writable(path)] == ["env/prod.yaml"]
    assert (list(found.templates), found.own_values, found.origins) == ([], None, {})


def test_archives_are_read_at_a_fair_price() -> None:
    """A bomb, a link, a hole, and what is no archive have nothing in them."""
    good = {"redis/values.yaml": VALUES, "redis/x.yaml": b"", "./redis/charts/y/Chart.yaml": VALUES}
    assert files_of_archive(archive(good)) == {"values.yaml": VALUES, "charts/y/Chart.yaml": VALUES}
    assert files_of_archive(archive(good, kind=tarfile.SYMTYPE)) == {}
    assert files_of_archive(archive(good, kind=tarfile.GNUTYPE_SPARSE)) == {}
    assert files_of_archive(archive(good)[:-20]) == {}
    assert files_of_archive(b"") == {}
    assert files_of_archive(gzip.compress(b"no tar" * 200)) == {}
    bomb = zlib.compressobj(wbits=31)
    content = b"".join([*(bomb.compress(bytes(1 << 20)) for _ in range(64)), bomb.flush()])
    assert len(content) < 100_000
    assert files_of_archive(content) == {}
    many = {f"r/{number}/values.yaml": b"" for number in range(archives.MOST_FILES + 1)}
    assert files_of_archive(archive(many)) == {}


NAMES = st.sampled_from(
    ["app", "lib", "charts", "templates", "..", "a\nb", "*", "[", "x.tgz", "Chart.yaml", "values.yaml"]
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
CONTENTS = st.binary(max_size=20) | st.sampled_from(
    [
        b"name: app\ndependencies: [{name: lib, repository: 'file://../lib'}]",
        b"dependencies: [{name: lib, repository: 'file://../../..'}, {name: '', alias: [x]}, 1]",
        b"? [a]\n: b",
        archive({"app/Chart.yaml": b"name: x", "app/values.yaml": b"image: nginx"}),
    ]
)


@given(
    files=st.dictionaries(PATHS, CONTENTS, max_size=8),
    modes=st.dictionaries(PATHS, st.sampled_from(["100644", "120000", "160000"]), max_size=3),
    folder=st.sampled_from(["", "app", "lib", "app/charts", "gone"]),
    value_files=st.lists(PATHS | st.text(alphabet="$/.*?[{,}a:", max_size=6), max_size=3),
    ignore=st.booleans(),
)
def test_whatever_is_in_a_repository_can_be_asked_for(
    files: dict[str, bytes], modes: dict[str, str], folder: str, value_files: list[str], ignore: bool
) -> None:
    """The files are some of the repository's, and a chart is read of them, or there is a reason."""
    tree = Tree({**dict.fromkeys(files, "100644"), **modes})
    block = HelmBlock(value_files=tuple(value_files), ignore_missing_value_files=ignore)
    wanted = files_of_chart(Layout(folder), options=block, tree=tree, contents=files)
    assert wanted <= {*files, *modes}
    try:
        found = read_chart(Layout(folder), options=block, tree=tree, contents=files)
    except UnusableChart:
        return
    assert set(found.files) | set(found.origins.values()) >= wanted
