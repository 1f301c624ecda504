"""One pass over the data: the moments of every parameter that a generator moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from numeric._noise._data import Data, batches
from numeric._noise._fallback import Loss, PerSample
from numeric._noise._forms import Form, Moments, merged
from numeric._noise._graph import Graph, backward, walk
from numeric._noise._guard import no_random_numbers, refuse_modules, unchanged
from numeric._noise._layout import Layout, Pairs, find, same
from numeric._noise._moments import moments
from numeric._noise._order import Marks, Watch, another_order
from numeric._noise._outer import with_matrix
from numeric._noise._paths import Node
from numeric._noise._rules import Use, compared, operands, source
from numeric._noise._sources import Direct, Source, Summed, Vectors, joined
from numeric._noise._trust import Known, Layouts, found_before


_TRIES = 3  # samples to look at for one whose gradient is not zero


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What the data say about each parameter.

    Attributes:
        moments: parameter → its moments over all samples.
        reasons: parameter → why its gradients were made sample by sample.
        route: how those were made, "vmap" or "loop".
    """

    moments: Mapping[str, Moments]
    reasons: Mapping[str, str]
    route: str


def survey(
    model: nn.Module,
    loss: Loss,
    data: Data,
    named: Mapping[str, Tensor],
    forms: Mapping[str, list[Form]],
    *,
    batch_size: int | None,
    axes: Mapping[str, int] | None = None,
) -> Survey:
    """Return the moments of the per-sample gradients of some parameters.

    Args:
        model: the model, which is left as it was.
        loss: (output, target) → the sum over the batch.
        data: a tuple (inputs, targets), or an iterable of such pairs.
        named: the parameters.
        forms: parameter → the forms wanted, the identity first.
        batch_size: the largest batch.
        axes: parameter → the axis along which its matrix is wanted.

    Returns:
        The moments, and how they were found.

    Raises:
        ValueError: where the samples of a batch are not independent, the loss is not
            a sum over them, or there are none.
    """
    refuse_modules(model)
    if torch.is_inference_mode_enabled():
        raise ValueError(
            "called inside torch.inference_mode(), where there are no gradients; call "
            "it outside (inside torch.no_grad() it works)"
        )
    slow = PerSample(model, loss, {})
    layouts = found_before(model, loss)
    work = _Pass(model, loss, named, forms, axes or {}, slow, layouts)
    with unchanged(model, list(named.values())), torch.enable_grad():
        for x, y, only in batches(data, batch_size):
            work.batch(x, y, only=only)
    return Survey(work.running, work.reasons, work.slow.route)


@dataclass(frozen=True, slots=True, eq=False)
class _Alone:
    """A pass over copies of one sample, to compare with.

    Not over the sample itself, because a batch of one takes shortcuts in torch.

    Attributes:
        j: which sample of the batch.
        n: how many copies; not the size of the batch.
        output: what the model returned.
        slope: gradient of the loss with respect to it, where it has one.
        tensors: for every use, its tensors that have a batch axis; None where the use
            has no rule.
        sorts: whether the model may move rows by what is in them.
    """

    j: int
    n: int
    output: object
    slope: Tensor | None
    tensors: list[list[Tensor] | None]
    sorts: bool

    @property
    def telling(self) -> bool:
        """Whether the sample has a gradient, without which nothing was compared."""
        return self.slope is not None and bool(self.slope.abs().max() > 0)


