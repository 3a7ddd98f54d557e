local web = std.parseYaml(|||
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web}
  spec:
    selector: {matchLabels: {app: web}}
    template:
      metadata: {labels: {app: web}}
      spec:
        containers:
          - name: web
            image: nginx:1.25  # not nginx:1.24
|||);
web { metadata+: { annotations: { by: 'jsonnet' } } }
