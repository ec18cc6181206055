from __future__ import annotations

from importlib import resources
from typing import Any

import pytest
import yaml

from pilotfish.sidecar.inject.template import TemplateError, parse_template

from . import cases


def tree() -> dict[str, Any]:
    loaded = yaml.safe_load((cases.FOLDER / "sidecar.yaml").read_text())
    assert isinstance(loaded, dict)
    return loaded


def test_the_template_of_the_chart_is_read_and_its_sidecars_are_restricted() -> None:
    text = resources.files("pilotfish.sidecar.inject").joinpath("data/sidecar.yaml").read_text()
    template = parse_template(yaml.safe_load(text))
    for container in (template.proxy, template.analyzer):
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["runAsNonRoot"] is True
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["restartPolicy"] == "Always"
        assert {"cpu", "memory"} <= {*container["resources"]["requests"]}
        assert "memory" in container["resources"]["limits"]
    assert "startupProbe" not in template.analyzer
    assert {volume["name"] for volume in template.volumes} == {
        mount["name"] for container in (template.proxy, template.analyzer) for mount in container["volumeMounts"]
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [("release", ""), ("proxy", {"name": "proxy"}), ("analyzer", None), ("volumes", [{}]), ("imagePullSecrets", "a"),
     ("guaranteedCpu", {"proxy": "fast"}), ("control", 1)],
)  # fmt: skip
def test_a_template_that_cannot_be_used_names_the_key(key: str, value: object) -> None:
    with pytest.raises(TemplateError, match=f"cannot use the template of the sidecars: {key} is"):
        parse_template({**tree(), key: value})
    with pytest.raises(TemplateError, match="must be an object"):
        parse_template([])
