"""Retraining by a Workflow of Argo that refers to a WorkflowTemplate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...kube.client import Kube
from ...kube.objects import WORKFLOW_TEMPLATES, WORKFLOWS
from ...settings.retraining import ArgoWorkflowTarget
from ..executor import Failed, Outcome
from ..intent import Intent
from ..reasons import Reason
from .objects import KEPT_SECONDS, Owner, create_once, own_metadata, read_template
from .parameters import ParameterError, parameters_of
from .record import FAILED, RUNNING, SUCCEEDED, ObjectState, mapping

KIND = "Workflow"
_STATES = {"Error": FAILED, "Failed": FAILED, "Succeeded": SUCCEEDED}  # by phase; all others are running


@dataclass(frozen=True, slots=True)
class ArgoExecutor:
    """Executor that creates a Workflow for each intent."""

    kube: Kube
    owner: Owner
    target: ArgoWorkflowTarget

    async def apply(self, intent: Intent, now: float) -> Outcome:
        """Create the Workflow of `intent`, unless it exists."""
        name = self.target.workflow_template
        found = await read_template(self.kube, WORKFLOW_TEMPLATES, name, self.owner.namespace, now)
        if isinstance(found, Outcome):
            return found
        try:
            body = workflow_of(self.target, self.owner, intent, found)
        except ParameterError as error:
            return Failed(Reason.PARAMETERS, str(error))
        return await create_once(self.kube, WORKFLOWS, body, intent, now)


def workflow_of(
    target: ArgoWorkflowTarget, owner: Owner, intent: Intent, template: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the Workflow for `intent`; raise ParameterError. Argo expands `{{` in a value, so none has it.

    If the WorkflowTemplate `template` limits the life of a finished Workflow, it is kept for KEPT_SECONDS at least.
    """
    parameters = parameters_of(target.parameters, owner, intent, "{{")
    lives = mapping(mapping(template.get("spec")).get("ttlStrategy"))
    kept = {name: max(seconds, KEPT_SECONDS) for name, seconds in lives.items() if isinstance(seconds, int)}
    return {
        "apiVersion": WORKFLOWS.api_version,
        "kind": KIND,
        "metadata": own_metadata(owner, intent),
        "spec": {
            "workflowTemplateRef": {"name": target.workflow_template},
            "arguments": {"parameters": [{"name": name, "value": value} for name, value in parameters.items()]},
            **({"ttlStrategy": kept} if kept else {}),
        },
    }


def workflow_state(workflow: Mapping[str, Any]) -> ObjectState:
    """Return the state of a Workflow."""
    status = mapping(workflow.get("status"))
    phase, message = status.get("phase"), status.get("message")
    state = _STATES.get(phase, RUNNING) if isinstance(phase, str) else RUNNING
    return ObjectState(state, message if state == FAILED and isinstance(message, str) else "")
