"""The stacked AdamW and the clipping are torch's, run by run."""

from __future__ import annotations

import torch

from cdsp_core.training.batched_adamw import Rows, adamw, clipped

RATES = (5e-3, 1e-1, 1e-4)


def test_every_row_follows_torchs_adamw_with_its_own_rate() -> None:
    generator = torch.Generator().manual_seed(0)
    start_XW = torch.randn(3, 40, generator=generator)
    singles = [torch.nn.Parameter(row.clone()) for row in start_XW]
    theirs = [
        torch.optim.AdamW([p], lr=rate, weight_decay=0.01, fused=True) for p, rate in zip(singles, RATES, strict=True)
    ]
    rows = Rows.of(start_XW.clone(), lr_X=torch.tensor(RATES, dtype=torch.float64), weight_decay=0.01)
    everywhere = torch.ones(3)
    for step in range(1, 200):
        gradient_XW = torch.randn(3, 40, generator=generator) * 10.0 ** torch.randint(
            -6, 3, (3, 1), generator=generator
        )
        adamw(
            rows,
            gradient_XW,
            factor_X=everywhere,
            usable_X=everywhere.bool(),
            step=torch.tensor(float(step), dtype=torch.float64),
        )
        for parameter, optimizer, gradient in zip(singles, theirs, gradient_XW, strict=True):
            parameter.grad = gradient.clone()
            optimizer.step()
        torch.testing.assert_close(rows.value_XW, torch.stack(list(singles)).detach(), rtol=1e-5, atol=1e-6)


def test_a_row_that_is_not_usable_stays_though_its_gradient_is_nan() -> None:
    rows = Rows.of(torch.ones(2, 4), lr_X=torch.full((2,), 0.1, dtype=torch.float64), weight_decay=0.5)
    gradient_XW = torch.tensor([[torch.nan] * 4, [1.0] * 4])
    step = torch.ones((), dtype=torch.float64)
    adamw(rows, gradient_XW, factor_X=torch.ones(2), usable_X=torch.tensor([False, True]), step=step)
    assert torch.equal(rows.value_XW[0], torch.ones(4))
    assert (rows.value_XW[1] < 1.0).all()
    assert torch.isfinite(rows.mean_XW).all()


def test_clipping_is_torchs_together_and_apart() -> None:
    generator = torch.Generator().manual_seed(1)
    gradients = [torch.randn(3, 5, generator=generator), 4.0 * torch.randn(3, 2, generator=generator)]
    gradients[0][1] *= 0.01
    gradients[1][1] *= 0.01
    for apart in (False, True):
        factors, norm_X = clipped(gradients, limit=1.0, apart=apart)
        for run in range(3):
            single = [torch.nn.Parameter(torch.zeros_like(g[run])) for g in gradients]
            for parameter, gradient in zip(single, gradients, strict=True):
                parameter.grad = gradient[run].clone()
            total = torch.nn.utils.get_total_norm([p.grad for p in single if p.grad is not None])
            for group in [[p] for p in single] if apart else [single]:
                torch.nn.utils.clip_grad_norm_(group, 1.0)
            torch.testing.assert_close(norm_X[run], total)
            for parameter, gradient, factor_X in zip(single, gradients, factors, strict=True):
                torch.testing.assert_close(gradient[run] * factor_X[run], parameter.grad)
