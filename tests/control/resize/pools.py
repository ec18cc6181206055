"""A cluster in miniature for the laws of pools: pods that are resized, fail, come and go, in any order."""

from __future__ import annotations

from dataclasses import dataclass, field

from pilotfish.sidecar.control.resize.pool.book import SharedPool
from pilotfish.sidecar.control.resize.pool.member import PoolLoad, PoolMember, PoolPod, PoolShare


@dataclass
class Pod:
    """A pod, in cores: what is in its spec, what its node has allocated, and the write in flight."""

    spec: float
    allocated: float
    pending: float = 0.0

    @property
    def held(self) -> float:
        return max(self.spec, self.allocated)


@dataclass
class Model:
    """A member with its pods."""

    minimum: float
    maximum: float
    most_pods: int
    pods: dict[str, Pod] = field(default_factory=dict)
    load: PoolLoad | None = None
    acts: bool = True
    share: PoolShare = field(default_factory=PoolShare)
    named: int = 0
    made: int = 0

    def member(self) -> PoolMember:
        return PoolMember(
            pods=tuple(
                PoolPod(uid=uid, requested=pod.spec, allocated=pod.allocated, pending=pod.pending)
                for uid, pod in self.pods.items()
            ),
            minimum=self.minimum,
            maximum=self.maximum,
            load=self.load,
            acts=self.acts,
            may_come=max(0, self.most_pods - len(self.pods)),
        )

    def exchange(self, pool: SharedPool, name: str, now: float) -> None:
        self.share = pool.exchange(name, self.member(), now)
        self.named = max(self.most_pods, len(self.pods))

    def create(self) -> None:
        """Let a pod come, with what the injector gives it."""
        if len(self.pods) < self.named and self.share.entry is not None:
            self.made += 1
            self.pods[f"pod-{self.made}"] = Pod(self.share.entry, self.share.entry)

    def decide(self, uid: str) -> None:
        """Let the manager send the resize of a pod; a decision that was made stays in flight."""
        pod, wanted = self.pods[uid], self.share.pods.get(uid)
        if self.acts and wanted is not None and not pod.pending and round(wanted, 6) != round(pod.spec, 6):
            pod.pending = wanted

    def write(self, uid: str) -> None:
        """Let the API server take the write in flight."""
        pod = self.pods[uid]
        if pod.pending:
            pod.spec, pod.pending = pod.pending, 0.0

    def refuse(self, uid: str) -> None:
        """Let the write in flight fail."""
        self.pods[uid].pending = 0.0

    def actuate(self, uid: str) -> None:
        """Let the node make the resize."""
        self.pods[uid].allocated = self.pods[uid].spec

    def take_back(self, uid: str) -> None:
        """Let a resize that the node did not make be taken back."""
        self.pods[uid].spec = self.pods[uid].allocated

    def end(self, uid: str) -> None:
        del self.pods[uid]


def held(models: dict[str, Model]) -> float:
    return sum(pod.held for model in models.values() for pod in model.pods.values())
