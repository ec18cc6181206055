"""Images without a registry: a local Debian with Python as their base, and Dockerfiles that buildah builds on it.

An image is an archive under `$PILOTFISH_CACHE/images`, named after the digest of what it is made of, so that a second
run builds nothing.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.waiting import patient

CACHE = Path(os.environ.get("PILOTFISH_CACHE", Path.home() / ".cache" / "pilotfish"))
ARCHIVES = CACHE / "images"
ROOT = Path(__file__).parents[3]
SUITE, PACKAGES = "bookworm", "python3,python3-venv,ca-certificates"  # Python 3.11
BASE = "localhost/debian-python:3.11"
PAUSE = "localhost/pause:1"
# The host's certificates and settings of pip: a build reaches the package index in the same way as the host.
HOST = ("/etc/ssl/certs", "/etc/pip.conf")


@dataclass(frozen=True)
class Image:
    """An image to build: `context` has a Dockerfile; `inputs` are the paths in it that the image depends on."""

    name: str
    context: Path = ROOT
    target: str = ""
    inputs: Sequence[str] = ("Dockerfile", ".dockerignore")


PRODUCT = ("Dockerfile", ".dockerignore", ".ci/locks", "LICENSE", "README.md", "pyproject.toml", "setup.py")
PILOTFISH = Image("localhost/pilotfish:test", inputs=(*PRODUCT, "detectors", "sidecar"))
REDIRECT = Image("localhost/pilotfish-redirect:test", target="redirect", inputs=("Dockerfile",))


def archive(image: Image) -> Path:
    """Build an image if its archive is missing, and return the archive's path."""
    stem = image.name.rpartition("/")[2].replace(":", "-")
    path = ARCHIVES / f"{stem}-{_digest(image.context, image.inputs, image.target, str(base()))}.tar"
    if path.exists():
        return path
    arguments = [f"--build-arg={name}={BASE}" for name in ("BASE", "BUILD")]
    arguments += [f"--volume={name}:{name}:ro" for name in HOST if Path(name).exists()]
    arguments += [f"--target={image.target}"] if image.target else []
    _buildah("build", "--isolation=chroot", "--layers", *arguments, f"--tag={image.name}", str(image.context))
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    _buildah("push", "--quiet", image.name, f"docker-archive:{partial}:{image.name}")
    for old in ARCHIVES.glob(f"{stem}-*.tar"):
        old.unlink()
    return partial.rename(path)


def base() -> Path:
    """Return the archive of a Debian with Python; debootstrap makes it, in a minute or three."""
    path = ARCHIVES / f"debian-{hashlib.sha256(f'{SUITE} {PACKAGES}'.encode()).hexdigest()[:16]}.tar"
    if not path.exists():
        ARCHIVES.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=ARCHIVES) as folder:
            root = Path(folder) / "root"
            _run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root)])
            for cache in ("var/lib/apt/lists", "var/cache/apt", "usr/share/doc", "usr/share/man"):
                shutil.rmtree(root / cache, ignore_errors=True)
            _write_archive(path, BASE, root, ["/usr/bin/python3"])
    if not _buildah("images", "--quiet", BASE, check=False).strip():
        _buildah("pull", "--quiet", f"docker-archive:{path}")
    return path


def pack_pause(program: Path) -> Path:
    """Write the archive of the image that holds the namespaces of a pod: one program."""
    path = ARCHIVES / f"pause-{hashlib.sha256(program.read_bytes()).hexdigest()[:16]}.tar"
    if not path.exists():
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(program, Path(folder) / "pause")
            _write_archive(path, PAUSE, Path(folder), ["/pause"])
    return path


def load(ctr: Callable[..., str], archives: Iterable[Path]) -> None:
    """Import archives into containerd; `ctr` runs its client."""
    for path in archives:
        ctr("images", "import", "--local", path)


def _buildah(command: str, *arguments: str, check: bool = True) -> str:
    storage = ["--root", str(CACHE / "buildah"), "--runroot", "/run/pilotfish-buildah", "--storage-driver", "overlay"]
    return _run(["buildah", *storage, command, *arguments], check=check)


def _run(argv: Sequence[str], *, check: bool = True) -> str:
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=patient(900))
    assert not check or done.returncode == 0, f"{' '.join(argv)}: {(done.stdout + done.stderr)[-4000:]}"
    return done.stdout


def _digest(context: Path, inputs: Sequence[str], *more: str) -> str:
    """Return a digest of the files that an image is made of."""
    digest = hashlib.sha256("\0".join((context.name, *inputs, *more)).encode())
    for name in inputs:
        top = context / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(context)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _write_archive(path: Path, name: str, root: Path, entrypoint: Sequence[str]) -> None:
    """Write a directory as an image with one layer, in the format of `docker save`."""
    partial = path.with_suffix(".partial")
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".layer") as layer:
        with tarfile.open(layer.name, "w") as tar:
            tar.add(root, arcname=".")
        with Path(layer.name).open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        config = json.dumps(
            {
                "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine],
                "os": "linux",
                "config": {
                    "Entrypoint": list(entrypoint),
                    "Env": ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"],
                },
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
                "history": [{"created_by": "tests"}],
            }
        ).encode()
        manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
        with tarfile.open(partial, "w") as image:
            for member, content_of in (("config.json", config), ("manifest.json", manifest)):
                info = tarfile.TarInfo(member)
                info.size = len(content_of)
                image.addfile(info, io.BytesIO(content_of))
            image.add(layer.name, arcname="layer.tar")
    partial.rename(path)
