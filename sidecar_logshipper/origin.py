"""Where records come from: the members that every record gets, the id of each, and when it was read. Pure."""

from dataclasses import dataclass, field

from logtail.chunk import Source
from sidecar_logshipper.dating import Dating
from sidecar_logshipper.settings import Settings


@dataclass(frozen=True, slots=True)
class Origin:
    """`labels` are the operator's, `pod` what is known of the pod, `instance` opens the ids."""

    labels: dict[str, str]
    pod: dict[str, str]
    instance: str = ""
    dating: Dating = field(default_factory=Dating, compare=False)

    @classmethod
    def of(cls, settings: Settings, dating: Dating) -> "Origin":
        pod = settings.pod
        named = {
            "k8s.pod.name": pod.name,
            "k8s.namespace.name": pod.namespace,
            "k8s.node.name": pod.node,
            "k8s.pod.uid": pod.uid,
        }
        instance = settings.instance or pod.uid or ".".join(filter(None, (pod.namespace, pod.name)))
        return cls(settings.labels, {key: value for key, value in named.items() if value}, instance, dating)

    @property
    def members(self) -> dict[str, str]:
        """The members put in front of every record."""
        return self.labels | self.pod

    def id_prefix(self, source: Source) -> str:
        """The id of a record of this file is this and its offset: the same at every try and after every restart."""
        return f"{self.instance}-{source.generation}-" if self.instance else f"{source.generation}-"
