local image = 'nginx:1.25';
assert std.length(image) < 20 || std.startsWith(image, 'bak.example/') : 'too long';
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
