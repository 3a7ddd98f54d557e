"""Images in files of manifests: each way to write one, and what is edited of it."""

import pytest

from gitops_backup.domain.reasons import Reason
from gitops_backup.sources.documents import Composing, File, PureComposer, libyaml
from gitops_backup.sources.edits import apply
from gitops_backup.sources.manifests import FileEdit, find_images, rewrite
from gitops_backup.sources.proof import prove
from gitops_backup.sources.replacements import ObjectId, Replacement
from tests.sources.samples import NEW, OLD, WEB, deployment, replacement

LIBYAML = libyaml()
assert LIBYAML is not None

# what stands before and after in the lines of the container's image
SPELLINGS = {
    "plain": ("image: nginx:1.25", f"image: {NEW}"),
    "with a comment": ("image: nginx:1.25 # nginx:1.25", f"image: {NEW} # nginx:1.25"),
    "with trailing blanks": ("image: nginx:1.25  \t ", f"image: {NEW}  \t "),
    "single quotes": ("image: 'nginx:1.25'", f"image: '{NEW}'"),
    "double quotes": ('image: "nginx:1.25"', f'image: "{NEW}"'),
    "escapes": ('image: "\\x6eginx:1.2\\u0035"', f'image: "{NEW}"'),
    "an escaped line break": ('image: "ngi\\\n    nx:1.25"', f'image: "{NEW}"'),
    "with a registry": ("image: docker.io/library/nginx:1.25", f"image: {NEW}"),
    "in capitals": ("image: Docker.io/nginx:1.25", f"image: {NEW}"),
    "folded": ("image: >-\n  nginx:1.25", f"image: >-\n  {NEW}"),
    "folded, with a comment": (
        "image: >-   # nginx:1.25\n\n  nginx:1.25\n\n".replace("\n\n", "\n", 1),
        f"image: >-   # nginx:1.25\n\n  {NEW}\n\n".replace("\n\n", "\n", 1),
    ),
    "literal": ("image: |-\n    nginx:1.25", f"image: |-\n    {NEW}"),
    "literal, indented by hand": ("image: |2-\n  nginx:1.25", f"image: |2-\n  {NEW}"),
    "on its own line": ("image:\n  nginx:1.25", f"image:\n  {NEW}"),
    "an anchor": ("image: &img nginx:1.25", f"image: &img {NEW}"),
    "a tag": ("image: !!str nginx:1.25", f"image: !!str {NEW}"),
    "a tag of one's own": ("image: !image 'nginx:1.25'", f"image: !image '{NEW}'"),
    "a whole tag": ("image: !<tag:yaml.org,2002:str> nginx:1.25", f"image: !<tag:yaml.org,2002:str> {NEW}"),
    "an anchor and a tag": ('image: &img !!str "nginx:1.25"', f'image: &img !!str "{NEW}"'),
    "a tag and an anchor": ("image: !!str   &img   nginx:1.25", f"image: !!str   &img   {NEW}"),
    "an anchor on a line of its own": (
        "image: &img # nginx:1.25\n  # nginx:1.25\n\n  nginx:1.25",
        f"image: &img # nginx:1.25\n  # nginx:1.25\n\n  {NEW}",
    ),
    "an anchor before a block": ("image: &nginx >-\n  nginx:1.25", f"image: &nginx >-\n  {NEW}"),
    "a tag that says no type": ("image: ! nginx:1.25", f"image: ! {NEW}"),
    "an explicit key": ("? image\n: nginx:1.25", f"? image\n: {NEW}"),
    "a quoted key": ("\"image\" : 'nginx:1.25'", f"\"image\" : '{NEW}'"),
    "a key with escapes": ('"im\\x61ge": nginx:1.25', f'"im\\x61ge": {NEW}'),
    "a tab before the value": ("image:\tnginx:1.25", f"image:\t{NEW}"),
    "twice, the last one holds": ("image: nginx:1.25\nimage: nginx:1.25", f"image: nginx:1.25\nimage: {NEW}"),
    "merged": ("<<: {image: nginx:1.25, stdin: true}", f"<<: {{image: {NEW}, stdin: true}}"),
    "merged over": ("image: busybox\n<<: {image: nginx:1.25}", f"image: busybox\n<<: {{image: {NEW}}}"),
}
ONLY_LIBYAML = {"a tab before the value", "with trailing blanks"}

