local web = std.parseYaml(importstr 'files/web.yaml');
web { metadata+: { labels: { made: 'by jsonnet' } } }
