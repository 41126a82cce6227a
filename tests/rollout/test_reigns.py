from __future__ import annotations

from streamapp.rollout.reigns import Former, Reigns


def reigns_of(*versions: str, keep: int = 2, guards: bool = True) -> Reigns:
    reigns = Reigns(keep=keep, cooldown_rows=500, guards=guards)
    for i, version in enumerate(versions):
        reigns.change(version, now_ms=60_000 * i, row=100 * i, way="gate")
    return reigns


def test_the_last_few_champions_are_kept() -> None:
    reigns = reigns_of("a", "b", "c", "d")
    assert reigns.former == [Former("b", 120_000, 200), Former("c", 180_000, 300)]
    assert reigns.guard == "c"
    assert reigns.shadows("d") == ("b", "c")


def test_who_is_to_come_is_shadowed_by_who_serves() -> None:
    reigns = reigns_of("a", "b")
    assert reigns.shadows("c") == ("a", "b")
    assert reigns.shadows("a") == ("b",)


def test_a_guard_is_kept_for_as_long_as_it_guards() -> None:
    reigns = reigns_of("a", "b", keep=0)
    assert reigns.shadows("b") == ("a",)
    reigns.end_guard(150)
    assert (reigns.guard, reigns.shadows("b")) == (None, ())


def test_a_guard_that_is_done_is_a_challenger_for_later_rows() -> None:
    reigns = reigns_of("a", "b")
    reigns.end_guard(150)
    assert reigns.former == [Former("a", 60_000, 150)]


def test_whoever_goes_back_by_hand_rolls_back() -> None:
    reigns = reigns_of("a", "b")
    reigns.change("a", now_ms=90_000, row=130, way="hand")
    assert (reigns.guard, reigns.former) == (None, [Former("b", 90_000, 630, True)])
    reigns.change("new", now_ms=95_000, row=140, way="hand")
    assert reigns.guard == "a"


def test_what_comes_back_by_the_gate_is_guarded() -> None:
    reigns = reigns_of("a", "b", "a")
    assert (reigns.guard, reigns.former) == ("b", [Former("b", 120_000, 200)])


def test_nobody_guards_where_that_is_off() -> None:
    assert reigns_of("a", "b", guards=False).guard is None


def test_a_restart_goes_on() -> None:
    reigns = reigns_of("a", "b", "c")
    again = Reigns(keep=2, cooldown_rows=500, guards=True)
    again.restore(reigns.snapshot())
    assert again.snapshot() == reigns.snapshot()
    smaller = Reigns(keep=1, cooldown_rows=500, guards=False)
    smaller.restore(reigns.snapshot())
    assert (smaller.guard, smaller.shadows("c")) == (None, ("b",))