FILES = {
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "text before it": lambda text: ("# é ü 😀 \u2028\n" + text.replace("spec:", "# ñ\nspec:", 1)).encode(),
    "no final newline": lambda text: text.rstrip("\n").encode(),
    "trailing newlines": lambda text: text.encode() + b"\n\n \n",
    "markers": lambda text: b"# head\n---\n" + text.encode() + b"...\n",
    "a version": lambda text: b"%YAML 1.1\n---\n" + text.encode(),
    "a tag directive": lambda text: b"%TAG !e! tag:example.com,2000:\n---\n" + text.encode(),
    "other documents": lambda text: b"--- # 1\na: b\n---\n" + text.encode() + b"---\n\n---\n# nothing\n",
    "Latin-1 in a comment": lambda text: b"# caf\xe9\n" + text.encode(),
    "a list": lambda text: (
        "apiVersion: v1\nkind: List\nitems:\n- " + text.rstrip("\n").replace("\n", "\n  ") + "\n"
    ).encode(),
    "keys twice": lambda text: text.encode() + b"kind: Deployment\n",
    "a bad neighbour": lambda text: text.encode() + b"---\nimage: {{ not }}\n---\n- a\n---\ntext\n",
    "an anchor twice": lambda text: (
        text.replace("metadata:", "x: &again 1\ny: &again 2\nmetadata:") + "z: *again\n"
    ).encode(),
}

JSON = """\
{
\t"apiVersion": "v1", "kind": "List", "\\u00e9": "\\ud83d\\ude00 é",
\t"items": [
\t\t{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
\t\t\t"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "IMAGE"}]}}}},
\t\t{"kind": "ConfigMap", "data": {"image": "nginx:1.25"}}
\t]
}"""

KINDS = {
    "Deployment": ("apps/v1", "spec.template.spec"),
    "DaemonSet": ("apps/v1", "spec.template.spec"),
    "StatefulSet": ("apps/v1", "spec.template.spec"),
    "ReplicaSet": ("apps/v1", "spec.template.spec"),
    "Job": ("batch/v1", "spec.template.spec"),
    "CronJob": ("batch/v1", "spec.jobTemplate.spec.template.spec"),
    "Pod": ("v1", "spec"),
    "PodTemplate": ("v1", "template.spec"),
    "ReplicationController": ("v1", "spec.template.spec"),
}

ANCHORED = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    spec:
      initContainers:
        - {name: init, image: &img nginx:1.25}
      containers:
        - name: web
          image: *img
"""


@pytest.mark.parametrize("composer", [LIBYAML, PureComposer], ids=["libyaml", "pure"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_each_way_to_write_an_image_is_kept(spelling: str, composer: type[Composing]) -> None:
    """The text of the scalar changes, and its quotes, anchor, tag, block and line do not."""
    if composer is PureComposer and spelling in ONLY_LIBYAML:
        return
    before, after = SPELLINGS[spelling]
    edited = edit(deployment(before).encode(), composer=composer)
    assert edited.decode() == deployment(after)
    assert edit(edited, composer=composer) == edited


@pytest.mark.parametrize("file", FILES.values(), ids=FILES.keys())
@pytest.mark.parametrize("spelling", ["plain", "double quotes", "folded", "an anchor", "with a comment"])
def test_each_kind_of_file_is_kept(file: object, spelling: str) -> None:
    """Line endings, marks, text that is not ASCII and all that surrounds the image stay, byte for byte."""
    assert callable(file)
    before, after = SPELLINGS[spelling]
    assert edit(file(deployment(before))) == file(deployment(after))


def test_json_is_kept() -> None:
    """Tabs, escapes and surrogate pairs, which YAML would refuse, stay as they are."""
    for path in ("web.json", "web.yaml"):
        edited = edit(JSON.replace("IMAGE", "ngi\\u006ex:1.25").encode(), path=path)
        assert edited.decode() == JSON.replace("IMAGE", NEW)


@pytest.mark.parametrize("kind", KINDS)
def test_pod_templates_are_found_in_every_kind(kind: str) -> None:
    """The images of all kinds that have a pod template are known, with their containers."""
    version, way = KINDS[kind]
    pod = "{initContainers: [{name: i, image: a}], containers: [{name: c, image: b}, {name: none}]}"
    for key in reversed(way.split(".")):
        pod = f"{{{key}: {pod}}}"
    content = f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x}}\n<<: {pod}\n"
    (manifest,) = find_images(File.read("x.yaml", content.encode()))
    assert manifest.identity("ns") == ObjectId(version.rpartition("/")[0], kind, "ns", "x")
    assert [(i.container, i.init, i.text) for i in manifest.images] == [("i", True, "a"), ("c", False, "b")]


def test_what_only_looks_like_an_image_is_left_alone() -> None:
    """A ConfigMap, a custom resource, an argument and an annotation may say the same."""
    content = deployment("image: nginx:1.25\nargs: [--image=nginx:1.25, nginx:1.25]").replace(
        "  name: web\n", "  name: web\n  annotations: {image: nginx:1.25}\n", 1
    )
    others = "---\nkind: ConfigMap\ndata: {image: nginx:1.25}\n---\nkind: Web\nspec: {image: nginx:1.25}\n"
    edited = edit((content + others).encode()).decode()
    assert edited == (content + others).replace("image: nginx:1.25\n", f"image: {NEW}\n", 1)


def test_namespaces_tell_objects_apart() -> None:
    """One name in two namespaces is two objects; where no namespace is written it is the Application's."""
    content = deployment("image: nginx:1.25") + "---\n" + deployment("image: nginx:1.25", namespace="")
    content += "---\n" + deployment("image: nginx:1.25", namespace="blog")
    first, second, third = content.split("---\n")
    blog = replacement(ObjectId("apps", "Deployment", "blog", "web"))
    assert edit(content.encode(), blog).decode() == "---\n".join([first, second, third.replace(OLD, NEW)])
    team = replacement(ObjectId("apps", "Deployment", "team", "web"))
    edited = edit(content.encode(), team, namespace="team").decode()
    assert edited == "---\n".join([first, second.replace(OLD, NEW), third])
    default = replacement(ObjectId("apps", "Deployment", "default", "web"))
    assert edit(content.encode(), default, namespace="").decode() == edited


