FROM docker.io/library/python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY requirements.txt requirements-build.txt ./
# what the program needs goes into the environment that is kept, what builds it into one that is not
RUN python -m venv /opt/gitops-backup \
 && /opt/gitops-backup/bin/pip install --require-hashes -r requirements.txt \
 && python -m venv /tmp/build \
 && /tmp/build/bin/pip install --require-hashes -r requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY gitops_backup gitops_backup
RUN /tmp/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /tmp/wheels . \
 && /opt/gitops-backup/bin/pip install --no-deps --no-index --find-links /tmp/wheels gitops-backup \
 && /opt/gitops-backup/bin/python -m compileall -q /opt/gitops-backup/lib

FROM docker.io/library/golang:1.26-bookworm AS renderers
ENV CGO_ENABLED=0 GOBIN=/out
RUN go install -trimpath -ldflags="-s -w" sigs.k8s.io/kustomize/kustomize/v5@v5.8.2
# charts see the Kubernetes version of Helm's client library unless told another, as in Helm's releases
RUN go install -trimpath -ldflags="-s -w \
      -X helm.sh/helm/v3/internal/version.version=v3.22.0 \
      -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 \
      -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=37" helm.sh/helm/v3/cmd/helm@v3.22.0
RUN go install -trimpath -ldflags="-s -w" github.com/google/go-jsonnet/cmd/jsonnet@v0.22.0

FROM docker.io/library/python:3.11-slim-bookworm
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates git gpg gpg-agent openssh-client openssl skopeo \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 65532 gitops-backup \
 && useradd --uid 65532 --gid 65532 --home-dir /var/cache/gitops-backup --create-home --shell /usr/sbin/nologin gitops-backup
COPY --from=renderers /out/kustomize /out/helm /out/jsonnet /usr/local/bin/
COPY --from=build /opt/gitops-backup /opt/gitops-backup
ENV PATH=/opt/gitops-backup/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
ENTRYPOINT ["gitops-backup"]
CMD ["run"]
