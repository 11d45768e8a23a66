"""The tracking store on an Azure ML workspace: MLflow's, with Azure's limits and without what Azure lacks."""

from __future__ import annotations

from ...ports.capabilities import Capabilities
from ..mlflow.patience import Patience
from ..mlflow.rest_calls import TIMEOUT_S
from ..mlflow.tracking_store import MlflowTrackingStore
from .workspace import Workspace

AZURE_LIMITS = Capabilities(
    metrics_per_batch=200,
    metrics_per_run=50,
    params_per_run=200,
    tags_per_run=50,
    param_value_length=500,
    tag_value_length=1000,
    tag_key_length=100,
    experiment_names="[A-Za-z0-9][A-Za-z0-9_-]{0,255}",
    search_page=500,
    visibility_delay_s=60.0,
    ends_job_runs=True,
    children_beside_parent=True,
    overwrites_artifacts=False,
    deletes_artifacts=False,
    artifact_file_cost="high",
)
"""What the service takes. The 50 tags of a run include the service's own."""


def azure_tracking_store(
    workspace: Workspace,
    *,
    run_key_tag: str,
    capabilities: Capabilities = AZURE_LIMITS,
    timeout_s: float = TIMEOUT_S,
    patience: Patience = Patience(),
) -> MlflowTrackingStore:
    """See MlflowTrackingStore; the plugin is imported, and the first token fetched, at first use."""
    return MlflowTrackingStore(
        workspace, run_key_tag=run_key_tag, capabilities=capabilities, timeout_s=timeout_s, patience=patience
    )