def test_kinds_groups_and_init_containers_are_told_apart() -> None:
    """A DaemonSet of the same name is another object, and an init container another container."""
    content = deployment("image: nginx:1.25") + "---\n" + deployment("image: nginx:1.25", kind="DaemonSet")
    content += "---\n" + deployment("image: nginx:1.25").replace("apps/v1", "example.com/v1")
    first, rest = content.split("---\n", 1)
    assert edit(content.encode()).decode() == first.replace(OLD, NEW) + "---\n" + rest
    result = attempt(content.encode(), replacement(init=True))
    assert [(r.reason, r.message) for r in result.refused] == [
        (Reason.NOT_FOUND_IN_SOURCE, "web.yaml has no Deployment shop/web, init container web")
    ]


def test_the_last_of_two_copies_holds() -> None:
    """Argo CD deploys the last of an object that is written twice, and warns: only that one is edited."""
    content = deployment("image: nginx:1.25") + "---\n" + deployment("image: nginx:1.25 # 2")
    assert edit(content.encode()).decode() == content.replace("nginx:1.25 # 2", f"{NEW} # 2")
    content = deployment("image: nginx:1.25") + "---\n" + deployment("image: nginx:1.26")
    result = attempt(content.encode())
    assert [refused.reason for refused in result.refused] == [Reason.AWAITING_SYNC]


@pytest.mark.parametrize(
    "image",
    [
        "nginx:1.26",
        "nginx",
        "quay.io/library/nginx:1.25",
        "nginx:1.25@sha256:" + "0" * 64,
        "~",
        "''",
        "|\n  nginx:1.25",
        "nginx:1.25 x",
        "${IMAGE}",
    ],
)
def test_another_image_is_somebody_elses_word(image: str) -> None:
    """What Git says instead of the image that runs is not overwritten, and the message says it."""
    content = deployment(f"image: {image}")
    result = attempt(content.encode())
    assert [refused.reason for refused in result.refused] == [Reason.AWAITING_SYNC]
    assert result.refused[0].message.startswith("web.yaml, line 11, says ")
    assert result.refused[0].message.endswith(", not docker.io/library/nginx:1.25")


def test_a_digest_stays_with_its_tag() -> None:
    """An image with tag and digest is the one that runs only with both, and is replaced as a whole."""
    old = "nginx:1.25@sha256:" + "1" * 64
    new = "bak.example/m/library_nginx@sha256:" + "1" * 64
    edited = edit(deployment(f'image: "{old}"').encode(), replacement(old=old, new=new))
    assert edited.decode() == deployment(f'image: "{new}"')


@pytest.mark.parametrize("text", [NEW, f"'{NEW}'", f">-\n  {NEW}"])
def test_what_git_says_already_is_done(text: str) -> None:
    """The backup's name there is the end: no edit."""
    result = attempt(deployment(f"image: {text}").encode())
    assert (result.splices, result.refused) == ((), ())
    assert result.done == (replacement(),)


