(import 'web/deployment.libsonnet') + {
  _config+:: { name: 'web', image: 'bak.example/m/library_nginx:1.25' },
}
