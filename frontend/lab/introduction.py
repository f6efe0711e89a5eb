"""What this is, for who never heard of a mixture of experts: three sentences and one picture."""

from __future__ import annotations

from typing import Final

from dash import html
from dash.development.base_component import Component

from frontend.attributes import data

PAPER: Final = "https://arxiv.org/abs/2512.20291"
SENTENCES: Final = (
    "A mixture of experts sends each patch of an image to a few small networks. "
    "Here they own no weights: they borrow blocks of one backbone. "
    "Clashing gradients cut links; watch which are left. "
)


def introduced() -> list[Component | str]:
    """The sentences with the paper's link."""
    return [SENTENCES, html.A("The paper", href=PAPER, className="link", rel="noreferrer")]


def introduction() -> list[Component]:
    """The same, and the place of the picture, which shell/introduction.js draws."""
    return [
        html.P(introduced()),
        html.Div(className="introduction-picture", **data(introduction="")),
    ]
