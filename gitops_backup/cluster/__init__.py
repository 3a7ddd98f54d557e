"""The Kubernetes API, in plain dicts: the only place that knows the kubernetes client."""
