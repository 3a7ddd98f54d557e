# image: 'nginx:1.25'
/* "nginx:1.25" */
local doc = @'it''s not "nginx:1.25"';
local note = |||
  nginx:1.25 is what it was
|||;
{
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', annotations: { doc: doc, note: note } },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        containers: [{ name: 'web', image: 'nginx:1.25' }],
      },
    },
  },
}
