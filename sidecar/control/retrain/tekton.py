"""Retraining by a PipelineRun of Tekton that refers to a Pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...kube.client import Kube
from ...kube.objects import PIPELINE_RUNS, PIPELINES
from ...settings.retraining import TektonPipelineRunTarget
from ..executor import Failed, Outcome
from ..intent import Intent
from ..reasons import Reason
from .objects import Owner, create_once, own_metadata, read_template
from .parameters import ParameterError, parameters_of
from .record import FAILED, RUNNING, SUCCEEDED, ObjectState, condition, message_of

KIND = "PipelineRun"
_STATES = {"True": SUCCEEDED, "False": FAILED}  # by the status of the condition Succeeded


@dataclass(frozen=True, slots=True)
class TektonExecutor:
    """Executor that creates a PipelineRun for each intent."""

    kube: Kube
    owner: Owner
    target: TektonPipelineRunTarget

    async def apply(self, intent: Intent, now: float) -> Outcome:
        """Create the PipelineRun of `intent`, unless it exists."""
        found = await read_template(self.kube, PIPELINES, self.target.pipeline, self.owner.namespace, now)
        if isinstance(found, Outcome):
            return found
        try:
            body = pipeline_run_of(self.target, self.owner, intent)
        except ParameterError as error:
            return Failed(Reason.PARAMETERS, str(error))
        return await create_once(self.kube, PIPELINE_RUNS, body, intent, now)


def pipeline_run_of(target: TektonPipelineRunTarget, owner: Owner, intent: Intent) -> dict[str, Any]:
    """Return the PipelineRun for `intent`; raise ParameterError. Tekton expands `$(` in a value, so none has it."""
    parameters = parameters_of(target.parameters, owner, intent, "$(")
    spec: dict[str, Any] = {
        "pipelineRef": {"name": target.pipeline},
        "params": [{"name": name, "value": value} for name, value in parameters.items()],
    }
    if target.service_account:
        spec["taskRunTemplate"] = {"serviceAccountName": target.service_account}
    return {
        "apiVersion": PIPELINE_RUNS.api_version,
        "kind": KIND,
        "metadata": own_metadata(owner, intent),
        "spec": spec,
    }


def pipeline_run_state(run: Mapping[str, Any]) -> ObjectState:
    """Return the state of a PipelineRun."""
    succeeded = condition(run, "Succeeded")
    status = succeeded.get("status")
    state = _STATES.get(status, RUNNING) if isinstance(status, str) else RUNNING
    return ObjectState(state, message_of(succeeded) if state == FAILED else "")