@dataclass(slots=True, eq=False)
class _Pass:
    """The state of a pass over the data."""

    model: nn.Module
    loss: Loss
    named: Mapping[str, Tensor]
    forms: Mapping[str, list[Form]]
    axes: Mapping[str, int]
    slow: PerSample
    layouts: Layouts
    met: Layouts = field(default_factory=dict)
    running: dict[str, Moments] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    started: bool = False

    def batch(
        self,
        x: Tensor,
        y: Tensor,
        *,
        only: bool,
        sample: tuple[int, int] | None = None,
    ) -> None:
        """Add the samples of one batch.

        Args:
            x: inputs, (N, …).
            y: targets, (N, …).
            only: whether no other batch follows.
            sample: one that has a gradient, to be looked at alone, and how many have.
        """
        N = len(x)
        output, value, graph = self._forward(x, y)
        known = self._known(graph, N)
        alone = None
        if known is None and N > 1:
            alone = self._alone(x, y, graph, sample)
            _check_output(output, alone)
        if known is None:
            known = Known([None] * len(graph.uses), alone is not None and alone.sorts)
        marks = Marks(N) if known.sorts and N > 1 else None
        looks = alone is not None or marks is not None
        before = {name: m.copy() for name, m in self.running.items()} if looks else {}
        batch = _Batch(self, graph, known.layouts, alone, N, only, marks)
        slope = _Slope(alone)
        if alone is not None and _differentiable(output):
            _watch(output, slope.take)
        del output  # whatever of it the backward pass needs is held by the graph
        backward(value, graph, batch.receive)
        slope.check()
        if sample is None and slope.steepest is not None:
            self.running = before  # with a sample whose gradient can be compared
            self.batch(x, y, only=only, sample=slope.steepest)
            return
        wrong = dict.fromkeys(batch.pairs.differing(), "no batch axis found")
        signature, look = graph.signature, graph.look
        names = [use.name for use in graph.uses]
        del value, graph
        if marks is not None and not wrong:
            moved = self._reordered(x, y, signature, known, marks)
            why = "rows in an order that depends on them"
            wrong = {names[k]: why for k in moved if names[k] not in self.reasons}
        if wrong:  # rows in no order known here: once more, without these
            self.reasons |= wrong
            self.running = before
            self.batch(x, y, only=only, sample=sample)
            return
        if alone is None or alone.telling:
            self.met[signature, N > 1] = known
        if alone is not None and alone.telling:
            self.layouts[look] = known
        batch.finish()
        self._by_sample(x, y)

    def _reordered(
        self,
        x: Tensor,
        y: Tensor,
        signature: tuple[object, ...],
        known: Known,
        marks: Marks,
    ) -> set[int]:
        """Return the uses whose rows do not follow the samples to another order."""
        order, every = another_order(marks.N), set(range(len(known.layouts)))
        moved = x[order.to(x.device)], y[order.to(y.device)]
        try:
            _, value, graph = self._forward(*moved)
        except (RuntimeError, ValueError, IndexError):  # the order is a condition
            return every
        if graph.signature != signature:
            return every
        other = Marks(marks.N)

        def receive(node: Node, delta: Tensor) -> None:
            for k in graph.places[node]:
                use = graph.uses[k]
                layout = known.layouts[graph.places[node][0]]
                if layout is not None and use.name not in self.reasons:
                    other.try_to_note(k, use, delta.detach(), layout)

        backward(value, graph, receive)
        return marks.moved(other, order)

    def _known(self, graph: Graph, N: int) -> Known | None:
        """Return where the samples lie, where this or an earlier call found out."""
        met = self.met.get((graph.signature, True)) or self.layouts.get(graph.look)
        return met or self.met.get((graph.signature, N > 1))

    def _forward(self, x: Tensor, y: Tensor) -> tuple[object, Tensor, Graph]:
        if self.started:
            output = self.model(x)
        else:
            with no_random_numbers(x.device):
                output = self.model(x)
            self.started = True
        if isinstance(output, Tensor) and output.shape[:1] != x.shape[:1]:
            raise ValueError(
                f"expected a model whose output has the {len(x)} samples on axis 0, "
                f"got an output of shape {tuple(output.shape)}"
            )
        value = _scalar(self.loss(output, y))
        if not value.requires_grad:
            raise ValueError(
                "loss: expected one that depends on the parameters, got one without a "
                "gradient: detached, made of integers or comparisons, or of a model "
                "that does not use the parameters measured"
            )
        graph = walk(value.grad_fn, {id(p): name for name, p in self.named.items()})
        if graph.batch_statistics:
            raise ValueError(
                "the forward pass normalises by the statistics of the batch, so a "
                "sample has no gradient of its own; call model.eval()"
            )
        return output, value, graph

    def _alone(
        self, x: Tensor, y: Tensor, graph: Graph, sample: tuple[int, int] | None
    ) -> _Alone:
        """Pass copies of a sample through the model, one with a gradient if any."""
        N = len(x)
        if sample is not None:
            j, count = sample  # a mean over those that count must not look like a sum
            n = next(n for n in range(2, 5) if n not in {N, count})
            return self._one(x, y, graph, j, n)
        # Not the middle at first, which a reversal of the batch leaves in place.
        tries = dict.fromkeys(((N - 1) // 3, N - 1, N // 2))
        for j in list(tries)[:_TRIES]:
            alone = self._one(x, y, graph, j, 3 if N == 2 else 2)
            if alone.slope is None or alone.telling:
                return alone
        return alone

    def _one(self, x: Tensor, y: Tensor, graph: Graph, j: int, n: int) -> _Alone:
        index = torch.full((n,), j, device=x.device)
        copies = x[index], y[index.to(y.device)]
        with Watch() as seen:
            output, value, own = self._forward(*copies)
        tensors: list[list[Tensor] | None] = [None] * len(graph.uses)
        if own.signature != graph.signature:
            return _Alone(j, n, output, None, tensors, seen.sorts)
        slope: list[Tensor] = []
        if _differentiable(output):
            _watch(output, lambda g: slope.append(g.clone()))
        places = own.places

        def receive(node: Node, delta: Tensor) -> None:
            for k in places[node]:
                use = own.uses[k]
                try:
                    saved = [t.detach() for t in operands(use)]
                    tensors[k] = compared(use, saved, delta.detach())
                except LookupError:
                    tensors[k] = None

        backward(value, own, receive)
        row = slope[0][0] if slope else None
        return _Alone(j, n, output, row, tensors, seen.sorts)

    def _by_sample(self, x: Tensor, y: Tensor) -> None:
        """Add parameters without a rule, sample by sample."""
        if not self.reasons:
            return
        self.slow.named = {name: self.named[name] for name in self.reasons}
        for chunk in self.slow.chunks(x, y):
            for name, G in chunk.items():
                wide = G.to(torch.promote_types(G.dtype, torch.float32))
                self.add(name, _direct(wide), last=False)

    def add(self, name: str, found: Source, *, last: bool) -> None:
        """Add the gradients of one parameter over some samples."""
        forms, axis = self.forms[name], self.axes.get(name)
        new = moments(found, forms, last=last and axis is None)
        if axis is not None:
            new = with_matrix(new, found, axis)
        old = self.running.get(name)
        self.running[name] = new if old is None else merged(old, new, forms, axis)


@dataclass(slots=True, eq=False)
class _Slope:
    """The gradient of the loss in the output, of which little is kept.

    Attributes:
        alone: what a sample gives alone.
        row: its part in the batch.
        steepest: the sample with the largest part, where that of `alone` is zero, and
            how many parts are not.
    """

    alone: _Alone | None
    row: Tensor | None = None
    steepest: tuple[int, int] | None = None

    def take(self, slope: Tensor) -> None:
        """Look at the gradient, (N, …)."""
        assert self.alone is not None
        self.row = slope[self.alone.j].clone()
        if self.alone.slope is None or self.alone.telling:
            return
        sizes = slope.detach().reshape(len(slope), -1).abs().sum(1)
        sizes = torch.where(torch.isfinite(sizes), sizes, 0.0)
        if count := int((sizes > 0).sum()):
            self.steepest = int(sizes.argmax()), count

    def check(self) -> None:
        """Refuse a loss that is not a sum over the samples.

        Raises:
            ValueError: where it is not.
        """
        if self.row is None or self.alone is None or self.alone.slope is None:
            return
        if self.steepest is None and not same(self.row, self.alone.slope):
            raise ValueError(
                "loss: expected the sum of per-sample losses, but a sample's gradient "
                "alone differs from that in the batch; use reduction='sum', not 'mean'"
            )


def _scalar(value: object) -> Tensor:
    """Refuse a loss that is no single number.

    Returns:
        The loss.

    Raises:
        ValueError: where it is none.
    """
    if isinstance(value, Tensor) and value.ndim == 0:
        return value
    raise ValueError(
        f"loss: expected the sum over the batch, a tensor without axes, got "
        f"{type(value).__name__} of shape {tuple(getattr(value, 'shape', ()))}; use "
        f"reduction='sum'"
    )


def _direct(G: Tensor) -> Direct:
    return Direct(len(G), tuple(G.shape[1:]), lambda low, high: G[low:high])


def _differentiable(output: object) -> bool:
    return isinstance(output, Tensor) and output.requires_grad


def _watch(output: object, hook: Callable[[Tensor], None]) -> None:
    assert isinstance(output, Tensor)
    output.register_hook(hook)  # type: ignore[no-untyped-call] # returns nothing


def _check_output(output: object, alone: _Alone) -> None:
    """Refuse a model whose output for a sample depends on the other samples.

    Raises:
        ValueError: where it does.
    """
    if isinstance(output, Tensor) and isinstance(alone.output, Tensor):
        mine, own = output[alone.j].detach(), alone.output[0].detach()
        if not same(mine, own):
            raise ValueError(
                f"expected independent samples along axis 0, but sample {alone.j} "
                f"alone gives another output than in the batch; sequence modules need "
                f"batch_first=True, and nothing may mix samples"
            )


@dataclass(slots=True, eq=False)
class _Batch:
    """The uses of one batch, as the backward pass hands them over."""

    work: _Pass
    graph: Graph
    known: list[Layout | None]
    alone: _Alone | None
    N: int
    only: bool
    marks: Marks | None
    held: dict[str, list[Source]] = field(default_factory=dict)
    awaited: dict[str, int] = field(default_factory=dict)
    pairs: Pairs = field(default_factory=Pairs)
    memo: dict[Node, Vectors] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for use in self.graph.uses:
            self.awaited[use.name] = self.awaited.get(use.name, 0) + 1

    def receive(self, node: Node, delta: Tensor) -> None:
        """Take the gradient of a node's output and add what it says."""
        for k in self.graph.places[node]:
            use = self.graph.uses[k]
            if use.name in self.work.reasons:
                continue
            try:
                self._take(k, use, delta.detach())
            except LookupError as error:
                self.work.reasons[use.name] = str(error.args[0])
                self.held.pop(use.name, None)
        self.memo.pop(node, None)

    def _take(self, k: int, use: Use, delta: Tensor) -> None:
        tensors = [t.detach() for t in operands(use)]
        layout = self._layout(k, use, tensors, delta)
        if self.marks is not None:
            self.marks.note(k, compared(use, tensors, delta), layout)
        held = self.held.setdefault(use.name, [])
        made = source(use, tensors, delta, layout, self.N, self.memo)
        if isinstance(made, Summed) and self.awaited[use.name] > 1:
            made = Vectors(made.values)  # δ need not wait for the other uses
        held.append(made)
        if len(held) == self.awaited[use.name]:
            self.work.add(use.name, joined(held), last=self.only)
            del self.held[use.name]
            self.awaited[use.name] = 0

    def _layout(self, k: int, use: Use, tensors: list[Tensor], delta: Tensor) -> Layout:
        layout = self.known[self.graph.places[use.node][0]]
        if layout is not None:
            return layout
        if self.N == 1:
            left = use.slot == 0 and use.kind == "MmBackward0"
            left = left or (use.slot == 1 and use.kind == "AddmmBackward0")
            return Layout(int(left), 1, -1)
        own = None if self.alone is None else self.alone.tensors[k]
        if own is not None and self.alone is not None:
            layout = find(
                compared(use, tensors, delta),
                own,
                (self.N, self.alone.n),
                self.alone.j,
                self.pairs,
                use.name,
            )
        if layout is None:
            raise LookupError("no batch axis found")
        self.known[self.graph.places[use.node][0]] = layout
        return layout

    def finish(self) -> None:
        """Add what is left: parameters reached in part, or not at all."""
        for name, p in self.work.named.items():
            if name in self.work.reasons or self.awaited.get(name) == 0:
                continue
            held = self.held.pop(name, None)
            zero = p.new_zeros(1, *p.shape, dtype=_wide(p)).expand(self.N, *p.shape)
            found = joined(held) if held else _direct(zero)
            self.work.add(name, found, last=self.only)


def _wide(p: Tensor) -> torch.dtype:
    return torch.promote_types(p.dtype, torch.float32)
