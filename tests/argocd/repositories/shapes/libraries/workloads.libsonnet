{
  agent:: {
    repository: 'shapes/program-agent',
    tag: '1.0.0',  // newer ones are slower
  },

  deployment(name, image):: {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: name },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'main', image: image }] },
      },
    },
  },

  daemonSet(name, image):: self.deployment(name, '%(repository)s:%(tag)s' % image) { kind: 'DaemonSet' },
}
