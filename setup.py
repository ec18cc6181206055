"""Maps the repository's two folders into the package ``pilotfish``; everything else stands in pyproject.toml.

The list of packages is found, not typed, so that a new sub-package can't be forgotten in the wheel.
"""

from setuptools import find_packages, setup

ROOTS = {"pilotfish.detectors": "detectors", "pilotfish.sidecar": "sidecar"}

PACKAGES = [
    name for root, folder in ROOTS.items() for name in (root, *(f"{root}.{found}" for found in find_packages(folder)))
]

setup(package_dir=ROOTS, packages=PACKAGES)
