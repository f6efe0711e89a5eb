"""Two tasks on the same inputs that want opposite outputs: y = f(x) and y = -f(x) (the method's interference demo).

`id`: nothing in x tells the tasks apart; a model knows the task by its ID or not at all.
`content`: the first coordinate of x is 2 for one task and -2 for the other, and no ID is given.

Shapes: B inputs, D their width and the outputs', Q width of the task vector, H hidden width, E experts.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdsp_core.method.layer import CDSPLayer
from cdsp_core.models.attention import linear
from cdsp_core.studies.experiments import task_overlap
from cdsp_core.studies.experiments.game_step import GameStep
from cdsp_core.studies.experiments.sizes import OPPOSITE_TASKS, opposite_tasks_config
from cdsp_core.studies.framework.study import Row, Tell
from cdsp_core.training.batches import stream_generator

MARKER = 2.0
BATCH = 64
TEST_INPUTS = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """The same B inputs once for either task: first all of task 0, then all of task 1."""

    x_BD: Tensor
    task_B: Tensor
    target_BD: Tensor


class OppositeTasks:
    """A fixed random teacher f, silu(2 x W1) W2, outputs of variance 1, and inputs for it.

    The teacher is of the students' kind. One of tanh, tried first, leaves every student, also on one task alone,
    for thousands of steps at the error of the best linear map, which hides what interference costs.
    """

    def __init__(self, variant: str, *, width: int, seed: int) -> None:
        self.variant = variant
        self.width = width
        generator = stream_generator(seed, "order", data_epoch=1)
        self._first_DD = torch.randn(width, width, generator=generator) / width**0.5
        self._second_DD = torch.randn(width, width, generator=generator) / width**0.5
        sample_BD = self._teach(torch.randn(4096, width, generator=generator))
        self._mean_D, self._deviation_D = sample_BD.mean(0), sample_BD.std(0)

    def inputs(self, count: int, generator: torch.Generator) -> Inputs:
        """`count` inputs drawn from normal(0, 1), each for both tasks."""
        x_BD = torch.randn(count, self.width, generator=generator)
        x_BD[:, 0] = 0.0
        target_BD = (self._teach(x_BD) - self._mean_D) / self._deviation_D
        task_B = torch.arange(2).repeat_interleave(count)
        x_BD = x_BD.repeat(2, 1)
        if self.variant == "content":
            x_BD[:, 0] = torch.where(task_B == 0, MARKER, -MARKER)
        return Inputs(x_BD=x_BD, task_B=task_B, target_BD=torch.cat([target_BD, -target_BD]))

    def _teach(self, x_BD: Tensor) -> Tensor:
        """f before it is scaled; blind to the first coordinate."""
        f_BD: Tensor = F.silu(2.0 * x_BD[:, 1:] @ self._first_DD[1:]) @ self._second_DD
        return f_BD


class SharedMLP(nn.Module):
    """silu([x, v] W1 + b1) W2 + b2; the task vector v only where the model is told the ID.

    The biases are needed: the marker of `content` is 2 or -2, and without biases silu, a line plus an even function,
    cannot give an even part of f the marker's sign.
    """

    def __init__(self, *, parameters: int, told: bool, generator: torch.Generator) -> None:
        super().__init__()
        self.told = told
        inputs = OPPOSITE_TASKS.d_model + (OPPOSITE_TASKS.d_task if told else 0)
        hidden = round((parameters - OPPOSITE_TASKS.d_model) / (inputs + 1 + OPPOSITE_TASKS.d_model))
        self.up = linear(inputs, hidden, generator=generator)
        self.up_bias = nn.Parameter(torch.zeros(hidden))
        self.down = linear(hidden, OPPOSITE_TASKS.d_model, generator=generator)
        self.down_bias = nn.Parameter(torch.zeros(OPPOSITE_TASKS.d_model))

    def forward(self, x_BD: Tensor, task_BQ: Tensor) -> Tensor:
        hidden_BH = F.silu(self.up(torch.cat([x_BD, task_BQ], 1) if self.told else x_BD) + self.up_bias)
        y_BD: Tensor = self.down(hidden_BH) + self.down_bias
        return y_BD

    def shared(self) -> list[Tensor]:
        return [self.up.weight, self.down.weight]


class CDSPRegressor(nn.Module):
    """One CDSP layer, every input a sample of one token."""

    def __init__(self, *, generator: torch.Generator) -> None:
        super().__init__()
        self.layer = CDSPLayer(OPPOSITE_TASKS, generator=generator)

    def forward(self, x_BD: Tensor, task_BQ: Tensor) -> Tensor:
        y_B1D, _ = self.layer(x_BD[:, None], task_BQ)
        y_BD: Tensor = y_B1D[:, 0]
        return y_BD

    def shared(self) -> list[Tensor]:
        return list(self.layer.backbone.parameters())


class Learner(nn.Module):
    """A model with its task embedding; the embedding is zero wherever no ID is given."""

    def __init__(self, name: str, *, told: bool, seed: int) -> None:
        super().__init__()
        generator = stream_generator(seed, "weights")
        self.told = told
        cdsp = CDSPRegressor(generator=generator)
        count = sum(p.numel() for p in cdsp.parameters())
        self.model: CDSPRegressor | SharedMLP = (
            cdsp
            if name.startswith("cdsp")
            else SharedMLP(parameters=count, told=name == "mlp_told", generator=generator)
        )
        self.embedding_2Q = nn.Parameter(torch.randn(2, OPPOSITE_TASKS.d_task, generator=generator))

    @property
    def layers(self) -> list[CDSPLayer]:
        return [self.model.layer] if isinstance(self.model, CDSPRegressor) else []

    def task_losses(self, inputs: Inputs) -> Tensor:
        """Mean squared error per task, [2], in units of the targets' variance: 1 is what predicting 0 gives."""
        task_BQ = self.embedding_2Q[inputs.task_B] * float(self.told)
        error_BD: Tensor = self.model(inputs.x_BD, task_BQ) - inputs.target_BD
        return error_BD.square().mean(1).view(2, -1).mean(1)


