"""The tolerance follows the precision and the device; cards without a meaning there stay where they are."""

from dataclasses import replace

import pytest

from refgen.cards import CARDS
from refgen.cards.load import load_cards
from refgen.cards.setting import GPU_FACTOR, HOST, Setting

load_cards()
CARD = replace(CARDS["POST-5/mean"], tolerance=1e-9, reject_at=1e-8, tolerance32=1e-4)
SINGLE, GPU, BOTH = Setting("float32"), Setting(device="gpu"), Setting("float32", "gpu")


@pytest.mark.parametrize(
    ("setting", "tolerance"), [(HOST, 1e-9), (SINGLE, 1e-4), (GPU, GPU_FACTOR * 1e-9), (BOTH, 1e-4)]
)
def test_tolerances(setting, tolerance):
    adjusted = setting.adjust(CARD)
    assert adjusted.tolerance == tolerance
    assert adjusted.reject_at == max(1e-8, 10 * tolerance)
    assert setting.of(CARD) == setting


@pytest.mark.parametrize("setting", [SINGLE, GPU, BOTH])
def test_a_card_that_stays_on_the_host_in_float64(setting):
    stays = replace(CARD, tolerance32=None)
    assert setting.of(stays) == HOST
    assert setting.adjust(stays) is stays
    assert setting.inject(stays, max) is max


def test_a_claim_stays_exact():
    assert GPU.adjust(replace(CARD, tolerance=0.0, reject_at=0.5)).tolerance == 0