def test_an_alias_between_images_goes_along() -> None:
    """An anchor that feeds images alone is edited at its place, and its users are reported."""
    result = attempt(ANCHORED.encode())
    assert apply(ANCHORED.encode(), result.splices).decode() == ANCHORED.replace(OLD, NEW)
    (replaced,) = result.replaced
    assert (replaced.path, replaced.line) == ("web.yaml", 8)
    assert [(use.workload, use.container, use.init, use.before, use.now) for use in replaced.also] == [
        (WEB, "init", True, OLD, NEW)
    ]
    both = attempt(ANCHORED.encode(), replacement(), replacement(container="init", init=True))
    assert both.splices == result.splices
    assert len(both.replaced) == 2


OTHER_USERS = {
    "a label": ("metadata: {", "metadata: {labels: {v: *img}, "),
    "an environment variable": ("image: *img", "image: *img\n          env: [{name: A, value: *img}]"),
    "an item": ("image: *img", "image: *img\n          args: [a, *img]"),
    "a key": ("image: *img", "image: *img\n          resources: {? *img : 1}"),
    "an anchor within": ("image: *img", "image: *img\n          x: &y [*img]\n          z: *y"),
    "a merge": ("image: *img", "image: *img\n          env: [{<<: {value: *img}, name: b}]"),
}  # fmt: skip
PLACES = {
    "a label": "metadata.labels.v",
    "an environment variable": "spec.template.spec.containers[0].env[0].value",
    "an item": "spec.template.spec.containers[0].args[1]",
    "a key": "a key",
    "an anchor within": "spec.template.spec.containers[0]",
    "a merge": "spec.template.spec.containers[0].env[0].<<.value",
}


@pytest.mark.parametrize("user", OTHER_USERS)
def test_an_alias_that_is_no_image_keeps_the_anchor(user: str) -> None:
    """What is no container's image must not change, so the anchor is left alone, and the message says why."""
    content = ANCHORED.replace(*OTHER_USERS[user])
    if user == "a label":  # an alias follows its anchor
        version, kind, metadata, spec = content.split("\n", 3)
        content = "\n".join([version, kind, spec + metadata, ""])
    result = attempt(content.encode())
    assert [refused.reason for refused in result.refused] == [Reason.SHARED_SCALAR]
    assert PLACES[user] in result.refused[0].message
    assert result.splices == ()


def test_an_alias_that_is_overridden_counts_for_nothing() -> None:
    """A merged key that another one overrides, or the first of two, reaches nobody."""
    content = ANCHORED.replace(
        "image: *img", "image: *img\n          <<: {stdin: *img}\n          stdin: true"
    )
    assert edit(content.encode()).decode() == content.replace(OLD, NEW)
    content = ANCHORED.replace("image: *img", "image: *img\n          tty: *img\n          tty: true")
    assert edit(content.encode()).decode() == content.replace(OLD, NEW)


def test_a_container_behind_an_alias_is_edited_once() -> None:
    """Whole containers can be shared between workloads; the one scalar is edited, and both are reported."""
    content = (
        "apiVersion: v1\nkind: List\nitems:\n"
        "- apiVersion: apps/v1\n  kind: Deployment\n  metadata: {name: web, namespace: shop}\n"
        "  spec: {template: {spec: {containers: &all [{name: web, image: nginx:1.25}]}}}\n"
        "- apiVersion: batch/v1\n  kind: CronJob\n  metadata: {name: night, namespace: shop}\n"
        "  spec: {jobTemplate: {spec: {template: {spec: {containers: *all}}}}}\n"
    )
    result = attempt(content.encode())
    assert apply(content.encode(), result.splices).decode() == content.replace(OLD, NEW)
    assert [use.workload.kind for use in result.replaced[0].also] == ["CronJob"]


def test_one_scalar_cannot_become_two() -> None:
    """Users of an anchor that want different images keep the one that they have."""
    other = replacement(container="init", init=True, new="bak.example/m/other:1")
    result = attempt(ANCHORED.encode(), replacement(), other)
    assert [refused.reason for refused in result.refused] == [Reason.SHARED_SCALAR] * 2
    assert "bak.example/m/library_nginx:1.25 and bak.example/m/other:1" in result.refused[0].message


def edit(
    content: bytes,
    *wanted: Replacement,
    namespace: str = "default",
    path: str = "web.yaml",
    composer: type[Composing] = LIBYAML,
) -> bytes:
    """The content with the replacements made, proven; they are the sample's unless given."""
    before = File.read(path, content, composer=composer)
    result = rewrite(before, find_images(before), wanted or [replacement()], namespace=namespace)
    assert result.refused == ()
    after = apply(content, result.splices)
    prove(before, File.read(path, after, composer=composer), result.intended)
    return after


def attempt(content: bytes, *wanted: Replacement) -> FileEdit:
    """What comes of the replacements, which are the sample's unless given."""
    file = File.read("web.yaml", content)
    return rewrite(file, find_images(file), wanted or [replacement()], namespace="default")
