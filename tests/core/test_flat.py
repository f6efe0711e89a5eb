"""Many parameters as one tensor."""

from __future__ import annotations

import torch
from torch import nn

from cdsp_core.training.flat import flattened


def two_layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))


def test_the_flat_parameter_and_its_views_are_the_same_memory() -> None:
    model = two_layers()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    flat = flattened(list(model.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    with torch.no_grad():
        flat.fill_(2.0)
    assert all((parameter == 2.0).all() for parameter in model.parameters())


def test_backward_passes_add_to_the_flat_gradient() -> None:
    model, plain = two_layers(), two_layers()
    flat = flattened(list(model.parameters()))
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    for net in (model, plain):
        net(x).square().sum().backward()
    wanted = torch.cat([parameter.grad.flatten() for parameter in plain.parameters() if parameter.grad is not None])
    torch.testing.assert_close(flat.grad, wanted)
    model(x).square().sum().backward()
    torch.testing.assert_close(flat.grad, 2 * wanted)


def test_loading_a_state_writes_into_the_flat_parameter() -> None:
    model, other = two_layers(), nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    flat = flattened(list(model.parameters()))
    model.load_state_dict(other.state_dict())
    torch.testing.assert_close(flat.detach(), torch.cat([p.detach().flatten() for p in other.parameters()]))
