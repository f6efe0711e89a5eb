"""What both sides know is written once, and what is written is all there is."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import get_args, get_type_hints

from cdsp_core.settings.config import MAX_SEED, schema
from cdsp_core.settings.model import ModelConfig
from cdsp_core.wire.messages.vocabulary import Status
from frontend import page_settings as page
from frontend.layout import shortcuts_dialog
from frontend.rendered import to_html


def test_the_page_knows_every_architecture_of_the_config_and_no_other() -> None:
    assert set(page.ARCHITECTURES) == set(get_args(get_type_hints(ModelConfig)["architecture"]))


def test_every_control_of_the_schema_is_on_the_page_with_a_label_and_no_other() -> None:
    shown = page.page_settings()["controls"]
    assert set(page.CONTROLS) <= set(shown) == set(schema()["controls"])
    assert all(control["label"] for control in shown.values())


def test_every_status_of_the_wire_has_its_words_and_no_other() -> None:
    assert set(page.STATUSES) == set(get_args(Status))
    assert all(status["words"] for status in page.page_settings()["statuses"])


def test_no_key_has_two_meanings() -> None:
    keys = [key for shortcut in page.SHORTCUTS for key in shortcut.keys]
    assert len(keys) == len(set(keys))
    assert all(key == key.lower() for key in keys)


def test_the_dialog_lists_every_shortcut() -> None:
    shown = to_html(shortcuts_dialog())
    assert shown.count("<kbd>") == len(page.SHORTCUTS)


def test_the_settings_are_read_back_as_they_are_and_no_text_can_end_their_element() -> None:
    script = page.settings_script()
    found = re.fullmatch(r'<script type="application/json" id="page-settings">([^<]*)</script>', script)
    assert found
    told = json.loads(found[1])
    assert told == json.loads(json.dumps(page.page_settings()))
    assert told["max_seed"] == MAX_SEED
    assert set(told["statuses"][0]) == {"name", "active"} | {field.name for field in fields(page.StatusText)}
