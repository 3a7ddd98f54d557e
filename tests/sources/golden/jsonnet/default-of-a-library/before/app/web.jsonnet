(import 'web/deployment.libsonnet') + { _config+:: { name: 'web' } }
