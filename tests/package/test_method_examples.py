"""The examples in the docstrings of methods run.

pytest finds those of public classes where users find the class, and no method of theirs: for it,
a method is of the module in which it is written.
"""

import doctest
import inspect

import pytest

import ordercycle

FINDER = doctest.DocTestFinder(exclude_empty=True)


def public_classes():
    for module in (ordercycle, ordercycle.datasets):
        for name in module.__all__:
            if inspect.isclass(thing := getattr(module, name)):
                yield thing


def examples():
    """Yield the examples of methods and properties, with the names of the module they are in."""
    for thing in public_classes():
        for name, member in vars(thing).items():
            function = inspect.unwrap(getattr(member, "fget", None) or getattr(thing, name))
            if not inspect.isroutine(function) or not (function.__doc__ or "").count(">>>"):
                continue
            known = dict(getattr(inspect.unwrap(function), "__globals__", {}))
            whole = f"{thing.__module__}.{thing.__qualname__}.{name}"
            yield from FINDER.find(function, whole, module=False, globs=known)


EXAMPLES = [example for example in examples() if example.examples]


def test_there_are_examples_of_what_everybody_needs():
    names = {example.name for example in EXAMPLES}
    assert {"ordercycle.OrderHistory.build", "ordercycle.OrderHistory.profile"} <= names


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_examples_of_methods_run(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert runner.run(example, out=told.append).failed == 0, "".join(told)
