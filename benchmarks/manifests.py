"""A manifest as people write them: two documents, with comments and more than one way to write a mapping."""

_MANIFEST = """\
# what {name} consists of
apiVersion: v1
kind: Service
metadata:
  name: {name}
spec:
  selector: {{app: {name}}}
  ports:
    - port: 80
      targetPort: http
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels:
    app: {name}
spec:
  replicas: 1
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
    spec:
      securityContext:
        runAsNonRoot: true
      containers:
        - name: main
          image: {image}  # reviewed
          ports:
            - name: http
              containerPort: 8080
          env:
            - name: GREETING
              value: "héllo"
          readinessProbe:
            httpGet: {{path: /healthz, port: http}}
          resources:
            requests: {{cpu: 10m, memory: 32Mi}}
            limits: {{memory: 64Mi}}
"""


def described(name: str, image: str) -> str:
    """A Service and a Deployment of this name, whose one container has this image."""
    return _MANIFEST.format(name=name, image=image)
