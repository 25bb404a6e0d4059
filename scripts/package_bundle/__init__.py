"""Parts of `python -m scripts.package_bundle`."""