def train(
    *, model: str, variant: str, lambda_conflict: float, seed: int, steps: int, every: int, tell: Tell
) -> list[Row]:
    """Train one model and measure it every `every` steps, the first time before the first one. Returns a row each."""
    problem = OppositeTasks(variant, width=OPPOSITE_TASKS.d_model, seed=seed)
    learner = Learner(model, told=variant == "id", seed=seed)
    game = GameStep(learner, learner.layers, opposite_tasks_config(lambda_conflict).controls)
    draws = stream_generator(seed, "order")
    test = problem.inputs(TEST_INPUTS, stream_generator(seed, "order", data_epoch=2))
    rows = [measured(learner, test, step=0)]
    for step in range(1, steps + 1):
        game.update(learner.task_losses(problem.inputs(BATCH, draws)).mean())
        if step % every == 0:
            rows.append(measured(learner, test, step=step))
            tell(step / steps, f"{variant}, {model}: step {step}")
    return rows


def measured(learner: Learner, test: Inputs, *, step: int) -> Row:
    """Losses per task, the cosine of the tasks' gradients on the shared weights, and what the tasks share."""
    losses_2 = learner.task_losses(test)
    first, second = (
        torch.cat([g.flatten() for g in torch.autograd.grad(loss, learner.model.shared(), retain_graph=True)])
        for loss in losses_2
    )
    row: Row = {
        "step": step,
        "loss": float(losses_2.detach().mean()),
        "loss_0": float(losses_2[0].detach()),
        "loss_1": float(losses_2[1].detach()),
        "task_gradient_cosine": float(F.cosine_similarity(first, second, dim=0)),
        "parameters": sum(p.numel() for p in learner.model.parameters()),
    }
    if learner.layers:
        (layer,) = learner.layers
        routing_2E = _routing(layer, test, learner.embedding_2Q * float(learner.told))
        row |= task_overlap.structure(routing_2E[None].numpy(), [layer])
    return row


@torch.no_grad()
def _routing(layer: CDSPLayer, test: Inputs, task_2Q: Tensor) -> Tensor:
    """Each task's share of assignments to every expert, [2, E]."""
    _, expert_BK = layer.router(test.x_BD[:, None], task_2Q[test.task_B])
    chosen_2ME = expert_BK.view(2, -1, 1) == torch.arange(OPPOSITE_TASKS.num_experts)
    routing_2E: Tensor = chosen_2ME.to(torch.float32).mean(1)
    return routing_2E
