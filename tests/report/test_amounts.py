"""Numbers with what they count."""

from simbbm.host.amounts import amount


def test_one_is_singular() -> None:
    assert ["0 states", "1 state", "1,200 states"] == [amount(n, "state") for n in (0, 1, 1200)]
    assert ["1 witness", "2 witnesses"] == [amount(n, "witness") for n in (1, 2)]
