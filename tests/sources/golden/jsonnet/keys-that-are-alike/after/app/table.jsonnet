local images = { web: 'bak.example/m/quay.io_org_web:1' };
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
