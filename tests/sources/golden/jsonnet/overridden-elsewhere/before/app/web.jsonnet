(import '../base/web.libsonnet') + { image:: 'nginx:1.25' }
