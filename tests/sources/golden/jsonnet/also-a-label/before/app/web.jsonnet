local name = 'nginx';
{
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web', image: name } },
      spec: {
        containers: [{ name: 'web', image: name + ':1.25' }],
      },
    },
  },
}
