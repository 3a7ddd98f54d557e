"""Kustomizations in all the styles that YAML has, with bases, components, patches and entries of images.

Hypothesis draws a seed, and all else follows from it.
"""

import json
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st

from tests.sources.kustomizing import workload

DIGEST = "sha256:" + "0123456789abcdef" * 4
NAMES = ["nginx", "docker.io/library/nginx", "quay.io/nginx", "busybox", "localhost:5000/a/nginx", "web"]
VERSIONS = ["", ":1.25", ":1.10", ":1.25", f"@{DIGEST}", f":1.25@{DIGEST}"]
PATTERNS = [*NAMES, *NAMES, ".*nginx", "nginx:1.25", "[", "quay.io/.*", "(a|web)"]
COMMENTS = ["", "", "", "  # nginx", " # é 😀", "   "]


@dataclass(slots=True)
class Overlay:
    """The files of a kustomization in the folder `app`, and the block of its Application."""

    files: dict[str, bytes]
    block: dict[str, Any]

    @property
    def path(self) -> str:
        """The kustomization file."""
        return next(
            path for path in self.files if path.startswith("app/kustom") or path == "app/Kustomization"
        )


def overlays() -> st.SearchStrategy[Overlay]:
    """Overlays with one to four workloads."""
    return st.builds(lambda seed: _Maker(Random(seed)).overlay(), st.integers(0, 2**64))  # noqa: S311


class _Maker:
    def __init__(self, dice: Random) -> None:
        self._dice = dice

    def overlay(self) -> Overlay:
        """A kustomization with all that it refers to."""
        says: dict[str, Any] = {"resources": ["web.yaml"]}
        files = {"app/web.yaml": self._workloads("web").encode()}
        if self._often(0.5):
            says["resources"].append("../base")
            base: dict[str, Any] = {"resources": ["api.yaml"]} | self._some_images("images")
            files["base/kustomization.yaml"] = json.dumps(base).encode()
            files["base/api.yaml"] = self._workloads("api").encode()
        if self._often(0.3):
            says["components"] = ["../part"]
            part: dict[str, Any] = {"kind": "Component", "resources": ["more.yaml"]}
            part |= self._some_images("images")
            files["part/more.yaml"] = self._workloads("more").encode()
            files["part/kustomization.yaml"] = json.dumps(part).encode()
        if self._often(0.3):
            says["patches"] = [{"target": {"kind": "Deployment"}, "patch": self._patch()}]
        if self._often(0.2):
            says["namePrefix"] = "x-"
        if self._often(0.2):
            says["replacements"] = [self._replacement()]
        says |= self._some_images("images")
        if self._often(0.1):
            says |= self._some_images("imageTags")
        name = self._pick(["kustomization.yaml", "kustomization.yml", "Kustomization"])
        files[f"app/{name}"] = self._written(self._shuffled(says))
        return Overlay(files, self._block())

    def _workloads(self, name: str) -> str:
        documents = [workload(*self._images(), name=name, init=self._images()[: self._dice.randint(0, 1)])]
        if self._often(0.3):
            documents.append(workload(*self._images(), name=f"{name}-db", kind="StatefulSet"))
        return "---\n".join(documents)

    def _images(self) -> list[str]:
        return [self._pick(NAMES) + self._pick(VERSIONS) for _ in range(self._dice.randint(1, 3))]

    def _some_images(self, key: str) -> dict[str, Any]:
        entries = [self._entry() for _ in range(self._pick([0, 0, 1, 1, 2, 3]))]
        return {key: entries} if entries or self._often(0.2) else {}

    def _entry(self) -> dict[str, str]:
        entry = {"name": self._pick(PATTERNS)}
        if self._often(0.4):
            entry["newName"] = self._pick(NAMES)
        version = self._pick([{}, {}, {"newTag": "1.25"}, {"digest": DIGEST}, {"tagSuffix": "-x"}])
        return self._shuffled(entry | version)

    def _patch(self) -> str:
        image = self._pick(NAMES) + self._pick(VERSIONS)
        return f"- op: replace\n  path: /spec/template/spec/containers/0/image\n  value: {image}\n"

    def _replacement(self) -> dict[str, Any]:
        place = "spec.template.spec.containers.0.image"
        return {
            "source": {"kind": "Deployment", "name": "web", "fieldPath": place},
            "targets": [
                {
                    "select": {"kind": "Deployment"},
                    "fieldPaths": [self._pick([place, "metadata.annotations.image"])],
                    "options": {"create": True},
                }
            ],
        }

    def _block(self) -> dict[str, Any]:
        block: dict[str, Any] = {}
        if self._often(0.15):
            block["nameSuffix"] = "-live"
        if self._often(0.15):
            block["images"] = [self._pick(["nginx:1.26", "busybox=quay.io/busybox", "nginx=*:1.25"])]
        if self._often(0.15):
            block["patches"] = [{"target": {"kind": "Deployment"}, "patch": self._patch()}]
        return block

    def _written(self, says: dict[str, Any]) -> bytes:
        if self._often(0.15):
            text = json.dumps(says, indent=self._pick([None, 2, "\t"]))
        else:
            text = self._head() + "\n".join(self._lines(says)) + self._pick(["\n", "", "\n\n", "\n# end\n"])
            text += self._pick(["", "", "", "\n---\nimages: []\n", "\n...\n"])
        if self._often(0.2):
            text = text.replace("\n", "\r\n")
        mark: str = self._pick(["", "", "\ufeff"])
        return (mark + text).encode()

    def _head(self) -> str:
        return str(self._pick(["", "", "# é\n", "---\n", "kind: Kustomization\n"]))

    def _lines(self, says: dict[str, Any]) -> list[str]:
        indent = self._pick([0, 2, 4])
        lines: list[str] = []
        for key, value in says.items():
            if isinstance(value, str) or self._often(0.2):
                lines.append(f"{key}: {self._flow(value)}{self._pick(COMMENTS)}")
                continue
            lines.append(f"{key}:{self._pick(COMMENTS)}")
            if self._often(0.2):
                lines.append(self._pick(["", "  # a comment", "# another"]))
            for item in value:
                lines += [" " * indent + line for line in self._item(item)]
        return lines

    def _item(self, item: Any) -> list[str]:
        if isinstance(item, str) or "patch" in item or "source" in item or self._often(0.2):
            return [f"- {self._flow(item)}{self._pick(COMMENTS)}"]
        dash = self._pick(["- ", "- ", "-   "])
        lines = [f"{key}: {self._scalar(value)}{self._pick(COMMENTS)}" for key, value in item.items()]
        return [dash + lines[0], *(" " * len(dash) + line for line in lines[1:])]

    def _flow(self, value: Any) -> str:
        if isinstance(value, dict):
            return f"{{{', '.join(f'{key}: {self._flow(inner)}' for key, inner in value.items())}}}"
        if isinstance(value, list):
            return f"[{', '.join(map(self._flow, value))}]"
        return json.dumps(value) if value is True or set(value) & set(":[]{},\n#") else self._scalar(value)

    def _scalar(self, text: str) -> str:
        plain = text not in ("[", "1.25") and not text.startswith((".", "("))
        return str(self._pick([*([text] if plain else []), json.dumps(text), f"'{text}'"]))

    def _shuffled(self, mapping: dict[str, Any]) -> dict[str, Any]:
        return {key: mapping[key] for key in self._dice.sample(list(mapping), len(mapping))}

    def _often(self, share: float) -> bool:
        return self._dice.random() < share

    def _pick(self, choices: list[Any]) -> Any:
        return self._dice.choice(choices)
