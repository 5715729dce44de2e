"""The processes of one training run: several under ``accelerate launch``, else one, for which all this is nothing.

What Accelerate has is used as it is; here stand the few things that a run does with it. Every process of a run holds
the same adapters and optimiser. Work is dealt out by number and what comes of it is gathered in the order of that
number, so it depends on the number of processes by rounding alone. The first process writes files, into a folder that
all can read.

Objects travel between a run's own processes as torch's collectives send them (pickled); nothing from outside is read
that way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object, parse_flag_from_env, reduce
from torch.distributed.tensor import DTensor, distribute_tensor

from negotiation_env.errors import NegotiationError

T = TypeVar("T")
LONGEST_WAIT: Final = timedelta(hours=4)
"""For another process: longer than any process plays, measures or writes while the others have nothing to do."""


class ProcessGroup:
    """This process among those of its run.

    Args:
        alone: it is the only one, however it was started, as an actor of Ray is.

    Attributes:
        rank: its number, from 0.
        count: how many there are.
        sharded: whether the launch asks for FSDP, so that each process is to hold a part of the base alone.
    """

    def __init__(self, alone: bool = False) -> None:
        self._state: Any = None
        self.rank, self.count = 0, 1
        if not alone:
            # Without being told so, Accelerate takes processes without a GPU for strangers to each other.
            self._state = PartialState(cpu=not torch.cuda.is_available(), timeout=LONGEST_WAIT)
            self.rank, self.count = int(self._state.process_index), int(self._state.num_processes)
        self.sharded: bool = self.count > 1 and parse_flag_from_env("ACCELERATE_USE_FSDP")

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """Return this process's items: a block; the processes' blocks, one behind another, are all of them."""
        if self.count == 1:
            return items
        with self._state.split_between_processes(list(items)) as own:
            return list(own)

    def gather(self, found: T) -> list[T]:
        """Return what each process found, in the order of their numbers."""
        return [found] if self.count == 1 else list(gather_object([found]))

    def add_up(self, tensors: Iterable[torch.Tensor]) -> None:
        """Put into each tensor its sum over the processes; they are the same, of one number format, in each of them."""
        self._combine(list(tensors), "sum")

    def largest(self, tensors: Iterable[torch.Tensor]) -> None:
        """Put into each tensor its largest values over the processes."""
        self._combine(list(tensors), "max")

    def _combine(self, tensors: Sequence[torch.Tensor], how: str) -> None:
        """Reduce tensors as one, which takes one message instead of hundreds."""
        if self.count == 1 or not tensors:
            return
        # NCCL takes tensors of its own devices alone.
        held = torch.cat([tensor.detach().reshape(-1) for tensor in tensors]).to(self._state.device)
        found: Any = reduce(held, how)
        for tensor, part in zip(tensors, found.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.detach().copy_(part.view_as(tensor))

    def on_main(self, work: Callable[[], T]) -> T:
        """Have the main process do something; returns its result, or raises its ``NegotiationError``, in all."""
        if self.count == 1:
            return work()
        said: list[Any] = [None, None]
        if self.is_main:
            try:
                said[0] = work()
            except NegotiationError as error:
                said[1] = error
        broadcast_object_list(said)
        if said[1] is not None:
            raise said[1]
        return said[0]  # type: ignore[no-any-return]

    def wait(self) -> None:
        """Wait until every process has come here."""
        if self.count > 1:
            self._state.wait_for_everyone()


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor of which each process may hold a part (FSDP2) as one; then every process must ask for it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def divided(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return a whole tensor, the same in every process, divided over the processes as ``like`` of its shape is."""
    if isinstance(like, DTensor) and tensor.shape == like.shape:
        return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements)
    return tensor
