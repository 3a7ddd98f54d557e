function(tag, replicas=1)
  {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: std.extVar('name') },
  spec: {
    replicas: replicas,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        containers: [{ name: 'web', image: '%s:%s' % ['nginx', tag] }],
      },
    },
  },
}
