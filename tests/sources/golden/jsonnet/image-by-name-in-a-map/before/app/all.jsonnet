local images = {
  nginx: 'nginx:1.25',
  'redis': 'redis:7',
};
{
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        initContainers: [{ name: 'wait', image: images['redis'] }],
        containers: [{ name: 'web', image: images.nginx }],
      },
    },
  },
}
