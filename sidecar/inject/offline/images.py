"""The template of the sidecars for the offline commands: that of this version or of an installation, and its images."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from ...errors import UsageError, quote_value
from ...system.files import read_file
from ..template import SidecarTemplate, parse_template

MAX_TEMPLATE_BYTES = 1024 * 1024
DATA = "sidecar.yaml"
# [registry[:port]/]path[:tag][@digest], as the kubelet reads it
_REFERENCE = re.compile(
    r"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?"
    r"(?:@sha256:[0-9a-f]{64})?"
)


@dataclass(frozen=True)
class Images:
    """The images that the command line names; an empty one keeps that of the template."""

    image: str = ""
    redirect: str = ""

    @staticmethod
    def add_arguments(add: Callable[..., Any]) -> None:
        """Declare the options of the images."""
        add("--image", default="", metavar="IMAGE", help="image of Pilotfish (default: that of the template)")
        add(
            "--redirect-image",
            default="",
            metavar="IMAGE",
            help="image of the redirection (default: that of the template)",
        )

    @classmethod
    def of(cls, args: argparse.Namespace) -> Images:
        """Return the images of a parsed command line; raise UsageError for one that is no image reference."""
        for option, value in (("--image", args.image), ("--redirect-image", args.redirect_image)):
            if value and not _REFERENCE.fullmatch(value):
                raise UsageError(
                    f"{option} is not an image: {quote_value(value)}; give REGISTRY/NAME:TAG or NAME@sha256:DIGEST"
                )
        return cls(args.image, args.redirect_image)


def package_text(name: str) -> str:
    """Return a file of `sidecar/inject/data`, which the chart's rendering writes."""
    return files("pilotfish.sidecar.inject").joinpath("data").joinpath(name).read_text()


def load_template(path: Path | None, installed: str, images: Images) -> SidecarTemplate:
    """Return the template in the file `path`, else the `installed` one, else that of this version.

    Raises UsageError or TemplateError.
    """
    text = installed or package_text(DATA)
    where = "the template of the installation" if installed else "the template of this version"
    if path is not None:
        where = f"--template {quote_value(path)}"
        try:
            text = read_file(path, MAX_TEMPLATE_BYTES, follow=True).decode()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{where} cannot be read: {error}; give the sidecar.yaml of an installation") from error
    try:
        tree = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  a safe loader
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UsageError(f"{where} is not YAML; give the sidecar.yaml of an installation") from error
    return parse_template(_with_images(tree, images))


def _with_images(tree: object, images: Images) -> object:
    if not isinstance(tree, Mapping):
        return tree
    found = dict(tree)
    for key, image in (("proxy", images.image), ("analyzer", images.image), ("redirect", images.redirect)):
        container = found.get(key)
        if image and isinstance(container, Mapping):
            found[key] = {**container, "image": image}
    return found
