"""Maps the repository's folders into the package ``pilotfish``; everything else stands in pyproject.toml.

The list of packages is found, not typed, so that a new sub-package can't be forgotten in the wheel.
"""

from setuptools import find_packages, setup

TOP = "notebook.package"  # in the folder sidecar: it becomes pilotfish itself, and is no package of the sidecar
ROOTS = {
    "pilotfish": f"sidecar/{TOP.replace('.', '/')}",
    "pilotfish.detectors": "detectors",
    "pilotfish.sidecar": "sidecar",
}

PACKAGES = [
    "pilotfish",
    *(
        name
        for root, folder in list(ROOTS.items())[1:]
        for name in (root, *(f"{root}.{found}" for found in find_packages(folder, exclude=[TOP])))
    ),
]

setup(package_dir=ROOTS, packages=PACKAGES)
