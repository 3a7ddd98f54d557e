"""Which files a kustomization reads, and what it must not ask for; with nothing rendered."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_backup.domain.reasons import Reason
from gitops_backup.sources.kustomize.closure import MOST_FOLDERS, Problem, closure_of
from gitops_backup.sources.kustomize.editing import files_of_kustomization
from gitops_backup.sources.kustomize.options import KustomizeOptions
from tests.sources.kustomizing import LINK, SUBMODULE, content_of, read, tree_of

K = "app/kustomization.yaml"
BUILTIN = "apiVersion: builtin\nkind: {kind}\nmetadata: {{name: x}}\n"
READ: dict[str, tuple[dict[str, str], set[str]]] = {
    "resources": ({K: "resources: [a.yaml, sub/b.yaml]\n"}, {"app/a.yaml", "app/sub/b.yaml"}),
    "another name": ({"app/Kustomization": "resources: [a.yaml]\n"}, {"app/Kustomization", "app/a.yaml"}),
    "a base": (
        {
            K: "resources: [../base/]\n",
            "base/kustomization.yml": "bases: [../more]\n",
            "more/Kustomization": "crds: [x]\n",
        },
        {"base/kustomization.yml", "more/Kustomization", "more/x"},
    ),
    "bases that are shared": (
        {
            K: "resources: [one, two]\n",
            **{f"app/{n}/kustomization.yaml": "bases: [../../b]\n" for n in ("one", "two")},
            "b/Kustomization": "namePrefix: x\n",
        },
        {"app/one/kustomization.yaml", "app/two/kustomization.yaml", "b/Kustomization"},
    ),
    "bases that include each other": (
        {K: "resources: [../b]\n", "b/kustomization.yaml": "resources: [../app]\n"},
        {"b/kustomization.yaml"},
    ),
    "a component": (
        {
            K: "components: [../part]\n",
            "part/kustomization.yaml": "patches: [{path: p.yaml}]\n",
            "part/p.yaml": "",
        },
        {"part/kustomization.yaml", "part/p.yaml"},
    ),
    "patches": (
        {
            K: "patches: [{path: a}, {patch: b}]\npatchesJson6902: [{path: c}]\n"
            "patchesStrategicMerge: [d, 'kind: X', '{}']\n"
        },
        {"app/a", "app/c", "app/d"},
    ),
    "generators of configuration": (
        {
            K: "configMapGenerator: [{files: [a, k=b, c=d=e], envs: [f], env: g, literals: [h=i]}]\n"
            "secretGenerator: [{files: [j]}]\n"
        },
        {f"app/{name}" for name in ("a", "b", "d=e", "f", "g", "j")},
    ),
    "what configures kustomize": (
        {K: "configurations: [a]\ncrds: [b]\nopenapi: {path: c}\nreplacements: [{path: d}, {source: {}}]\n"},
        {f"app/{name}" for name in "abcd"},
    ),
    "any letter case": (
        {K: "RESOURCES: [a]\nconfigmapgenerator: [{Files: [b]}]\nopenAPI: {PATH: c}\n"},
        {"app/a", "app/b", "app/c"},
    ),
    "merged mappings": ({K: "patches:\n- &a {path: a}\n- <<: *a\n  path: b\n- *a\n"}, {"app/a", "app/b"}),
    "transformers": (
        {
            K: "transformers: [t.yaml, more]\n",
            "app/t.yaml": BUILTIN.format(kind="PatchTransformer")
            + "path: p\n---\n"
            + BUILTIN.format(kind="PatchStrategicMergeTransformer")
            + "paths: [q]\n",
            "app/more/kustomization.yaml": "resources: [r.yaml]\ngenerators: [g.yaml]\n",
            "app/more/r.yaml": BUILTIN.format(kind="ReplacementTransformer") + "replacements: [{path: s}]\n",
            "app/more/g.yaml": BUILTIN.format(kind="ConfigMapGenerator") + "files: [u=v]\nenv: w\n",
        },
        {
            "app/t.yaml",
            "app/p",
            "app/q",
            "app/more/kustomization.yaml",
            "app/more/r.yaml",
            "app/more/s",
            "app/more/g.yaml",
            "app/more/v",
            "app/more/w",
        },
    ),
    "a transformer in the file": (
        {K: "transformers:\n- |-\n  apiVersion: builtin\n  kind: PatchTransformer\n  path: p\n"},
        {"app/p"},
    ),
    "what resources say": (
        {
            K: "resources: [a.yaml]\n",
            "app/a.yaml": "path: b\nmetadata: {annotations: {config.kubernetes.io/function: x}}\n",
        },
        {"app/a.yaml"},
    ),
    "nothing": ({K: "resources: []\nimages:\nnamespace: x\nvars: a\npatches: {path: x}\n"}, set()),
    "values that are no texts": (
        {K: "resources: [[a], {b: c}, 1, null, '']\npatches: [a, 1]\n", "app/1": ""},
        {"app/1"},
    ),
}


@pytest.mark.parametrize("case", READ.values(), ids=READ.keys())
def test_what_is_referred_to_is_read(case: tuple[dict[str, str], set[str]]) -> None:
    """All that is there is asked for, one round after the other, and nothing else."""
    files, expected = case
    there = dict.fromkeys(expected, "") | files | {"app/unused.yaml": "", "other.yaml": ""}
    assert set(read(there)) == expected | ({K} & there.keys())
    assert closure_of("app", options=KustomizeOptions(), tree=tree_of(there), contents=bytes_of(there)) == (
        closure_of("app", options=KustomizeOptions(), tree=tree_of(there), contents=read(there))
    )


def bytes_of(files: dict[str, str]) -> dict[str, bytes]:
    """All contents."""
    return {path: content_of(text) for path, text in files.items()}


FUNCTION = "kind: F\nmetadata: {annotations: {config.kubernetes.io/function: 'exec: {path: x}'}}\n"
REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "a URL": (
        {K: "resources:\n- https://x.example/a.yaml\n"},
        f"{K}, line 2, names https://x.example/a.yaml, which is not in this repository, and is not fetched",
    ),
    "a repository by its URL": (
        {K: "bases: ['ssh://git@x.example/a?ref=b']\n"},
        "which is not in this repository, and is not fetched",
    ),
    "a repository on GitHub": (
        {K: "resources: [github.com/a/b]\n", "app/github.com/a/b/kustomization.yaml": ""},
        "is not fetched",
    ),
    "a repository by scp": ({K: "components: ['git@x.example:a/b']\n"}, "is not fetched"),
    "a local repository": ({K: "resources: ['file:///srv/x.git']\n"}, "is not fetched"),
    "a repository without a scheme": (
        {K: "resources: [x.example/a/b.git]\n"},
        f"{K}, line 1, names x.example/a/b.git, which is not in this repository",
    ),
    "a URL for a generator": (
        {K: "configMapGenerator:\n- files:\n  - a=HTTP://x.example/a\n"},
        f"{K}, line 3, names HTTP://x.example/a, which is not in this repository, and is not fetched",
    ),
    "a URL that could be a mapping": (
        {K: "patchesStrategicMerge: ['http://x/y: z']\n"},
        f"{K}, line 1, names http://x/y: z, which is not in this repository, and is not fetched",
    ),
    "a path out that could be a mapping": (
        {K: "transformers: ['../../y: z']\n"},
        f"{K}, line 1, names ../../y: z, which leads out of the repository",
    ),
    "a function of a component": (
        {
            K: "transformers: [t]\n",
            "app/t/kustomization.yaml": "components: [../c]\n",
            "app/c/kustomization.yaml": "resources: [f]\n",
            "app/c/f": FUNCTION,
        },
        "app/c/f, line 1, is a function, F, which is not run",
    ),
    "a URL for a patch": ({K: "patches: [{path: 'https:x'}]\n"}, "is not fetched"),
    "a URL for a schema": ({K: "openapi: {path: 'http://x'}\n"}, "is not fetched"),
    "an absolute path": (
        {K: "resources: [/etc/passwd]\n"},
        f"{K}, line 1, names /etc/passwd, which leads out of the repository",
    ),
    "a path out of the repository": (
        {K: "resources: [../../x]\n"},
        f"{K}, line 1, names ../../x, which leads out of the repository",
    ),
    "a path out and in again": ({K: "resources: [../../repo/app/x]\n"}, "which leads out of the repository"),
    "a file out of the repository": (
        {K: "secretGenerator: [{envs: [../../../root/.env]}]\n"},
        "which leads out of the repository",
    ),
    "a line break and a NUL": (
        {K: 'resources: ["a\\n\\0b"]\n'},
        f"{K}, line 1, names a b, which leads out of the repository",
    ),
    "a link": (
        {K: "resources: [a.yaml]\n", "app/a.yaml": f"{LINK}b"},
        f"{K}, line 1, names app/a.yaml, a symbolic link, which is not followed",
    ),
    "a link on the way": (
        {K: "resources: [../b/c]\n", "b": f"{LINK}c"},
        f"{K}, line 1, names b, a symbolic link, which is not followed",
    ),
    "a link as kustomization": (
        {K: "resources: [../b]\n", "b/Kustomization": f"{LINK}c"},
        "b/Kustomization is a symbolic link, which is not followed",
    ),
    "a submodule": ({K: "resources: [../b]\n", "b": SUBMODULE}, f"{K}, line 1, names ../b, a submodule"),
    "a folder in a submodule": (
        {K: "resources: [../b/c]\n", "b": SUBMODULE},
        f"{K}, line 1, names ../b/c, which is not in this repository",
    ),
    "a folder that is missing": (
        {K: "components: [../b]\n"},
        f"{K}, line 1, names ../b, which is not in this repository",
    ),
    "a folder without a kustomization": (
        {K: "resources:\n- ../b\n", "b/x.yaml": ""},
        f"{K}, line 2, names b, which has no kustomization file",
    ),
    "two kustomizations": (
        {K: "resources: []\n", "app/Kustomization": ""},
        "app has Kustomization and kustomization.yaml, of which kustomize allows one",
    ),
    "charts": (
        {K: "resources: []\nhelmCharts:\n- name: x\n"},
        f"{K}, line 3, has Helm charts inflated by kustomize",
    ),
    "charts of old": (
        {K: "helmChartInflationGenerator: [{chartName: x}]\n"},
        f"{K}, line 1, has Helm charts inflated by kustomize",
    ),
    "charts by a generator": (
        {K: "generators: [g]\n", "app/g": BUILTIN.format(kind="HelmChartInflationGenerator")},
        "app/g, line 1, is a plugin, HelmChartInflationGenerator, which is not run",
    ),
    "a function": (
        {K: "transformers: [t]\n", "app/t": f"---\n# a function\n{FUNCTION}"},
        "app/t, line 3, is a function, F, which is not run",
    ),
    "a function in the file": (
        {K: f"generators:\n- {FUNCTION!r}\n".replace("'kind", '"kind').replace("\\n'", '\\n"')},
        "is a function, F, which is not run",
    ),
    "a validator": (
        {K: "validators: [v]\n", "app/v": FUNCTION},
        "app/v, line 1, is a function, F, which is not run",
    ),
    "a function in a folder": (
        {K: "transformers: [t]\n", "app/t/kustomization.yaml": "resources: [f]\n", "app/t/f": FUNCTION},
        "app/t/f, line 1, is a function, F, which is not run",
    ),
    "a function that is listed as both": (
        {
            K: "resources: [t]\ntransformers: [t]\n",
            "app/t/kustomization.yaml": "resources: [f]\n",
            "app/t/f": FUNCTION,
        },
        "app/t/f, line 1, is a function, F, which is not run",
    ),
    "a plugin": (
        {K: "generators: [g]\n", "app/g": "apiVersion: x/v1\nkind: Sed\n"},
        "app/g, line 1, is a plugin, Sed, which is not run",
    ),
    "a URL of a transformer": (
        {K: "transformers: [t]\n", "app/t": BUILTIN.format(kind="PatchTransformer") + "path: https://x\n"},
        "app/t, line 4, names https://x, which is not in this repository, and is not fetched",
    ),
    "too many folders": (
        {
            K: f"resources: [{', '.join(f'b{n}' for n in range(MOST_FOLDERS + 1))}]\n",
            **{f"app/b{n}/kustomization.yaml": "" for n in range(MOST_FOLDERS + 1)},
        },
        f"more than {MOST_FOLDERS} folders belong to the kustomization",
    ),
}
INVALID: dict[str, tuple[dict[str, str], str]] = {
    "no YAML": ({K: "a: b: c\n"}, f"{K}, line 1, column 5: "),
    "no mapping": ({K: "- a\n"}, f"{K}, line 1, column 1: expected a kustomization, which is a mapping"),
    "empty": ({K: "# nothing\n"}, f"{K}, line 1, column 1: expected a kustomization, which is a mapping"),
    "a key in two letter cases": (
        {K: "Images: []\nresources: []\nimages: []\n"},
        f"{K}, line 3, column 1: the key images is there in two letter cases",
    ),
    "an alias bomb": (
        {
            K: "a: &a [x, x]\n"
            + "".join(
                f"{n}: &{n} [*{p}, *{p}]\n"
                for n, p in zip("bcdefghijklmnopqrst", "abcdefghijklmnopqrs", strict=True)
            )
        },
        f"{K}, line 1, column 1: aliases stand for more than",
    ),
    "nesting": ({K: "a: " + "[" * 100_000}, f"{K}, line 1, column"),
    "a broken base": (
        {K: "resources: [../b]\n", "b/kustomization.yaml": "resources: {\n"},
        "b/kustomization.yaml, line 2, column 1: ",
    ),
    "a broken transformer": ({K: "transformers: [t]\n", "app/t": "a: [\n"}, "app/t, line 2, column 1: "),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_what_must_not_be_read_is_named(case: tuple[dict[str, str], str]) -> None:
    """The file and the line that ask for it are said, and what is wrong with it."""
    problem = problem_of(case[0])
    assert problem is not None
    assert problem.reason == Reason.UNSUPPORTED_SOURCE
    assert problem.message.endswith(case[1])


@pytest.mark.parametrize("case", INVALID.values(), ids=INVALID.keys())
def test_what_is_no_kustomization_is_named(case: tuple[dict[str, str], str]) -> None:
    """The file, the line and the column are said."""
    problem = problem_of(case[0])
    assert problem is not None
    assert problem.reason == Reason.INVALID_MANIFEST
    assert problem.message.startswith(case[1])


def test_options_refer_to_files_too() -> None:
    """Components and patches of the Application are read, and are as little to be trusted."""
    files = {K: "resources: []\n", "part/Kustomization": "crds: [x]\n", "part/x": "", "app/p": ""}
    block = {"components": ["../part", "../gone"], "patches": [{"path": "p"}, {"patch": "q"}, "r"]}
    ignoring = KustomizeOptions.project(block | {"ignoreMissingComponents": True})
    assert set(read(files, options=ignoring)) == files.keys()
    missing = "spec.source.kustomize.components names ../gone, which is not in this repository"
    assert problem_of(files, block) == Problem(Reason.UNSUPPORTED_SOURCE, missing)
    hostile_blocks: list[dict[str, object]] = [
        {"components": ["https://x/y"]},
        {"patches": [{"path": "../../x"}]},
    ]
    for hostile in hostile_blocks:
        problem = problem_of(files, hostile)
        assert problem is not None
        assert problem.message.startswith("spec.source.kustomize.")


@settings(max_examples=300)
@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.builds(
            lambda key, value: f"{key}: {value}\n".encode("utf-8", "surrogateescape"),
            st.sampled_from(
                ["resources", "patches", "generators", "openapi", "configMapGenerator", "images"]
            ),
            st.recursive(
                st.one_of(
                    st.none(),
                    st.text(max_size=8).map(repr),
                    st.sampled_from(["..", "../b", "p", "'{'", "'a: ['", '"\\0"']),
                ),
                lambda inner: st.one_of(
                    st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(map(str, items))}]"),
                    st.dictionaries(
                        st.sampled_from(["path", "files", "env", "paths"]), inner, max_size=2
                    ).map(lambda pairs: "{" + ", ".join(f"{k}: {v}" for k, v in pairs.items()) + "}"),
                ),
                max_leaves=6,
            ),
        ),
    )
)
def test_garbage_is_no_trouble(content: bytes) -> None:
    """Whatever stands there, what is asked for is in the repository, or would be."""
    tree = tree_of({K: "", "b/x": "", "app/p": "", "app/..": ""})
    asked = files_of_kustomization("app", options=KustomizeOptions(), tree=tree, contents={K: content})
    assert asked <= {K, "b/x", "app/p"}


def problem_of(files: dict[str, str], block: dict[str, object] | None = None) -> Problem | None:
    """What is wrong with the kustomization in `app`."""
    options = KustomizeOptions.project(block or {})
    return closure_of("app", options=options, tree=tree_of(files), contents=bytes_of(files)).problem
