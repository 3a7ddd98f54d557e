// the image's tag is what an upgrade changes
local image = "bak.example/m/library_nginx:1.25";  # quoted with care
{
  service: { apiVersion: "v1", kind: "Service", metadata: { name: "web" }, spec: { ports: [{ port: 80 }] } },
  deployment: {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: {
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: {
          containers: [{ name: "web", image: image }],
        },
      },
    },
  },
}
