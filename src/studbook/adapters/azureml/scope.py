"""The path of a workspace among all of Azure's resources."""

from __future__ import annotations


def workspace_scope(subscription: str, group: str, name: str) -> str:
    """The path; the case of its words matters."""
    return (
        f"/subscriptions/{subscription}/resourceGroups/{group}"
        f"/providers/Microsoft.MachineLearningServices/workspaces/{name}"
    )
