(import 'web/deployment.libsonnet') + {
  _config+:: { name: 'web', image: 'nginx:1.25' },
}
