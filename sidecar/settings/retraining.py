"""The block `spec.retrain` of the document: when a retraining is requested, and by which receiver or object.

All names are those of objects in the namespace of the monitor.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from .blocks import DAY, DnsName, DocumentBlock, Duration, Mode
from .webhooks import Webhook

AlertName = Annotated[str, Meta(min_length=1, max_length=253)]
Argument = Annotated[str, Meta(max_length=1024)]
Arguments = Annotated[
    dict[str, Argument],
    Meta(
        description="Parameters by name, in addition to those of Pilotfish (docs/retraining.md).",
        max_length=50,
    ),
]


class JobTarget(DocumentBlock, frozen=True, kw_only=True):
    """A Job from the template of a CronJob, which may be suspended."""

    cron_job: Annotated[DnsName, Meta(description="Name of the CronJob.")]


class ArgoWorkflowTarget(DocumentBlock, frozen=True, kw_only=True):
    """A Workflow of Argo from a WorkflowTemplate."""

    workflow_template: Annotated[DnsName, Meta(description="Name of the WorkflowTemplate.")]
    parameters: Arguments = field(default_factory=dict)


class TektonPipelineRunTarget(DocumentBlock, frozen=True, kw_only=True):
    """A PipelineRun of Tekton from a Pipeline."""

    pipeline: Annotated[DnsName, Meta(description="Name of the Pipeline.")]
    service_account: Annotated[
        DnsName | None, Meta(description="Service account of the run. Without one, Tekton's default.")
    ] = None
    parameters: Arguments = field(default_factory=dict)


RETRAIN_TARGETS = ("webhook", "job", "argo_workflow", "tekton_pipeline_run")


class Retrain(DocumentBlock, frozen=True, kw_only=True):
    """When and how a retraining is requested, at most once for each episode.

    Exactly one of webhook, job, argoWorkflow and tektonPipelineRun.
    """

    webhook: Annotated[Webhook | None, Meta(description="Receiver of the request.")] = None
    job: Annotated[JobTarget | None, Meta(description="Job to create, in a cluster.")] = None
    argo_workflow: Annotated[ArgoWorkflowTarget | None, Meta(description="Argo Workflow to create, in a cluster.")] = (
        None
    )
    tekton_pipeline_run: Annotated[
        TektonPipelineRunTarget | None, Meta(description="Tekton PipelineRun to create, in a cluster.")
    ] = None
    causes: Annotated[
        tuple[Literal["alert", "drift", "performance"], ...],
        Meta(
            description="What requests a retraining: alarms of `drift` (inputs, predictions and their relations) and "
            "`performance` (the loss of labelled rows), and `alert`, those in `alerts`, in a cluster.",
            min_length=1,
            max_length=10,
        ),
    ] = ("drift",)
    alerts: Annotated[
        tuple[AlertName, ...],
        Meta(
            description="Alerts of Alertmanager that request a retraining, by their label `alertname`, in a cluster.",
            max_length=50,
        ),
    ] = ()
    cooldown: Annotated[Duration, Meta(description="Minimum time between two requests.")] = DAY
    mode: Annotated[Mode | None, Meta(description="Mode of this block, instead of the common value.")] = None
