(import '../base/web.libsonnet') + { image:: 'bak.example/m/library_nginx:1.25' }
