{
  _config:: { name: error 'a name is needed', image: @'nginx:1.25' },
} + {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: $._config.name },
  spec: {
    selector: { matchLabels: { app: $._config.name } },
    template: {
      metadata: { labels: { app: $._config.name } },
      spec: {
        containers: [{ name: 'web', image: $._config.image }],
      },
    },
  },
}
