"""The block `directory.jsonnet` of an Application's source (ApplicationSourceJsonnet in Argo CD's types.go).

In the values of variables, Argo CD puts what it knows in place of `$NAME` and `${NAME}`; what is no name that
it knows becomes nothing. The names of the commit are not among those here: what comes of them is another text
with every commit. It does so once more for each program of the source, so that what has a `$` then is another
text for each.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.objects import Object, parts_of, text_of, texts_of
from gitops_backup.sources.rendering import Variable


class UnusableVariable(GitopsBackupError):
    """A variable of which it cannot be told here what Argo CD makes of it; the message names it."""


@dataclass(frozen=True, slots=True)
class JsonnetBlock:
    """What an Application says of its programs; what is set inline may be secret, and is not printed.

    `place` is the block's own in the Application. Libraries are as the Application has them.
    """

    place: str = "directory.jsonnet"
    libraries: tuple[str, ...] = ()
    variables: tuple[Variable, ...] = field(default=(), repr=False)
    arguments: tuple[Variable, ...] = field(default=(), repr=False)

    @classmethod
    def project(cls, block: Object, *, place: str) -> Self:
        """The projection of the block; what is missing, or of another type, reads as unset."""
        return cls(
            place=place,
            libraries=texts_of(block, "libs"),
            variables=_variables(block, "extVars"),
            arguments=_variables(block, "tlas"),
        )

    def filled(self, known: Mapping[str, str]) -> Self:
        """The block with what is known in place of its names. Raises `UnusableVariable`."""
        variables, arguments = (
            tuple(self._filled(each, field, known) for each in given)
            for field, given in (("extVars", self.variables), ("tlas", self.arguments))
        )
        return type(self)(self.place, self.libraries, variables, arguments)

    @property
    def code(self) -> dict[str, str]:
        """What is evaluated of it, by what people call it."""
        fields = (("extVars", self.variables), ("tlas", self.arguments))
        return {self._called(each, name): each.value for name, given in fields for each in given if each.code}

    def saying(self, text: str) -> str | None:
        """The variable that has a text in its value, as people call it."""
        for field_name, given in (("extVars", self.variables), ("tlas", self.arguments)):
            for each in given:
                if text in each.value:
                    return self._called(each, field_name)
        return None

    def _filled(self, variable: Variable, field_name: str, known: Mapping[str, str]) -> Variable:
        called = self._called(variable, field_name)
        if not variable.name or variable.name.startswith("-") or "=" in variable.name:
            raise UnusableVariable(f"{called} has a name that cannot be given to the program")
        for match in _NAME.finditer(variable.value):
            if match.lastgroup is None or match[match.lastgroup] not in known:
                what = one_line(match[0])
                raise UnusableVariable(f"{called} has {what}, which only Argo CD can put something in for")
        value = _NAME.sub(lambda match: known[match[match.lastgroup or 0]], variable.value)
        if "$" in value:
            raise UnusableVariable(f"{called} has a $ in what {one_line(variable.value)} stands for")
        return Variable(variable.name, value, variable.code)

    def _called(self, variable: Variable, field_name: str) -> str:
        return f"{self.place}.{field_name}[{one_line(variable.name)}]"


def _variables(block: Object, key: str) -> tuple[Variable, ...]:
    return tuple(
        Variable(text_of(each, "name"), text_of(each, "value"), code=each.get("code") is True)
        for each in parts_of(block, key)
    )


# a name without braces ends where letters do; anything else behind a dollar is special to os.Expand of Go
_NAME = re.compile(r"\$(?:\{(?P<braced>\w+)\}|(?P<plain>\w+)|.?)", re.ASCII | re.DOTALL)
