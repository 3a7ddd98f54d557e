"""Applications of many shapes in one repository: what their files are, and what is due for them.

Of ten, three are directories, three kustomizations and four charts: with bases, charts and value files of
their own, and shared ones, and with images spelled in several ways.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import fleet
from benchmarks.manifests import described
from gitops_backup.controller.messages import ImageChange
from gitops_backup.controller.parts import DueChange, Part
from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import Naming
from gitops_backup.domain.workloads import WorkloadKey
from gitops_backup.sources.applications import Application

_SHARED_BY = 50
_NAMESPACE = "shops"
_CHART = "apiVersion: v2\nname: {name}\nversion: 1.0.0\nappVersion: '1.0'\n"
_SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {app: {{ .Release.Name }}}
  ports:
    - port: {{ .Values.service.port }}
"""
_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels: {app: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: {app: {{ .Release.Name }}}
  template:
    metadata:
      labels: {app: {{ .Release.Name }}}
    spec:
      containers:
        - name: main
          image: IMAGE
          resources:
{{ toYaml .Values.resources | indent 12 }}
"""
_VALUES = """\
replicas: 1
service: {port: 80}
resources:
  limits: {memory: 64Mi}
  requests: {cpu: 10m, memory: 32Mi}
"""
_BY_PARTS = '"{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"'
_BY_REGISTRY = '"{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}"'
_AS_ONE = "{{ .Values.image }}"


@dataclass(frozen=True, slots=True)
class Mixture:
    """So many Applications, whose repository is at `url`."""

    count: int
    url: str
    naming: Naming

    def files(self) -> dict[str, bytes]:
        """The repository's files."""
        files: dict[str, str] = {}
        for number in range(self.count):
            files |= self._files(number)
        return {path: content.encode() for path, content in files.items()}

    def changed(self, times: int) -> dict[str, bytes]:
        """A file of one Application, changed in what is not its image for another time."""
        path = "apps/app-3/base/web.yaml"
        return {path: self._files(3)[path].replace("memory: 64Mi", f"memory: {65 + times}Mi").encode()}

    def parts(self) -> list[Part]:
        """All Applications, with all images due."""
        return [self._part(number) for number in range(self.count)]

    def _part(self, number: int) -> Part:
        name = f"app-{number}"
        image = Reference.parse(self._image(number))
        source = {"repoURL": self.url, "path": f"apps/{name}", "targetRevision": "main"}
        spec = {"source": {**source, **self._source(number)}, "destination": {"namespace": _NAMESPACE}}
        application = Application.project({"metadata": {"name": name, "namespace": "argocd"}, "spec": spec})
        change = ImageChange(
            application=f"argocd/{name}",
            workload=WorkloadKey("Deployment", _NAMESPACE, name),
            container="main",
            source=image,
            backup=self.naming.backup(image),
            digest=fleet.digest_of(str(image)),
        )
        return Part(application, application.sources, (DueChange(change, init=False),))

    def _image(self, number: int) -> str:
        # those upon one base have its image
        return f"quay.io/team/app-{self._team(number) if number % 10 == 4 else number // 5}:1.0"

    def _team(self, number: int) -> int:
        return number // (10 * _SHARED_BY)

    def _source(self, number: int) -> Mapping[str, Any]:
        match number % 10:
            case 7:
                return {"path": "charts/generic", "helm": {"valueFiles": [f"/values/app-{number}.yaml"]}}
            case 8:
                files = [f"/values/team-{self._team(number)}.yaml", f"/values/app-{number}.yaml"]
                return {"path": "charts/simple", "helm": {"valueFiles": files}}
            case 9:
                return {"helm": {"valueFiles": [f"/values/team-{self._team(number)}.yaml", "own.yaml"]}}
        return {}

    def _files(self, number: int) -> dict[str, str]:
        name, image, team = f"app-{number}", self._image(number), self._team(number)
        repository, tag = image.rsplit(":", 1)
        here = f"apps/{name}"
        manifest = described(name, image)
        match number % 10:
            case 0 | 1 | 2:
                return {f"{here}/manifests.yaml": manifest}
            case 3:
                return {
                    f"{here}/kustomization.yaml": "resources:\n- base\n",
                    f"{here}/base/kustomization.yaml": "resources: [web.yaml]\n",
                    f"{here}/base/web.yaml": manifest,
                }
            case 4:
                base = f"bases/team-{team}"
                return {
                    f"{here}/kustomization.yaml": (
                        f"resources:\n- ../../{base}\nnameSuffix: '{name.removeprefix('app')}'\n"
                    ),
                    f"{base}/kustomization.yaml": "resources: [web.yaml]\n",
                    f"{base}/web.yaml": described("app", image),
                }
            case 5:
                entry = f"images:\n- name: {repository}\n  newTag: '{tag}'\n"
                return {
                    f"{here}/kustomization.yaml": f"resources:\n- web.yaml\n{entry}",
                    f"{here}/web.yaml": manifest,
                }
            case 6:
                values = f"{_VALUES}image:\n  repository: {repository}\n  tag: '{tag}'\n"
                return dict(_chart(here, name, _BY_PARTS, values))
            case 7:
                host, _, rest = repository.partition("/")
                image_of = f"image:\n  registry: {host}\n  repository: {rest}\n  tag: '{tag}'\n"
                none = f"{_VALUES}image: {{registry: '', repository: '', tag: ''}}\n"
                chart = _chart("charts/generic", "generic", _BY_REGISTRY, none)
                return {**dict(chart), f"values/{name}.yaml": f"# {name}\n{image_of}"}
            case 8:
                chart = _chart("charts/simple", "simple", _AS_ONE, f"{_VALUES}image: ''\n")
                shared = {f"values/team-{team}.yaml": "replicas: 2\n"}
                return {**dict(chart), **shared, f"values/{name}.yaml": f"image: {image}\n"}
        shared = {f"values/team-{team}.yaml": "replicas: 2\n"}
        own = {f"{here}/own.yaml": "service: {port: 8080}\n"}
        values = f"{_VALUES}image:\n  repository: {repository}\n  tag: ''\n"
        return {**dict(_chart(here, name, _BY_PARTS, values)), **shared, **own}


def _chart(folder: str, name: str, image: str, values: str) -> Iterator[tuple[str, str]]:
    yield f"{folder}/Chart.yaml", _CHART.format(name=name)
    yield f"{folder}/values.yaml", values
    yield f"{folder}/templates/deployment.yaml", _DEPLOYMENT.replace("IMAGE", image)
    yield f"{folder}/templates/service.yaml", _SERVICE
