local workloads = import 'workloads.libsonnet';

function(replicas) [
  workloads.deployment('program', "quay.io/shapes/program:1.0.0") { spec+: { replicas: replicas } },
  workloads.daemonSet(std.extVar('name'), workloads.agent),
]
