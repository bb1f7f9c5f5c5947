from __future__ import annotations

import re

from jupyter_authorized_server import errors
from jupyter_authorized_server.errors import AuthorizationError, Mistake, Nowhere, PolicyError

TREE = re.compile(r"^    ((?:\||`|    |\s)*(?:-- )?)(\w+)  +\S", re.MULTILINE)


def test_the_tree_of_the_module_names_every_exception_below_the_one_it_is_made_of() -> None:
    above: dict[int, str] = {}
    told: dict[str, str] = {}
    for branch, name in TREE.findall(errors.__doc__ or ""):
        depth = len(branch) // 4
        told[name] = above.get(depth - 1, "Exception")
        above[depth] = name
    made = {
        name: each.__bases__[0].__name__
        for name, each in vars(errors).items()
        if isinstance(each, type) and issubclass(each, Exception)
    }
    assert made == told


def test_whoever_catches_pythons_own_catches_names_too() -> None:
    assert issubclass(errors.InvalidName, ValueError)
    assert issubclass(errors.UnknownName, LookupError)
    # A missing store or person must not pass for a bad value, nor the other way round.
    assert not issubclass(errors.StoreError, ValueError | LookupError)


def test_a_policy_that_does_not_load_says_every_mistake_on_a_line_in_order() -> None:
    mistakes = [
        Mistake(source="b.cedar", line=7, message="the second"),
        Mistake(source="a.cedar", line=1, message="the first"),
    ]
    error = PolicyError(mistakes)
    assert "b.cedar:7: the second\na.cedar:1: the first" == str(error)
    mistakes.clear()
    assert 2 == len(error.mistakes)


def test_a_path_that_leads_nowhere_keeps_what_was_asked_for_out_of_its_message() -> None:
    error = Nowhere("the path leads to a hidden file", "/team/secret")
    assert ("/team/secret", "the path leads to a hidden file") == (error.path, str(error))
    assert "" == Nowhere("nobody asked").path
    assert isinstance(error, AuthorizationError)
