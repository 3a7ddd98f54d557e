local prefix = "bak.example/m\/";
{
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        containers: [{ name: 'web', image: prefix + "it\u0027s"[0:0] + "quay.io_org_web:1" }],
      },
    },
  },
}
