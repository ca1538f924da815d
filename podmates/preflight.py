"""What must be there before the demo in a cluster begins, and one clear sentence for each thing that is not. Pure.

The facts are gathered in `cluster`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

LEAST_MEMORY_MIB = 3072
LEAST_INOTIFY_INSTANCES = 128
LEAST_VERSION = (1, 29)


@dataclass(frozen=True)
class Machine:
    """What was found for a cluster of our own, by kind."""

    engine: str = ""  # docker or podman, whichever works
    has_kind: bool = True
    has_kubectl: bool = True
    has_cluster: bool = True  # it is there, or about to be made
    missing_images: Sequence[str] = ()
    memory_mib: int | None = None  # None: not known here, or no matter
    inotify_instances: int | None = None


@dataclass(frozen=True)
class Existing:
    """What was found for a cluster that is there already."""

    has_kubectl: bool = True
    kubeconfig: str = ""
    unreachable: str = ""  # what kubectl says
    version: tuple[int, int] = LEAST_VERSION
    has_default_storage: bool = True


def lacking_for_kind(found: Machine) -> list[str]:
    """One sentence for each thing that is missing; none when the demo may begin."""
    said = []
    if not found.engine:
        said.append("neither docker nor podman works here: install one, or start its service")
    if not found.has_kind:
        said.append("kind is not installed: https://kind.sigs.k8s.io (0.29 or newer), or use CLUSTER=existing")
    if not found.has_kubectl:
        said.append(NO_KUBECTL)
    if found.missing_images:
        said.append(f"no image {', '.join(found.missing_images)}: make images (OFFLINE=1 without a registry)")
    if not found.has_cluster:
        said.append("there is no cluster yet: make kind-demo ARGS=up")
    if found.memory_mib is not None and found.memory_mib < LEAST_MEMORY_MIB:
        said.append(f"{found.memory_mib} MiB of memory are free, and {LEAST_MEMORY_MIB} are needed")
    if found.inotify_instances is not None and found.inotify_instances < LEAST_INOTIFY_INSTANCES:
        said.append(
            f"fs.inotify.max_user_instances is {found.inotify_instances}, and kind's node needs more: "
            "sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288"
        )
    return said


def lacking_in_cluster(found: Existing) -> list[str]:
    """The same for CLUSTER=existing; the first thing that is missing hides those behind it."""
    if not found.has_kubectl:
        return [NO_KUBECTL]
    if not found.kubeconfig:
        return ["CLUSTER=existing needs KUBECONFIG, the file that says which cluster: the default one is never touched"]
    if found.unreachable:
        return [f"the cluster of {found.kubeconfig} does not answer: {found.unreachable}"]
    said = []
    if found.version < LEAST_VERSION:
        version, least = (".".join(map(str, each)) for each in (found.version, LEAST_VERSION))
        said.append(f"the cluster is Kubernetes {version}, and native sidecars need {least} or newer")
    if not found.has_default_storage:
        said.append("the cluster has no default StorageClass, on which the log server and the ledger are kept")
    return said


NO_KUBECTL = "kubectl is not installed: https://kubernetes.io/docs/tasks/tools (with kustomize 5, so 1.27 or newer)"
