"""One-shot changes of the volume that manifests ask for."""
