local registry = 'docker.io';
local image(name, tag) = registry + '/' + name + ':' + tag;
{
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        containers: [{ name: 'web', image: image('library/nginx', '1.25') }],
      },
    },
  },
}
