local images = { web: 'quay.io/org/web:1' };
{
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'table' },
  spec: {
    selector: { matchLabels: { app: 'table' } },
    template: {
      metadata: { labels: { app: 'table' } },
      spec: {
        containers: [{ name: 'table', image: images['web'] }],
      },
    },
  },
}
