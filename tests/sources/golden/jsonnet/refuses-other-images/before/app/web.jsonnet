local image = 'nginx:1.25';
assert image == 'nginx:1.25' : 'only that one';
{
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        containers: [{ name: 'web', image: image }],
      },
    },
  },
}
