"""AdamW by one fused operation a group of parameters.

torch.optim.AdamW(fused=True) computes the same bits by the same operation, but any optimiser of torch.optim loads
torch's compiler when it is made, which is a third of the time in which a worker starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor

BETAS: Final = (0.9, 0.999)
EPS: Final = 1e-8
LEARNING_RATE: Final = 1e-3
WEIGHT_DECAY: Final = 1e-2
"""torch.optim.AdamW's defaults"""


class AdamW:
    """Groups of float32 parameters on one device, each a dict with `params`, `lr` and `weight_decay`.

    `state` holds, by parameter, a checkpoint's `step`, `exp_avg` and `exp_avg_sq`. An update is left out while
    `found_inf`, a scalar tensor, is 1.
    """

    def __init__(self, groups: Sequence[dict[str, Any]]) -> None:
        self.param_groups = [{"lr": LEARNING_RATE, "weight_decay": WEIGHT_DECAY, **group} for group in groups]
        self.state: dict[Tensor, dict[str, Tensor]] = {}
        self.found_inf: Tensor | None = None

    @torch.no_grad()
    def step(self) -> None:
        """One update (Loshchilov and Hutter, arXiv:1711.05101) of every parameter that has a gradient."""
        for group in self.param_groups:
            used = [parameter for parameter in group["params"] if parameter.grad is not None]
            if not used:
                continue
            states = [self._state_of(parameter) for parameter in used]
            steps = [state["step"] for state in states]
            torch._foreach_add_(steps, 1)
            torch._fused_adamw_(
                used,
                [parameter.grad for parameter in used],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                steps,
                amsgrad=False,
                lr=group["lr"],
                beta1=BETAS[0],
                beta2=BETAS[1],
                weight_decay=group["weight_decay"],
                eps=EPS,
                maximize=False,
                grad_scale=None,
                found_inf=self.found_inf,
            )
            if self.found_inf is not None:
                torch._foreach_sub_(steps, [self.found_inf] * len(steps))

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget every gradient, or set it to 0 where it is."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if set_to_none:
                    parameter.grad = None
                elif parameter.grad is not None:
                    parameter.grad.zero_()

    def _state_of(self, parameter: Tensor) -> dict[str, Tensor]:
        if parameter not in self.state:
            self.state[parameter] = {
                "step": torch.zeros((), device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        return self.state[parameter]
