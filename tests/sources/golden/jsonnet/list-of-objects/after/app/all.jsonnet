local web = import 'web.libsonnet';
[web.service, null, web.deployment]
